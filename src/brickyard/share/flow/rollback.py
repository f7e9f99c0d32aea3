"""Back to how a pack was: the plan from an earlier version to the present."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid
from brickyard.share import report
from brickyard.share.flow.looking import Allowed, decide
from brickyard.share.flow.submit import enqueue, require_hash, submitted
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.runs import RunKind, StepStatus, Submitted
from brickyard.share.model.steps import DeletePipeline, DeleteRecipient, DeleteShare, Loss, Plan, RotateToken
from brickyard.share.store import audit, packs, runs, steps

_FOR_GOOD = (RotateToken, DeleteRecipient, DeleteShare, DeletePipeline)


def preview_rollback(context: Context, pack_id: str, to: int | datetime) -> Plan:
    """Plan the way back to a version, or to the one of a time; what cannot come back stands in the losses."""
    with context.metadata.read() as tx:
        key, version, pack = _then(tx, pack_id, to)
        gone = tuple(_gone(tx, key, version))
    plan = decide(context, context.workspaces.client(), pack, key, Allowed())
    return replace(plan, losses=(*plan.losses, *gone))


def rollback(context: Context, pack_id: str, to: int | datetime, *, plan_hash: str | None = None) -> Submitted:
    """Make the version of *to* the newest one again and queue its run, which refuses another plan than *plan_hash*.

    Raises GuardRefused at once when the plan is another one already, and SpecInvalid for a version that deletes.
    """
    plan = preview_rollback(context, pack_id, to)
    if plan_hash is not None:
        require_hash(plan, plan_hash)
    with context.metadata.transaction() as tx:
        key, version, pack = _then(tx, pack_id, to)
        reason = f"rolled back to version {version}"
        saved = packs.save(tx, pack, by=context.actor, strategy=plan.strategy, source="api", reason=reason, into=key)
        run = enqueue(tx, context, pack, saved, RunKind.ROLLBACK, {"plan_hash": plan_hash, "to": version})
        detail = {"run": run.id, "to": version}
        audit.seal(tx, at=run.created_at, actor=context.actor, action="RollBack", subject=saved.name, detail=detail)
    return submitted(saved, run, plan.strategy, plan.warnings, f"Share pack {reason} and queued.", new=True)


def _then(tx: Connection, pack_id: str, to: int | datetime) -> tuple[UUID, int, SharePack]:
    """Return the pack's id and the version of a number or a time."""
    key = packs.get(tx, pack_id).pack_id
    if isinstance(to, datetime):
        found = packs.as_of(tx, key, to)
        version, pack = found.version, found.pack
    else:
        version, pack = to, packs.config(tx, key, to)
    if pack.metadata.strategy is Strategy.DELETE:
        raise SpecInvalid(
            f"version {version} deletes; there is nothing to go back to",
            code="share-rollback-deletes",
            remedy="name a version from before it",
        )
    return key, version, pack


def _gone(tx: Connection, pack_id: UUID, version: int) -> Iterator[Loss]:
    """Yield what later runs have ended for good: tokens, and the history of what was deleted."""
    for run in runs.of_pack(tx, pack_id):
        if run.version is None or run.version > version:
            for line in steps.journal(tx, run.id):
                if line.status is StepStatus.DONE and isinstance(line.step, _FOR_GOOD):
                    words = f"{report.words(line.step)}, done {line.done_at:%Y-%m-%d %H:%M}, cannot be taken back"
                    yield Loss(what=words, irreversible=True)
