"""The audit trail: who did what to which thing, each event chained to the one before by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata.database import METADATA

GENESIS = "0" * 64  # what the first event has as its previous hash
_LOCK = 0x41554449  # "AUDI": the advisory lock that makes events stand in line
_BATCH = 1000

events = sa.Table(
    "audit_events",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("before", sa.JSON(none_as_null=True)),
    sa.Column("after", sa.JSON(none_as_null=True)),
    sa.Column("detail", sa.JSON(none_as_null=True)),
    sa.Column("previous_hash", sa.Text, nullable=False, unique=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event; keep one elsewhere and `verify` notices when the end of the trail is cut off."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """An event that does not fit the chain."""

    id: int
    message: str


def record(
    tx: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    before: Json | None = None,
    after: Json | None = None,
    detail: Json | None = None,
) -> Head:
    """Append one event in the caller's transaction; *before*, *after* and *detail* are JSON objects.

    Writers queue for the end of the trail, so record late in a transaction and commit soon.
    """
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = head(tx)
    row = {
        "at": at.astimezone(UTC),
        "actor": actor,
        "action": action,
        "subject": subject,
        "before": before,
        "after": after,
        "detail": detail,
        "previous_hash": last.hash if last else GENESIS,
    }
    digest = _digest(row)
    found = tx.execute(sa.insert(events).values(**row, hash=digest).returning(events.c.id)).scalar_one()
    return Head(found, digest)


def head(tx: Connection) -> Head | None:
    """Return the newest event, or None while nothing was recorded."""
    row = tx.execute(sa.select(events.c.id, events.c.hash).order_by(events.c.id.desc()).limit(1)).one_or_none()
    return Head(row.id, row.hash) if row else None


def verify(tx: Connection, known: Head | None = None) -> tuple[Fault, ...]:
    """Return every event that was changed, put in or left without its predecessor; none when the trail is whole.

    With a *known* head from earlier, a trail that was cut off before it is a fault too.
    """
    faults: list[Fault] = []
    previous = GENESIS
    missing = known
    for row in _in_order(tx):
        if row["previous_hash"] != previous:
            faults.append(Fault(row["id"], "an event before this one was removed, added or moved"))
        if row["hash"] != _digest(row):
            faults.append(Fault(row["id"], "this event was changed after it was recorded"))
        if missing == Head(row["id"], row["hash"]):
            missing = None
        previous = row["hash"]
    if missing:
        faults.append(Fault(missing.id, "this event was the newest once and is gone"))
    return tuple(faults)


def _in_order(tx: Connection) -> Iterator[dict[str, Any]]:
    rows = tx.execution_options(yield_per=_BATCH).execute(sa.select(events).order_by(events.c.id))
    for row in rows.mappings():
        yield dict(row)


def _digest(row: Mapping[str, Any]) -> str:
    """Hash everything of an event but its id and its own hash."""
    content = {key: value for key, value in row.items() if key not in ("id", "hash", "at")}
    content["at"] = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
