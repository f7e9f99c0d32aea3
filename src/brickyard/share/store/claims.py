"""Claims: what the applied steps of each pack have made or added, and no later step has taken away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONPATH, distinct_on, insert

from brickyard.share.model.current import Claim
from brickyard.share.model.runs import PackStatus
from brickyard.share.plan.naming import schedule_name
from brickyard.share.tables import claims, share_packs

_BELOW = {"share": ("object", "reader"), "recipient": ("address", "property", "policy")}
_LISTED = {
    "share": "$.share[*].name",
    "recipient": "$.recipient[*].name",
    "pipeline": "$.share[*].pipelines[*].name_prefix",
}  # where a pack's document names them


def add(tx: Connection, pack_id: UUID, made: Iterable[Claim], *, run_id: str, at: datetime) -> None:
    """Remember what a step of a pack has made."""
    rows = [{"pack_id": pack_id, **_names(claim), "run_id": run_id, "at": at} for claim in made]
    if rows:
        tx.execute(insert(claims).on_conflict_do_nothing(), rows)


def remove(tx: Connection, gone: Iterable[Claim], pack_id: UUID | None = None) -> None:
    """Forget what a step has taken away: of one pack, or of all when the thing itself is gone."""
    for claim in gone:
        names = [claims.c[name] == value for name, value in _names(claim).items()]
        mine = [claims.c.pack_id == pack_id] if pack_id else []
        tx.execute(sa.delete(claims).where(*names, *mine))


def vanished(tx: Connection, kind: str, name: str) -> None:
    """Forget, of all packs, a share or recipient that is gone, and what belonged to it."""
    gone = name.lower()
    itself = (claims.c.kind == kind) & (claims.c.name == gone)
    below = claims.c.kind.in_(_BELOW[kind]) & (claims.c.parent == gone)
    reader = (claims.c.kind == "reader") & (claims.c.name == gone) if kind == "recipient" else sa.false()
    tx.execute(sa.delete(claims).where(itself | below | reader))


def of_pack(tx: Connection, pack_id: UUID) -> frozenset[Claim]:
    """Return what a pack has made."""
    return _found(tx, claims.c.pack_id == pack_id)


def of_others(tx: Connection, pack_id: UUID | None) -> frozenset[Claim]:
    """Return what all other packs have made."""
    return _found(tx, claims.c.pack_id != pack_id if pack_id else sa.true())


def declared_by_others(tx: Connection, pack_id: UUID | None) -> frozenset[Claim]:
    """Return the shares, recipients, pipelines and schedules that other packs list in the last version that was applied.

    They need them even when they have not made them.
    """
    table, last = share_packs, share_packs.alias("last")
    current = sa.select(last.c.record_id).where(
        last.c.share_pack_id == table.c.share_pack_id, last.c.is_current, ~last.c.is_deleted
    )
    applied = table.c.share_pack_status == PackStatus.COMPLETED
    mine = [table.c.share_pack_id != pack_id] if pack_id else []
    names = [sa.func.jsonb_path_query_array(table.c.config, sa.cast(path, JSONPATH)) for path in _LISTED.values()]
    found = sa.select(*names).where(applied, current.exists(), *mine).ext(distinct_on(table.c.share_pack_id))
    rows = tx.execute(found.order_by(table.c.share_pack_id, table.c.version.desc()))
    listed = {(kind, name.lower()) for row in rows for kind, ones in zip(_LISTED, row, strict=True) for name in ones}
    jobs = {("schedule", schedule_name(name)) for kind, name in listed if kind == "pipeline"}
    return frozenset(Claim(kind, "", name) for kind, name in listed | jobs)


def owners(tx: Connection, claim: Claim) -> tuple[UUID, ...]:
    """Return the packs that have made a thing."""
    names = [claims.c[name] == value for name, value in _names(claim).items()]
    return tuple(tx.scalars(sa.select(claims.c.pack_id).where(*names).order_by(claims.c.pack_id)))


def since(tx: Connection, kind: str) -> dict[tuple[str, str], tuple[UUID, datetime]]:
    """Return, by folded parent and name, which pack has first made each thing of a kind, and when."""
    found = sa.select(claims).where(claims.c.kind == kind).order_by(claims.c.at.desc())
    return {(row.parent, row.name): (row.pack_id, row.at) for row in tx.execute(found)}


def _names(claim: Claim) -> dict[str, str]:
    return {"kind": claim.kind, "parent": claim.parent.lower(), "name": claim.name.lower()}


def _found(tx: Connection, which: sa.ColumnElement[bool]) -> frozenset[Claim]:
    rows = tx.execute(sa.select(claims.c.kind, claims.c.parent, claims.c.name).where(which))
    return frozenset(Claim(row.kind, row.parent, row.name) for row in rows)
