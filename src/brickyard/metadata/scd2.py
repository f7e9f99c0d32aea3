"""History by versions: every change of an entity is a new row, and each row says from when to when it was true.

A table made by `versioned` keeps, for each entity, versions 1, 2, 3 … whose times touch; the last one is current and ends
at `FOREVER`. Writers of one entity stand in line at an advisory lock, and the clock is read behind it, so that a later
version never begins before an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.metadata.database import METADATA

_TAIL = (
    "record_id",
    "is_deleted",
    "effective_from",
    "effective_to",
    "is_current",
    "version",
    "created_by",
    "change_reason",
)
_TICK = sa.text("interval '1 microsecond'")


@dataclass(frozen=True, slots=True)
class Written:
    """The current version after a write; *changed* is False when it was there already."""

    key: UUID
    record_id: UUID
    version: int
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an entity: true from *effective_from* until just before *effective_to*."""

    key: UUID
    record_id: UUID
    version: int
    fields: dict[str, Any]
    is_deleted: bool
    is_current: bool
    effective_from: datetime
    effective_to: datetime
    created_by: str
    change_reason: str


def versioned(
    name: str, key: str, *own: sa.schema.SchemaItem, schema: str | None = None, author: str | None = None
) -> sa.Table:
    """Declare a table of versions whose entities are told apart by the UUID column *key*.

    *author* is the default of `created_by`.
    """
    current = sa.Index(f"uq_{name}_current", key, unique=True, postgresql_where=sa.text("is_current"))
    return sa.Table(
        name,
        METADATA,
        sa.Column("record_id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")),
        sa.Column(key, sa.Uuid, nullable=False),
        *own,
        *_tail(author),
        sa.UniqueConstraint(key, "version", name=f"uq_{name}_version"),
        sa.CheckConstraint("effective_to > effective_from", name="interval"),
        current,
        schema=schema,
        info={"key": key},
    )


def _tail(author: str | None) -> Iterator[sa.Column[Any]]:
    time = sa.DateTime(timezone=True)
    yield sa.Column("is_deleted", sa.Boolean, nullable=False, server_default=sa.false())
    yield sa.Column("effective_from", time, nullable=False, server_default=sa.func.now())
    yield sa.Column("effective_to", time, nullable=False, server_default=sa.text("'infinity'"))
    yield sa.Column("is_current", sa.Boolean, nullable=False, server_default=sa.true())
    yield sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1"))
    yield sa.Column("created_by", sa.String(255), nullable=False, server_default=author)
    yield sa.Column("change_reason", sa.String(500), server_default="")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(
    tx: Connection,
    table: sa.Table,
    key: UUID,
    fields: Mapping[str, Any],
    *,
    by: str,
    reason: str = "",
    expected_version: int | None = None,
) -> Written:
    """Make *fields* true of an entity from now on; fields left out stay as they are.

    Writes nothing when they are true already; JSON is compared by value. An entity that was deleted is there again.
    Raises Conflict when its current version is not *expected_version* (0: it must be new).
    """
    last = _locked(tx, table, key)
    _expect(table, key, last, expected_version)
    if last and not last.is_deleted and _same(table, last.fields, fields):
        return Written(key, last.record_id, last.version, changed=False)
    return _append(tx, table, key, last, fields, by, reason, deleted=False)


def write_natural(
    tx: Connection,
    table: sa.Table,
    natural: Mapping[str, Any],
    fields: Mapping[str, Any],
    *,
    by: str,
    reason: str = "",
    new: UUID | None = None,
) -> Written:
    """Write the entity that people know by the *natural* fields, making it (as *new*) when there is none.

    One that was deleted is taken up again under its old id.
    """
    names = json.dumps([str(natural[name]) for name in sorted(natural)])
    lock(tx, f"{table.fullname} by {','.join(sorted(natural))}", names)
    key = find(tx, table, natural, deleted=True) or new or uuid4()
    return write(tx, table, key, {**natural, **fields}, by=by, reason=reason)


def delete(
    tx: Connection, table: sa.Table, key: UUID, *, by: str, reason: str = "", expected_version: int | None = None
) -> Written:
    """Mark an entity as deleted from now on, or raise NotFound when there never was one."""
    return _mark(tx, table, key, by, reason, expected_version, deleted=True)


def restore(
    tx: Connection, table: sa.Table, key: UUID, *, by: str, reason: str = "", expected_version: int | None = None
) -> Written:
    """Take a deletion back, or raise NotFound when there never was such an entity."""
    return _mark(tx, table, key, by, reason, expected_version, deleted=False)


def amend(tx: Connection, table: sa.Table, key: UUID, version: int, fields: Mapping[str, Any]) -> None:
    """Change fields of one version in place: for where its work stands, which is no change of the entity."""
    this = (_key(table) == key) & (table.c.version == version)
    tx.execute(sa.update(table).where(this).values(**fields))


def lock(tx: Connection, *names: str) -> None:
    """Let no other transaction past the same *names* until this one ends."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=8).digest()
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(digest, signed=True))))


def line_up(tx: Connection, table: sa.Table, key: UUID) -> None:
    """Stand in line for an entity before something else is locked; every write does it by itself."""
    lock(tx, table.fullname, str(key))


def _mark(
    tx: Connection, table: sa.Table, key: UUID, by: str, reason: str, expected: int | None, *, deleted: bool
) -> Written:
    last = _locked(tx, table, key)
    _expect(table, key, last, expected)
    if last is None:
        raise NotFound(f"{table.name} knows no {key}")
    if last.is_deleted == deleted:
        return Written(key, last.record_id, last.version, changed=False)
    return _append(tx, table, key, last, {}, by, reason, deleted=deleted)


def _locked(tx: Connection, table: sa.Table, key: UUID) -> Version | None:
    line_up(tx, table, key)
    return current(tx, table, key)


def _expect(table: sa.Table, key: UUID, last: Version | None, expected: int | None) -> None:
    found = last.version if last else 0
    if expected is not None and found != expected:
        raise Conflict(
            f"{table.name} {key} is at version {found}, not {expected}: somebody else has changed it",
            code="version-changed",
            remedy="look at it again, then send the change again",
        )


def _same(table: sa.Table, have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    return all(_comparable(table, name, have[name]) == _comparable(table, name, value) for name, value in want.items())


def _comparable(table: sa.Table, name: str, value: Any) -> Any:
    if isinstance(table.c[name].type, sa.JSON | JSONB):
        return json.dumps(value, sort_keys=True)
    return value


def _append(
    tx: Connection,
    table: sa.Table,
    key: UUID,
    last: Version | None,
    fields: Mapping[str, Any],
    by: str,
    reason: str,
    *,
    deleted: bool,
) -> Written:
    """End the last version and begin the next at the same time; the entity's lock is held."""
    kept = last.fields if last else {}
    version = last.version + 1 if last else 1
    row = {**kept, **fields, table.info["key"]: key, "version": version, "is_deleted": deleted}
    row |= {"effective_from": _end(tx, table, key), "created_by": by, "change_reason": reason[:500]}
    record = tx.execute(sa.insert(table).values(**row).returning(table.c.record_id)).scalar_one()
    return Written(key, record, version, changed=True)


def _end(tx: Connection, table: sa.Table, key: UUID) -> Any:
    """End the current version and return when; without one, the time now."""
    now = sa.func.greatest(sa.func.clock_timestamp(), table.c.effective_from + _TICK)
    ending = sa.update(table).where(_key(table) == key, table.c.is_current).values(is_current=False, effective_to=now)
    ended = tx.execute(ending.returning(table.c.effective_to)).scalar_one_or_none()
    return ended or sa.func.clock_timestamp()


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def current(tx: Connection, table: sa.Table, key: UUID) -> Version | None:
    """Return the current version, deleted or not; None when there never was such an entity."""
    row = tx.execute(sa.select(table).where(_key(table) == key, table.c.is_current)).one_or_none()
    return version(table, row._mapping) if row else None


def as_of(tx: Connection, table: sa.Table, key: UUID, at: datetime) -> Version | None:
    """Return the version that was true at a time, or None when there was none yet."""
    then = (table.c.effective_from <= at) & (table.c.effective_to > at)
    row = tx.execute(sa.select(table).where(_key(table) == key, then)).one_or_none()
    return version(table, row._mapping) if row else None


def history(tx: Connection, table: sa.Table, key: UUID) -> tuple[Version, ...]:
    """Return all versions of an entity, oldest first."""
    found = sa.select(table).where(_key(table) == key).order_by(table.c.version)
    return tuple(version(table, row._mapping) for row in tx.execute(found))


def find(tx: Connection, table: sa.Table, natural: Mapping[str, Any], *, deleted: bool = False) -> UUID | None:
    """Return the id of the entity that has these fields now; with *deleted*, else of the last that had them."""
    wanted = [table.c[name] == value for name, value in natural.items()]
    if not deleted:
        wanted.append(~table.c.is_deleted)
    found = sa.select(_key(table)).where(table.c.is_current, *wanted)
    return tx.execute(found.order_by(table.c.is_deleted, table.c.effective_from.desc()).limit(1)).scalar_one_or_none()


def active(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row is current and not deleted."""
    return table.c.is_current & ~table.c.is_deleted


def version(table: sa.Table, row: Mapping[Any, Any]) -> Version:
    """Return a whole row of *table* as a version."""
    key = table.info["key"]
    fields = {column.name: row[column.name] for column in table.c if column.name not in (key, *_TAIL)}
    return Version(key=row[key], fields=fields, **{name: row[name] for name in _TAIL})


def _key(table: sa.Table) -> sa.Column[UUID]:
    return table.c[table.info["key"]]
