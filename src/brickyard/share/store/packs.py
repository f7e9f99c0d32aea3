"""Share packs: which pack an upload belongs to, its versions, and where its newest stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.kernel.errors import NotFound
from brickyard.metadata import scd2
from brickyard.share.model.content import content_hash
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.runs import PackStatus, RequestStatus
from brickyard.share.store import audit, tenants
from brickyard.share.store.tenants import DEFAULT_PROJECT
from brickyard.share.tables import events, requests, runs, share_packs, versions

_LAST_VERSION = 2**31 - 1  # what the database's integers hold


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRecord:
    """The current version of a pack. *created_at* is when the first version came, *updated_at* when anything last changed."""

    pack_id: UUID
    name: str
    version: int
    strategy: Strategy
    status: PackStatus
    provisioning_status: str
    error_message: str
    requested_by: str
    file_format: str
    original_filename: str | None
    source: str
    tenant_id: UUID | None
    project_id: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted: bool
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackVersion:
    """A line of a pack's history."""

    version: int
    status: PackStatus
    strategy: Strategy
    effective_from: datetime
    effective_to: datetime
    changed_by: str
    change_reason: str
    deleted: bool
    config: dict[str, Any]

    @property
    def pack(self) -> SharePack:
        """The pack as it was uploaded."""
        return SharePack.model_validate(self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of an upload: its pack and version, and the request that goes with it.

    *changed* is False when the current version has the same content; there is no new request then.
    """

    pack_id: UUID
    name: str
    version: int
    request_id: UUID | None
    changed: bool


# ── which pack ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pack_name(pack: SharePack, requestor: str | None = None) -> str:
    """Return the name of a pack that is new, as the requirements have it."""
    about = pack.metadata
    parts = ("SharePack", requestor or about.requestor, about.business_line, about.project_name or DEFAULT_PROJECT)
    return "_".join(parts).replace(" ", "_")[:255]


def named(pack: SharePack) -> tuple[str, ...]:
    """Return the shares and recipients that a pack names, folded and sorted: `recipient:acme`, `share:sales`."""
    gone = pack.removal
    shares = (
        [share.name for share in pack.share] + list(gone.shares if gone else ()) + list(gone.pipelines if gone else ())
    )
    recipients = [one.name for one in pack.recipient] + list(gone.recipients if gone else ())
    keys = {f"share:{name.lower()}" for name in shares} | {f"recipient:{name.lower()}" for name in recipients}
    return tuple(sorted(keys))


def identify(tx: Connection, pack: SharePack) -> UUID | None:
    """Return the pack that an upload is a new version of, or None for a new one; others with its line and project wait.

    It is the current pack of the same business line and project that shares the most names with it, whoever uploads;
    else the one that has its name.
    """
    line, project = _line(pack)
    scd2.lock(tx, "brickyard.share packs of", line, project)
    return _overlapping(tx, line, project, named(pack)) or scd2.find(
        tx, share_packs, {"share_pack_name": pack_name(pack)}
    )


def _overlapping(tx: Connection, line: str, project: str, names: Sequence[str]) -> UUID | None:
    """Return the pack with most of *names*; of equals, the oldest."""
    same = (versions.c.pack_id == share_packs.c.share_pack_id) & (versions.c.version == share_packs.c.version)
    found = sa.select(versions.c.pack_id, versions.c.names).join(share_packs, same).where(scd2.active(share_packs))
    found = found.where(versions.c.business_line == line, versions.c.project == project)
    rows = tx.execute(found.where(versions.c.names.overlap(list(names)))).all()
    common = {row.pack_id: len(set(row.names) & set(names)) for row in rows}
    born = _born(tx, list(common))
    best = sorted(common, key=lambda pack_id: (-common[pack_id], born[pack_id], str(pack_id)))
    return best[0] if best else None


def _born(tx: Connection, pack_ids: Sequence[UUID]) -> dict[UUID, Any]:
    first = sa.select(share_packs.c.share_pack_id, share_packs.c.effective_from).where(share_packs.c.version == 1)
    return {row[0]: row[1] for row in tx.execute(first.where(share_packs.c.share_pack_id.in_(pack_ids)))}


def _line(pack: SharePack) -> tuple[str, str]:
    return pack.metadata.business_line.casefold(), (pack.metadata.project_name or DEFAULT_PROJECT).casefold()


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def save(
    tx: Connection,
    pack: SharePack,
    *,
    by: str,
    strategy: Strategy,
    file_format: str = "yaml",
    file_name: str | None = None,
    source: str = "share_pack",
    reason: str = "",
    request_status: RequestStatus = RequestStatus.IN_PROGRESS,
    into: UUID | None = None,
) -> Saved:
    """Save an upload as the new version of its pack, with the request that asks for it and its tenant and project.

    *into* names the pack where that is known, for example for a rollback. A pack whose content is the current
    version's gets no new version.
    """
    pack_id = into or identify(tx, pack) or uuid4()
    scd2.line_up(tx, share_packs, pack_id)
    last, digest = scd2.current(tx, share_packs, pack_id), content_hash(pack)
    if last and not last.is_deleted and _hash(tx, pack_id, last.version) == digest:
        return Saved(
            pack_id=pack_id, name=last.fields["share_pack_name"], version=last.version, request_id=None, changed=False
        )
    place = tenants.place(tx, pack, by=by)
    fields = {
        "share_pack_name": last.fields["share_pack_name"] if last else pack_name(pack),
        "requested_by": pack.metadata.requestor[:255],
        "strategy": strategy,
        "share_pack_status": PackStatus.IN_PROGRESS,
        "provisioning_status": "",
        "error_message": "",
        "config": pack.model_dump(mode="json"),
        "file_format": file_format,
        "original_filename": file_name[:500] if file_name else None,
        "tenant_id": place.tenant_id,
        "project_id": place.project_id,
        "request_source": source,
    }
    written = audit.write(tx, share_packs, pack_id, fields, by=by, reason=reason or f"{strategy} uploaded")
    _remember(tx, pack, pack_id, written.version, digest)
    request = _request(tx, pack, pack_id, place.project_id, by, strategy, request_status)
    return Saved(
        pack_id=pack_id,
        name=str(fields["share_pack_name"]),
        version=written.version,
        request_id=request,
        changed=True,
    )


def _hash(tx: Connection, pack_id: UUID, version: int) -> str | None:
    mine = (versions.c.pack_id == pack_id) & (versions.c.version == version)
    return tx.execute(sa.select(versions.c.hash).where(mine)).scalar_one_or_none()


def _remember(tx: Connection, pack: SharePack, pack_id: UUID, version: int, digest: str) -> None:
    line, project = _line(pack)
    values = {"pack_id": pack_id, "version": version, "hash": digest, "business_line": line, "project": project}
    tx.execute(sa.insert(versions).values(**values, names=list(named(pack))))


def _request(
    tx: Connection,
    pack: SharePack,
    pack_id: UUID,
    project_id: UUID,
    by: str,
    strategy: Strategy,
    status: RequestStatus,
) -> UUID:
    about = pack.metadata
    approved = about.approver_status if status != RequestStatus.PENDING_APPROVAL else "pending"
    fields = {
        "project_id": project_id,
        "share_pack_id": pack_id,
        "requested_by": about.requestor[:255],
        "assigned_to": about.configurator[:255],
        "service_now_ticket": about.servicenow_ticket[:100],
        "request_description": about.description or f"{strategy} {', '.join(named(pack))}",
        "status": status,
        "request_type": strategy,
        "approver_status": approved,
    }
    return audit.write(tx, requests, uuid4(), fields, by=by, reason=f"{strategy} uploaded").key


def delete(tx: Connection, pack_id: UUID, *, by: str, reason: str) -> None:
    """Mark a pack as deleted; what it made is not touched."""
    audit.delete(tx, share_packs, pack_id, by=by, reason=reason)


def set_strategy(tx: Connection, pack_id: UUID, version: int, strategy: Strategy) -> None:
    """Correct the strategy of a version to the one that its run found to be true."""
    scd2.amend(tx, share_packs, pack_id, version, {"strategy": strategy})


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def get(tx: Connection, pack: UUID | str) -> PackRecord:
    """Return where the pack of an id or a name stands, or raise NotFound."""
    try:
        same = share_packs.c.share_pack_id == UUID(str(pack))
    except ValueError:
        same = (sa.func.lower(share_packs.c.share_pack_name) == str(pack).lower()) & ~share_packs.c.is_deleted
    row = tx.execute(_records().where(same)).first()
    if row is None:
        raise _no_pack(pack)
    return _record(row)


def config(tx: Connection, pack_id: UUID, version: int | None = None) -> SharePack:
    """Return the pack as it was uploaded, the current or an older version of it, or raise NotFound."""
    if version is not None and not 0 < version <= _LAST_VERSION:
        raise _no_version(pack_id, version)
    which = share_packs.c.is_current if version is None else share_packs.c.version == version
    found = tx.execute(sa.select(share_packs.c.config).where(share_packs.c.share_pack_id == pack_id, which))
    document = found.scalar_one_or_none()
    if document is None:
        raise _no_version(pack_id, version) if version else _no_pack(pack_id)
    return SharePack.model_validate(document)


def history(tx: Connection, pack_id: UUID) -> tuple[PackVersion, ...]:
    """Return the versions of a pack, newest first, or raise NotFound."""
    found = scd2.history(tx, share_packs, pack_id)
    if not found:
        raise _no_pack(pack_id)
    return tuple(map(_version, reversed(found)))


def as_of(tx: Connection, pack_id: UUID, at: datetime) -> PackVersion:
    """Return the version that was true at a time, or raise NotFound when there was none yet."""
    found = scd2.as_of(tx, share_packs, pack_id, at)
    if found is None:
        raise _no_version(pack_id, f"at {at.isoformat()}")
    return _version(found)


def page(
    tx: Connection,
    *,
    status: PackStatus | None = None,
    naming: str | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int | None = 50,
) -> tuple[PackRecord, ...]:
    """Return packs that are not deleted, the last changed first, from behind *after*: the last one's change and id.

    *naming* is the name of a share or recipient that a pack lists; without a *limit* it is all packs as of one moment.
    """
    found = _records().where(~share_packs.c.is_deleted)
    if status is not None:
        found = found.where(share_packs.c.share_pack_status == status)
    if naming is not None:
        found = found.where(_described().where(_names(naming)).exists())
    changed, key = sa.func.greatest(share_packs.c.effective_from, _moved()), share_packs.c.share_pack_id
    if after is not None:
        found = found.where((changed < after[0]) | ((changed == after[0]) & (key > after[1])))
    return tuple(map(_record, tx.execute(found.order_by(changed.desc(), key).limit(limit))))


def _names(naming: str) -> sa.ColumnElement[bool]:
    return versions.c.names.overlap([f"share:{naming.lower()}", f"recipient:{naming.lower()}"])


def _described() -> sa.Select[Any]:
    same = (versions.c.pack_id == share_packs.c.share_pack_id) & (versions.c.version == share_packs.c.version)
    return sa.select(versions.c.version).where(same).correlate(share_packs)


@cache
def _records() -> sa.Select[*tuple[Any, ...]]:
    """Select current versions with the time of the first one, of the last event, and the newest run."""
    first = share_packs.alias("first")
    same = first.c.share_pack_id == share_packs.c.share_pack_id
    born = sa.select(first.c.effective_from).where(same, first.c.version == 1).scalar_subquery()
    mine = runs.c.pack_id == share_packs.c.share_pack_id
    run = sa.select(runs.c.id).where(mine).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(1)
    columns = [column for column in share_packs.c if column.name != "config"]
    extra = (born.label("born"), _moved().label("moved"), run.scalar_subquery().label("run_id"))
    return sa.select(*columns, *extra).where(share_packs.c.is_current)


@cache
def _moved() -> sa.ScalarSelect[Any]:
    """Select the time of the last event of a pack."""
    of_pack = events.c.pack_id == share_packs.c.share_pack_id
    return sa.select(events.c.at).where(of_pack).order_by(events.c.id.desc()).limit(1).scalar_subquery()


def _record(row: Any) -> PackRecord:
    return PackRecord(
        pack_id=row.share_pack_id,
        name=row.share_pack_name,
        version=row.version,
        strategy=Strategy(row.strategy),
        status=PackStatus(row.share_pack_status),
        provisioning_status=row.provisioning_status or "",
        error_message=row.error_message or "",
        requested_by=row.requested_by,
        file_format=row.file_format or "yaml",
        original_filename=row.original_filename,
        source=row.request_source or "share_pack",
        tenant_id=row.tenant_id,
        project_id=row.project_id,
        created_at=row.born or row.effective_from,
        updated_at=max(row.effective_from, row.moved or row.effective_from),
        deleted=row.is_deleted,
        run_id=row.run_id,
    )


def _version(found: scd2.Version) -> PackVersion:
    return PackVersion(
        version=found.version,
        status=PackStatus(found.fields["share_pack_status"]),
        strategy=Strategy(found.fields["strategy"]),
        effective_from=found.effective_from,
        effective_to=found.effective_to,
        changed_by=found.created_by,
        change_reason=found.change_reason,
        deleted=found.is_deleted,
        config=found.fields["config"],
    )


def _no_pack(name: object) -> NotFound:
    return NotFound(f"there is no share pack {name}", code="share-pack-not-found", remedy="`brickyard share list`")


def _no_version(pack_id: UUID, which: object) -> NotFound:
    return NotFound(
        f"share pack {pack_id} has no version {which}",
        code="share-pack-not-found",
        remedy=f"`brickyard share history {pack_id}` lists its versions",
    )


def tables(tx: Connection) -> int:
    """Return how many tables there are in `deltashare`."""
    counted = sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = 'deltashare'")
    return tx.execute(counted).scalar_one()
