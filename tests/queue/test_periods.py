"""What comes again and again: once a period for a lane, by whichever worker lives."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from brickyard.metadata import Metadata
from brickyard.queue import Queue, periods, registry
from brickyard.settings import Settings

PROGRAM = Path(__file__).with_name("periodic_process.py")


class House:
    """Worker processes whose tasks come by themselves."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int) -> None:
        """Start some."""
        for _ in range(workers):
            self.workers.append(subprocess.Popen([sys.executable, str(PROGRAM), self.metadata.dsn]))

    def say(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement."""
        with self.metadata.transaction() as tx:
            found = tx.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def notes(self, text: str) -> int:
        """Count the notes of a text."""
        return len(self.say(f"SELECT 1 FROM note WHERE text = '{text}'"))

    def jobs(self, name: str) -> int:
        """Count the jobs of a task, in any state."""
        return len(self.say(f"SELECT 1 FROM procrastinate_jobs WHERE task_name = '{name}'"))


@pytest.fixture
def house(metadata: Metadata) -> Iterator[House]:
    house = House(metadata)
    house.say("CREATE TABLE note (text text NOT NULL)")
    house.say("CREATE TABLE wish (text text NOT NULL)")
    yield house
    for process in house.workers:
        process.kill()
        process.wait()


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_several_workers_fire_once_a_period_and_go_on_when_one_is_killed(house: House):
    house.start(3)
    _until(lambda: house.notes("tick") >= 1)
    began, before = time.monotonic(), house.notes("tick")
    house.workers[0].kill()
    _until(lambda: house.notes("tick") >= before + 6)
    periods_passed = (time.monotonic() - began) / 0.5
    assert house.jobs("test.tick") - before <= periods_passed + 2
    assert house.jobs("test.never") == 0


def test_while_there_is_nothing_to_do_no_job_is_made(house: House):
    house.start(1)
    _until(lambda: house.notes("tick") >= 2)
    assert house.jobs("test.wish") == 0
    house.say("INSERT INTO wish VALUES ('granted')")
    _until(lambda: house.notes("granted") == 1)


def test_what_runs_beside_the_jobs_is_told_to_stop(house: House):
    house.start(1)
    _until(lambda: house.notes("tick") >= 1)
    house.workers[0].terminate()
    assert (house.workers[0].wait(timeout=10), house.notes("stopped")) == (0, 1)


@pytest.fixture
def schedules() -> Iterator[dict[str, registry.Schedule]]:
    """The schedules of the process, empty for a while."""
    known = dict(registry.SCHEDULES)
    registry.SCHEDULES.clear()
    yield registry.SCHEDULES
    registry.SCHEDULES.clear()
    registry.SCHEDULES.update(known)


def _due_now(house: House) -> None:
    house.say("UPDATE queue_periods SET due_at = now() - interval '1 day'")


def test_what_falls_due_while_one_waits_is_not_queued_twice(house: House, schedules: dict[str, registry.Schedule]):
    schedules["test.slow"] = registry.Schedule("test.slow", 10.0)
    queue = Queue(house.metadata, Settings())
    periods.begin(queue)
    for _ in range(5):
        _due_now(house)
        periods.look(queue, queue)
    assert house.jobs("test.slow") == 1


def test_a_shorter_period_makes_it_due_earlier_and_a_longer_one_waits_for_the_time_that_was_set(
    house: House, schedules: dict[str, registry.Schedule]
):
    queue = Queue(house.metadata, Settings())
    left = []
    for seconds in (50.0, 20.0, 40.0):
        schedules["test.slow"] = registry.Schedule("test.slow", seconds)
        periods.begin(queue)
        left.append(round(periods.look(queue, queue)))
    assert left == [30, 20, 20]


def test_a_setting_says_the_period_in_its_own_unit_and_nothing_is_never():
    schedule = registry.Schedule("test.sync", "share_sync_minutes")
    seconds = [schedule.seconds(Settings(share_sync_minutes=minutes)) for minutes in (2, 0)]
    assert (seconds, registry.Schedule("t", "queue_polling_seconds").seconds(Settings(queue_polling_seconds=0.2))) == (
        [120, 0],
        0.2,
    )
