"""Entities by the names that people give them, which Unity Catalog tells apart without regard to case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import scd2


def find(
    tx: Connection,
    table: sa.Table,
    column: str,
    name: str,
    within: Mapping[str, Any] | None = None,
    *,
    deleted: bool = False,
) -> UUID | None:
    """Return the entity of that name now; with *deleted*, else the last one that had it."""
    key = table.c[table.info["key"]]
    which = table.c.is_current if deleted else scd2.active(table)
    inside = [table.c[other] == value for other, value in (within or {}).items()]
    found = sa.select(key).where(which, sa.func.lower(table.c[column]) == name.lower(), *inside)
    return tx.execute(found.order_by(table.c.is_deleted, table.c.effective_from).limit(1)).scalar_one_or_none()


def claim(
    tx: Connection, table: sa.Table, column: str, name: str, within: Mapping[str, Any] | None = None
) -> tuple[UUID, bool]:
    """Return the id for that name, and whether it is new; one that was deleted has its old id. Others of the name wait."""
    inside = within or {}
    scd2.lock(tx, table.fullname, "named", name.lower(), *map(str, inside.values()))
    found = find(tx, table, column, name, inside, deleted=True)
    return found or uuid4(), found is None
