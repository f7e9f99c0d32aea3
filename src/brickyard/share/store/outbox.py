"""The outbox: what is to be sent outside once the transaction that wants it has committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.share.model.runs import RunStatus
from brickyard.share.tables import outbox, runs

QUEUE = "queue"
NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to send; *attempts* counts this one."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    created_at: datetime


def put(tx: Connection, kind: str, payload: Mapping[str, Any], at: datetime) -> int:
    """Put something in, to be sent as soon as possible, and return its id."""
    values = {"kind": kind, "payload": dict(payload), "created_at": at, "due_at": at}
    return tx.execute(sa.insert(outbox).values(**values).returning(outbox.c.id)).scalar_one()


def take(
    tx: Connection, kind: str, at: datetime, *, limit: int = 10, hold: timedelta = timedelta(minutes=2)
) -> tuple[Parcel, ...]:
    """Take what is due, oldest first, and keep others from it for the time of *hold*; then it is due again.

    Commit before sending: who takes and dies has sent nothing, or something that is sent twice.
    """
    due = (outbox.c.kind == kind) & (outbox.c.status == "pending") & (outbox.c.due_at <= at)
    mine = sa.select(outbox.c.id).where(due).order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    taken = sa.update(outbox).where(outbox.c.id.in_(mine)).values(due_at=at + hold, attempts=outbox.c.attempts + 1)
    rows = tx.execute(taken.returning(outbox)).all()
    return tuple(Parcel(row.id, row.kind, row.payload, row.attempts, row.created_at) for row in sorted(rows))


def due(tx: Connection, kind: str, at: datetime) -> bool:
    """Tell whether there is something to send."""
    waits = (outbox.c.kind == kind) & (outbox.c.status == "pending") & (outbox.c.due_at <= at)
    return tx.execute(sa.select(sa.exists().where(waits))).scalar_one()


def lost_runs(tx: Connection, before: datetime) -> tuple[str, ...]:
    """Return the runs that have not begun though their message went out before a time."""
    mine = (outbox.c.kind == QUEUE) & (outbox.c.payload["run_id"].astext == runs.c.id)
    gone = sa.exists().where(mine, outbox.c.status == "sent", outbox.c.sent_at < before)
    waits = sa.exists().where(mine, outbox.c.status == "pending")
    idle = runs.c.status == RunStatus.QUEUED
    return tuple(tx.scalars(sa.select(runs.c.id).where(idle, gone, ~waits).order_by(runs.c.created_at)))


def sent(tx: Connection, parcel_id: int, at: datetime) -> None:
    """Mark something as sent."""
    tx.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(status="sent", sent_at=at, error=None))


def failed(tx: Connection, parcel_id: int, error: str, again_at: datetime | None) -> None:
    """Say why something could not be sent: it is due again at a time, or given up."""
    values = {"due_at": again_at} if again_at else {"status": "failed"}
    tx.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(error=error, **values))


def append(tx: Connection, parcel_id: int, field: str, value: str) -> None:
    """Add a value to a list in the payload."""
    payload = tx.execute(sa.select(outbox.c.payload).where(outbox.c.id == parcel_id)).scalar_one()
    longer = {**payload, field: [*payload.get(field, ()), value]}
    tx.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(payload=longer))


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """Return how many things of each kind are in each status."""
    rows = tx.execute(sa.select(outbox.c.kind, outbox.c.status, sa.func.count()).group_by("kind", "status"))
    return {(kind, status): count for kind, status, count in rows}
