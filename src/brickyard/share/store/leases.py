"""Leases: which run may touch which pack, share and recipient; a run has all it wants, or none and waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from brickyard.kernel.errors import Conflict
from brickyard.metadata import scd2
from brickyard.share.model.runs import RunStatus
from brickyard.share.tables import leases, runs

_LOCK = "brickyard.share_leases"


def line_up(tx: Connection) -> None:
    """Stand in line with all who take or release; between a pack's own line and the rows of runs, so that none deadlock."""
    scd2.lock(tx, _LOCK)


def take(tx: Connection, run_id: str, names: Iterable[str], at: datetime) -> tuple[str, ...]:
    """Give a run all of *names*, besides those it has already, and return nothing; or return the runs that it waits for.

    What it waits for is remembered, so that `release` finds it. The caller puts it into WAITING in the same transaction.
    Raises Conflict when the run is over, which would never give anything back.
    """
    line_up(tx)
    wanted = sorted(set(names))
    this = sa.update(runs).where(runs.c.id == run_id, runs.c.finished_at.is_(None))
    if not tx.execute(this.values(wants=wanted)).rowcount:
        raise Conflict(f"run {run_id} is over", code="share-run-over", remedy="start a new run")
    held = sa.select(leases.c.run_id).where(leases.c.name.in_(wanted), leases.c.run_id != run_id).distinct()
    others = tuple(tx.scalars(held.order_by(leases.c.run_id)))
    if not others and wanted:
        rows = [{"name": name, "run_id": run_id, "at": at} for name in wanted]
        tx.execute(insert(leases).on_conflict_do_nothing(), rows)
    return others


def release(tx: Connection, run_id: str) -> tuple[str, ...]:
    """Take back all of a run, and return the waiting runs that want any of it, oldest first."""
    line_up(tx)
    freed = tx.scalars(sa.delete(leases).where(leases.c.run_id == run_id).returning(leases.c.name)).all()
    waiting = (runs.c.status == RunStatus.WAITING) & runs.c.wants.overlap(freed) if freed else sa.false()
    return tuple(tx.scalars(sa.select(runs.c.id).where(waiting).order_by(runs.c.created_at, runs.c.id)))


def held(tx: Connection, run_id: str) -> tuple[str, ...]:
    """Return what a run has, sorted."""
    return tuple(tx.scalars(sa.select(leases.c.name).where(leases.c.run_id == run_id).order_by(leases.c.name)))


def holders(tx: Connection, run_id: str) -> tuple[str, ...]:
    """Return the runs that have what a waiting run wants."""
    wants = sa.select(sa.func.unnest(runs.c.wants)).where(runs.c.id == run_id).scalar_subquery()
    held = sa.select(leases.c.run_id).where(leases.c.name.in_(wants), leases.c.run_id != run_id).distinct()
    return tuple(tx.scalars(held.order_by(leases.c.run_id)))
