"""A worker for the tests of what comes again and again."""

from __future__ import annotations

import sys
import time

import sqlalchemy as sa

from brickyard.kernel import stop
from brickyard.metadata import Metadata
from brickyard.queue import Queue, companion, periodic, work
from brickyard.settings import Settings


def _note(context: Queue, text: str) -> None:
    with context.metadata.transaction() as tx:
        tx.execute(sa.text("INSERT INTO note VALUES (:text)"), {"text": text})


def _asked(context: Queue, tx: sa.Connection) -> bool:
    return bool(tx.execute(sa.text("SELECT count(*) FROM wish")).scalar_one())


@periodic("test.tick", 0.5)
def tick(context: Queue) -> None:
    """Leave a note."""
    _note(context, "tick")


@periodic("test.wish", 0.2, due=_asked)
def wish(context: Queue) -> None:
    """Grant all wishes."""
    with context.metadata.transaction() as tx:
        tx.execute(sa.text("WITH w AS (DELETE FROM wish RETURNING text) INSERT INTO note SELECT text FROM w"))


@periodic("test.never", "share_sync_minutes")
def never(context: Queue) -> None:
    """Leave a note."""
    _note(context, "never")


@companion("test.beside")
def beside(context: Queue) -> None:
    """Leave a note when asked to stop."""
    while not stop.requested():
        time.sleep(0.02)
    _note(context, "stopped")


if __name__ == "__main__":
    queue = Queue(
        Metadata(sys.argv[1]),
        Settings(worker_heartbeat_seconds=0.2, worker_timeout_seconds=2, worker_stop_seconds=1, share_sync_minutes=0),
    )
    work.serve(queue, queue)
