"""A server that is killed at any moment leaves no run that says something untrue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs

from brickyard.kernel.errors import Conflict
from brickyard.local import LocalWorkspace
from brickyard.local.copies import locked
from brickyard.local.runs.model import Attempt, Life, Outcome, Run, RunType, TaskKind, TaskSpec
from brickyard.local.runs.scheduler import DRIVER_LOST, Scheduler
from brickyard.local.runs.store import Store

PROBE = "# Databricks notebook source\nimport os, time\ndbutils.fs.put('/pid', str(os.getpid()), True)\ntime.sleep(60)"
QUICK = "# Databricks notebook source\npass"


@contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], WorkspaceClient]]:
    """A server process of its own on *home*, killed at the end."""
    command = [sys.executable, "-m", "brickyard.local", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        said = json.loads(server.stdout.readline())
        token = Path(said["token_file"]).read_text().strip()
        yield server, WorkspaceClient(host=said["host"], token=token, auth_type="pat")
        server.kill()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def unlocked(home: Path) -> bool:
    """A process that was being started when its parent was killed holds the parent's lock until it has begun."""
    try:
        with locked(home):
            return True
    except Conflict:
        return False


def until(condition, seconds: float = 20):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
def test_a_run_whose_server_was_killed_ends_as_driver_lost_and_its_process_is_gone(tmp_path, make_bench, task):
    with served(tmp_path) as (server, client):
        bench = make_bench(client)
        after = task(bench.put(QUICK), "after")
        after.depends_on = [jobs.TaskDependency("main")]
        run_id = bench.submit(task(bench.put(PROBE)), after, idempotency_token="once")
        pid = int(until(lambda: (p := tmp_path / "dbfs" / "pid").exists() and p.read_text()))
        assert alive(pid)
        server.send_signal(signal.SIGKILL)
        server.wait()
        until(lambda: not alive(pid))
    with LocalWorkspace(tmp_path) as again:
        bench = make_bench(again.client())
        run = bench.ended(run_id)
        assert {t.task_key: t.state.result_state.value for t in run.tasks} == {
            "main": "FAILED",
            "after": "UPSTREAM_FAILED",
        }
        lost = next(t for t in run.tasks if t.task_key == "main")
        assert lost.state.as_dict() == {
            "life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": DRIVER_LOST,
            "user_cancelled_or_timedout": False,
        }  # fmt: skip
        assert lost.status.termination_details.code.value == "DRIVER_ERROR"
        assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("INTERNAL_ERROR", "FAILED")
        assert bench.submit(task("/Shared/other"), idempotency_token="once") == run_id
        fresh = bench.ended(bench.submit(task(bench.put(QUICK))))
        assert fresh.state.result_state.value == "SUCCESS"


@pytest.mark.full
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2, 0.5, 1.0, 1.5, 2.0])
def test_wherever_the_server_is_killed_the_run_ends_truly(tmp_path, make_bench, task, delay):
    text = "# Databricks notebook source\nfor n in range(20):\n    open('/dbfs/mark', 'a').write('x')\n    __import__('time').sleep(0.02)"
    with served(tmp_path) as (server, client):
        bench = make_bench(client)
        path = bench.put(text)
        run_id = bench.submit(task(path))
        time.sleep(delay)
        server.send_signal(signal.SIGKILL)
        server.wait()
    until(lambda: unlocked(tmp_path))
    with LocalWorkspace(tmp_path) as again:
        run = make_bench(again.client()).ended(run_id)
        mark = tmp_path / "dbfs" / "mark"
        done = mark.exists() and len(mark.read_text()) == 20
        assert done or run.state.result_state.value == "FAILED"


MARKING = """# Databricks notebook source
import time
n = dbutils.widgets.get('n')
open(f'/dbfs/begun-{n}', 'a').write('x')
time.sleep(0.2)
open(f'/dbfs/done-{n}', 'a').write('x')
if n == '1' and dbutils.widgets.get('repairs') == '0':
    raise ValueError('once')
"""


@pytest.mark.parametrize(
    "delay", [0.8, *(pytest.param(d, marks=pytest.mark.full) for d in (0.0, 0.02, 0.1, 0.3, 0.6, 1.1, 1.4, 1.8, 2.5))]
)
def test_wherever_the_server_is_killed_iterations_and_repairs_end_truly(tmp_path, make_bench, delay):
    with served(tmp_path) as (server, client):
        bench = make_bench(client)
        body = jobs.NotebookTask(
            bench.put(MARKING), base_parameters={"n": "{{input}}", "repairs": "{{job.repair_count}}"}
        )
        nested = jobs.Task("one", notebook_task=body)
        each = jobs.Task("each", for_each_task=jobs.ForEachTask("[0, 1, 2]", nested, concurrency=2))
        job = client.jobs.create(name="each", tasks=[each]).job_id
        run_id = client.jobs.run_now(job).response.run_id
        bench.ended(run_id)
        client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
        time.sleep(delay)
        server.send_signal(signal.SIGKILL)
        server.wait()
    until(lambda: unlocked(tmp_path))
    with LocalWorkspace(tmp_path) as again:
        bench = make_bench(again.client())
        run = bench.ended(run_id)
        first, last = run.tasks
        assert (first.state.result_state.value, run.tasks[-1].attempt_number) == ("FAILED", 1)
        iterations = bench.client.jobs.get_run(last.run_id).iterations
        good = [one.state.result_state.value == "SUCCESS" for one in iterations]
        assert (last.state.result_state.value == "SUCCESS") is all(good) is (run.state.result_state.value == "SUCCESS")
        for number, well in enumerate(good):
            assert not well or (tmp_path / "dbfs" / f"done-{number}").read_text() == "xx"
        history = bench.client.jobs.get_run(run_id, include_history=True).repair_history
        assert [h.state.result_state for h in history] == [first.state.result_state, run.state.result_state]


class Idle:
    """A workshop whose processes never begin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, run, task, attempt):
        return attempt

    def halt(self, task, attempt) -> None: ...

    def left(self, attempt) -> None: ...

    def folder(self, task_run_id: int) -> Path:
        return self._folder / str(task_run_id)


@pytest.mark.parametrize(
    ("life", "left", "expected"),
    [
        (Life.RUNNING, None, (Life.INTERNAL_ERROR, Outcome.FAILED, DRIVER_LOST)),
        (Life.PENDING, None, (Life.INTERNAL_ERROR, Outcome.FAILED, DRIVER_LOST)),
        (Life.RUNNING, {"status": "SUCCESS"}, (Life.TERMINATED, Outcome.SUCCESS, "")),
        (
            Life.RUNNING,
            {"status": "FAILED", "error": "e", "trace": "t"},
            (Life.TERMINATED, Outcome.FAILED, "Workload failed, see run output for details"),
        ),
        (Life.TERMINATING, None, (Life.TERMINATED, Outcome.CANCELED, "Run cancelled.")),
        (Life.TERMINATING, {"status": "SUCCESS"}, (Life.TERMINATED, Outcome.SUCCESS, "")),
    ],
)
def test_recovery_believes_what_the_process_wrote_last(tmp_path, life, left, expected):
    store = Store(tmp_path / "runs.sqlite")
    settings = {"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}}]}
    task = TaskSpec("a", TaskKind.NOTEBOOK, {"notebook_path": "/x"})
    run = Run(1, 2, RunType.SUBMIT, "r", "me", "me", settings, (task,), 1, 0, life=Life.RUNNING, started=0)
    store.save_run(run)
    store.save_attempt(Attempt(5, 1, "a", life=life, started=0))
    (tmp_path / "5").mkdir()
    if left is not None:
        (tmp_path / "5" / "result.json").write_text(json.dumps(left))
    Scheduler(store, Idle(tmp_path), lambda: 100).recover()
    attempt = store.attempt(5)
    assert (attempt.life, attempt.outcome, attempt.message) == expected
    store.close()


def test_processes_that_lose_their_fork_server_are_reported_as_lost(bench, task):
    run_id = bench.submit(task(bench.put("# Databricks notebook source\nimport time\ntime.sleep(60)")))
    bench.reached(run_id, "RUNNING")
    server = bench.workspace.parts.runs._processes._server
    os.kill(server.pid, signal.SIGKILL)
    run = bench.ended(run_id)
    assert run.tasks[0].state.state_message == DRIVER_LOST
    assert bench.ended(bench.submit(task(bench.put(QUICK)))).state.result_state.value == "SUCCESS"
