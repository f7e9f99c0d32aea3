"""What the code of a pipeline may declare, in Python and in SQL, and how its flows remember what they read."""

from __future__ import annotations

import time

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.workspace import Language

HEAD = "# Databricks notebook source\nimport dlt\nfrom pyspark.sql import functions as F\n"


@pytest.fixture
def schema(bench):
    """A schema with a table `src` of three rows."""
    name = bench.schema()
    bench.sql(f"CREATE TABLE main.{name}.src (id INT, v STRING)")
    bench.sql(f"INSERT INTO main.{name}.src VALUES (1, 'a'), (2, 'b'), (9, NULL)")
    return name


def test_python_tables_are_made_in_the_order_of_their_reads(bench, schema):
    code = f"""{HEAD}
@dlt.table(comment="how many")
def totals():
    return dlt.read("clean").groupBy().count()

@dlt.table(table_properties={{"quality": "silver"}})
@dlt.expect_or_drop("known", "v IS NOT NULL")
@dlt.expect("small", "id < 2")
def clean():
    return dlt.read_stream("raw")

@dlt.view
def raw():
    return spark.readStream.table("src").withColumn("tripled", F.col("id") * 3)
"""
    pipeline = bench.pipeline(code, schema)
    bench.completed(pipeline)
    bench.sql(f"INSERT INTO main.{schema}.src VALUES (4, 'd')")
    bench.completed(pipeline)
    assert bench.sql(f"SELECT * FROM main.{schema}.clean ORDER BY id") == [
        ["1", "a", "3"],
        ["2", "b", "6"],
        ["4", "d", "12"],
    ]
    assert bench.sql(f"SELECT * FROM main.{schema}.totals") == [["3"]]
    quality = [
        d["data_quality"]["expectations"] for d in bench.details(pipeline, "flow_progress") if "data_quality" in d
    ]
    assert [{e["name"]: (e["passed_records"], e["failed_records"]) for e in one} for one in quality] == [
        {"small": (1, 2), "known": (2, 1)},
        {"small": (0, 1), "known": (1, 0)},
    ]


def test_an_update_refreshes_what_it_is_asked_for(bench, schema):
    code = f"{HEAD}\n@dlt.table\ndef one():\n    return spark.table('src')\n@dlt.table\ndef two():\n    return spark.table('src')\n"
    pipeline = bench.pipeline(code, schema)
    bench.completed(pipeline, refresh_selection=["two"])
    assert bench.sql(f"SHOW TABLES IN main.{schema}") == [[schema, "src", "false"], [schema, "two", "false"]]
    bench.completed(pipeline, full_refresh_selection=["one"])
    assert len(bench.sql(f"SHOW TABLES IN main.{schema}")) == 3


def test_parameters_of_an_update_stand_over_the_configuration(bench, schema):
    code = f"""{HEAD}
@dlt.table
def said():
    return spark.createDataFrame([(spark.conf.get("who"), spark.conf.get("what"), spark.conf.get("none", "-"))], "a string, b string, c string")
"""
    pipeline = bench.pipeline(code, schema, configuration={"who": "me", "what": "this"})
    bench.completed(pipeline, parameters={"what": "that"})
    assert bench.sql(f"SELECT * FROM main.{schema}.said") == [["me", "that", "-"]]


def test_sql_applies_changes(bench, schema):
    bench.sql(f"CREATE TABLE main.{schema}.log (id INT, v STRING, op STRING, at INT)")
    bench.sql(
        f"INSERT INTO main.{schema}.log VALUES (1, 'a', 'u', 1), (1, 'b', 'u', 3), (2, 'x', 'u', 1), (2, '', 'd', 2)"
    )
    text = """-- Databricks notebook source
    CREATE OR REFRESH STREAMING TABLE now;
    CREATE FLOW last AS AUTO CDC INTO now FROM STREAM(log) KEYS (id) APPLY AS DELETE WHEN op = 'd'
    SEQUENCE BY at COLUMNS * EXCEPT (op) STORED AS SCD TYPE 1;
    CREATE OR REFRESH STREAMING TABLE ever TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true');
    APPLY CHANGES INTO LIVE.ever FROM STREAM log KEYS (id) APPLY AS DELETE WHEN op = 'd'
    SEQUENCE BY at COLUMNS * EXCEPT (op, at) STORED AS SCD TYPE 2
    """
    pipeline = bench.pipeline(text, schema, Language.SQL)
    bench.completed(pipeline)
    bench.sql(f"INSERT INTO main.{schema}.log VALUES (1, 'late', 'u', 2), (3, 'n', 'u', 9)")
    bench.completed(pipeline)
    assert bench.sql(f"SELECT id, v, at FROM main.{schema}.now ORDER BY id") == [["1", "b", "3"], ["3", "n", "9"]]
    assert bench.sql(f"SELECT id, v, __START_AT, __END_AT FROM main.{schema}.ever ORDER BY id, __START_AT") == [
        ["1", "a", "1", "2"],
        ["1", "late", "2", "3"],
        ["1", "b", "3", None],
        ["2", "x", "1", "2"],
        ["3", "n", "9", None],
    ]


def test_a_stream_over_changed_rows_is_refused_until_a_full_refresh(bench, schema):
    pipeline = bench.pipeline(f"{HEAD}\n@dlt.table\ndef copy():\n    return dlt.read_stream('src')\n", schema)
    bench.completed(pipeline)
    bench.sql(f"UPDATE main.{schema}.src SET v = 'c' WHERE id = 9")
    assert bench.update(pipeline).state.value == "FAILED"
    assert "DELTA_SOURCE_TABLE_IGNORE_CHANGES" in bench.client.pipelines.get(pipeline).cause
    bench.completed(pipeline, full_refresh=True)
    assert bench.sql(f"SELECT v FROM main.{schema}.copy WHERE id = 9") == [["c"]]


def test_a_table_belongs_to_one_pipeline_and_goes_with_it(bench, schema):
    code = f"{HEAD}\n@dlt.table\ndef mine():\n    return spark.table('src')\n"
    first, second = bench.pipeline(code, schema), bench.pipeline(code, schema)
    bench.completed(first)
    assert bench.update(second).state.value == "FAILED"
    assert "already managed by pipeline" in bench.client.pipelines.get(second).cause
    bench.client.pipelines.delete(second)
    assert bench.sql(f"SELECT count(*) FROM main.{schema}.mine") == [["3"]]
    bench.client.pipelines.delete(first)
    assert bench.sql(f"SHOW TABLES IN main.{schema}") == [[schema, "src", "false"]]


def test_a_continuous_pipeline_follows_its_source_until_it_is_stopped(bench, schema):
    code = f"{HEAD}\n@dlt.table\ndef copy():\n    return dlt.read_stream('src')\n"
    pipeline = bench.pipeline(code, schema, continuous=True)
    update = bench.client.pipelines.start_update(pipeline).update_id
    with pytest.raises(DatabricksError, match="already exists for pipeline"):
        bench.client.pipelines.start_update(pipeline)
    limit = time.monotonic() + 30
    for expected in (3, 4):
        while not _has(bench, schema, expected):
            assert time.monotonic() < limit
            time.sleep(0.2)
        bench.sql(f"INSERT INTO main.{schema}.src VALUES (4, 'd')")
    assert bench.client.pipelines.get(pipeline).state.value == "RUNNING"
    assert bench.client.pipelines.stop(pipeline).result().state.value == "IDLE"
    assert bench.reached(pipeline, update, {"CANCELED"}).state.value == "CANCELED"
    assert bench.details(pipeline, "update_progress")[-1] == {"state": "CANCELED"}


def _has(bench, schema, rows):
    tables = {row[1] for row in bench.sql(f"SHOW TABLES IN main.{schema}")}
    return "copy" in tables and bench.sql(f"SELECT count(*) FROM main.{schema}.copy") == [[str(rows)]]


def test_nothing_is_read_without_the_right_to(bench, schema):
    code = f"{HEAD}\n@dlt.table\ndef copy():\n    return dlt.read_stream('src')\n"
    reader = bench.workspace.client("reader@local")
    library = bench.client.pipelines.get(bench.pipeline(code, schema)).spec.libraries
    bench.sql("GRANT USE CATALOG ON CATALOG main TO `reader@local`")
    bench.sql(f"GRANT USE SCHEMA, CREATE TABLE ON SCHEMA main.{schema} TO `reader@local`")
    made = reader.pipelines.create(name=f"reads {schema}", catalog="main", schema=schema, libraries=library).pipeline_id
    update = bench.reached(made, reader.pipelines.start_update(made).update_id, {"FAILED", "COMPLETED"})
    assert (update.state.value, "SELECT" in bench.client.pipelines.get(made).cause) == ("FAILED", True)


def test_what_a_pipeline_made_says_so_in_the_catalog(bench, schema):
    code = f"{HEAD}\n@dlt.table\ndef copy():\n    return dlt.read_stream('src')\n@dlt.table\ndef view():\n    return dlt.read('copy')\n"
    pipeline = bench.pipeline(code, schema)
    bench.completed(pipeline)
    found = [bench.client.tables.get(f"main.{schema}.{name}") for name in ("copy", "view", "src")]
    assert [(table.table_type.value, table.pipeline_id) for table in found] == [
        ("STREAMING_TABLE", pipeline),
        ("MATERIALIZED_VIEW", pipeline),
        ("MANAGED", None),
    ]
