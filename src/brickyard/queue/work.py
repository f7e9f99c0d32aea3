"""Running jobs: procrastinate's worker in polling mode, and a stop that ends in time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from procrastinate import App, JobContext, PsycopgConnector, exceptions
from procrastinate.worker import Worker
from sqlalchemy import text

from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted, MetadataDown
from brickyard.queue import periods
from brickyard.queue.ending import FencedJobs, Retry, again
from brickyard.queue.jobs import ALONE, HELD, Held, JobState, Queue
from brickyard.queue.registry import COMPANIONS, TASKS, Task
from brickyard.queue.takeover import take_over

log = structlog.stdlib.get_logger(__name__)

_ALONE = text("UPDATE procrastinate_jobs SET queue_name = :queue WHERE id = :job AND status = 'todo'")
_GONE = text("DELETE FROM queue_workers WHERE worker_id NOT IN (SELECT id FROM procrastinate_workers)")
_SERVES = text("INSERT INTO queue_workers (worker_id, lane) VALUES (:worker, :lane) ON CONFLICT DO NOTHING")
_LEAVE = text("""
    UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => :ago) WHERE id = :worker
""")
_OVERLAP_SECONDS = 2  # between the end of a process that left its jobs and their takeover
_RECONNECT_SECONDS = 1.0
_COMPANION_SECONDS = 2.0  # how long what runs beside the jobs has to end
_TICK_SECONDS = 0.25
_REGISTERING_SECONDS = 0.05


def serve(queue: Queue, context: object) -> None:
    """Take jobs until SIGTERM or SIGINT; then finish what is running, or leave it to the next worker."""
    asyncio.run(_serve(queue, context))


def run_one(queue: Queue, job: int, context: object, on_tick: Callable[[], None] | None) -> JobState:
    """Run one job to its end in this process; see `Queue.run_one`."""
    return asyncio.run(_run_one(queue, job, context, on_tick or (lambda: None)))


async def _serve(queue: Queue, context: object) -> None:
    concurrency = queue.settings.worker_concurrency
    with _signals(queue) as running, _threads(concurrency), _companions(context):
        while not stop.requested():
            try:
                async with _worker(queue, context, running, concurrency=concurrency, queues=[queue.lane]) as worker:
                    await _alongside(worker.run(), _watch(queue, context, worker), _fire(queue, context))
            except exceptions.ConnectorException as error:
                log.warning("database lost; trying again", error=str(error.__cause__ or error))
                await asyncio.sleep(_RECONNECT_SECONDS)


async def _run_one(queue: Queue, job: int, context: object, on_tick: Callable[[], None]) -> JobState:
    with _signals(queue, exit_code=Interrupted.exit_code) as running, _threads(1):
        while not (state := _state(queue, job)).final:
            stop.check()
            on_tick()
            await asyncio.to_thread(take_over, queue, context)
            if _set_apart(queue, job):
                async with _worker(queue, context, running, queues=[_own(queue, job)], wait=False) as worker:
                    await _alongside(worker.run(), _ticks(on_tick))
            await asyncio.sleep(queue.settings.queue_polling_seconds)
        return state


def _state(queue: Queue, job: int) -> JobState:
    with queue.metadata.read() as tx:
        return queue.state(tx, job) or JobState.CANCELLED


def _own(queue: Queue, job: int) -> str:
    return f"{ALONE}{job}@{queue.lane}"


def _set_apart(queue: Queue, job: int) -> bool:
    """Move a waiting job to a queue of its own, and tell whether it waits."""
    with queue.metadata.transaction() as tx:
        return tx.execute(_ALONE, {"job": job, "queue": _own(queue, job)}).rowcount == 1


async def _watch(queue: Queue, context: object, worker: Worker) -> None:
    """Look for jobs of silent workers, four times within the time-out."""
    while worker.worker_id is None:
        await asyncio.sleep(_REGISTERING_SECONDS)
    while True:
        try:
            await asyncio.to_thread(_say_lane, queue, worker.worker_id)
            await asyncio.to_thread(take_over, queue, context, worker.worker_id)
        except MetadataDown as error:
            log.warning("cannot look for silent workers", error=str(error))
        await asyncio.sleep(queue.settings.worker_timeout_seconds / 4)


async def _fire(queue: Queue, context: object) -> None:
    """Queue what comes again and again."""
    begun = False
    while True:
        wait = _RECONNECT_SECONDS
        try:
            if not begun:
                await asyncio.to_thread(periods.begin, queue)
                begun = True
            wait = await asyncio.to_thread(periods.look, queue, context)
        except MetadataDown as error:
            log.warning("cannot look for what is due", error=str(error))
        await asyncio.sleep(wait)


def _say_lane(queue: Queue, worker_id: int) -> None:
    """Write down which lane a worker serves, and forget the workers that are gone."""
    with queue.metadata.transaction() as tx:
        tx.execute(_GONE)
        tx.execute(_SERVES, {"worker": worker_id, "lane": queue.lane})


async def _ticks(on_tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        on_tick()


async def _alongside(main: Coroutine[Any, Any, None], *sides: Coroutine[Any, Any, None]) -> None:
    """Run *main* to its end, or until one of *sides* fails; raise what any raised."""
    tasks = [asyncio.ensure_future(one) for one in (main, *sides)]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Give the loop a thread for each job and three for looking around."""
    with ThreadPoolExecutor(jobs + 3) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        yield


@contextmanager
def _companions(context: object) -> Iterator[None]:
    """Run what runs beside the jobs, each in a thread that does not keep the process from ending."""
    threads = [
        threading.Thread(target=run, args=(context,), name=name, daemon=True) for name, run in COMPANIONS.items()
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(_COMPANION_SECONDS)


@asynccontextmanager
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
                if task.gave_up and not again(error, job, queue.settings.queue_attempts):
                    task.gave_up(context, error=error, **args)
                raise

    return run


@contextmanager
def _signals(queue: Queue, exit_code: int = 0) -> Iterator[list[Worker]]:
    """Stop the running worker on SIGTERM and SIGINT, and end the process when its jobs do not end in time."""
    running: list[Worker] = []
    loop = asyncio.get_running_loop()

    def halt() -> None:
        for worker in running:
            worker.stop()
        loop.call_later(queue.settings.worker_stop_seconds, _leave, queue, running, exit_code)

    def on_signal(*_: object) -> None:  # by Python and not by the loop, so that none is lost when the loop ends
        stop.request()
        loop.call_soon_threadsafe(halt)

    numbers = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield running
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(queue: Queue, running: list[Worker], exit_code: int) -> None:
    """Say that this worker is silent since long, so that another takes what did not end, and end the process.

    It ends hard, because a thread cannot be stopped from outside.
    """
    log.warning("jobs did not stop in time; left to the next worker")
    ago = queue.settings.worker_timeout_seconds - _OVERLAP_SECONDS
    try:
        with queue.metadata.transaction() as tx:
            for worker in running:
                tx.execute(_LEAVE, {"worker": worker.worker_id, "ago": ago})
    except MetadataDown as error:
        log.warning("the database is away; the jobs are taken over after the time-out", error=str(error))
    os._exit(exit_code)
