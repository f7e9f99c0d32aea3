"""What a workspace tells a listener about its jobs and runs, also when it was killed in between."""

from __future__ import annotations

import time

from databricks.sdk.service import jobs

from brickyard.local import LocalWorkspace
from brickyard.local.runs.model import Attempt, AttemptEnded, JobChanged, Life, Outcome, Run, RunEnded, RunType
from brickyard.local.runs.scheduler import Scheduler
from brickyard.local.runs.store import Store

SETTINGS = {"tasks": [{"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}]}


def test_a_listener_hears_of_jobs_attempts_and_runs_in_order(tmp_path):
    heard = []
    workspace = LocalWorkspace(tmp_path)
    with workspace:
        workspace.parts.runs.listen(heard.append)
        w = workspace.client()
        task = jobs.Task("a", condition_task=jobs.ConditionTask(op=jobs.ConditionTaskOp.EQUAL_TO, left="1", right="1"))
        job = w.jobs.create(name="j", tasks=[task]).job_id
        w.jobs.update(job, new_settings=jobs.JobSettings(name="k"))
        run = w.jobs.run_now(job).response.run_id
        limit = time.monotonic() + 10
        while not any(isinstance(change, RunEnded) for change in heard):
            assert time.monotonic() < limit, heard
            time.sleep(0.01)
        w.jobs.delete(job)
        while len(heard) < 5:
            assert time.monotonic() < limit, heard
            time.sleep(0.01)
    assert [told(change) for change in heard] == [
        ("job", "j", False), ("job", "k", False), ("attempt", "a", "SUCCESS"), ("run", run, "SUCCESS"), ("job", "k", True),
    ]  # fmt: skip


def test_what_a_killed_server_had_not_told_is_told_by_the_next_and_only_then_forgotten(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    run = Run(1, 2, RunType.SUBMIT, "r", "me", "me", SETTINGS, (), 1, 0, Life.RUNNING)
    store.save_run(run)
    ended = Attempt(5, 1, "a", life=Life.TERMINATED, outcome=Outcome.SUCCESS)
    store.save_attempt(ended)
    store.save_attempt(ended)
    store.close()
    again, heard = Store(tmp_path / "runs.sqlite"), []
    scheduler = Scheduler(again, None, lambda: 0)
    scheduler.on_change = heard.append
    scheduler.tell()
    scheduler.tell()
    assert [told(change) for change in heard] == [("attempt", "a", "SUCCESS")]
    again.close()


def told(change):
    match change:
        case JobChanged(job, _, deleted):
            return "job", job.name, deleted
        case AttemptEnded(_, attempt):
            return "attempt", attempt.task_key, attempt.outcome.value
        case RunEnded(run):
            return "run", run.run_id, run.outcome.value
