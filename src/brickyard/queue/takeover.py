"""Jobs whose worker fell silent: queued again, or given up when they were started too often."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from brickyard.kernel.errors import BrickyardError
from brickyard.queue.jobs import ALONE, Queue
from brickyard.queue.registry import TASKS

log = structlog.stdlib.get_logger(__name__)

_STALLED = text("""
    SELECT job.id, job.task_name, job.args, job.attempts,
           CASE WHEN starts_with(job.queue_name, :alone) THEN split_part(job.queue_name, '@', 2)
                ELSE job.queue_name END AS lane
    FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND job.worker_id IS DISTINCT FROM :me
      AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :timeout))
    FOR UPDATE OF job SKIP LOCKED
""")
_AGAIN = text("SELECT procrastinate_retry_job_v2(:job, now(), NULL, :queue, NULL)")
_OVER = text("SELECT procrastinate_finish_job_v1(:job, 'failed', false)")


def take_over(queue: Queue, context: object, me: int | None = None) -> int:
    """Queue the jobs of silent workers again, give up those started too often, and return how many were found.

    *me* is the worker that asks: it is alive, whatever its last heartbeat says after a suspend.
    """
    settings = queue.settings
    with queue.metadata.transaction() as tx:
        stalled = tx.execute(_STALLED, {"me": me, "timeout": settings.worker_timeout_seconds, "alone": ALONE}).all()
        lost = [job for job in stalled if job.attempts + 1 >= settings.queue_attempts]
        for job in stalled:
            log.warning("job taken over from a silent worker", job=job.id, task=job.task_name, attempts=job.attempts)
            if job in lost or not _queued_again(tx, job):
                tx.execute(_OVER, {"job": job.id})
    for job in lost:
        _give_up(context, job)
    return len(stalled)


def _queued_again(tx: Connection, job: Row[Any]) -> bool:
    """Queue a job again; False when another of its queueing lock waits already, which does the same."""
    try:
        with tx.begin_nested():
            tx.execute(_AGAIN, {"job": job.id, "queue": job.lane})
    except IntegrityError:
        return False
    return True


def _give_up(context: object, job: Row[Any]) -> None:
    task = TASKS.get(job.task_name)
    if task and task.gave_up:
        error = BrickyardError(f"its worker died {job.attempts + 1} times", code="worker-died")
        task.gave_up(context, error=error, **job.args)
