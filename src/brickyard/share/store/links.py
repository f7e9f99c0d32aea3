"""Activation links of new tokens: kept sealed, handed out once, then erased."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from brickyard.share.tables import links


@dataclass(frozen=True, slots=True)
class Waiting:
    """A link that nobody has taken yet, without its content."""

    workspace: str
    recipient: str
    token: str
    created_at: datetime


def put(tx: Connection, workspace: str, recipient: str, token: str, sealed: bytes, at: datetime) -> None:
    """Keep the sealed link of a token; the one that was kept first stays."""
    values = {"workspace": workspace, "recipient": recipient.lower(), "token": token}
    tx.execute(insert(links).values(**values, sealed=sealed, created_at=at).on_conflict_do_nothing())


def take(tx: Connection, workspace: str, recipient: str, *, by: str, at: datetime) -> bytes | None:
    """Return the newest sealed link of a recipient and erase it, or None when there is none; only one caller gets it."""
    mine = (links.c.workspace == workspace) & (links.c.recipient == recipient.lower()) & links.c.sealed.is_not(None)
    newest = sa.select(links.c.id, links.c.sealed).where(mine).order_by(links.c.id.desc()).limit(1)
    row = tx.execute(newest.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    tx.execute(sa.update(links).where(links.c.id == row.id).values(sealed=None, taken_at=at, taken_by=by))
    return bytes(row.sealed)


def erase(tx: Connection, workspace: str, recipient: str, *, by: str, at: datetime) -> int:
    """Erase all links of a recipient that is gone, and return how many were waiting."""
    mine = (links.c.workspace == workspace) & (links.c.recipient == recipient.lower()) & links.c.sealed.is_not(None)
    return tx.execute(sa.update(links).where(mine).values(sealed=None, taken_at=at, taken_by=by)).rowcount


def waiting(tx: Connection, workspace: str | None = None) -> tuple[Waiting, ...]:
    """Return the links that nobody has taken yet, oldest first."""
    found = sa.select(links).where(links.c.sealed.is_not(None))
    if workspace:
        found = found.where(links.c.workspace == workspace)
    rows = tx.execute(found.order_by(links.c.id))
    return tuple(Waiting(row.workspace, row.recipient, row.token, row.created_at) for row in rows)
