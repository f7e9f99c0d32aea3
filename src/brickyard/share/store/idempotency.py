"""Answers to requests that carry an idempotency key: a request that is repeated gets the first one's answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.kernel.errors import Conflict
from brickyard.metadata import scd2
from brickyard.share.tables import idempotency


def recall(tx: Connection, key: str, actor: str, digest: str) -> dict[str, Any] | None:
    """Return what this actor's request with that key was answered, or None for the first; others with the key wait.

    Raises Conflict when the key came with another content.
    """
    scd2.lock(tx, "brickyard.share_idempotency", actor, key)
    mine = (idempotency.c.key == key) & (idempotency.c.actor == actor)
    row = tx.execute(sa.select(idempotency).where(mine)).one_or_none()
    if row is None:
        return None
    if row.hash != digest:
        raise Conflict(
            "this idempotency key has been used for another request",
            code="idempotency-key-reused",
            remedy="send a new key with each new request",
        )
    return row.answer


def remember(tx: Connection, key: str, actor: str, digest: str, answer: Mapping[str, Any], at: datetime) -> None:
    """Keep the answer to a request."""
    values = {"key": key, "actor": actor, "hash": digest, "answer": dict(answer), "created_at": at}
    tx.execute(sa.insert(idempotency).values(**values))


def prune(tx: Connection, before: datetime) -> int:
    """Forget the answers from before a time, and return how many they were."""
    return tx.execute(sa.delete(idempotency).where(idempotency.c.created_at < before)).rowcount
