"""`spark` as notebooks have it: SQL, DataFrames and writes in one session, with history for every write."""

from __future__ import annotations

import sys
import uuid

import pytest
from pyspark.errors import AnalysisException, ParseException

from brickyard.local.server import LocalWorkspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with LocalWorkspace(tmp_path_factory.mktemp("spark")) as made:
        yield made


@pytest.fixture
def spark(workspace, monkeypatch):
    from brickyard.local.kernel.spark import connect

    monkeypatch.setenv("SPARK_REMOTE", "")
    for name in ("delta", "delta.tables"):
        monkeypatch.setitem(sys.modules, name, None)
    session = connect(workspace.host, workspace.token)
    schema = f"s_{uuid.uuid4().hex[:8]}"
    session.sql(f"CREATE SCHEMA {schema}")
    session.catalog.setCurrentDatabase(f"hive_metastore.{schema}")
    return session


@pytest.fixture
def frame(spark):
    return spark.createDataFrame([(1, "a"), (2, "b")], ["id", "v"])


def _rows(frame):
    return sorted(tuple(row) for row in frame.collect())


def test_sql_sees_the_temp_views_of_dataframes_and_the_other_way_round(spark, frame):
    frame.createOrReplaceTempView("seen")
    spark.sql("CREATE TABLE t AS SELECT * FROM seen")
    spark.sql("CREATE TEMP VIEW made AS SELECT id * 10 AS id FROM t")
    assert _rows(spark.table("made").join(spark.table("seen").selectExpr("id * 10 AS id"), "id")) == [(10,), (20,)]
    assert spark.catalog.tableExists("made")
    spark.catalog.dropTempView("made")
    assert not spark.catalog.tableExists("made")


def test_parameters_go_by_name_and_by_position(spark):
    assert _rows(spark.sql("SELECT :n + 1, :t", {"n": 1, "t": "x'y"})) == [(2, "x'y")]
    assert _rows(spark.sql("SELECT ? AS a", [True])) == [(True,)]


def test_rows_that_the_workspace_sent_are_a_dataframe_like_any_other(spark):
    spark.sql("CREATE TABLE t (id INT)")
    inserted = spark.sql("INSERT INTO t VALUES (1), (2)")
    assert inserted.collect() == [(2, 2)]
    assert inserted.select("num_inserted_rows").first() == (2,)
    assert inserted.schema.simpleString() == "struct<num_affected_rows:bigint,num_inserted_rows:bigint>"
    assert inserted.toPandas()["num_affected_rows"].tolist() == [2]
    assert _rows(spark.sql("SHOW TABLES").where("tableName = 't'").select("tableName")) == [("t",)]
    history = spark.sql("DESCRIBE HISTORY t").orderBy("version")
    assert [type(row.timestamp).__name__ for row in history.collect()] == ["datetime"] * 2
    assert spark.sql("DESCRIBE HISTORY t").collect()[0].timestamp == history.collect()[-1].timestamp
    nothing = spark.sql("DROP TABLE t")
    assert (nothing.collect(), nothing.count()) == ([], 0)
    none = spark.sql("SHOW TABLES")
    assert (none.collect(), none.count(), none.columns) == ([], 0, ["database", "tableName", "isTemporary"])


def test_save_as_table_follows_its_mode(spark, frame):
    frame.write.saveAsTable("t")
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
        frame.write.saveAsTable("t")
    frame.write.mode("ignore").saveAsTable("t")
    frame.write.mode("append").saveAsTable("t")
    assert spark.table("t").count() == 4
    frame.write.mode("overwrite").saveAsTable("t")
    assert _rows(spark.read.table("t")) == [(1, "a"), (2, "b")]
    wider = frame.selectExpr("*", "1 AS more")
    wider.write.mode("append").option("mergeSchema", "true").saveAsTable("t")
    assert spark.table("t").columns == ["id", "v", "more"]
    frame.drop("v").write.mode("overwrite").option("overwriteSchema", "true").saveAsTable("t")
    assert _rows(spark.table("t")) == [(1,), (2,)]
    assert {r.userName for r in spark.sql("DESCRIBE HISTORY t").collect()} == {"owner@local"}


def test_columns_are_inserted_by_place_and_appended_by_name(spark, frame):
    frame.write.saveAsTable("t")
    swapped = spark.createDataFrame([("c", 3)], ["v", "id"])
    swapped.write.mode("append").saveAsTable("t")
    spark.createDataFrame([(4, "d")], ["x", "y"]).write.insertInto("t")
    assert _rows(spark.table("t")) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_write_to_creates_replaces_and_appends(spark, frame):
    frame.writeTo("w").create()
    frame.writeTo("w").append()
    assert spark.table("w").count() == 4
    frame.writeTo("w").createOrReplace()
    assert [r.operation for r in spark.sql("DESCRIBE HISTORY w").collect()] == [
        "CREATE OR REPLACE TABLE AS SELECT",
        "WRITE",
        "CREATE TABLE AS SELECT",
    ]


@pytest.mark.parametrize("format_", ["delta", "parquet", "json"])
def test_files_under_dbfs_are_written_and_read(spark, frame, format_):
    path = f"dbfs:/tmp/{uuid.uuid4().hex}"
    frame.write.format(format_).mode("overwrite").save(path)
    assert _rows(spark.read.format(format_).load(path.replace("dbfs:", "/dbfs"))) == [(1, "a"), (2, "b")]


def test_older_versions_and_changes_are_read_by_options(spark, frame):
    spark.sql("CREATE TABLE t (id BIGINT, v STRING) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    frame.write.mode("append").saveAsTable("t")
    assert spark.read.option("versionAsOf", 0).table("t").count() == 0
    changes = spark.read.option("readChangeFeed", "true").option("startingVersion", 1).table("t")
    assert _rows(changes.select("id", "_change_type")) == [(1, "insert"), (2, "insert")]


def test_delta_tables_can_be_imported_and_merged_into(spark, frame):
    from delta.tables import DeltaTable

    frame.write.saveAsTable("t")
    source = spark.createDataFrame([(2, "new"), (3, "c")], ["id", "v"])
    merge = DeltaTable.forName(spark, "t").alias("t").merge(source.alias("s"), "t.id = s.id")
    merge.whenMatchedUpdate(set={"v": "s.v"}).whenNotMatchedInsertAll().execute()
    table = DeltaTable.forName(spark, "t")
    table.update("id = 1", {"v": "'z'"})
    table.delete("id = 3")
    assert _rows(table.toDF()) == [(1, "z"), (2, "new")]
    assert [r.operation for r in table.history(3).collect()] == ["DELETE", "UPDATE", "MERGE"]
    assert not DeltaTable.isDeltaTable(spark, "/nothing")


def test_refusals_are_the_exceptions_that_spark_raises(spark):
    with pytest.raises(ParseException, match="PARSE_SYNTAX_ERROR"):
        spark.sql("SELEC 1")
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND") as refused:
        spark.table("nothing")
    assert (refused.value.getCondition(), refused.value.getSqlState()) == ("TABLE_OR_VIEW_NOT_FOUND", "42P01")
    with pytest.raises(AnalysisException, match="LOCAL_PATH_NOT_ALLOWED"):
        spark.read.text("dbfs:/../../../../../etc/passwd")


def test_the_time_zone_of_sql_is_the_time_zone_of_dataframes(spark):
    spark.sql("SET TIME ZONE 'Europe/Berlin'")
    assert _rows(spark.sql("SELECT current_timezone()")) == [("Europe/Berlin",)]
    assert _rows(spark.range(1).selectExpr("current_timezone()")) == [("Europe/Berlin",)]


def test_a_builder_finds_a_session_of_the_workspace(spark):
    from pyspark.sql import SparkSession

    assert isinstance(SparkSession.builder.getOrCreate(), type(spark))
    assert isinstance(SparkSession.getActiveSession(), type(spark))
