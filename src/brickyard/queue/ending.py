"""How a job ends: when it is started again, and that only the worker that holds it can say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from brickyard.kernel.errors import Interrupted, MetadataDown, WorkspaceDown, WorkspaceRefused

_BUSY = (429, 503)
_LONGEST_WAIT = 60  # seconds between two attempts
_FINISH = """
    SELECT procrastinate_finish_job_v1(id, %(status)s::procrastinate_job_status, false) FROM procrastinate_jobs
    WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""
_RETRY = """
    UPDATE procrastinate_jobs AS job SET
        status = (CASE
            WHEN abort_requested THEN 'aborted'
            WHEN EXISTS (SELECT FROM procrastinate_jobs AS next
                WHERE next.queueing_lock = job.queueing_lock AND next.status = 'todo') THEN 'failed'
            ELSE 'todo' END)::procrastinate_job_status,
        abort_requested = false, attempts = attempts + %(counted)s, scheduled_at = %(retry_at)s
    WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""


def again(error: BaseException, job: Job, attempts: int) -> RetryDecision | None:
    """Decide whether and when a job that ended with *error* is started again; after a stop always, and uncounted."""
    if isinstance(error, Interrupted):
        return RetryDecision()
    if not _passes(error) or job.attempts + 1 >= attempts:
        return None
    wait = min(_LONGEST_WAIT, 2**job.attempts)
    return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait))


def _passes(error: BaseException) -> bool:
    """Tell whether the cause of *error* may be gone a little later."""
    if isinstance(error, WorkspaceRefused):
        return error.status in _BUSY
    return isinstance(error, WorkspaceDown | MetadataDown)


class Retry(BaseRetryStrategy):
    """Procrastinate's way to ask `again`."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to start the job again, or None."""
        return again(exception, job, self._attempts)


class FencedJobs(JobManager):
    """Ends a job only while it is still this worker's: a worker that was taken for dead must not end it."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Set the final state of a job that this worker holds."""
        await self.connector.execute_query_async(_FINISH, job_id=job.id, worker_id=job.worker_id, status=status.value)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Queue a job that this worker holds again; without a time it was stopped, which does not count.

        It ends instead where another of its queueing lock waits already, which does the same.
        """
        counted = 0 if retry_at is None else 1
        await self.connector.execute_query_async(
            _RETRY, job_id=job.id, worker_id=job.worker_id, retry_at=retry_at, counted=counted
        )
