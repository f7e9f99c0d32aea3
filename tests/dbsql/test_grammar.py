"""The verb and the arguments of every statement that the front grammar reads."""

from __future__ import annotations

import pytest

from brickyard.dbsql.model import Column, Reference
from brickyard.dbsql.parse import parse
from brickyard.notebooks.model import Span


def plain(value: object, text: str) -> object:
    match value:
        case Reference():
            return value.span.slice(text)
        case Span():
            return value.slice(text)
        case Column():
            shown = [value.name, value.type or ""]
            shown += ["not null"] * (not value.nullable) + ([value.comment] if value.comment else [])
            shown += [s.slice(text) for s in (value.default, value.generated) if s]
            return "|".join(shown)
        case tuple():
            return tuple(plain(v, text) for v in value)
        case _:
            return value


def read(text: str) -> tuple[str, dict[str, object]]:
    (statement,) = parse(text, trees=False).statements
    return statement.verb, {k: plain(v, text) for k, v in statement.arguments.items()}


CASES: dict[str, tuple[str, dict[str, object]]] = {
    "CREATE WIDGET TEXT x DEFAULT 'y'": ("CREATE WIDGET", {"type": "TEXT", "name": "x", "default": "y"}),
    "CREATE WIDGET DROPDOWN x DEFAULT 'y' CHOICES SELECT * FROM (VALUES ('y'))": (
        "CREATE WIDGET",
        {"type": "DROPDOWN", "name": "x", "default": "y", "choices": "SELECT * FROM (VALUES ('y'))"},
    ),
    "DROP WIDGET IF EXISTS x": ("DROP WIDGET", {"if_exists": True, "name": "x"}),
    "REMOVE WIDGET x": ("DROP WIDGET", {"name": "x"}),
    "SET TIME ZONE 'Australia/Brisbane'": ("SET TIME ZONE", {"value": "Australia/Brisbane"}),
    "SET TIME ZONE LOCAL": ("SET TIME ZONE", {"value": "LOCAL"}),
    "SET TIME ZONE INTERVAL '10' HOURS": ("SET TIME ZONE", {"value": "INTERVAL '10' HOURS"}),
    "SET spark.sql.x = a b": ("SET", {"key": "spark.sql.x", "value": "a b", "value_span": "a b"}),
    "SET timezone = 'UTC'": ("SET", {"key": "timezone", "value": "'UTC'", "value_span": "'UTC'"}),
    "SET spark.sql.x": ("SET", {"key": "spark.sql.x"}),
    "SET": ("SET", {}),
    "RESET spark.x": ("RESET", {"key": "spark.x"}),
    "DECLARE OR REPLACE VARIABLE d DATE DEFAULT current_date()": (
        "DECLARE VARIABLE",
        {"replace": True, "name": "d", "type": "DATE", "default": "current_date()"},
    ),
    "DECLARE d = 5": ("DECLARE VARIABLE", {"name": "d", "default": "5"}),
    "DECLARE d DECIMAL(10, 2)": ("DECLARE VARIABLE", {"name": "d", "type": "DECIMAL(10, 2)"}),
    "SET VAR x = 1, session.y = f(1, 2)": (
        "SET VARIABLE",
        {"variables": ("x", "session.y"), "values": ("1", "f(1, 2)")},
    ),
    "SET VARIABLE (x, y) = (SELECT 1, 2)": ("SET VARIABLE", {"variables": ("x", "y"), "query": "SELECT 1, 2"}),
    "DROP TEMPORARY VARIABLE IF EXISTS x": ("DROP VARIABLE", {"temporary": True, "if_exists": True, "name": "x"}),
    "OPTIMIZE a.b FULL": ("OPTIMIZE", {"target": "a.b", "full": True}),
    "OPTIMIZE a.b WHERE d >= '2020' ZORDER BY (x, `y z`)": (
        "OPTIMIZE",
        {"target": "a.b", "where": "d >= '2020'", "zorder_by": ("x", "y z")},
    ),
    "OPTIMIZE a.b ZORDER BY x, y": ("OPTIMIZE", {"target": "a.b", "zorder_by": ("x", "y")}),
    "VACUUM a.b RETAIN 168 HOURS DRY RUN": ("VACUUM", {"target": "a.b", "retain_hours": "168", "dry_run": True}),
    "VACUUM a.b LITE": ("VACUUM", {"target": "a.b"}),
    "ANALYZE TABLE a.b COMPUTE STATISTICS": ("ANALYZE", {"target": "a.b"}),
    "ANALYZE TABLE a.b COMPUTE STATISTICS NOSCAN": ("ANALYZE", {"target": "a.b", "no_scan": True}),
    "ANALYZE TABLE a.b COMPUTE STATISTICS FOR COLUMNS x, y": ("ANALYZE", {"target": "a.b", "columns": ("x", "y")}),
    "CREATE OR REPLACE TABLE a.b DEEP CLONE c.d VERSION AS OF 3 TBLPROPERTIES ('x' = 'y') LOCATION '/z'": (
        "CLONE",
        {
            "replace": True,
            "target": "a.b",
            "depth": "DEEP",
            "source": "c.d",
            "version": "3",
            "version_span": "3",
            "properties": {"x": "y"},
            "location": "/z",
        },
    ),
    "CREATE TABLE IF NOT EXISTS a.b SHALLOW CLONE c.d TIMESTAMP AS OF '2020-01-01'": (
        "CLONE",
        {
            "if_not_exists": True,
            "target": "a.b",
            "depth": "SHALLOW",
            "source": "c.d",
            "timestamp": "2020-01-01",
            "timestamp_span": "'2020-01-01'",
        },
    ),
    "CREATE TABLE a.b CLONE c.d@v4": ("CLONE", {"target": "a.b", "depth": "DEEP", "source": "c.d", "version": "4"}),
    "RESTORE TABLE a.b TO VERSION AS OF 3": ("RESTORE", {"target": "a.b", "version": "3", "version_span": "3"}),
    "CONVERT TO DELTA parquet.`/x` PARTITIONED BY (d DATE)": (
        "CONVERT",
        {"target": "parquet.`/x`", "partitioned_by": ("d",), "partition_columns": ("d|DATE",)},
    ),
    "DESCRIBE HISTORY a.b LIMIT 1": ("DESCRIBE HISTORY", {"target": "a.b", "limit": "1"}),
    "DESCRIBE DETAIL a.b": ("DESCRIBE DETAIL", {"target": "a.b"}),
    "DESC EXTENDED a.b": ("DESCRIBE TABLE", {"extended": True, "target": "a.b"}),
    "DESCRIBE TABLE EXTENDED a.b AS JSON": ("DESCRIBE TABLE", {"extended": True, "target": "a.b", "json": True}),
    "DESCRIBE a.b c": ("DESCRIBE TABLE", {"target": "a.b", "column": "c"}),
    "DESCRIBE FUNCTION EXTENDED a.f": ("DESCRIBE FUNCTION", {"extended": True, "target": "a.f"}),
    "DESCRIBE DATABASE EXTENDED a": ("DESCRIBE SCHEMA", {"extended": True, "name": "a"}),
    "DESCRIBE CATALOG a": ("DESCRIBE CATALOG", {"name": "a"}),
    "DESCRIBE QUERY SELECT 1": ("DESCRIBE QUERY", {"query": "SELECT 1"}),
    "SHOW CATALOGS LIKE 'a*'": ("SHOW", {"what": "CATALOGS", "like": "a*"}),
    "SHOW DATABASES": ("SHOW", {"what": "SCHEMAS"}),
    "SHOW SCHEMAS IN c LIKE 'x'": ("SHOW", {"what": "SCHEMAS", "name": "c", "like": "x"}),
    "SHOW SCHEMAS IN CATALOG c LIKE 'x'": ("SHOW", {"what": "SCHEMAS", "name": "c", "like": "x"}),
    "SHOW SCHEMAS IN catalog LIKE 'x'": ("SHOW", {"what": "SCHEMAS", "name": "catalog", "like": "x"}),
    "SHOW TABLES IN CATALOG c SCHEMA LIKE 's' LIKE 'x'": (
        "SHOW",
        {"what": "TABLES", "name": "c", "schema_like": "s", "like": "x"},
    ),
    "SHOW TABLES IN catalog.s": ("SHOW", {"what": "TABLES", "name": "catalog.s"}),
    "SHOW TABLES": ("SHOW", {"what": "TABLES"}),
    "SHOW TABLES FROM a.b 'x*'": ("SHOW", {"what": "TABLES", "name": "a.b", "like": "x*"}),
    "SHOW TABLE EXTENDED IN a LIKE 'x'": ("SHOW", {"what": "TABLE EXTENDED", "name": "a", "like": "x"}),
    "SHOW VIEWS IN a.b": ("SHOW", {"what": "VIEWS", "name": "a.b"}),
    "SHOW VOLUMES": ("SHOW", {"what": "VOLUMES"}),
    "SHOW USER FUNCTIONS IN a": ("SHOW", {"what": "USER FUNCTIONS", "name": "a"}),
    "SHOW COLUMNS IN a.b": ("SHOW", {"what": "COLUMNS", "target": "a.b"}),
    "SHOW TBLPROPERTIES a.b ('x.y')": ("SHOW", {"what": "TBLPROPERTIES", "target": "a.b", "key": "x.y"}),
    "SHOW PARTITIONS a.b": ("SHOW", {"what": "PARTITIONS", "target": "a.b"}),
    "SHOW CREATE TABLE a.b": ("SHOW", {"what": "CREATE TABLE", "target": "a.b"}),
    "SHOW GRANTS ON SCHEMA a.b": ("SHOW", {"what": "GRANTS", "on": "SCHEMA", "name": "a.b"}),
    "SHOW GRANTS `me@x` ON TABLE a.b": (
        "SHOW",
        {"what": "GRANTS", "principal": "me@x", "on": "TABLE", "target": "a.b"},
    ),
    "SHOW GRANTS ON SHARE s": ("SHOW", {"what": "GRANTS", "on": "SHARE", "name": "s"}),
    "SHOW ALL IN SHARE s": ("SHOW", {"what": "ALL IN SHARE", "name": "s"}),
    "CREATE CATALOG IF NOT EXISTS a MANAGED LOCATION '/x' COMMENT 'c'": (
        "CREATE CATALOG",
        {"if_not_exists": True, "name": "a", "managed_location": "/x", "comment": "c"},
    ),
    "CREATE FOREIGN CATALOG a USING CONNECTION k OPTIONS (database 'd', x = 1)": (
        "CREATE CATALOG",
        {"foreign": True, "name": "a", "connection": "k", "options": {"database": "d", "x": "1"}},
    ),
    "CREATE DATABASE a.b COMMENT 'c' WITH DBPROPERTIES ('x' = 'y')": (
        "CREATE SCHEMA",
        {"name": "a.b", "comment": "c", "properties": {"x": "y"}},
    ),
    "CREATE EXTERNAL VOLUME a.b.v LOCATION '/x'": (
        "CREATE VOLUME",
        {"external": True, "name": "a.b.v", "location": "/x"},
    ),
    "CREATE SHARE IF NOT EXISTS s COMMENT 'c'": ("CREATE SHARE", {"if_not_exists": True, "name": "s", "comment": "c"}),
    "CREATE RECIPIENT r USING ID 'aws:x:y' COMMENT 'c'": (
        "CREATE RECIPIENT",
        {"name": "r", "using_id": "aws:x:y", "comment": "c"},
    ),
    "DROP SCHEMA IF EXISTS a.b CASCADE": ("DROP SCHEMA", {"if_exists": True, "name": "a.b", "cascade": True}),
    "DROP VOLUME a.b.v": ("DROP VOLUME", {"name": "a.b.v", "cascade": False}),
    "DROP SHARE s": ("DROP SHARE", {"name": "s", "cascade": False}),
    "DROP TABLE IF EXISTS a.b": ("DROP TABLE", {"if_exists": True, "target": "a.b"}),
    "ALTER CATALOG a SET OWNER TO `me@x`": ("ALTER CATALOG", {"name": "a", "action": "SET OWNER", "owner": "me@x"}),
    "ALTER SCHEMA a.b SET DBPROPERTIES ('x' = 'y')": (
        "ALTER SCHEMA",
        {"name": "a.b", "action": "SET DBPROPERTIES", "properties": {"x": "y"}},
    ),
    "ALTER VOLUME a.b.v RENAME TO a.b.w": (
        "ALTER VOLUME",
        {"name": "a.b.v", "action": "RENAME TO", "new_name": "a.b.w"},
    ),
    "ALTER SHARE s ADD TABLE a.b.c AS x.y": (
        "ALTER SHARE",
        {"name": "s", "action": "ADD", "rest": "ADD TABLE a.b.c AS x.y"},
    ),
    "ALTER TABLE a.b ADD COLUMNS (x INT COMMENT 'c' FIRST, y STRING)": (
        "ALTER TABLE",
        {"target": "a.b", "action": "ADD COLUMNS", "columns": ("x|INT|c", "y|STRING")},
    ),
    "ALTER TABLE a.b ADD COLUMN x DECIMAL(10, 2)": (
        "ALTER TABLE",
        {"target": "a.b", "action": "ADD COLUMNS", "columns": ("x|DECIMAL(10, 2)",)},
    ),
    "ALTER TABLE a.b DROP COLUMN IF EXISTS x": (
        "ALTER TABLE",
        {"target": "a.b", "action": "DROP COLUMNS", "if_exists": True, "names": ("x",)},
    ),
    "ALTER TABLE a.b DROP COLUMNS (x, y.z)": (
        "ALTER TABLE",
        {"target": "a.b", "action": "DROP COLUMNS", "names": ("x", "y.z")},
    ),
    "ALTER TABLE a.b RENAME COLUMN x TO y": (
        "ALTER TABLE",
        {"target": "a.b", "action": "RENAME COLUMN", "names": ("x",), "new_name": "y"},
    ),
    "ALTER TABLE a.b RENAME TO a.c": ("ALTER TABLE", {"target": "a.b", "action": "RENAME TO", "new_name": "a.c"}),
    "ALTER TABLE a.b ALTER COLUMN x COMMENT 'c'": (
        "ALTER TABLE",
        {"target": "a.b", "action": "ALTER COLUMN", "names": ("x",), "comment": "c", "change": "COMMENT 'c'"},
    ),
    "ALTER TABLE a.b ALTER COLUMN x TYPE BIGINT": (
        "ALTER TABLE",
        {"target": "a.b", "action": "ALTER COLUMN", "names": ("x",), "type": "BIGINT", "change": "TYPE BIGINT"},
    ),
    "ALTER TABLE a.b SET TBLPROPERTIES ('delta.x' = true, y.z = 'w')": (
        "ALTER TABLE",
        {"target": "a.b", "action": "SET TBLPROPERTIES", "properties": {"delta.x": "true", "y.z": "w"}},
    ),
    "ALTER TABLE a.b UNSET TBLPROPERTIES IF EXISTS ('x')": (
        "ALTER TABLE",
        {"target": "a.b", "action": "UNSET TBLPROPERTIES", "if_exists": True, "properties": {"x": ""}},
    ),
    "ALTER TABLE a.b SET TAGS ('x' = 'y')": (
        "ALTER TABLE",
        {"target": "a.b", "action": "SET TAGS", "properties": {"x": "y"}},
    ),
    "ALTER VIEW a.b AS SELECT 1": ("ALTER VIEW", {"target": "a.b", "action": "AS", "query": "SELECT 1"}),
    "GRANT SELECT, USE SCHEMA ON SCHEMA a.b TO `me@x`": (
        "GRANT",
        {"privileges": ("SELECT", "USE SCHEMA"), "on": "SCHEMA", "name": "a.b", "principal": "me@x"},
    ),
    "REVOKE ALL PRIVILEGES ON a.b FROM me": (
        "REVOKE",
        {"privileges": ("ALL PRIVILEGES",), "on": "TABLE", "target": "a.b", "principal": "me"},
    ),
    "GRANT READ FILES ON EXTERNAL LOCATION l TO me": (
        "GRANT",
        {"privileges": ("READ FILES",), "on": "EXTERNAL LOCATION", "name": "l", "principal": "me"},
    ),
    "GRANT SELECT ON SHARE s TO RECIPIENT r": (
        "GRANT",
        {"privileges": ("SELECT",), "on": "SHARE", "name": "s", "principal": "r"},
    ),
    "USE CATALOG c": ("USE CATALOG", {"name": "c"}),
    "SET CATALOG c": ("USE CATALOG", {"name": "c"}),
    "USE DATABASE a.b": ("USE SCHEMA", {"name": "a.b"}),
    "USE a": ("USE SCHEMA", {"name": "a"}),
    "USE IDENTIFIER(:s)": ("USE SCHEMA", {"name": ":s"}),
    "MSCK REPAIR TABLE a.b": ("MSCK", {"target": "a.b"}),
    "FSCK REPAIR TABLE a.b DRY RUN": ("FSCK", {"target": "a.b"}),
    "CACHE LAZY TABLE a.b OPTIONS ('storageLevel' = 'DISK_ONLY')": (
        "CACHE",
        {"lazy": True, "target": "a.b", "options": {"storageLevel": "DISK_ONLY"}},
    ),
    "UNCACHE TABLE IF EXISTS a.b": ("UNCACHE", {"if_exists": True, "target": "a.b"}),
    "CLEAR CACHE": ("CLEAR", {}),
    "COMMENT ON TABLE a.b IS 'it''s'": ("COMMENT", {"on": "TABLE", "target": "a.b", "comment": "its"}),
    "COMMENT ON COLUMN a.b.c IS 'x'": ("COMMENT", {"on": "COLUMN", "target": "a.b", "column": "c", "comment": "x"}),
    "COMMENT ON SCHEMA a IS NULL": ("COMMENT", {"on": "SCHEMA", "name": "a", "comment": None}),
    "EXECUTE IMMEDIATE 'SELECT ?' INTO x, y USING 1, z AS w": (
        "EXECUTE IMMEDIATE",
        {"statement": "'SELECT ?'", "into": ("x", "y"), "using": "1, z AS w"},
    ),
    "EXECUTE IMMEDIATE sqltext": ("EXECUTE IMMEDIATE", {"statement": "sqltext"}),
    "CREATE OR REPLACE FUNCTION a.f(x INT DEFAULT 1 COMMENT 'c', y STRING) RETURNS STRUCT<a: INT, b: STRING>"
    " LANGUAGE SQL DETERMINISTIC COMMENT 'd' RETURN x + 1": (
        "CREATE FUNCTION",
        {
            "replace": True,
            "target": "a.f",
            "parameters": ("x|INT|c|1", "y|STRING"),
            "returns": "STRUCT<a: INT, b: STRING>",
            "language": "SQL",
            "deterministic": True,
            "comment": "d",
            "body": "x + 1",
        },
    ),
    "CREATE FUNCTION a.f() RETURNS TABLE (x INT, y STRING) RETURN SELECT 1, 'a'": (
        "CREATE FUNCTION",
        {"target": "a.f", "parameters": (), "returns_table": ("x|INT", "y|STRING"), "body": "SELECT 1, 'a'"},
    ),
    "TRUNCATE TABLE a.b PARTITION (d = 1)": ("TRUNCATE", {"target": "a.b", "partition": "(d = 1)"}),
    "COPY INTO a.b FROM '/x' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')": (
        "COPY",
        {"target": "a.b", "path": "/x", "format": "CSV", "format_options": {"header": "true"}},
    ),
    "INSERT INTO TABLE a.b PARTITION (d) (x, y) SELECT 1, 2": (
        "INSERT",
        {"target": "a.b", "partition": "(d)", "columns": ("x", "y"), "query": "SELECT 1, 2"},
    ),
    "INSERT OVERWRITE a.b SELECT 1": ("INSERT OVERWRITE", {"target": "a.b", "query": "SELECT 1"}),
    "INSERT INTO a.b BY NAME SELECT 1 AS x": ("INSERT", {"target": "a.b", "by_name": True, "query": "SELECT 1 AS x"}),
    "INSERT INTO a.b REPLACE WHERE x > 1 SELECT 2": (
        "INSERT",
        {"target": "a.b", "replace_where": "x > 1", "query": "SELECT 2"},
    ),
    "INSERT INTO a.b VALUES (1), (2)": ("INSERT", {"target": "a.b", "query": "VALUES (1), (2)"}),
    "INSERT INTO a.b (SELECT 1)": ("INSERT", {"target": "a.b", "query": "(SELECT 1)"}),
    "MERGE INTO a.b t USING c.d s ON t.i = s.i WHEN MATCHED THEN DELETE": (
        "MERGE",
        {"target": "a.b", "source": "c.d s", "on": "t.i = s.i"},
    ),
    "UPDATE a.b SET x = 1 WHERE y = 2": ("UPDATE", {"target": "a.b", "set": "x = 1", "where": "y = 2"}),
    "DELETE FROM a.b WHERE y = 2": ("DELETE", {"target": "a.b", "where": "y = 2"}),
    "CREATE TABLE a.b (x INT NOT NULL DEFAULT 1 COMMENT 'c', y MAP<STRING, ARRAY<INT>>, z INT GENERATED ALWAYS AS (x + 1),"
    " w BIGINT GENERATED BY DEFAULT AS IDENTITY, CONSTRAINT k PRIMARY KEY (x)) USING delta PARTITIONED BY (x, y)"
    " CLUSTER BY (z) COMMENT 'd' TBLPROPERTIES ('p' = 1) LOCATION '/x'": (
        "CREATE TABLE",
        {
            "target": "a.b",
            "columns": (
                "x|INT|not null|c|1",
                "y|MAP<STRING, ARRAY<INT>>",
                "z|INT|(x + 1)",
                "w|BIGINT|IDENTITY",
            ),
            "using": "delta",
            "partitioned_by": ("x", "y"),
            "cluster_by": ("z",),
            "comment": "d",
            "properties": {"p": "1"},
            "location": "/x",
        },
    ),
    "CREATE TABLE a.b LIKE c.d": ("CREATE TABLE", {"target": "a.b", "like": "c.d"}),
    "CREATE EXTERNAL TABLE a.b AS (SELECT 1)": (
        "CREATE TABLE",
        {"external": True, "target": "a.b", "query": "(SELECT 1)"},
    ),
    "CREATE OR REPLACE GLOBAL TEMPORARY VIEW v (x COMMENT 'c', y) AS SELECT 1, 2": (
        "CREATE TEMP VIEW",
        {"replace": True, "global": True, "target": "v", "columns": ("x||c", "y|"), "query": "SELECT 1, 2"},
    ),
    "CREATE VIEW IF NOT EXISTS a.v COMMENT 'c' TBLPROPERTIES ('x' = 'y') AS WITH q AS (SELECT 1) SELECT * FROM q": (
        "CREATE VIEW",
        {
            "if_not_exists": True,
            "target": "a.v",
            "comment": "c",
            "properties": {"x": "y"},
            "query": "WITH q AS (SELECT 1) SELECT * FROM q",
        },
    ),
    "CREATE TEMP VIEW v USING csv OPTIONS (path '/x', header true)": (
        "CREATE TEMP VIEW",
        {"target": "v", "using": "csv", "options": {"path": "/x", "header": "true"}},
    ),
    "LOAD DATA LOCAL INPATH '/x' OVERWRITE INTO TABLE a.b": (
        "LOAD",
        {"path": "/x", "overwrite": True, "target": "a.b"},
    ),
    "EXPLAIN FORMATTED SELECT 1": ("EXPLAIN", {"query": "SELECT 1"}),
    "REFRESH FUNCTION a.f": ("REFRESH", {"target": "a.f"}),
    "${sql}": ("TEMPLATE", {}),
    "frobnicate x": ("FROBNICATE", {}),
}


@pytest.mark.parametrize("text", CASES)
def test_reads_the_verb_and_the_arguments(text: str) -> None:
    assert read(text) == CASES[text]


@pytest.mark.parametrize("text", CASES)
def test_reads_the_same_in_lower_case_and_over_several_lines(text: str) -> None:
    verb, arguments = read(text)
    other = text.lower().replace(" ", "\n  ") if "'" not in text and "<" not in text else text.lower()
    assert (read(other)[0], read(other)[1].keys()) == (verb, arguments.keys())


@pytest.mark.parametrize(
    "text",
    [" ".join(words[:n]) for words in (case.split(" ") for case in CASES) for n in range(1, len(words))],
)
def test_a_statement_that_breaks_off_anywhere_is_still_read(text: str) -> None:
    for statement in parse(text, trees=False).statements:
        assert 0 <= statement.span.start < statement.span.end <= len(text)
        assert all(r.span.slice(text) or r.in_string or r.whole for r in statement.references)


def test_a_type_goes_on_over_struct_fields_with_the_names_of_column_options() -> None:
    script = parse("create table t (p struct<default:decimal(3,1),comment:struct<check:int>> comment 'x', q int)")
    columns = script.statements[0].arguments["columns"]
    assert [(c.name, c.type, c.comment) for c in columns] == [
        ("p", "struct<default:decimal(3,1),comment:struct<check:int>>", "x"),
        ("q", "int", None),
    ]
