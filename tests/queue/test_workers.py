"""Workers as processes: many at once, killed, told to stop, cut from the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from brickyard.metadata import Metadata, embedded
from brickyard.queue import JobState, Queue
from brickyard.settings import Settings

PROGRAM = Path(__file__).with_name("worker_process.py")


class Workers:
    """Worker processes on one queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one."""
        self._processes.append(subprocess.Popen([sys.executable, str(PROGRAM), self.queue.metadata.dsn]))
        return self._processes[-1]

    def close(self) -> None:
        """Kill those that are left."""
        for process in self._processes:
            process.kill()
            process.wait()

    def defer(self, name: str, **options) -> int:
        """Queue a job."""
        with self.queue.metadata.transaction() as tx:
            return self.queue.defer(tx, name, **options)

    def state(self, job: int) -> JobState | None:
        """Look at a job."""
        with self.queue.metadata.read() as tx:
            return self.queue.state(tx, job)

    def notes(self) -> list[str]:
        """Return what the tasks wrote."""
        with self.queue.metadata.read() as tx:
            return list(tx.execute(sa.text("SELECT text FROM note ORDER BY 1")).scalars())

    def depth(self) -> dict[str, int]:
        """Count the jobs in each state."""
        with self.queue.metadata.read() as tx:
            return self.queue.depth(tx)

    def alive(self) -> int:
        """Count the living."""
        with self.queue.metadata.read() as tx:
            return self.queue.workers_alive(tx)


@pytest.fixture
def workers(metadata: Metadata) -> Iterator[Workers]:
    with metadata.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE note (text text NOT NULL)"))
    workers = Workers(Queue(metadata, Settings(worker_timeout_seconds=2)))
    yield workers
    workers.close()


def _until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def _run_each_once(workers: Workers, processes: int, jobs: int) -> None:
    for _ in range(processes):
        workers.start()
    _until(lambda: workers.alive() == processes)
    for number in range(jobs):
        workers.defer("test.count", number=number)
    _until(lambda: len(workers.notes()) >= jobs)
    _until(lambda: workers.depth() == {"succeeded": jobs})
    assert workers.notes() == [f"{number:03}" for number in range(jobs)]


def test_two_workers_run_each_job_once(workers: Workers):
    _run_each_once(workers, processes=2, jobs=30)


@pytest.mark.full
def test_eight_workers_run_each_job_once(workers: Workers):
    _run_each_once(workers, processes=8, jobs=300)


def test_a_job_whose_worker_was_killed_runs_to_its_end_in_another(workers: Workers):
    first = workers.start()
    job = workers.defer("test.steps", steps=6, seconds=0.2)
    _until(lambda: len(workers.notes()) >= 2)
    second = workers.start()
    first.kill()
    _until(lambda: workers.state(job) == JobState.SUCCEEDED)
    assert workers.notes() == [f"step {number}" for number in range(6)]
    assert (first.wait(), second.poll()) == (-signal.SIGKILL, None)


def test_a_worker_that_slept_past_its_time_out_leaves_the_job_to_the_one_that_took_it_over(workers: Workers):
    sleeper = workers.start()
    job = workers.defer("test.steps", steps=6, seconds=0.3)
    _until(lambda: len(workers.notes()) >= 2)
    os.kill(sleeper.pid, signal.SIGSTOP)
    workers.start()
    _until(lambda: len(workers.notes()) >= 4)
    os.kill(sleeper.pid, signal.SIGCONT)
    _until(lambda: workers.state(job) == JobState.SUCCEEDED)
    time.sleep(1)
    assert workers.notes() == [f"step {number}" for number in range(6)]


def test_a_worker_told_to_stop_leaves_its_job_at_the_next_step(workers: Workers):
    worker = workers.start()
    job = workers.defer("test.steps", steps=100, seconds=0.2)
    _until(lambda: len(workers.notes()) >= 1)
    worker.terminate()
    assert (worker.wait(timeout=10), workers.state(job), workers.alive()) == (0, JobState.TODO, 0)


def test_a_worker_told_to_stop_does_not_wait_for_ever_and_another_takes_the_job(workers: Workers):
    worker = workers.start()
    job = workers.defer("test.deaf", seconds=10)
    _until(lambda: workers.notes() == ["started"])
    worker.terminate()
    assert (worker.wait(timeout=8), workers.state(job)) == (0, JobState.DOING)
    workers.start()
    _until(lambda: workers.notes() == ["ended", "started", "started"])
    _until(lambda: workers.state(job) == JobState.SUCCEEDED)


def test_jobs_with_one_lock_run_one_after_the_other(workers: Workers):
    workers.start()
    jobs = [workers.defer("test.deaf", lock="notebook /a", seconds=0.3) for _ in range(3)]
    seen: set[int] = set()
    while not all(workers.state(job) == JobState.SUCCEEDED for job in jobs):
        seen.add(sum(workers.state(job) == JobState.DOING for job in jobs))
        time.sleep(0.02)
    assert seen <= {0, 1}


def test_a_worker_that_lost_the_database_takes_jobs_again_when_it_is_back(workers: Workers):
    worker = workers.start()
    _until(lambda: workers.alive() == 1)
    with workers.queue.metadata.transaction() as tx:
        tx.execute(
            sa.text("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
        )
    job = workers.defer("test.count", number=1)
    _until(lambda: workers.state(job) == JobState.SUCCEEDED)
    assert worker.poll() is None


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Path]:
    """The folder of a server that the test may stop."""
    embedded.start(tmp_path / "postgres")
    yield tmp_path / "postgres"
    embedded.remove(tmp_path / "postgres")


@pytest.fixture
def own_workers(own_server: Path) -> Iterator[Workers]:
    """Workers on that server."""
    metadata = Metadata(embedded.start(own_server))
    metadata.migrate()
    with metadata.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE note (text text NOT NULL)"))
    workers = Workers(Queue(metadata, Settings(worker_timeout_seconds=2)))
    yield workers
    workers.close()
    metadata.close()


def test_a_worker_outlives_a_restart_of_the_database_and_no_job_is_lost(own_server: Path, own_workers: Workers):
    worker = own_workers.start()
    first = own_workers.defer("test.steps", steps=4, seconds=0.4)
    _until(lambda: len(own_workers.notes()) >= 1)
    embedded.stop(own_server)
    time.sleep(1)
    embedded.start(own_server)
    second = own_workers.defer("test.count", number=1)
    _until(lambda: {own_workers.state(first), own_workers.state(second)} == {JobState.SUCCEEDED})
    assert (own_workers.notes(), worker.poll()) == (["001", "step 0", "step 1", "step 2", "step 3"], None)


def test_a_worker_without_its_database_still_stops_when_told(own_server: Path, own_workers: Workers):
    worker = own_workers.start()
    _until(lambda: own_workers.alive() == 1)
    embedded.stop(own_server)
    time.sleep(1)
    worker.terminate()
    assert worker.wait(timeout=10) == 0
