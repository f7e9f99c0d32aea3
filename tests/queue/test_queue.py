"""The queue as flows see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from brickyard.kernel.errors import BrickyardError, Conflict, Interrupted, SpecInvalid, WorkspaceDown
from brickyard.metadata import Metadata
from brickyard.queue import JobState, Queue, registry, takeover, task
from brickyard.settings import Settings

QUICK = Settings(
    worker_heartbeat_seconds=0.1, worker_timeout_seconds=1, queue_polling_seconds=0.05, queue_attempts=2, _env_file=None
)


@pytest.fixture
def queue(metadata: Metadata) -> Queue:
    with metadata.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE note (text text NOT NULL)"))
    return Queue(metadata, QUICK)


@pytest.fixture(autouse=True)
def _own_tasks() -> Iterator[None]:
    """Leave the registry as it was."""
    before = dict(registry.TASKS)
    yield
    registry.TASKS.clear()
    registry.TASKS.update(before)


def _note(context: Queue, text: str) -> None:
    with context.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES (:text)"), {"text": text})


def _notes(queue: Queue) -> list[str]:
    with queue.metadata.read() as tx:
        return list(tx.execute(sa.text("SELECT text FROM note ORDER BY 1")).scalars())


def _defer(queue: Queue, name: str, **options) -> int:
    with queue.metadata.transaction() as tx:
        return queue.defer(tx, name, **options)


def _state(queue: Queue, job: int) -> JobState | None:
    with queue.metadata.read() as tx:
        return queue.state(tx, job)


@contextmanager
def _held_by_the_dead(queue: Queue, job: int) -> Iterator[None]:
    """Pretend that a worker fetched the job and died long ago."""
    with queue.metadata.transaction() as tx:
        tx.execute(
            sa.text("""
                WITH dead AS (
                    INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id
                )
                UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead
                WHERE procrastinate_jobs.id = :job
            """),
            {"job": job},
        )
    yield


def test_a_row_and_its_job_commit_together(queue: Queue):
    with queue.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES ('row')"))
        job = queue.defer(tx, "test.note", text="job")
        with queue.metadata.read() as other:
            assert queue.state(other, job) is None
    assert (_notes(queue), _state(queue, job)) == (["row"], JobState.TODO)


def test_a_row_and_its_job_roll_back_together(queue: Queue):
    with pytest.raises(ZeroDivisionError), queue.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES ('row')"))
        job = queue.defer(tx, "test.note", text="job")
        1 / 0
    assert (_notes(queue), _state(queue, job)) == ([], None)


def test_a_second_waiting_job_with_one_queueing_lock_is_refused_and_the_transaction_goes_on(queue: Queue):
    first = _defer(queue, "test.note", queueing_lock="notebook /a", text="1")
    with queue.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES ('before')"))
        with pytest.raises(Conflict) as refused:
            queue.defer(tx, "test.note", queueing_lock="notebook /a", text="2")
        tx.execute(sa.text("INSERT INTO note VALUES ('after')"))
    assert refused.value.error_code == "already-queued"
    assert (_notes(queue), _state(queue, first)) == (["after", "before"], JobState.TODO)


def test_one_job_runs_in_this_process_when_no_worker_is_alive(queue: Queue):
    task("test.note")(_note)
    job = _defer(queue, "test.note", text="done")
    with queue.metadata.read() as tx:
        assert queue.workers_alive(tx) == 0
    ticks: list[int] = []
    assert queue.run_one(job, queue, on_tick=lambda: ticks.append(1)) == JobState.SUCCEEDED
    assert (_notes(queue), bool(ticks)) == (["done"], True)


def test_one_job_leaves_the_others_alone(queue: Queue):
    task("test.note")(_note)
    other = _defer(queue, "test.note", text="other")
    assert queue.run_one(_defer(queue, "test.note", text="mine"), queue) == JobState.SUCCEEDED
    assert (_notes(queue), _state(queue, other)) == (["mine"], JobState.TODO)


def test_a_job_that_fails_is_given_up_once_and_not_tried_again(queue: Queue):
    errors: list[str] = []

    def run(context: Queue, *, text: str) -> None:
        _note(context, text)
        raise SpecInvalid("wrong")

    def gave_up(context: Queue, *, error: Exception, text: str) -> None:
        errors.append(f"{text}: {error}")

    task("test.fail", gave_up=gave_up)(run)
    assert queue.run_one(_defer(queue, "test.fail", text="once"), queue) == JobState.FAILED
    assert (_notes(queue), errors) == (["once"], ["once: wrong"])


def test_a_job_whose_workspace_is_away_is_tried_again_up_to_the_limit(queue: Queue):
    errors: list[BrickyardError] = []

    def run(context: Queue) -> None:
        _note(context, "tried")
        raise WorkspaceDown("away")

    task("test.away", gave_up=lambda context, *, error: errors.append(error))(run)
    assert queue.run_one(_defer(queue, "test.away"), queue) == JobState.FAILED
    assert (_notes(queue), [str(error) for error in errors]) == (["tried", "tried"], ["away"])


def test_a_job_that_was_interrupted_waits_to_be_run_again_and_this_does_not_count(queue: Queue):
    def run(context: Queue) -> None:
        _note(context, "tried")
        if len(_notes(context)) < 4:
            raise Interrupted("stop")

    task("test.stop")(run)
    assert queue.run_one(_defer(queue, "test.stop"), queue) == JobState.SUCCEEDED
    assert _notes(queue) == ["tried"] * 4


def test_a_job_of_a_silent_worker_is_taken_over(queue: Queue):
    task("test.note")(_note)
    job = _defer(queue, "test.note", text="done")
    with _held_by_the_dead(queue, job):
        assert queue.run_one(job, queue) == JobState.SUCCEEDED
    assert _notes(queue) == ["done"]


def test_a_job_of_a_silent_worker_ends_where_the_next_of_its_kind_waits_and_the_others_are_taken_over(queue: Queue):
    task("test.note")(_note)
    due = _defer(queue, "test.note", text="due", queueing_lock="every second")
    other = _defer(queue, "test.note", text="other")
    with _held_by_the_dead(queue, due), _held_by_the_dead(queue, other):
        following = _defer(queue, "test.note", text="due", queueing_lock="every second")
        assert takeover.take_over(queue, queue) == 2
    states = [_state(queue, job) for job in (due, other, following)]
    assert states == [JobState.FAILED, JobState.TODO, JobState.TODO]


def test_a_job_that_is_to_be_tried_again_ends_where_the_next_of_its_kind_waits(queue: Queue):
    def run(context: Queue) -> None:
        _defer(context, "test.away", queueing_lock="every second")
        raise WorkspaceDown("away")

    task("test.away")(run)
    assert queue.run_one(_defer(queue, "test.away", queueing_lock="every second"), queue) == JobState.FAILED


def test_a_job_that_kills_its_workers_is_given_up_at_the_limit(queue: Queue):
    errors: list[str] = []
    task("test.note", gave_up=lambda context, *, error, text: errors.append(error.error_code))(_note)
    job = _defer(queue, "test.note", text="never")
    for _ in range(QUICK.queue_attempts):
        assert _state(queue, job) == JobState.TODO
        with _held_by_the_dead(queue, job):
            takeover.take_over(queue, queue)
    assert (_state(queue, job), errors, _notes(queue)) == (JobState.FAILED, ["worker-died"], [])


def test_a_worker_does_not_take_its_own_jobs_over_after_a_suspend(queue: Queue):
    job = _defer(queue, "test.note", text="x")
    with _held_by_the_dead(queue, job), queue.metadata.read() as tx:
        me = tx.execute(sa.text("SELECT worker_id FROM procrastinate_jobs")).scalar_one()
    assert (takeover.take_over(queue, queue, me), _state(queue, job)) == (0, JobState.DOING)


def test_a_worker_taken_for_dead_is_refused_at_its_checkpoint_and_cannot_end_the_job(queue: Queue):
    refused: list[str] = []

    def run(context: Queue) -> None:
        _note(context, "started")
        if len(_notes(context)) > 1:
            return
        with context.metadata.transaction() as tx:  # another worker finds this one silent
            tx.execute(sa.text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"))
        assert takeover.take_over(context, context) == 1
        with pytest.raises(Conflict) as conflict, context.metadata.transaction() as tx:
            context.checkpoint(tx)
        refused.append(conflict.value.error_code)

    task("test.zombie")(run)
    job = _defer(queue, "test.zombie")
    assert queue.run_one(job, queue) == JobState.SUCCEEDED
    assert (refused, _notes(queue)) == (["job-taken-over"], ["started", "started"])


def test_a_waiting_job_is_cancelled_at_once(queue: Queue):
    job = _defer(queue, "test.note", text="x")
    with queue.metadata.transaction() as tx:
        assert queue.cancel(tx, job)
    with queue.metadata.transaction() as tx:
        assert not queue.cancel(tx, job)
    assert _state(queue, job) == JobState.CANCELLED


def test_a_running_job_that_is_cancelled_stops_at_its_checkpoint(queue: Queue):
    def run(context: Queue, *, job: int) -> None:
        _note(context, "started")
        with context.metadata.transaction() as tx:
            context.cancel(tx, job)
        with context.metadata.transaction() as tx:
            context.checkpoint(tx)
        _note(context, "went on")

    task("test.cancel")(run)
    with queue.metadata.transaction() as tx:
        following = tx.execute(sa.text("SELECT nextval('procrastinate_jobs_id_seq')")).scalar_one() + 1
    job = _defer(queue, "test.cancel", job=following)
    assert (job, queue.run_one(job, queue)) == (following, JobState.CANCELLED)
    assert _notes(queue) == ["started"]


def test_outside_of_a_job_a_checkpoint_does_nothing(queue: Queue):
    with queue.metadata.transaction() as tx:
        queue.checkpoint(tx)


def test_a_job_of_one_workspace_is_not_for_the_workers_of_another(metadata: Metadata):
    local = Queue(metadata, Settings(workspace_host="http://127.0.0.1:1"))
    same = Queue(metadata, Settings(workspace_host="HTTP://127.0.0.1:1/"))
    remote = Queue(metadata, Settings(workspace_host="https://adb-1.azuredatabricks.net"))
    with metadata.transaction() as tx:
        job = remote.defer(tx, "noted", note="x")
        lane = tx.execute(
            sa.text("SELECT queue_name FROM procrastinate_jobs WHERE id = :job"), {"job": job}
        ).scalar_one()
    assert lane == remote.lane
    assert local.lane == same.lane != remote.lane
