"""Notifications: whom to tell what, kept as rows and sent through the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.share.model.records import NotificationStatus, NotificationType
from brickyard.share.store import outbox
from brickyard.share.tables import notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notification to one person that is to be sent; *parcel* is its place in the outbox, *delivered* what it went by."""

    id: UUID
    parcel: int
    attempts: int
    kind: NotificationType
    to: str
    subject: str
    body: str
    delivered: tuple[str, ...] = ()


def notify(
    tx: Connection,
    kind: NotificationType,
    to: Iterable[str],
    subject: str,
    body: str,
    at: datetime,
    *,
    about: tuple[str, UUID] | None = None,
) -> None:
    """Tell people something, once each; *about* names an entity by type and id."""
    entity, entity_id = about or (None, None)
    values = {"notification_type": kind, "subject": subject[:500], "body": body, "created_at": at}
    for person in sorted({one.strip().lower() for one in to}):
        row = sa.insert(notifications).values(
            **values, recipient_email=person, related_entity_type=entity, related_entity_id=entity_id
        )
        made = tx.execute(row.returning(notifications.c.notification_id)).scalar_one()
        outbox.put(tx, outbox.NOTIFICATION, {"notification": str(made)}, at)


def take(
    tx: Connection, at: datetime, *, limit: int = 10, hold: timedelta = timedelta(minutes=2)
) -> tuple[Notice, ...]:
    """Take the notifications that are due, as `outbox.take` does."""
    return tuple(_notice(tx, parcel) for parcel in outbox.take(tx, outbox.NOTIFICATION, at, limit=limit, hold=hold))


def delivered(tx: Connection, notice: Notice, channel: str) -> None:
    """Remember that a notification went out by a channel, whatever becomes of the others."""
    outbox.append(tx, notice.parcel, "delivered", channel)


def sent(tx: Connection, notice: Notice, at: datetime) -> None:
    """Mark a notification as sent."""
    outbox.sent(tx, notice.parcel, at)
    _mark(tx, notice, status=NotificationStatus.SENT, sent_at=at, error_message=None)


def failed(tx: Connection, notice: Notice, error: str, again_at: datetime | None) -> None:
    """Say why a notification could not be sent: it is due again at a time, or given up."""
    outbox.failed(tx, notice.parcel, error, again_at)
    status = NotificationStatus.PENDING if again_at else NotificationStatus.FAILED
    _mark(tx, notice, status=status, error_message=error)


def counts(tx: Connection) -> dict[NotificationStatus, int]:
    """Return how many notifications are in each status."""
    rows = tx.execute(sa.select(notifications.c.status, sa.func.count()).group_by(notifications.c.status))
    return {NotificationStatus(status): count for status, count in rows}


def _mark(tx: Connection, notice: Notice, **fields: object) -> None:
    mine = notifications.c.notification_id == notice.id
    tx.execute(sa.update(notifications).where(mine).values(**fields))


def _notice(tx: Connection, parcel: outbox.Parcel) -> Notice:
    mine = notifications.c.notification_id == UUID(parcel.payload["notification"])
    row = tx.execute(sa.select(notifications).where(mine)).one()
    return Notice(
        id=row.notification_id,
        parcel=parcel.id,
        attempts=parcel.attempts,
        kind=NotificationType(row.notification_type),
        to=row.recipient_email,
        subject=row.subject,
        body=row.body,
        delivered=tuple(parcel.payload.get("delivered", ())),
    )
