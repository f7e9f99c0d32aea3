"""How a run comes to a worker."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.share.store import runs

TASK = "share.provision"


def hand_over(tx: Connection, context: Context, run_id: str) -> None:
    """Queue a run in the caller's transaction: both commit, or neither."""
    job = context.queue.defer(tx, TASK, run_id=run_id)
    runs.keep(tx, run_id, job=job)


def wake(tx: Connection, context: Context, waiting: Iterable[str] | None) -> None:
    """Queue again the runs that waited for what is free now."""
    for run_id in waiting or ():
        hand_over(tx, context, run_id)
