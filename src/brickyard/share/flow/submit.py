"""A pack comes in: its plan, and its way into the queue."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError, GuardRefused, WorkspaceDown, WorkspaceRefused
from brickyard.kernel.terminal import plain
from brickyard.share import observe
from brickyard.share.flow import place, relay
from brickyard.share.flow.looking import Allowed, decide
from brickyard.share.model.content import content_hash
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.records import NotificationType
from brickyard.share.model.runs import PackStatus, RequestStatus, RunKind, RunStatus, Submitted, Upload
from brickyard.share.model.steps import Plan
from brickyard.share.plan import detect
from brickyard.share.store import audit, idempotency, notices, packs, runs
from brickyard.share.store.packs import Saved
from brickyard.share.store.runs import Run

log = structlog.stdlib.get_logger(__name__)

_ANSWER = TypeAdapter(Submitted)
_QUEUED = "Share pack uploaded and queued."
_CORRECTED = "Strategy auto-corrected from NEW to UPDATE based on existing resources."
_PENDING = "Share pack uploaded and waiting for approval."
_KNOWN = "The same share pack is already uploaded; nothing new was queued."


def preview(context: Context, upload: Upload) -> Plan:
    """Plan a pack against the workspace; nothing changes."""
    _require_workspace(context, upload.pack)
    with context.metadata.transaction() as tx:  # it locks the names, so that an upload of the same pack is waited for
        pack_id = packs.identify(tx, upload.pack)
    made = decide(context, context.workspaces.client(), upload.pack, pack_id, Allowed(upload.adopt, upload.replace))
    return replace(made, warnings=(*upload.warnings, *made.warnings))


def _require_workspace(context: Context, pack: SharePack) -> None:
    place.require(context, pack.metadata.workspace_url, "metadata.workspace_url")


def plan_of(context: Context, pack_id: str) -> Plan:
    """Plan the current version of a pack against the workspace as it is now."""
    with context.metadata.read() as tx:
        record = packs.get(tx, pack_id)
        pack = packs.config(tx, record.pack_id)
        run = runs.newest(tx, record.pack_id)
    return decide(context, context.workspaces.client(), pack, record.pack_id, allowed_by(run))


def allowed_by(run: Run | None) -> Allowed:
    """What the sender of a run's pack allowed."""
    options = run.options if run else {}
    return Allowed(bool(options.get("adopt")), bool(options.get("replace")))


def submit(context: Context, upload: Upload) -> Submitted:
    """Remember a pack, its run and its job: all or nothing.

    Raises GuardRefused, and remembers nothing, when the plan is another one than the upload's `plan_hash` already.
    """
    _require_workspace(context, upload.pack)
    key, digest = upload.idempotency_key, _digest(upload)
    _require_plan(context, upload, digest)
    strategy, warnings = _detect(context, upload.pack)
    with context.metadata.transaction() as tx:
        told = idempotency.recall(tx, key, context.actor, digest) if key else None
        if told:
            return _ANSWER.validate_python(told)
        answer = _accept(tx, context, upload, strategy, (*upload.warnings, *warnings))
        if key:
            idempotency.remember(tx, key, context.actor, digest, plain(answer), context.clock())
        if answer.new:
            subject, detail = f"{answer.pack_name} version {answer.version}", {"run": answer.run_id}
            at = context.clock()
            audit.seal(tx, at=at, actor=context.actor, action="SubmitPack", subject=subject, detail=detail)
    return answer


def _require_plan(context: Context, upload: Upload, digest: str) -> None:
    """Refuse a stale hash of something new; where the workspace cannot be read, the worker checks it."""
    if upload.plan_hash is None:
        return
    with context.metadata.transaction() as tx:
        key = upload.idempotency_key
        if key and idempotency.recall(tx, key, context.actor, digest):
            return
        pack_id = packs.identify(tx, upload.pack)
        if pack_id and _is_repeated(tx, context, upload, pack_id):
            return
    client = context.workspaces.reader(context.queue.settings.share_detect_seconds)
    try:
        made = decide(context, client, upload.pack, pack_id, Allowed(upload.adopt, upload.replace))
    except (WorkspaceDown, WorkspaceRefused) as error:
        log.warning("plan not compared yet", error=error.message)
        return
    require_hash(made, upload.plan_hash)


def _is_repeated(tx: Connection, context: Context, upload: Upload, pack_id: UUID) -> bool:
    """Tell whether the upload asks for what its pack's newest run does or has just done."""
    run = runs.newest(tx, pack_id)
    same = content_hash(packs.config(tx, pack_id)) == content_hash(upload.pack)
    return same and run is not None and _still_good(context, upload, run)


def require_hash(made: Plan, wanted: str) -> None:
    """Raise GuardRefused unless a plan is the one that was looked at."""
    if made.hash != wanted:
        raise GuardRefused(
            "the workspace or the pack has changed since it was planned",
            code="share-plan-stale",
            remedy="plan it again, look at the difference, and apply that plan's hash",
        )


def _accept(
    tx: Connection, context: Context, upload: Upload, strategy: Strategy, warnings: tuple[str, ...]
) -> Submitted:
    """Save a pack and queue its run, unless the same is under way or was just done."""
    found = _save(tx, context, upload, strategy)
    known = runs.newest(tx, found.pack_id) if not found.changed else None
    if known and _still_good(context, upload, known):
        return submitted(found, known, strategy, warnings, _KNOWN, new=False)
    if known:
        found = replace(found, request_id=known.request_id)
    run = enqueue(tx, context, upload.pack, found, RunKind.APPLY, _options(upload))
    message = _PENDING if run.status is RunStatus.PENDING_APPROVAL else _QUEUED
    corrected = strategy is not upload.pack.metadata.strategy
    return submitted(found, run, strategy, warnings, f"{message} {_CORRECTED}" if corrected else message, new=True)


def _options(upload: Upload) -> dict[str, Any]:
    return {"adopt": upload.adopt, "replace": upload.replace, "plan_hash": upload.plan_hash}


def _digest(upload: Upload) -> str:
    """What tells requests apart that carry one idempotency key."""
    said = json.dumps([content_hash(upload.pack), _options(upload)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _detect(context: Context, pack: SharePack) -> tuple[Strategy, tuple[str, ...]]:
    """Return the strategy that fits what exists; where that cannot be read, the one asked for, with a warning."""
    asked = pack.metadata.strategy
    if asked is not Strategy.NEW:
        return asked, ()
    try:
        known = _existing(context, pack)
    except (BrickyardError, TimeoutError) as error:
        why = error.message if isinstance(error, BrickyardError) else "the workspace did not answer in time"
        log.warning("strategy not detected", error=why)
        return asked, (f"Strategy could not be checked, {asked} is kept for now: {why}",)
    return detect(pack, known.recipients, known.shares)


def _existing(context: Context, pack: SharePack) -> observe.Existing:
    """Ask for the pack's names, for as long as an upload may take; raises TimeoutError after that."""
    seconds = context.queue.settings.share_detect_seconds
    names = [one.name for one in pack.recipient], [one.name for one in pack.share]
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(lambda: observe.existing_names(context.workspaces.reader(seconds), *names)).result(
            timeout=seconds
        )
    finally:
        pool.shutdown(wait=False)


def _save(tx: Connection, context: Context, upload: Upload, strategy: Strategy) -> Saved:
    waits = context.queue.settings.share_approval != "file"
    return packs.save(
        tx,
        upload.pack,
        by=context.actor,
        strategy=strategy,
        file_format=upload.file_format,
        file_name=upload.file_name,
        source=upload.source,
        request_status=RequestStatus.PENDING_APPROVAL if waits else RequestStatus.IN_PROGRESS,
    )


def _still_good(context: Context, upload: Upload, run: Run) -> bool:
    """Tell whether a run of the same content is under way or was completed so lately that another would tell nothing new."""
    if any(run.options.get(name) != value for name, value in _options(upload).items()):
        return False
    if not run.status.final:
        return True
    if upload.again or run.status is not RunStatus.COMPLETED or run.finished_at is None:
        return False
    age = (context.clock() - run.finished_at).total_seconds()
    return age < context.queue.settings.share_repeat_seconds


def enqueue(
    tx: Connection, context: Context, pack: SharePack, saved: Saved, kind: RunKind, options: dict[str, Any]
) -> Run:
    """Make the run of a version, end those of older ones that have not begun, and hand it over or ask for approval."""
    at = context.clock()
    relay.wake(tx, context, runs.supersede(tx, saved.pack_id, saved.version, at))
    waits = context.queue.settings.share_approval != "file"
    run = runs.create(
        tx,
        str(uuid4()),
        kind,
        at=at,
        by=context.actor,
        workspace=workspace_of(context),
        pack_id=saved.pack_id,
        version=saved.version,
        request_id=saved.request_id,
        status=RunStatus.PENDING_APPROVAL if waits else RunStatus.QUEUED,
        options=options,
    )
    if waits:
        ask_for_approval(tx, context, pack, saved.pack_id, saved.name)
    else:
        relay.hand_over(tx, context, run.id)
    return run


def ask_for_approval(tx: Connection, context: Context, pack: SharePack, pack_id: UUID, name: str) -> None:
    """Tell the approvers that a pack waits for them."""
    people = [person for person in pack.metadata.approver.split(",") if "@" in person]
    body = f"The share pack {name} waits for approval: look at its plan, then approve or decline it by the plan's hash."
    kind, about = NotificationType.APPROVAL_REQUIRED, ("share_pack", pack_id)
    notices.notify(tx, kind, people, f"Approval wanted: {name}", body, context.clock(), about=about)


def workspace_of(context: Context) -> str:
    """Name the workspace that a run works on."""
    return (context.workspaces.host or context.workspaces.profile or "").rstrip("/").lower()


def submitted(
    saved: Saved, run: Run, strategy: Strategy, warnings: tuple[str, ...], message: str, *, new: bool
) -> Submitted:
    """Say what became of a pack that came in."""
    status = PackStatus.COMPLETED if run.status is RunStatus.COMPLETED else PackStatus.IN_PROGRESS
    return Submitted(
        pack_id=str(saved.pack_id),
        pack_name=saved.name,
        version=saved.version,
        run_id=run.id,
        status=status,
        strategy=strategy,
        message=message,
        warnings=warnings,
        new=new,
    )
