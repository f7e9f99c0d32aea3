"""Run by the Python of the Spark environment: `flow/session.py` on a classic session with Delta; prints JSON of what it gave.

Arguments: the folders that hold Brickyard and what it imports, then a JSON object of Spark settings.
"""

from __future__ import annotations

import json
import os
import sys

sys.path += sys.argv[1:-1]  # behind pyspark's own: the client that Brickyard is tested with has the same name

STATEMENTS = (
    "CREATE SCHEMA s",
    "CREATE TABLE s.t (id INT, at TIMESTAMP) USING delta",
    "INSERT INTO s.t VALUES (1, NULL), (2, NULL)",
    "MERGE INTO s.t USING (SELECT 1 AS id UNION ALL SELECT 3) n ON t.id <=> n.id"
    " WHEN MATCHED THEN UPDATE SET at = timestamp'2026-03-08 07:30:00.000001Z' WHEN NOT MATCHED THEN INSERT (id) VALUES (n.id)",
    "SELECT * FROM s.t ORDER BY id",
    "SELECT * FROM s.nobody",
    "SELECT CAST('x' AS INT)",
)


def main(settings: dict[str, str]) -> None:
    """Begin the session as a cluster does, and run the statements through the one that a task finds."""
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    from brickyard.health.flow import session

    SparkSession.builder.config(conf=SparkConf().setAll(list(settings.items()))).getOrCreate()
    sql = session.on(session.active())
    said.write(json.dumps([_told(sql, statement) for statement in STATEMENTS], default=str))


def _told(sql, statement: str) -> object:
    from brickyard.kernel.errors import NotFound, WorkspaceRefused

    try:
        return [dict(row) for row in sql(statement)]
    except NotFound:
        return "NotFound"
    except WorkspaceRefused as error:
        return error.databricks_code


if __name__ == "__main__":
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Java prints must not stand before what we say
    main(json.loads(sys.argv[-1]))
    said.close()
