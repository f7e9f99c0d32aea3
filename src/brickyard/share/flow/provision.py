"""One run of a pack, from wherever it stands to its end."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import (
    BrickyardError,
    Interrupted,
    MetadataDown,
    SpecInvalid,
    WorkspaceDown,
)
from brickyard.share.attempt import Work, passes
from brickyard.share.flow import ending, relay
from brickyard.share.flow.approve import NEEDED
from brickyard.share.flow.looking import decide
from brickyard.share.flow.submit import allowed_by, ask_for_approval, require_hash
from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import ApproverStatus, RunKind, RunStatus, StepStatus
from brickyard.share.model.steps import Plan
from brickyard.share.store import approvals, claims, documents, leases, packs, runs, steps
from brickyard.share.store.runs import Run

log = structlog.stdlib.get_logger(__name__)

_TAKEN_OVER = "job-taken-over"
_READY = (RunKind.DIRECT, RunKind.ROTATION, RunKind.EXPIRY)  # runs that come with their plan


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
        ending.fail(context, run, error)


def gave_up(context: Context, run_id: str, error: BaseException) -> None:
    """Give a run that cannot go on its final status, and take back what it has done where the workspace lets it.

    One whose steps are all done ends well. One whose job another worker has taken over is left to that worker.
    """
    if isinstance(error, BrickyardError) and error.error_code == _TAKEN_OVER:
        return
    with context.metadata.read() as tx:
        run = runs.get(tx, run_id)
        done = _all_done(tx, run)
    if run.status.final:
        return
    if done and run.kind not in _READY:
        ending.complete_unread(context, run, _config(context, run), done, error)
    else:
        ending.fail(context, run, error, last=True)


def _all_done(tx: Connection, run: Run) -> Plan | None:
    """The plan of a run of which nothing is left to do and nothing was refused."""
    if run.plan is None or "failure" in (run.result or {}):
        return None
    plan = documents.plan(run.plan)
    done = sum(line.status is StepStatus.DONE for line in steps.journal(tx, run.id))
    return plan if plan.steps and done == len(plan.steps) else None


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
        raise ending.failing(run.result["failure"])
    work = Work(context, run)
    if run.kind in _READY:
        _follow(context, run, work)
        return
    pack = _config(context, run)
    plan = _known_plan(context, run) or _new_plan(context, run, pack, work)
    work.carry_out(plan.steps)
    ending.complete(context, run, pack, plan, work)


def _follow(context: Context, run: Run, work: Work) -> None:
    """Do the steps that a run came with, and end it well."""
    made = documents.plan(run.plan or {}).steps
    work.carry_out(made)
    ending.finish(context, run, made)


def _config(context: Context, run: Run) -> SharePack:
    with context.metadata.read() as tx:
        return packs.config(tx, run.pack, run.version)


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
        packs.set_strategy(tx, run.pack, run.version or 1, plan.strategy)
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
    if wanted := run.options.get("plan_hash"):
        require_hash(plan, wanted)


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
        record = packs.get(tx, run.pack)
        ask_for_approval(tx, context, packs.config(tx, record.pack_id, run.version), record.pack_id, record.name)
