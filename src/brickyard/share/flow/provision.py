"""One run of a pack, from wherever it stands to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import (
    BrickyardError,
    Conflict,
    GuardRefused,
    Interrupted,
    MetadataDown,
    SpecInvalid,
    WorkspaceDown,
    WorkspaceRefused,
)
from brickyard.share import report
from brickyard.share.attempt import Work, passes
from brickyard.share.flow import relay
from brickyard.share.flow.approve import NEEDED
from brickyard.share.flow.looking import decide, look_around
from brickyard.share.flow.submit import allowed_by, ask_for_approval
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.records import NotificationType
from brickyard.share.model.runs import ApproverStatus, RunKind, RunStatus, StepStatus
from brickyard.share.model.steps import Plan, Step
from brickyard.share.store import approvals, audit, claims, documents, entities, leases, notices, packs, runs, steps
from brickyard.share.store.runs import Run

log = structlog.stdlib.get_logger(__name__)

_TAKEN_OVER = "job-taken-over"
_NOTHING_TO_DO = "Already up to date with share pack data"
_READY = (RunKind.DIRECT, RunKind.ROTATION, RunKind.EXPIRY)  # runs that come with their plan
_MADE = ("Create", "Add", "Import", "Enable", "Grant")


class _Unapproved(Exception):
    """The plan is not the one that was approved."""


def provision(context: Context, run_id: str) -> None:
    """Bring a run to its end. Raises what the queue is to try again later."""
    run = _begin(context, run_id)
    if run is None:
        return
    try:
        _carry_on(context, run)
    except _Unapproved:
        _wait_for_approval(context, run)
    except (Interrupted, MetadataDown, WorkspaceDown):
        raise
    except BrickyardError as error:
        if passes(error):
            raise
        _fail(context, run, error)


def gave_up(context: Context, run_id: str, error: BaseException) -> None:
    """Give a run that cannot go on its final status, and take back what it has done where the workspace lets it.

    One whose job another worker has taken over is left to that worker.
    """
    if isinstance(error, BrickyardError) and error.error_code == _TAKEN_OVER:
        return
    with context.metadata.read() as tx:
        run = runs.get(tx, run_id)
    if not run.status.final:
        _fail(context, run, error, last=True)


def _begin(context: Context, run_id: str) -> Run | None:
    """Start an attempt under the leases of all that the run touches; None when it is over, waits, or is outdated."""
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at = context.clock()
        run = runs.start(tx, run_id, at)
        if run.status is not RunStatus.RUNNING:
            return None
        if _is_outdated(tx, run):
            relay.wake(
                tx, context, runs.finish(tx, run_id, RunStatus.SUPERSEDED, at, message="a newer version is there")
            )
            return None
        if others := leases.take(tx, run_id, _touched(tx, run), at):
            runs.move(tx, run_id, RunStatus.WAITING, at, f"waits for {', '.join(others)}")
            return None
        return run


def _is_outdated(tx: Connection, run: Run) -> bool:
    """Tell whether a newer version of the pack came before this run had done anything."""
    if run.kind in _READY or run.pack_id is None or run.version is None or steps.journal(tx, run.id):
        return False
    return packs.get(tx, run.pack_id).version > run.version


def _touched(tx: Connection, run: Run) -> Sequence[str]:
    """Name everything that a run may change: the pack, what it lists, and what it made before."""
    if run.pack_id is None:
        return run.options.get("names", [])
    mine = claims.of_pack(tx, run.pack_id)
    names = {*packs.named(packs.config(tx, run.pack_id, run.version)), f"pack:{run.pack_id}"}
    names |= {f"{one.kind}:{one.name}" for one in mine if one.kind in ("share", "recipient")}
    names |= {f"share:{one.parent}" for one in mine if one.kind in ("object", "reader")}
    return [f"{run.workspace} {name}" for name in sorted(names)]


def _carry_on(context: Context, run: Run) -> None:
    """Do what is left of a run: take it back when it was failing, else plan it unless it has begun, and do its steps."""
    if run.result and "failure" in run.result:
        raise _failing(run.result["failure"])
    work = Work(context, run)
    if run.kind in _READY:
        _follow(context, run, work)
        return
    pack = _config(context, run)
    plan = _known_plan(context, run) or _new_plan(context, run, pack, work)
    work.carry_out(plan.steps)
    _complete(context, run, pack, plan, work)


def _follow(context: Context, run: Run, work: Work) -> None:
    """Do the steps that a run came with, and end it well."""
    made = documents.plan(run.plan or {}).steps
    work.carry_out(made)
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at, message = context.clock(), _summary(made)
        freed = runs.finish(tx, run.id, RunStatus.COMPLETED, at, message=message)
        relay.wake(tx, context, freed)
        audit.seal(tx, at=at, actor=context.actor, action="CompleteRun", subject=run.id, detail={"message": message})


def _config(context: Context, run: Run) -> SharePack:
    with context.metadata.read() as tx:
        return packs.config(tx, _pack_of(run), run.version)


def _pack_of(run: Run) -> UUID:
    if run.pack_id is None:
        raise BrickyardError(f"run {run.id} belongs to no pack", code="internal-error")
    return run.pack_id


def _known_plan(context: Context, run: Run) -> Plan | None:
    """The plan that an attempt before this one has begun to carry out."""
    with context.metadata.read() as tx:
        return documents.plan(run.plan) if run.plan and steps.journal(tx, run.id) else None


def _new_plan(context: Context, run: Run, pack: SharePack, work: Work) -> Plan:
    """Plan against what is there now, check that it may be done, and keep it."""
    plan = decide(context, work.hands.client, pack, run.pack_id, allowed_by(run))
    _check_refusals(context, pack, plan)
    _check_hash(run, plan)
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        _check_approval(tx, context, run, plan)
        runs.keep(tx, run.id, plan=documents.plan_document(plan), plan_hash=plan.hash)
        packs.set_strategy(tx, _pack_of(run), run.version or 1, plan.strategy)
    return plan


def _check_refusals(context: Context, pack: SharePack, plan: Plan) -> None:
    said = pack.metadata.approver_status
    by_file = context.queue.settings.share_approval == "file"
    if said != ApproverStatus.APPROVED and (by_file or said == ApproverStatus.DECLINED):
        raise SpecInvalid(f"the pack is not approved: approver_status is {said}", code="share-not-approved")
    if plan.refusals:
        count = len(plan.refusals)
        raise SpecInvalid(
            f"the pack cannot be provisioned: {count} fault(s)", code="share-refused", problems=plan.refusals
        )


def _check_hash(run: Run, plan: Plan) -> None:
    wanted = run.options.get("plan_hash")
    if wanted and wanted != plan.hash:
        raise GuardRefused(
            "the workspace or the pack has changed since it was planned",
            code="share-plan-stale",
            remedy="plan it again, look at the difference, and apply that plan's hash",
        )


def _check_approval(tx: Connection, context: Context, run: Run, plan: Plan) -> None:
    needed = NEEDED[context.queue.settings.share_approval]
    if needed and len(approvals.given(tx, run.id, plan.hash)) < needed:
        raise _Unapproved


def _wait_for_approval(context: Context, run: Run) -> None:
    with context.metadata.transaction() as tx:
        at = context.clock()
        runs.move(
            tx, run.id, RunStatus.PENDING_APPROVAL, at, "the plan has changed since it was approved; approve it again"
        )
        relay.wake(tx, context, leases.release(tx, run.id))
        record = packs.get(tx, _pack_of(run))
        ask_for_approval(tx, context, packs.config(tx, record.pack_id, run.version), record.pack_id, record.name)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _complete(context: Context, run: Run, pack: SharePack, plan: Plan, work: Work) -> None:
    """Write down what is there now, and end the run well."""
    after = look_around(context, work.hands.client, pack, run.pack_id)
    message = _summary(plan.steps)
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at, reason = context.clock(), f"run {run.id}"
        entities.record(tx, _pack_of(run), pack, after, by=context.actor, reason=reason)
        freed = runs.finish(tx, run.id, RunStatus.COMPLETED, at, message=message)
        if plan.strategy is Strategy.DELETE and packs.get(tx, _pack_of(run)).version == run.version:
            packs.delete(tx, _pack_of(run), by=context.actor, reason=reason)
        _tell(tx, context, pack, run, NotificationType.PROVISION_SUCCESS, message)
        relay.wake(tx, context, freed)
        audit.seal(tx, at=at, actor=context.actor, action="CompleteRun", subject=run.id, detail={"message": message})


def _summary(done: Sequence[Step]) -> str:
    if not done:
        return _NOTHING_TO_DO
    made = sum(report.kind(step).startswith(_MADE) for step in done)
    return f"All steps completed successfully ({made} created, {len(done) - made} updated)"


def _fail(context: Context, run: Run, error: BaseException, *, last: bool = False) -> None:
    """Take back what a run has done, and end it with its cause and how the taking back went.

    The cause is written down first, so that who takes the run up again goes on with taking back. Unless it is the *last*
    attempt, a workspace that does not answer lets the queue try again.
    """
    failure = (run.result or {}).get("failure") or _failure(error)
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        runs.keep(tx, run.id, result={"failure": failure})
        begun = bool(steps.journal(tx, run.id))
    outcome = _take_back(context, run, failure, last=last) if begun else ""
    validation = not begun and isinstance(error, SpecInvalid | GuardRefused | Conflict)
    status = RunStatus.VALIDATION_FAILED if validation else RunStatus.FAILED
    told = failure["told"] + (f" ({outcome})" if outcome else "")
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at, result = context.clock(), {"failure": {**failure, "taken_back": outcome}}
        freed = runs.finish(tx, run.id, status, at, code=failure["code"], error=told, message=outcome, result=result)
        if run.pack_id and freed is not None:
            kind = NotificationType.VALIDATION_FAILURE if validation else NotificationType.PROVISION_FAILURE
            _tell(tx, context, packs.config(tx, run.pack_id, run.version), run, kind, told)
        relay.wake(tx, context, freed)
        detail = {"message": told, "code": failure["code"]}
        audit.seal(tx, at=at, actor=context.actor, action="FailRun", subject=run.id, detail=detail)


def _failure(error: BaseException) -> dict[str, Any]:
    """What is kept of the cause: its words, code and problems, and the status that Databricks gave."""
    if not isinstance(error, BrickyardError):
        name = type(error).__name__
        return {"message": name, "told": name, "code": "internal-error", "status": None}
    status = error.status if isinstance(error, WorkspaceRefused) else None
    told = "; ".join([error.message, *map(str, error.problems)])
    return {"message": error.message, "told": told, "code": error.error_code, "status": status}


def _failing(failure: Mapping[str, Any]) -> BrickyardError:
    """The cause of a failure that an earlier attempt has written down, in a form that is not tried again."""
    return BrickyardError(failure["message"], code=failure["code"])


def _take_back(context: Context, run: Run, failure: Mapping[str, Any], *, last: bool) -> str:
    """Undo the steps of a run and say how it went."""
    status = failure["status"]
    refused = status is not None and 400 <= status < 500  # then the step that failed has done nothing
    Work(context, run).take_back(refused=refused, last=last)
    with context.metadata.read() as tx:
        counted = Counter(line.status for line in steps.journal(tx, run.id))
    back = counted[StepStatus.COMPENSATED]
    left = counted.total() - back
    return f"{back} step(s) taken back" + (f", {left} could not be" if left else "")


def _tell(tx: Connection, context: Context, pack: SharePack, run: Run, kind: NotificationType, message: str) -> None:
    about = pack.metadata
    people = {
        p.strip() for field in (about.contact_email, about.requestor, about.configurator) for p in field.split(",")
    }
    subject = f"Share pack {about.project_name or about.business_line}: {kind.replace('_', ' ').lower()}"
    where = ("share_pack", _pack_of(run))
    notices.notify(tx, kind, [p for p in people if "@" in p], subject, message, context.clock(), about=where)
