"""Schedules fire when they say so, once, and never for a time that passed unseen."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from databricks.sdk.service.jobs import CronSchedule, JobSettings, PauseStatus, RunType, Task, TriggerType
from databricks.sdk.service.jobs import NotebookTask as Notebook

from brickyard.local import LocalWorkspace
from brickyard.local.runs.model import Job
from brickyard.local.runs.schedule import LONGEST_WAIT_SECONDS, Clockwork

SIX = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)


class Bell:
    """A clock that stands where it is put, a list of jobs, and the ids of those that fired."""

    def __init__(self, *jobs: Job) -> None:
        self.now = SIX
        self.jobs = list(jobs)
        self.rung: list[int] = []
        self.clockwork = Clockwork(lambda: self.jobs, lambda job: self.rung.append(job.job_id), lambda: self.now)

    def later(self, **passed: float) -> float:
        self.now += timedelta(**passed)
        return self.clockwork.step()


def job(number: int, cron: str, zone: str = "UTC", state: str = "UNPAUSED") -> Job:
    schedule = {"quartz_cron_expression": cron, "timezone_id": zone, "pause_status": state}
    return Job(number, "me", 0, {"schedule": schedule})


def test_a_job_fires_once_at_its_time():
    bell = Bell(job(1, "10 0 6 * * ?"), job(2, "0 0 9 * * ?", "Europe/Berlin"))
    assert bell.later() == 10
    assert bell.later(seconds=9) == 1
    assert bell.rung == []
    bell.later(seconds=1)
    bell.later(seconds=1)
    assert bell.rung == [1]
    bell.later(minutes=60)
    assert bell.rung == [1, 2]


def test_a_time_that_passed_before_the_start_is_not_caught_up():
    bell = Bell(job(1, "0 59 5 * * ?"))
    assert bell.later() == LONGEST_WAIT_SECONDS
    assert bell.rung == []


@pytest.mark.parametrize(
    "change",
    [job(1, "10 0 6 * * ?", state="PAUSED"), job(1, "0 0 7 * * ?"), Job(1, "me", 0, {})],
    ids=["paused", "moved", "removed"],
)
def test_a_changed_schedule_does_not_fire_at_its_old_time(change: Job):
    bell = Bell(job(1, "10 0 6 * * ?"))
    bell.later()
    bell.jobs = [change]
    bell.later(seconds=10)
    assert bell.rung == []


def test_a_deleted_job_does_not_fire():
    bell = Bell(job(1, "10 0 6 * * ?"))
    bell.later()
    bell.jobs = []
    bell.later(seconds=10)
    assert bell.rung == []


def test_a_scheduled_job_really_runs_until_it_is_paused(workspace: LocalWorkspace):
    client = workspace.client()
    task = Task(task_key="main", notebook_task=Notebook(notebook_path="/Shared/none"))
    schedule = CronSchedule("* * * * * ?", "Asia/Tokyo")
    made = client.jobs.create(name="every second", tasks=[task], schedule=schedule).job_id
    assert made
    limit = time.monotonic() + 15
    while len(runs := list(client.jobs.list_runs(job_id=made))) < 2:
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert {(run.trigger, run.run_type) for run in runs} == {(TriggerType.PERIODIC, RunType.JOB_RUN)}
    paused = CronSchedule("* * * * * ?", "Asia/Tokyo", pause_status=PauseStatus.PAUSED)
    client.jobs.update(made, new_settings=JobSettings(schedule=paused))
    time.sleep(0.2)
    before = len(list(client.jobs.list_runs(job_id=made)))
    time.sleep(2.2)
    assert len(list(client.jobs.list_runs(job_id=made))) == before
