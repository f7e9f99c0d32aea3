"""The audit trail of share: one line in `audit_trail` for each change, and the lines of a transaction sealed into the house's chain.

Lines only ever grow: a trigger refuses to change or remove one. `seal` comes last in a transaction, because writers of the
chain stand in line; it records what was done together with a digest of the lines, so that a line put in, changed or taken
out behind the trigger's back is found by `verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import audit as chain
from brickyard.metadata import scd2
from brickyard.share.model.records import TrailAction
from brickyard.share.tables import audit_trail

Json = Mapping[str, Any]


def note(
    tx: Connection,
    entity: str,
    entity_id: UUID,
    action: TrailAction,
    *,
    by: str,
    old: Json | None = None,
    new: Json | None = None,
) -> None:
    """Add a line: who did what to which entity, with the values that changed."""
    values = {"entity_type": entity, "entity_id": entity_id, "action": action, "performed_by": by[:255]}
    line = sa.insert(audit_trail).values(**values, old_values=_json(old), new_values=_json(new))
    tx.execute(line.values(timestamp=sa.func.clock_timestamp()))


def seal(
    tx: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    before: Json | None = None,
    after: Json | None = None,
    detail: Json | None = None,
) -> chain.Head:
    """Append one event to the house's chain, with a digest of the lines since this transaction began; call it last."""
    lines = tx.execute(sa.select(audit_trail).where(audit_trail.c.timestamp >= sa.func.now())).mappings().all()
    trail = {"trail": {"lines": sorted(str(line["audit_id"]) for line in lines), "digest": _digest(lines)}}
    told = {**(detail or {}), **(trail if lines else {})}
    return chain.record(
        tx, at=at, actor=actor, action=action, subject=subject, before=before, after=after, detail=told or None
    )


def verify(tx: Connection) -> tuple[chain.Fault, ...]:
    """Return every fault of the chain, and every event whose lines are not the ones that it sealed."""
    sealed = sa.select(chain.events.c.id, chain.events.c.detail).where(chain.events.c.detail.is_not(None))
    rows = tx.execute(sealed.order_by(chain.events.c.id)).all()
    broken = [row.id for row in rows if "trail" in row.detail and not _holds(tx, row.detail["trail"])]
    faults = (chain.Fault(event, "lines of the audit trail that it sealed were changed or removed") for event in broken)
    return (*chain.verify(tx), *faults)


def of_entity(tx: Connection, entity: str, entity_id: UUID) -> tuple[dict[str, Any], ...]:
    """Return the lines of an entity, oldest first."""
    mine = (audit_trail.c.entity_type == entity) & (audit_trail.c.entity_id == entity_id)
    found = sa.select(audit_trail).where(mine).order_by(audit_trail.c.timestamp, audit_trail.c.audit_id)
    return tuple(dict(row) for row in tx.execute(found).mappings())


# ── versions that leave a line ───────────────────────────────────────────────────────────────────────────────────────


def write(
    tx: Connection,
    table: sa.Table,
    key: UUID,
    fields: Json,
    *,
    by: str,
    reason: str = "",
    expected: int | None = None,
    action: TrailAction | None = None,
) -> scd2.Written:
    """Write a version as `scd2.write` does, with its line in the trail when anything changed."""
    scd2.line_up(tx, table, key)
    last = scd2.current(tx, table, key)
    written = scd2.write(tx, table, key, fields, by=by[:255], reason=reason, expected_version=expected)
    if written.changed:
        old = {name: last.fields[name] for name in fields if last.fields[name] != fields[name]} if last else None
        new = {name: fields[name] for name in old} if old is not None else fields
        note(tx, entity(table), key, action or _action(last), by=by, old=old, new=new)
    return written


def delete(tx: Connection, table: sa.Table, key: UUID, *, by: str, reason: str) -> scd2.Written:
    """Mark an entity as deleted as `scd2.delete` does, with its line in the trail."""
    written = scd2.delete(tx, table, key, by=by[:255], reason=reason)
    if written.changed:
        note(tx, entity(table), key, TrailAction.DELETED, by=by, new={"reason": reason})
    return written


def entity(table: sa.Table) -> str:
    """Return what the trail calls the entities of a table: `share_pack` of `share_packs`."""
    return table.name.removesuffix("s")


def _action(last: scd2.Version | None) -> TrailAction:
    if last is None:
        return TrailAction.CREATED
    return TrailAction.RECREATED if last.is_deleted else TrailAction.UPDATED


def _holds(tx: Connection, trail: Json) -> bool:
    ids = [UUID(line) for line in trail["lines"]]
    lines = tx.execute(sa.select(audit_trail).where(audit_trail.c.audit_id.in_(ids))).mappings().all()
    return len(lines) == len(ids) and _digest(lines) == trail["digest"]


def _digest(lines: Any) -> str:
    texts = sorted(json.dumps(_json(dict(line)), sort_keys=True) for line in lines)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _json(values: Json | None) -> dict[str, Any] | None:
    """Return values as JSON; ids and times become text."""
    return None if values is None else json.loads(json.dumps(dict(values), default=str))
