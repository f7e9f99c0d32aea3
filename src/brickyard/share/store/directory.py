"""Users, groups and workspace objects as the last synchronisation found them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import scd2
from brickyard.share.model.records import TrailAction
from brickyard.share.store import audit
from brickyard.share.tables import ad_groups, audit_trail, databricks_objects, users

Row = Mapping[str, Any]

AUTHOR = {users: "ad_sync", ad_groups: "ad_sync", databricks_objects: "dbrx_sync"}


@dataclass(frozen=True, slots=True)
class Synced:
    """What a synchronisation changed; *deleted* are gone from the source."""

    processed: int
    created: int
    updated: int
    deleted: int


def sync_users(tx: Connection, found: Iterable[Row], *, source: str = "azure_ad") -> Synced:
    """Make the users of a source what was found: rows of email, display_name, job_title, department, is_active, ad_object_id."""
    return _sync(tx, users, ("email",), found, {"source": source})


def sync_groups(tx: Connection, found: Iterable[Row], *, source: str = "azure_ad") -> Synced:
    """Make the groups of a source what was found: rows of group_name, ad_object_id, members."""
    return _sync(tx, ad_groups, ("group_name",), found, {"source": source})


def sync_objects(tx: Connection, workspace_url: str, found: Iterable[Row]) -> Synced:
    """Make a workspace's objects what was found: rows of full_name, object_type, catalog_name, schema_name, table_name, owner."""
    return _sync(tx, databricks_objects, ("full_name",), found, {"workspace_url": workspace_url})


def listed(tx: Connection, table: sa.Table, **equal: Any) -> tuple[scd2.Version, ...]:
    """Return the current rows of a table that equal the given fields."""
    conditions = [table.c[name] == value for name, value in equal.items()]
    found = sa.select(table).where(scd2.active(table), *conditions).order_by(table.c.effective_from)
    return tuple(scd2.version(table, row._mapping) for row in tx.execute(found))


def _sync(tx: Connection, table: sa.Table, natural: Sequence[str], found: Iterable[Row], within: Row) -> Synced:
    """Write what is new or has changed and mark what is gone, in the order of names; the rest is only read."""
    scd2.lock(tx, table.fullname, "sync")
    wanted = {tuple(row[name] for name in natural): {**within, **row} for row in found}
    there = {tuple(one.fields[name] for name in natural): one for one in listed(tx, table, **within)}
    fresh = [wanted[name] for name in sorted(wanted.keys() - there.keys())]
    _insert(tx, table, fresh)
    changed = [_update(tx, table, there[name], wanted[name]) for name in sorted(wanted.keys() & there.keys())]
    gone = sorted(there.keys() - wanted.keys())
    for name in gone:
        audit.delete(tx, table, there[name].key, by=AUTHOR[table], reason="gone from its source")
    return Synced(len(wanted), len(fresh), sum(changed), len(gone))


def _insert(tx: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    by, key = AUTHOR[table], table.info["key"]
    made = [{key: uuid4(), **row, "created_by": by, "change_reason": "found"} for row in rows]
    tx.execute(sa.insert(table), made)
    common = {"entity_type": audit.entity(table), "action": TrailAction.CREATED, "performed_by": by}
    lines = [{**common, "entity_id": new[key], "new_values": row} for new, row in zip(made, rows, strict=True)]
    tx.execute(sa.insert(audit_trail), lines)


def _update(tx: Connection, table: sa.Table, last: scd2.Version, row: Row) -> bool:
    if all(last.fields[name] == value for name, value in row.items()):
        return False
    return audit.write(tx, table, last.key, row, by=AUTHOR[table], reason="changed at its source").changed
