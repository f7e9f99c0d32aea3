"""SQL in notebooks: cells, widgets, `_sqldf`, DataFrames, and who is remembered as the writer."""

from __future__ import annotations

import json

import pytest
from databricks.sdk.service import jobs
from databricks.sdk.service.workspace import Language

NEXT = "\n# COMMAND ----------\n"


def source(*cells: str) -> str:
    return "# Databricks notebook source\n" + NEXT.join(cells)


def sql(*lines: str) -> str:
    return "\n".join(["# MAGIC %sql", *(f"# MAGIC {line}" for line in lines)])


def cells_of(bench, run):
    folder = bench.workspace.parts.runs.folder(run.tasks[0].run_id)
    return [json.loads(line) for line in (folder / "cells.jsonl").read_text().splitlines()]


def ok(run, output) -> str | None:
    assert output.error is None, output.error_trace
    assert run.state.result_state.value == "SUCCESS"
    return output.notebook_output.result if output.notebook_output else None


@pytest.fixture(scope="module", autouse=True)
def schema(lake):
    client = lake.client()
    client.catalogs.create("nb")
    client.schemas.create("s", "nb")


def test_a_sql_cell_shows_its_last_result_and_binds_it(bench):
    text = source(
        sql("CREATE OR REPLACE TABLE nb.s.t1 (id INT, name STRING);", "INSERT INTO nb.s.t1 VALUES (1, 'a'), (2, NULL);",
            "SELECT * FROM nb.s.t1 ORDER BY id"),
        "dbutils.notebook.exit(str(_sqldf.count()) + _sqldf.columns[1])",
    )  # fmt: skip
    run, output = bench.run(text)
    assert ok(run, output) == "2name"
    (shown,) = cells_of(bench, run)[0]["outputs"]
    assert shown["rows"] == [["1", "a"], ["2", None]]
    assert [c["name"] for c in shown["columns"]] == ["id", "name"]


def test_widgets_reach_sql_as_markers_and_as_text(bench):
    text = source(
        sql("CREATE WIDGET TEXT low DEFAULT '5'"),
        "dbutils.widgets.text('tbl', 't_w')",
        sql("CREATE OR REPLACE TABLE nb.s.${tbl} AS SELECT id FROM range(10)"),
        sql("SELECT count(*) AS n FROM nb.s.$tbl WHERE id >= :low AND id < getArgument('high')"),
        "dbutils.notebook.exit(_sqldf.collect()[0].n)",
    )
    assert ok(*bench.run(text, high="8")) == "3"


def test_temp_views_dataframes_and_sql_share_a_session(bench):
    text = source(
        "df = spark.createDataFrame([(1, 'x'), (2, 'y')], 'id INT, v STRING')\ndf.createOrReplaceTempView('tv')",
        sql("CREATE OR REPLACE TEMP VIEW tv2 AS SELECT id * 10 AS id FROM tv"),
        sql("CREATE OR REPLACE TABLE nb.s.t3 AS SELECT * FROM tv2"),
        "spark.table('nb.s.t3').union(spark.sql('SELECT id FROM tv')).write.mode('overwrite').saveAsTable('nb.s.t4')",
        "dbutils.notebook.exit(str(sorted(r.id for r in spark.table('nb.s.t4').collect())))",
    )
    assert ok(*bench.run(text)) == "[1, 2, 10, 20]"


def test_history_names_the_job_the_notebook_and_the_run_that_wrote(bench):
    path = bench.put(
        source(sql("CREATE OR REPLACE TABLE nb.s.h AS SELECT 1 AS a"), sql("INSERT INTO nb.s.h VALUES (2)"))
    )
    job = bench.client.jobs.create(name="writer", tasks=[jobs.Task("main", notebook_task=jobs.NotebookTask(path))])
    run = bench.ended(bench.client.jobs.run_now(job.job_id).response.run_id)
    ok(run, bench.client.jobs.get_run_output(run.tasks[0].run_id))
    text = source("h = spark.sql('DESCRIBE HISTORY nb.s.h').collect()",
                  "dbutils.notebook.exit(str([[r.version, r.userName, r.job['jobId'], r.job['jobName'], r.job['jobRunId'], r.job['runId'], "
                  "r.notebook['notebookId']] for r in h]))")  # fmt: skip
    rows = eval(ok(*bench.run(text)))
    object_id = str(bench.client.workspace.get_status(path).object_id)
    writer = ["owner@local", str(job.job_id), "writer", str(run.run_id), str(run.tasks[0].run_id), object_id]
    assert [row[1:] for row in rows] == [writer] * len(rows)
    assert [row[0] for row in rows] == list(range(len(rows)))[::-1]
    assert len(rows) >= 2


def test_an_error_in_sql_names_the_cell(bench):
    run, output = bench.run(source("x = 1", sql("SELECT 1;", "SELECT * FROM nb.s.not_there")))
    assert run.state.result_state.value == "FAILED"
    assert "TABLE_OR_VIEW_NOT_FOUND" in output.error
    assert "(cell 2" in output.error


def test_a_notebook_written_in_sql_runs(bench):
    text = (
        "-- Databricks notebook source\nCREATE WIDGET TEXT n DEFAULT '4';\n\n-- COMMAND ----------\n\n"
        "-- DBTITLE 1,the count\nSELECT :n AS n\n\n-- COMMAND ----------\n\n-- MAGIC %python\n"
        "-- MAGIC dbutils.notebook.exit(_sqldf.collect()[0].n)\n"
    )
    path = bench.put(text, language=Language.SQL)
    run = bench.ended(bench.submit_notebook(path, n="7"))
    assert ok(run, bench.client.jobs.get_run_output(run.tasks[0].run_id)) == "7"
    assert [c["title"] for c in cells_of(bench, run)][1] == "the count"


def test_a_sql_file_runs_as_a_task(bench):
    bench.client.workspace.mkdirs("/Shared/sqlfiles")
    bench.client.workspace.upload(
        "/Shared/sqlfiles/q.sql",
        b"CREATE OR REPLACE TABLE nb.s.q AS SELECT :k AS k;\nSELECT * FROM nb.s.q",
        overwrite=True,
    )
    body = jobs.SqlTask(warehouse_id="w", file=jobs.SqlTaskFile("/Shared/sqlfiles/q.sql"), parameters={"k": "v"})
    run = bench.ended(bench.submit(jobs.SubmitTask("main", sql_task=body)))
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error is None, output.error
    assert cells_of(bench, run)[-1]["outputs"][0]["rows"] == [["v"]]


def test_the_rows_of_a_sql_task_are_what_others_refer_to(bench):
    bench.client.workspace.mkdirs("/Shared/sqlfiles")
    text = b"SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, NULL ORDER BY id"
    bench.client.workspace.upload("/Shared/sqlfiles/rows.sql", text, overwrite=True)
    rows = jobs.SubmitTask(
        "rows", sql_task=jobs.SqlTask(warehouse_id="w", file=jobs.SqlTaskFile("/Shared/sqlfiles/rows.sql"))
    )
    seen = jobs.Task("seen", condition_task=jobs.ConditionTask(jobs.ConditionTaskOp.EQUAL_TO, "{{input.id}}", "2"))
    upstream = [jobs.TaskDependency("rows")]
    each = jobs.SubmitTask(
        "each", for_each_task=jobs.ForEachTask("{{tasks.rows.output.rows}}", seen), depends_on=upstream
    )
    first = jobs.ConditionTask(jobs.ConditionTaskOp.EQUAL_TO, "{{tasks.rows.output.first_row.name}}", "a")
    run = bench.ended(bench.submit(rows, each, jobs.SubmitTask("first", condition_task=first, depends_on=upstream)))
    tasks = {task.task_key: task for task in run.tasks}
    iterations = bench.client.jobs.get_run(tasks["each"].run_id).iterations
    assert [one.condition_task.outcome for one in iterations] == ["false", "true"]
    assert tasks["first"].condition_task.outcome == "true"
    told = bench.client.jobs.get_run_output(tasks["rows"].run_id).sql_output.query_output
    assert (told.warehouse_id, told.output_link) == ("w", tasks["rows"].run_page_url)


def test_sessions_made_by_the_notebook_are_its_own(bench):
    text = source(
        "from pyspark.sql import SparkSession\nfrom databricks.sdk.runtime import *\ns = SparkSession.builder.getOrCreate()",
        "s.sql('CREATE OR REPLACE TEMP VIEW seen AS SELECT 5 AS a')\n"
        "dbutils.notebook.exit([spark.table('seen').collect()[0].a, isinstance(spark, type(s))])",
    )
    assert ok(*bench.run(text)) == "[5, True]"


def test_display_shows_dataframes(bench):
    run, output = bench.run(source("display(spark.range(3))"))
    ok(run, output)
    assert cells_of(bench, run)[0]["outputs"][0]["rows"] == [["0"], ["1"], ["2"]]


def test_volumes_are_reached_as_files(bench):
    bench.client.volumes.create(
        "nb", "s", "vol", volume_type=__import__("databricks.sdk.service.catalog", fromlist=["x"]).VolumeType.MANAGED
    )
    text = source(
        "with open('/Volumes/nb/s/vol/a.csv', 'w') as f:\n    f.write('a,b\\n1,2\\n')",
        "import pandas as pd\npd.read_csv('/Volumes/nb/s/vol/a.csv').to_parquet('/Volumes/nb/s/vol/a.parquet')\n"
        "dbutils.notebook.exit(str([sorted(f.name for f in dbutils.fs.ls('/Volumes/nb/s/vol')), "
        "spark.read.option('header', True).csv('/Volumes/nb/s/vol/a.csv').collect()[0].b]))",
    )
    assert ok(*bench.run(text)) == "[['a.csv', 'a.parquet'], '2']"


def test_a_principal_without_grants_is_refused_in_its_notebook_too(bench):
    bench.run(source(sql("CREATE OR REPLACE TABLE nb.s.private AS SELECT 1 AS a")))
    stranger = bench.workspace.client("stranger@local")
    path = bench.put(source(sql("SELECT * FROM nb.s.private")))
    run_id = stranger.jobs.submit(
        tasks=[jobs.SubmitTask("main", notebook_task=jobs.NotebookTask(path))]
    ).response.run_id
    run = bench.ended(run_id)
    assert run.state.result_state.value == "FAILED"
    assert "privilege" in bench.client.jobs.get_run_output(run.tasks[0].run_id).error.lower()
