"""How a run ends: well, with what is there now written down; or badly, with what it did taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import (
    BrickyardError,
    Conflict,
    GuardRefused,
    Interrupted,
    MetadataDown,
    SpecInvalid,
    WorkspaceRefused,
)
from brickyard.kernel.terminal import plain
from brickyard.share import report
from brickyard.share.attempt import Work, passes
from brickyard.share.flow import relay
from brickyard.share.flow.looking import look_around
from brickyard.share.model.current import Current
from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.records import NotificationType
from brickyard.share.model.runs import RunStatus, StepStatus
from brickyard.share.model.steps import Plan, Refusal, Step
from brickyard.share.store import audit, entities, notices, packs, runs, steps
from brickyard.share.store.runs import Run

_NOTHING_TO_DO = "Already up to date with share pack data"
_MADE = ("Create", "Add", "Import", "Enable", "Grant")


def finish(context: Context, run: Run, done: Sequence[Step]) -> None:
    """End a run that no pack asked for."""
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at, message = context.clock(), _summary(done)
        freed = runs.finish(tx, run.id, RunStatus.COMPLETED, at, message=message)
        relay.wake(tx, context, freed)
        audit.seal(tx, at=at, actor=context.actor, action="CompleteRun", subject=run.id, detail={"message": message})


def complete(context: Context, run: Run, pack: SharePack, plan: Plan, work: Work) -> None:
    """Write down what is there now, and end the run well.

    When that cannot be read any more, every step was done and answered nevertheless: the run ends well with a warning,
    and nothing is taken back. Raises what `passes`, so that the queue reads again first.
    """
    try:
        after = look_around(context, work.hands.client, pack, run.pack_id)
    except (Interrupted, MetadataDown):
        raise
    except BrickyardError as error:
        if passes(error):
            raise
        complete_unread(context, run, pack, plan, error)
        return
    _complete(context, run, pack, plan, after)


def complete_unread(context: Context, run: Run, pack: SharePack, plan: Plan, error: BaseException) -> None:
    """End a run well whose steps are all done though what is there now cannot be read; its rows stay as they were."""
    why = error.message if isinstance(error, BrickyardError) else type(error).__name__
    _complete(context, run, pack, plan, None, unread=f"what is there now could not be read: {why}")


def _complete(
    context: Context, run: Run, pack: SharePack, plan: Plan, after: Current | None, *, unread: str = ""
) -> None:
    message = _summary(plan.steps) + (f"; {unread}" if unread else "")
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        at, reason = context.clock(), f"run {run.id}"
        if after is not None:
            entities.record(tx, run.pack, pack, after, by=context.actor, reason=reason)
        code, result = ("share-unconfirmed", {"warnings": [unread]}) if unread else (None, None)
        freed = runs.finish(tx, run.id, RunStatus.COMPLETED, at, message=message, code=code, result=result)
        if plan.strategy is Strategy.DELETE and packs.get(tx, run.pack).version == run.version:
            packs.delete(tx, run.pack, by=context.actor, reason=reason)
        _tell(tx, context, pack, run, NotificationType.PROVISION_SUCCESS, message)
        relay.wake(tx, context, freed)
        audit.seal(tx, at=at, actor=context.actor, action="CompleteRun", subject=run.id, detail={"message": message})


def _summary(done: Sequence[Step]) -> str:
    if not done:
        return _NOTHING_TO_DO
    made = sum(report.kind(step).startswith(_MADE) for step in done)
    return f"All steps completed successfully ({made} created, {len(done) - made} updated)"


def fail(context: Context, run: Run, error: BaseException, *, last: bool = False) -> None:
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
    """What is kept of the cause: its words and code, the status that Databricks gave, and a plan's refusals."""
    if not isinstance(error, BrickyardError):
        name = type(error).__name__
        return {"message": name, "told": name, "code": "internal-error", "status": None}
    status = error.status if isinstance(error, WorkspaceRefused) else None
    told = "; ".join([error.message, *map(str, error.problems)])
    head = {"message": error.message, "told": told, "code": error.error_code, "status": status}
    return head | {"refusals": [plain(problem) for problem in error.problems if isinstance(problem, Refusal)]}


def failing(failure: Mapping[str, Any]) -> BrickyardError:
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
    where = ("share_pack", run.pack)
    notices.notify(tx, kind, [p for p in people if "@" in p], subject, message, context.clock(), about=where)
