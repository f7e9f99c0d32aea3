"""The queue as flows see it: defer a job in the caller's transaction, look at it, cancel it, hold on to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Table, Text, text
from sqlalchemy.exc import IntegrityError

from brickyard.kernel import stop
from brickyard.kernel.errors import Conflict, Interrupted
from brickyard.metadata import METADATA, Metadata
from brickyard.settings import Settings

ALONE = "alone-"  # prefix of the queue that holds one job for the process that asked for it

WORKERS = Table(
    "queue_workers",
    METADATA,
    Column("worker_id", BigInteger, primary_key=True, autoincrement=False),
    Column("lane", Text, nullable=False),
)
"""Which lane each worker serves; procrastinate's own table of workers does not say."""

PERIODS = Table(
    "queue_periods",
    METADATA,
    Column("lane", Text, primary_key=True),
    Column("task", Text, primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
)
"""When each task that comes again and again falls due next in a lane, by the database's clock."""

_DEFER = text("""
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, :lock, :queueing_lock, CAST(:args AS jsonb), NULL)
    ]::procrastinate_job_to_defer_v1[]))
""")
_ALIVE = text("""
    SELECT count(*) FROM procrastinate_workers AS worker JOIN queue_workers AS served ON served.worker_id = worker.id
    WHERE served.lane = :lane AND worker.last_heartbeat > now() - make_interval(secs => :timeout)
""")
_HOLD = text("""
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = :job AND worker_id = :worker AND status = 'doing' FOR SHARE
""")


class JobState(StrEnum):
    """Where a job is; the last three are final."""

    TODO = "todo"
    DOING = "doing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Tell whether the job will not run any more."""
        return self not in (JobState.TODO, JobState.DOING)


@dataclass(frozen=True, slots=True)
class Held:
    """The job that this thread runs, and as which worker."""

    job: int
    worker: int


HELD: ContextVar[Held | None] = ContextVar("held", default=None)


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue in the metadata database."""

    metadata: Metadata
    settings: Settings

    @property
    def lane(self) -> str:
        """The name of the queue for this process's workspace: a worker of another workspace must not take its jobs."""
        profile, host = self.settings.workspace_profile, self.settings.workspace_host
        workspace = f"profile {profile}" if profile else (host or "").rstrip("/").lower()
        return "workspace-" + hashlib.sha256(workspace.encode()).hexdigest()[:12]

    def defer(
        self, tx: Connection, name: str, *, lock: str | None = None, queueing_lock: str | None = None, **args: Any
    ) -> int:
        """Queue the task *name* in the caller's transaction and return the job's id: both commit, or neither.

        Of the jobs with one *lock* only one runs at a time, in their order. While one with a *queueing_lock* waits,
        another is refused with Conflict.
        """
        values = {"queue": self.lane, "task": name, "lock": lock, "queueing_lock": queueing_lock}
        try:
            with tx.begin_nested():
                return tx.execute(_DEFER, {**values, "args": json.dumps(args)}).scalar_one()
        except IntegrityError as error:
            raise Conflict(
                f"a job of {queueing_lock} is waiting already",
                code="already-queued",
                remedy="wait for it, or cancel it",
            ) from error

    def cancel(self, tx: Connection, job: int) -> bool:
        """Take a waiting job out of the queue, or ask a running one to stop at its next checkpoint.

        Returns False when it is over already.
        """
        found = tx.execute(text("SELECT procrastinate_cancel_job_v1(:job, true, false)"), {"job": job})
        return found.scalar_one() is not None

    def state(self, tx: Connection, job: int) -> JobState | None:
        """Return where the job is, or None when there is no such job."""
        status = tx.execute(text("SELECT status::text FROM procrastinate_jobs WHERE id = :job"), {"job": job})
        found = status.scalar_one_or_none()
        return None if found is None else JobState.CANCELLED if found == "aborted" else JobState(found)

    def depth(self, tx: Connection) -> dict[str, int]:
        """Return how many jobs are in each state."""
        rows = tx.execute(text("SELECT status::text, count(*) AS jobs FROM procrastinate_jobs GROUP BY 1"))
        return {row.status: row.jobs for row in rows}

    def workers_alive(self, tx: Connection) -> int:
        """Return how many workers of this lane have said lately that they are alive."""
        timeout = self.settings.worker_timeout_seconds
        return tx.execute(_ALIVE, {"timeout": timeout, "lane": self.lane}).scalar_one()

    def checkpoint(self, tx: Connection) -> None:
        """Make sure that this thread may still do its job, until the transaction ends; call it before each step.

        Raises Interrupted when the process or the job is asked to stop, and Conflict when another worker has taken
        the job over because this one was silent too long. Does nothing outside of a job.
        """
        stop.check()
        held = HELD.get()
        if held is None:
            return
        abort = tx.execute(_HOLD, {"job": held.job, "worker": held.worker}).scalar_one_or_none()
        if abort is None:
            raise Conflict(f"job {held.job} was taken over by another worker", code="job-taken-over")
        if abort:
            raise Interrupted(f"job {held.job} was cancelled", code="job-cancelled")

    def run_one(self, job: int, context: object, *, on_tick: Callable[[], None] | None = None) -> JobState:
        """Run one job in this process and return its final state; where a worker was faster, wait for it.

        *on_tick* is called several times a second meanwhile. Raises Interrupted on SIGINT or SIGTERM; the job then
        waits in the queue to be run again.
        """
        from brickyard.queue import work  # the worker's own packages are needed only where jobs run

        return work.run_one(self, job, context, on_tick)
