"""Updates of pipelines really run: views in the order of their reads, streams from where they stopped, changes as SCD."""

from __future__ import annotations

from typing import Any as Bench

import pytest
from databricks.sdk.service.workspace import Language

CDC = """# Databricks notebook source
from pyspark import pipelines as dp
from pyspark.sql.functions import col, expr

source = spark.conf.get("pipelines.source_table")
target = spark.conf.get("pipelines.target_table")

@dp.temporary_view(name="changes")
def changes():
    return (
        spark.readStream.option("readChangeFeed", "true").table(source)
        .filter("_change_type != 'update_preimage'")
    )

dp.create_streaming_table(name=target, table_properties={"delta.enableChangeDataFeed": "true"})
dp.create_auto_cdc_flow(
    target=target, source="changes", keys=["id"], sequence_by=col("_commit_version"),
    apply_as_deletes=expr("_change_type = 'delete'"),
    except_column_list=["_change_type", "_commit_version", "_commit_timestamp"],
    stored_as_scd_type=int(spark.conf.get("pipelines.scd_type", "1")),
)
"""


def source(bench: Bench) -> str:
    """A schema with a table of two rows that has a change feed."""
    schema = bench.schema()
    bench.sql(
        f"CREATE TABLE main.{schema}.src (id INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    bench.sql(f"INSERT INTO main.{schema}.src VALUES (1, 'a'), (2, 'b')")
    return schema


def configured(schema: str, scd_type: int) -> dict[str, str]:
    """The configuration of the notebook."""
    return {
        "pipelines.source_table": f"main.{schema}.src",
        "pipelines.target_table": f"main.{schema}.dst",
        "pipelines.scd_type": str(scd_type),
    }


def test_scd_type_1_follows_the_change_feed(bench: Bench):
    schema = source(bench)
    pipeline = bench.pipeline(CDC, schema, configuration=configured(schema, 1))
    bench.completed(pipeline)
    assert bench.sql(f"SELECT * FROM main.{schema}.dst ORDER BY id") == [["1", "a"], ["2", "b"]]
    bench.sql(f"UPDATE main.{schema}.src SET v = 'A' WHERE id = 1")
    bench.sql(f"DELETE FROM main.{schema}.src WHERE id = 2")
    bench.sql(f"INSERT INTO main.{schema}.src VALUES (3, 'c')")
    bench.completed(pipeline)
    assert bench.sql(f"SELECT * FROM main.{schema}.dst ORDER BY id") == [["1", "A"], ["3", "c"]]
    progress = [d for d in bench.details(pipeline, "flow_progress") if d["status"] == "COMPLETED"]
    figures = [(d["metrics"]["num_upserted_rows"], d["metrics"]["num_deleted_rows"]) for d in progress]
    assert figures == [(2, 0), (2, 1)]
    bench.completed(pipeline)
    assert len(bench.sql(f"DESCRIBE HISTORY main.{schema}.dst")) == 3


def test_scd_type_2_keeps_the_history(bench: Bench):
    schema = source(bench)
    pipeline = bench.pipeline(CDC, schema, configuration=configured(schema, 2))
    bench.completed(pipeline)
    bench.sql(f"UPDATE main.{schema}.src SET v = 'A' WHERE id = 1")
    bench.sql(f"DELETE FROM main.{schema}.src WHERE id = 2")
    bench.completed(pipeline)
    rows = bench.sql(f"SELECT id, v, __START_AT, __END_AT FROM main.{schema}.dst ORDER BY id, __START_AT")
    assert rows == [["1", "a", "1", "2"], ["1", "A", "2", None], ["2", "b", "1", "3"]]
    bench.completed(pipeline, full_refresh=True)
    again = bench.sql(f"SELECT id, v, __START_AT, __END_AT FROM main.{schema}.dst ORDER BY id")
    assert again == [["1", "A", "3", None]]


def test_sql_declares_streams_and_views_in_any_order(bench: Bench):
    schema = source(bench)
    text = """-- Databricks notebook source
    CREATE OR REFRESH MATERIALIZED VIEW totals COMMENT 'how many' AS SELECT count(*) AS n FROM kept;
    CREATE OR REFRESH STREAMING TABLE kept (CONSTRAINT known EXPECT (v <> 'x') ON VIOLATION DROP ROW)
    AS SELECT id, v FROM STREAM(src)
    """
    pipeline = bench.pipeline(text, schema, Language.SQL)
    bench.completed(pipeline)
    bench.sql(f"INSERT INTO main.{schema}.src VALUES (3, 'x'), (4, 'd')")
    bench.completed(pipeline)
    assert bench.sql(f"SELECT id FROM main.{schema}.kept ORDER BY id") == [["1"], ["2"], ["4"]]
    assert bench.sql(f"SELECT n FROM main.{schema}.totals") == [["3"]]
    assert len(bench.sql(f"SELECT * FROM main.{schema}.kept VERSION AS OF 1")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import dlt\n@dlt.table\ndef a():\n    return spark.read.table('b')\n@dlt.table\ndef b():\n    return spark.table('a')", "in a circle: a -> b -> a"),
        ("raise ValueError('not today')", "not today"),
        ("import dlt\n@dlt.table\n@dlt.expect_or_fail('few', 'id < 5')\ndef a():\n    return spark.range(10)", "expectation 'few': 5 rows"),
    ],
)  # fmt: skip
def test_what_fails_is_told(bench: Bench, text: str, said: str):
    pipeline = bench.pipeline(f"# Databricks notebook source\n{text}\n", bench.schema())
    assert bench.update(pipeline).state.value == "FAILED"
    last = bench.events(pipeline)[-1]
    assert (last.event_type, last.level.value) == ("update_progress", "ERROR")
    assert said in last.error.exceptions[0].message
    described = bench.client.pipelines.get(pipeline)
    assert (described.state.value, described.health.value) == ("IDLE", "UNHEALTHY")
