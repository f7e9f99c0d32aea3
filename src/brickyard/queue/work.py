"""Running jobs: procrastinate's worker in polling mode, with takeover, fencing and a stop that ends in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, exceptions
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from sqlalchemy import Row, text

from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError, Interrupted, MetadataDown, WorkspaceDown, WorkspaceRefused
from brickyard.queue.jobs import ALONE, DEFAULT, HELD, Held, JobState, Queue
from brickyard.queue.registry import TASKS, Task

log = structlog.stdlib.get_logger(__name__)

_BUSY = (429, 503)
_LONGEST_WAIT = 60  # seconds between two attempts
_FINISH = """
    SELECT procrastinate_finish_job_v1(id, %(status)s::procrastinate_job_status, false) FROM procrastinate_jobs
    WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""
_RETRY = """
    UPDATE procrastinate_jobs SET
        status = (CASE WHEN abort_requested THEN 'aborted' ELSE 'todo' END)::procrastinate_job_status,
        abort_requested = false, attempts = attempts + %(counted)s, scheduled_at = %(retry_at)s
    WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""
_STALLED = text("""
    SELECT job.id, job.task_name, job.args, job.attempts FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND job.worker_id IS DISTINCT FROM :me
      AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :timeout))
    FOR UPDATE OF job SKIP LOCKED
""")
_AGAIN = text("SELECT procrastinate_retry_job_v2(:job, now(), NULL, :queue, NULL)")
_OVER = text("SELECT procrastinate_finish_job_v1(:job, 'failed', false)")
_ALONE = text("UPDATE procrastinate_jobs SET queue_name = :queue WHERE id = :job AND status = 'todo'")
_LEAVE = text("""
    UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => :ago) WHERE id = :worker
""")


def serve(queue: Queue, context: object) -> None:
    """Take jobs until SIGTERM or SIGINT; then finish what is running, or leave it to the next worker."""
    asyncio.run(_serve(queue, context))


def run_one(queue: Queue, job: int, context: object, on_tick: Callable[[], None] | None) -> JobState:
    """Run one job to its end in this process; see `Queue.run_one`."""
    return asyncio.run(_run_one(queue, job, context, on_tick or (lambda: None)))


def take_over(queue: Queue, context: object, me: int | None = None) -> int:
    """Queue the jobs of silent workers again, give up those started too often, and return how many were found.

    *me* is the worker that asks: it is alive, whatever its last heartbeat says after a suspend.
    """
    settings = queue.settings
    with queue.metadata.transaction() as tx:
        stalled = tx.execute(_STALLED, {"me": me, "timeout": settings.worker_timeout_seconds}).all()
        lost = [job for job in stalled if job.attempts + 1 >= settings.queue_attempts]
        for job in stalled:
            log.warning("job taken over from a silent worker", job=job.id, task=job.task_name, attempts=job.attempts)
            tx.execute(*((_OVER, {"job": job.id}) if job in lost else (_AGAIN, {"job": job.id, "queue": DEFAULT})))
    for job in lost:
        _give_up_lost(context, job)
    return len(stalled)


def _give_up_lost(context: object, job: Row[Any]) -> None:
    task = TASKS.get(job.task_name)
    if task and task.gave_up:
        error = BrickyardError(f"its worker died {job.attempts + 1} times", code="worker-died")
        task.gave_up(context, error=error, **job.args)


async def _serve(queue: Queue, context: object) -> None:
    settings = queue.settings
    with _signals(queue) as running:
        while not stop.requested():
            try:
                async with _worker(queue, context, running, concurrency=settings.worker_concurrency) as worker:
                    await _alongside(worker.run(), _watch(queue, context, worker))
            except (exceptions.ConnectorException, MetadataDown) as error:
                log.warning("database lost; trying again", error=str(error))
                await asyncio.sleep(1)


async def _run_one(queue: Queue, job: int, context: object, on_tick: Callable[[], None]) -> JobState:
    with _signals(queue, exit_code=Interrupted.exit_code) as running:
        while not (state := _state(queue, job)).final:
            stop.check()
            on_tick()
            await asyncio.to_thread(take_over, queue, context)
            with queue.metadata.transaction() as tx:
                tx.execute(_ALONE, {"job": job, "queue": f"{ALONE}{job}"})
            async with _worker(queue, context, running, queues=[f"{ALONE}{job}"], wait=False) as worker:
                await _alongside(worker.run(), _ticks(on_tick))
            await asyncio.sleep(queue.settings.queue_polling_seconds)
        return state


def _state(queue: Queue, job: int) -> JobState:
    with queue.metadata.read() as tx:
        return queue.state(tx, job) or JobState.CANCELLED


async def _watch(queue: Queue, context: object, worker: Worker) -> None:
    """Look for jobs of silent workers, four times within the time-out."""
    while True:
        await asyncio.to_thread(take_over, queue, context, worker.worker_id)
        await asyncio.sleep(queue.settings.worker_timeout_seconds / 4)


async def _ticks(on_tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(0.25)
        on_tick()


async def _alongside(main: Any, side: Any) -> None:
    """Run *main* to its end; stop *side* then, and let a failure of either be seen."""
    tasks = [asyncio.ensure_future(main), asyncio.ensure_future(side)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@contextlib.asynccontextmanager
async def _worker(
    queue: Queue,
    context: object,
    running: list[Worker],
    *,
    concurrency: int = 1,
    queues: Sequence[str] | None = None,
    wait: bool = True,
) -> AsyncIterator[Worker]:
    settings = queue.settings
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency + 2))
    connector = PsycopgConnector(conninfo=queue.metadata.dsn, min_size=1, max_size=concurrency + 3)
    app = App(connector=connector)
    app.job_manager = FencedJobs(connector)
    for task in TASKS.values():
        app.task(name=task.name, pass_context=True, retry=Retry(settings.queue_attempts))(_body(task, context, queue))
    async with app.open_async():
        worker = Worker(
            app,
            queues=queues,
            concurrency=concurrency,
            wait=wait,
            fetch_job_polling_interval=settings.queue_polling_seconds,
            listen_notify=False,
            install_signal_handlers=False,
            update_heartbeat_interval=settings.worker_heartbeat_seconds,
            stalled_worker_timeout=settings.worker_timeout_seconds,
        )
        running[:] = [worker]
        yield worker


def _body(task: Task, context: object, queue: Queue) -> Callable[..., None]:
    """Wrap a task so that its thread knows which job it holds and its giving up is told."""

    def run(job_context: JobContext, **args: Any) -> None:
        job = job_context.job
        HELD.set(Held(job.id or 0, job.worker_id or 0))
        with structlog.contextvars.bound_contextvars(job=job.id, task=task.name):
            try:
                task.run(context, **args)
            except Exception as error:  # whatever broke, the run must end in a true status
                if task.gave_up and not _again(error, job, queue.settings.queue_attempts):
                    task.gave_up(context, error=error, **args)
                raise

    return run


def _again(error: BaseException, job: Job, attempts: int) -> RetryDecision | None:
    """Decide whether and when a job that ended with *error* is started again."""
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
    """Start a job again when its cause passes, up to *attempts* times; after a stop always, and uncounted."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to start the job again, or None."""
        return _again(exception, job, self._attempts)


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
        """Queue a job that this worker holds again; without a time it was stopped, which does not count."""
        counted = 0 if retry_at is None else 1
        await self.connector.execute_query_async(
            _RETRY, job_id=job.id, worker_id=job.worker_id, retry_at=retry_at, counted=counted
        )


@contextlib.contextmanager
def _signals(queue: Queue, exit_code: int = 0) -> Any:
    """Stop the running worker on SIGTERM and SIGINT, and end the process when its jobs do not end in time."""
    running: list[Worker] = []
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.request()
        for worker in running:
            worker.stop()
        loop.call_later(queue.settings.worker_stop_seconds, _leave, queue, running, exit_code)

    if threading.current_thread() is not threading.main_thread():
        yield running
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        yield running
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _leave(queue: Queue, running: list[Worker], exit_code: int) -> None:
    """Leave the jobs that did not end: say that this worker is silent since long, so that the next takes them, and go.

    Threads cannot be stopped from outside, so the process ends hard; the two seconds keep it from overlapping the next.
    """
    log.warning("jobs did not stop in time; left to the next worker")
    ago = queue.settings.worker_timeout_seconds - 2
    try:
        with queue.metadata.transaction() as tx:
            for worker in running:
                tx.execute(_LEAVE, {"worker": worker.worker_id, "ago": ago})
    except MetadataDown as error:
        log.warning("the database is away; the jobs are taken over after the time-out", error=str(error))
    os._exit(exit_code)
