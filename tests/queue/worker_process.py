"""A worker for the tests: a process of its own with tasks that write notes and take their time."""

from __future__ import annotations

import sys
import time

import sqlalchemy as sa

from brickyard.kernel import stop
from brickyard.metadata import Metadata
from brickyard.queue import Queue, task, work
from brickyard.settings import Settings


def _note(context: Queue, text: str) -> None:
    with context.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES (:text)"), {"text": text})


@task("test.count")
def count(context: Queue, *, number: int) -> None:
    """Leave one note."""
    _note(context, f"{number:03}")


@task("test.steps")
def steps(context: Queue, *, steps: int, seconds: float) -> None:
    """Do the steps that are not noted yet, and hear a stop between them."""
    with context.metadata.read() as tx:
        done = tx.execute(sa.text("SELECT count(*) FROM note WHERE text LIKE 'step%'")).scalar_one()
    for number in range(done, steps):
        stop.pause(seconds)
        with context.metadata.transaction() as tx:
            context.checkpoint(tx)
            tx.execute(sa.text("INSERT INTO note VALUES (:text)"), {"text": f"step {number}"})


@task("test.deaf")
def deaf(context: Queue, *, seconds: float) -> None:
    """Sleep without hearing a stop, the first time."""
    with context.metadata.read() as tx:
        again = tx.execute(sa.text("SELECT count(*) FROM note WHERE text = 'started'")).scalar_one()
    _note(context, "started")
    time.sleep(0.1 if again else seconds)
    _note(context, "ended")


if __name__ == "__main__":
    queue = Queue(
        Metadata(sys.argv[1]),
        Settings(worker_heartbeat_seconds=0.2, worker_timeout_seconds=2, worker_stop_seconds=1, worker_concurrency=2),
    )
    work.serve(queue, queue)
