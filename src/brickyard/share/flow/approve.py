"""Approving and declining: a named person and a plan, bound by its hash."""

from __future__ import annotations

from sqlalchemy import Connection

from brickyard.context import SERVICE, Context
from brickyard.kernel.errors import Conflict, GuardRefused, SpecInvalid
from brickyard.share.flow import relay
from brickyard.share.flow.record import status
from brickyard.share.flow.submit import plan_of
from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import ApproverStatus, PackRecord, RunStatus
from brickyard.share.store import approvals, audit, packs, runs
from brickyard.share.store.runs import Run

NEEDED = {"file": 0, "one": 1, "two": 2}
"""How many persons must approve a plan, by the setting `share_approval`."""


def approve(context: Context, pack_id: str, *, plan_hash: str, reason: str = "") -> PackRecord:
    """Approve the plan *plan_hash* of a pack that waits, as `context.actor`, and queue its run once enough have.

    Raises Conflict when nothing waits, and GuardRefused when the plan is another one now, or the person is who uploaded
    or requested the pack, or nobody by name.
    """
    with context.metadata.read() as tx:  # said before the plan is made, which is another one once the pack is applied
        _check_person(context, *_waiting(tx, pack_id))
    now = plan_of(context, pack_id)
    if now.hash != plan_hash:
        raise GuardRefused(
            "the plan is another one now", code="share-plan-stale", remedy="look at the new plan, then approve its hash"
        )
    if now.refusals:
        raise SpecInvalid("the plan cannot be done as it is", code="share-refused", problems=now.refusals)
    with context.metadata.transaction() as tx:
        run, pack = _waiting(tx, pack_id)
        _check_person(context, run, pack)
        at = context.clock()
        approvals.give(tx, run.id, by=context.actor, plan_hash=plan_hash, at=at, reason=reason)
        if len(approvals.given(tx, run.id, plan_hash)) >= NEEDED[context.queue.settings.share_approval]:
            _decide(tx, context, run, ApproverStatus.APPROVED, reason)
            runs.move(tx, run.id, RunStatus.QUEUED, at, f"approved by {context.actor}", by=context.actor)
            relay.hand_over(tx, context, run.id)
        detail = {"run": run.id, "plan_hash": plan_hash, "reason": reason}
        audit.seal(tx, at=at, actor=context.actor, action="ApprovePlan", subject=pack_id, detail=detail)
    return status(context, pack_id)


def decline(context: Context, pack_id: str, *, plan_hash: str | None = None, reason: str = "") -> PackRecord:
    """Decline a pack that waits, as `context.actor`; its run ends without having done anything."""
    with context.metadata.transaction() as tx:
        run, pack = _waiting(tx, pack_id)
        _check_person(context, run, pack)
        at, words = context.clock(), f"declined by {context.actor}" + (f": {reason}" if reason else "")
        _decide(tx, context, run, ApproverStatus.DECLINED, reason)
        freed = runs.finish(tx, run.id, RunStatus.VALIDATION_FAILED, at, code="share-declined", error=words)
        relay.wake(tx, context, freed)
        detail = {"run": run.id, "plan_hash": plan_hash, "reason": reason}
        audit.seal(tx, at=at, actor=context.actor, action="DeclinePack", subject=pack_id, detail=detail)
    return status(context, pack_id)


def _waiting(tx: Connection, pack_id: str) -> tuple[Run, SharePack]:
    """Return the run that waits for approval, and its pack."""
    record = packs.get(tx, pack_id)
    run = runs.newest(tx, record.pack_id)
    if run is None or run.status is not RunStatus.PENDING_APPROVAL:
        raise Conflict(
            f"{record.name} does not wait for approval",
            code="share-nothing-to-approve",
            remedy="`brickyard share status` shows where it is",
        )
    return run, packs.config(tx, record.pack_id, run.version)


def _check_person(context: Context, run: Run, pack: SharePack) -> None:
    """Refuse who is not a person by name, and who wants the pack."""
    person = context.actor.casefold()
    if context.actor == SERVICE:
        raise GuardRefused(
            "the service's own token names no person",
            code="share-approver-unnamed",
            remedy="use a token of your own: `brickyard token add EMAIL`",
        )
    wanting = {run.requested_by.casefold(), *(one.strip().casefold() for one in pack.metadata.requestor.split(","))}
    if person in wanting:
        raise GuardRefused(
            f"{context.actor} wants this pack and cannot decide on it",
            code="share-approver-involved",
            remedy="somebody else must look at it",
        )


def _decide(tx: Connection, context: Context, run: Run, decision: ApproverStatus, reason: str) -> None:
    if run.request_id:
        at = context.clock()
        approvals.decide(tx, run.request_id, decision, by=context.actor, at=at, reason=reason or decision)
