"""Whatever ends an update, its state is true and no row comes twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import PipelineTask, Task

from brickyard.local import LocalWorkspace

APPENDS = "# Databricks notebook source\nimport dlt\n@dlt.table\ndef copy():\n    return dlt.read_stream('src')\n"
SLEEPS = "# Databricks notebook source\nimport time\ndbutils.fs.put('/began', 'yes', True)\ntime.sleep(60)\n"


@contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], WorkspaceClient]]:
    """A server process of its own on *home*, killed at the end."""
    command = [sys.executable, "-m", "brickyard.local", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        said = json.loads(server.stdout.readline())
        token = Path(said["token_file"]).read_text().strip()
        yield server, WorkspaceClient(host=said["host"], token=token, auth_type="pat")
        server.kill()


@pytest.fixture
def appending(bench):
    """A schema with a source of one row, and a pipeline that copies what is appended to it."""
    schema = bench.schema()
    bench.sql(f"CREATE TABLE main.{schema}.src AS SELECT 1 AS id")
    return schema, bench.pipeline(APPENDS, schema)


@pytest.mark.parametrize("operation", ["local.pipeline_commit", "local.pipeline_begin", "local.pipeline_read"])
@pytest.mark.parametrize("way", ["refused", "lost"])
def test_a_step_that_goes_wrong_writes_no_row_twice(bench, appending, operation, way):
    schema, pipeline = appending
    if way == "refused":
        bench.workspace.fail_next(operation, 500, "INTERNAL_ERROR")
    else:
        bench.workspace.drop_reply(operation)
    assert bench.update(pipeline).state.value == "FAILED"
    bench.completed(pipeline)
    bench.sql(f"INSERT INTO main.{schema}.src VALUES (2)")
    bench.completed(pipeline)
    assert bench.sql(f"SELECT id FROM main.{schema}.copy ORDER BY id") == [["1"], ["2"]]


def test_an_update_whose_server_was_killed_has_failed_and_the_next_one_may_begin(tmp_path, make_bench):
    with served(tmp_path) as (server, client):
        bench = make_bench(client)
        pipeline = bench.pipeline(SLEEPS, "default")
        update = client.pipelines.start_update(pipeline).update_id
        limit = time.monotonic() + 30
        while not (tmp_path / "dbfs" / "began").exists():
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert bench.reached(pipeline, update, {"INITIALIZING"})
        server.send_signal(signal.SIGKILL)
        server.wait()
    time.sleep(1)
    with LocalWorkspace(tmp_path) as again:
        bench = make_bench(again.client())
        assert bench.reached(pipeline, update, {"FAILED"}).state.value == "FAILED"
        assert "The driver was lost" in str(again.client().pipelines.get(pipeline).cause)
        last = bench.events(pipeline)[-1]
        assert (last.event_type, last.level.value, last.origin.update_id) == ("update_progress", "ERROR", update)
        following = again.client().pipelines.start_update(pipeline).update_id
        again.client().pipelines.stop(pipeline)
        assert bench.reached(pipeline, following, {"CANCELED"}).state.value == "CANCELED"


def test_a_cancelled_job_stops_the_update_that_it_started(bench):
    pipeline = bench.pipeline(SLEEPS, "default")
    task = Task(task_key="refresh", pipeline_task=PipelineTask(pipeline_id=pipeline))
    job = bench.client.jobs.create(name="refresh", tasks=[task]).job_id
    run = bench.client.jobs.run_now(job).response.run_id
    limit = time.monotonic() + 20
    while not (updates := bench.client.pipelines.list_updates(pipeline).updates):
        assert time.monotonic() < limit
        time.sleep(0.05)
    bench.client.jobs.cancel_run(run)
    assert bench.reached(pipeline, updates[0].update_id, {"CANCELED", "FAILED"}).state.value == "CANCELED"
    assert bench.client.jobs.wait_get_run_job_terminated_or_skipped(run).state.result_state.value == "CANCELED"
