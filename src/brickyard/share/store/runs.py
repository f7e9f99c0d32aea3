"""Runs: each accepted upload or other work on a pack, its status, and the timeline of what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.kernel.errors import NotFound
from brickyard.metadata import scd2
from brickyard.share.model.runs import PackStatus, RequestStatus, RunKind, RunStatus
from brickyard.share.store import leases
from brickyard.share.tables import events, requests, runs, share_packs

Json = Mapping[str, Any]

FINAL = tuple(status for status in RunStatus if status.final)
MIRRORED = (RunKind.APPLY, RunKind.ROLLBACK)
POISONED = "poisoned"  # the line of a timeline that says that a run's message was set aside
_PACK = {
    RunStatus.COMPLETED: PackStatus.COMPLETED,
    RunStatus.FAILED: PackStatus.FAILED,
    RunStatus.SUPERSEDED: PackStatus.FAILED,
    RunStatus.VALIDATION_FAILED: PackStatus.VALIDATION_FAILED,
}
_REQUEST = {
    RunStatus.COMPLETED: RequestStatus.COMPLETED,
    RunStatus.FAILED: RequestStatus.FAILED,
    RunStatus.SUPERSEDED: RequestStatus.FAILED,
    RunStatus.VALIDATION_FAILED: RequestStatus.FAILED,
    RunStatus.PENDING_APPROVAL: RequestStatus.PENDING_APPROVAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One piece of work, as far as it is known. *options* holds what its sender allows; *plan* the steps it follows."""

    id: str
    kind: RunKind
    status: RunStatus
    pack_id: UUID | None
    version: int | None
    workspace: str
    requested_by: str
    request_id: UUID | None
    options: dict[str, Any]
    plan: dict[str, Any] | None
    plan_hash: str | None
    result: dict[str, Any] | None
    code: str | None
    message: str | None
    attempt: int
    job: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def pack(self) -> UUID:
        """The pack that asked for the run; one that no pack asked for has none, and nobody may ask it."""
        assert self.pack_id is not None
        return self.pack_id


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline."""

    run_id: str
    at: datetime
    kind: str
    message: str
    by: str | None
    detail: dict[str, Any] | None


def create(
    tx: Connection,
    run_id: str,
    kind: RunKind,
    *,
    at: datetime,
    by: str,
    workspace: str,
    pack_id: UUID | None = None,
    version: int | None = None,
    request_id: UUID | None = None,
    status: RunStatus = RunStatus.QUEUED,
    options: Json | None = None,
    plan: Json | None = None,
    plan_hash: str | None = None,
) -> Run:
    """Remember a run; the pack's version is in progress from now on."""
    fields = {"pack_id": pack_id, "version": version, "request_id": request_id, "plan": plan, "plan_hash": plan_hash}
    values = {"id": run_id, "kind": kind, "status": status, "created_at": at, "requested_by": by, "attempt": 0}
    tx.execute(sa.insert(runs).values(**values, **fields, workspace=workspace, options=dict(options or {})))
    made = get(tx, run_id)
    tell(tx, made, at, status, "accepted", by=by)
    _mirror(tx, made, provisioning="", error="")
    return made


def get(tx: Connection, run_id: str, *, lock: bool = False) -> Run:
    """Return a run, or raise NotFound; with *lock* nobody else changes it until the transaction ends."""
    found = sa.select(runs).where(runs.c.id == run_id)
    row = tx.execute(found.with_for_update() if lock else found).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run_id}", code="share-run-not-found", remedy="`brickyard share list`")
    return _run(row)


def of_pack(tx: Connection, pack_id: UUID, limit: int = 100) -> tuple[Run, ...]:
    """Return the runs of a pack, newest first."""
    return _found(tx, sa.select(runs).where(runs.c.pack_id == pack_id), limit)


def newest(tx: Connection, pack_id: UUID, kinds: Sequence[RunKind] = MIRRORED) -> Run | None:
    """Return the last run of a pack that was to apply it."""
    mine = sa.select(runs).where(runs.c.pack_id == pack_id, runs.c.kind.in_(kinds))
    found = _found(tx, mine, 1)
    return found[0] if found else None


def listed(
    tx: Connection, *, statuses: Sequence[RunStatus] = (), kind: RunKind | None = None, limit: int = 100
) -> tuple[Run, ...]:
    """Return the last runs, newest first."""
    found = sa.select(runs)
    if statuses:
        found = found.where(runs.c.status.in_(statuses))
    if kind:
        found = found.where(runs.c.kind == kind)
    return _found(tx, found, limit)


def counts(tx: Connection) -> dict[RunStatus, int]:
    """Return how many runs are in each status."""
    rows = tx.execute(sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status))
    return {RunStatus(status): count for status, count in rows}


def start(tx: Connection, run_id: str, at: datetime) -> Run:
    """Begin an attempt of a run unless it is over or waits for approval, and return it; its row is locked until the end."""
    _line_up(tx, run_id)
    may = runs.c.status.in_((RunStatus.QUEUED, RunStatus.WAITING, RunStatus.RUNNING))
    begin = sa.update(runs).where(runs.c.id == run_id, may)
    started = sa.func.coalesce(runs.c.started_at, at)
    tx.execute(begin.values(status=RunStatus.RUNNING, started_at=started, attempt=runs.c.attempt + 1))
    run = get(tx, run_id)
    if run.status == RunStatus.RUNNING:
        tell(tx, run, at, RunStatus.RUNNING, f"attempt {run.attempt}")
    return run


def move(tx: Connection, run_id: str, status: RunStatus, at: datetime, message: str = "", by: str | None = None) -> Run:
    """Put a run that is not over into another status that is not final, and return it."""
    _line_up(tx, run_id)
    change = sa.update(runs).where(runs.c.id == run_id, runs.c.status.not_in(FINAL))
    moved = tx.execute(change.values(status=status).returning(runs.c.id)).one_or_none()
    run = get(tx, run_id)
    if moved:
        tell(tx, run, at, status, message, by=by)
        _mirror(tx, run, provisioning=message or None)
    return run


def finish(
    tx: Connection,
    run_id: str,
    status: RunStatus,
    at: datetime,
    *,
    message: str = "",
    code: str | None = None,
    error: str = "",
    result: Json | None = None,
) -> tuple[str, ...] | None:
    """Give a run its one final status, its leases back, and return the waiting runs to queue again.

    *message* becomes the pack's provisioning status and *error* its error message. Returns None, and changes nothing,
    when the run was over already.
    """
    _line_up(tx, run_id)
    change = sa.update(runs).where(runs.c.id == run_id, runs.c.status.not_in(FINAL))
    values = {"status": status, "finished_at": at, "message": error or message, "code": code, "result": result}
    if tx.execute(change.values(**values).returning(runs.c.id)).one_or_none() is None:
        return None
    run = get(tx, run_id)
    tell(tx, run, at, status, error or message)
    _mirror(tx, run, provisioning=message, error=error)
    return leases.release(tx, run_id)


def supersede(tx: Connection, pack_id: UUID, version: int, at: datetime) -> tuple[str, ...]:
    """End the runs of older versions that have not begun, and return the waiting runs to queue again."""
    scd2.line_up(tx, share_packs, pack_id)
    leases.line_up(tx)
    idle = (RunStatus.QUEUED, RunStatus.WAITING, RunStatus.PENDING_APPROVAL)
    older = (runs.c.pack_id == pack_id) & (runs.c.version < version) & runs.c.status.in_(idle)
    found = tx.scalars(sa.select(runs.c.id).where(older).order_by(runs.c.id).with_for_update()).all()
    message = f"superseded by version {version} before it was provisioned"
    freed = [finish(tx, run_id, RunStatus.SUPERSEDED, at, message=message) or () for run_id in found]
    return tuple(run_id for group in freed for run_id in group if run_id not in found)


def progress(tx: Connection, run_id: str, at: datetime, done: int, of: int, message: str) -> None:
    """Say how far a run has come: `Step 2/5: …` in the timeline and in the pack's provisioning status."""
    run = get(tx, run_id)
    words = f"Step {done}/{of}: {message}"
    tell(tx, run, at, "step", words)
    _mirror(tx, run, provisioning=words)


def keep(tx: Connection, run_id: str, **documents: Any) -> None:
    """Remember a run's `plan`, `plan_hash`, `options`, `result` or `job`."""
    tx.execute(sa.update(runs).where(runs.c.id == run_id).values(**documents))


def tell(
    tx: Connection,
    run: Run,
    at: datetime,
    kind: str,
    message: str,
    *,
    by: str | None = None,
    detail: Json | None = None,
) -> None:
    """Add a line to a run's timeline."""
    line = {"run_id": run.id, "pack_id": run.pack_id, "at": at, "kind": str(kind), "message": message}
    tx.execute(sa.insert(events).values(**line, by=by, detail=detail))


def timeline(tx: Connection, run_id: str) -> tuple[Event, ...]:
    """Return everything that happened to a run, oldest first."""
    found = tx.execute(sa.select(events).where(events.c.run_id == run_id).order_by(events.c.id))
    return tuple(Event(row.run_id, row.at, row.kind, row.message, row.by, row.detail) for row in found)


def _line_up(tx: Connection, run_id: str) -> None:
    """Lock a run's pack, then the leases, in the order in which an upload locks them."""
    pack_id = tx.execute(sa.select(runs.c.pack_id).where(runs.c.id == run_id)).scalar_one_or_none()
    if pack_id:
        scd2.line_up(tx, share_packs, pack_id)
    leases.line_up(tx)


def _mirror(tx: Connection, run: Run, *, provisioning: str | None = None, error: str | None = None) -> None:
    """Write where a run stands into its version of the pack and into its request, in place."""
    if run.pack_id is None or run.version is None or run.kind not in MIRRORED:
        return
    if not _followed(tx, run):
        texts = {"provisioning_status": provisioning, "error_message": error}
        fields = {name: text for name, text in texts.items() if text is not None}
        status = _PACK.get(run.status, PackStatus.IN_PROGRESS)
        scd2.amend(tx, share_packs, run.pack_id, run.version, {"share_pack_status": status, **fields})
    if run.request_id:
        asked = _REQUEST.get(run.status, RequestStatus.IN_PROGRESS)
        mine = (requests.c.request_id == run.request_id) & requests.c.is_current
        tx.execute(sa.update(requests).where(mine).values(status=asked))


def _followed(tx: Connection, run: Run) -> bool:
    """Tell whether a later run of the same version is to say how the version fares."""
    same = (runs.c.pack_id == run.pack_id) & (runs.c.version == run.version) & runs.c.kind.in_(MIRRORED)
    later = sa.tuple_(runs.c.created_at, runs.c.id) > sa.tuple_(sa.literal(run.created_at), sa.literal(run.id))
    return tx.execute(sa.select(sa.exists().where(same, later))).scalar_one()


def _found(tx: Connection, query: sa.Select[Any], limit: int) -> tuple[Run, ...]:
    return tuple(map(_run, tx.execute(query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit))))


def _run(row: Any) -> Run:
    fields: dict[str, Any] = {name: getattr(row, name) for name in Run.__slots__}
    fields |= {"kind": RunKind(row.kind), "status": RunStatus(row.status)}
    return Run(**fields)
