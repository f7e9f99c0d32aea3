"""One step that a direct route asks for, through the same guards, journal and audit as a pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from brickyard.context import Context
from brickyard.kernel.errors import GuardRefused, WorkspaceRefused
from brickyard.share import report
from brickyard.share.flow import relay
from brickyard.share.flow.submit import workspace_of
from brickyard.share.flow.wait import wait
from brickyard.share.model.current import PipelineState, RecipientState, ScheduleState, ShareState
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import RunKind, RunRecord, RunStatus
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangePipeline,
    ChangeRecipient,
    ChangeSchedule,
    ChangeShare,
    DeletePipeline,
    DeleteRecipient,
    DeleteSchedule,
    DeleteShare,
    Grant,
    Plan,
    RemovePolicy,
    Revoke,
    RotateToken,
    StartUpdate,
    Step,
)
from brickyard.share.observe import pipelines
from brickyard.share.observe.asking import whoami
from brickyard.share.observe.recipients import recipient as look_at_recipient
from brickyard.share.observe.shares import share as look_at_share
from brickyard.share.store import audit, documents, entities, runs

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_Owned = RecipientState | ShareState | PipelineState | ScheduleState


@dataclass(frozen=True, slots=True)
class _Changed:
    """A thing that a step changes, as the workspace has it."""

    kind: str
    name: str
    there: _Owned


def direct(context: Context, step: Step, *, adopt: bool = False) -> RunRecord:
    """Perform one step now and return its run, or raise what Databricks or a guard said.

    Raises GuardRefused for a thing of somebody else, unless *adopt*, and for a job that does more than start one
    pipeline, and WorkspaceRefused with the status that Databricks gave.
    """
    _check_job(context, step, adopt=adopt)
    if not adopt:
        _check_owner(context, step)
    plan = Plan(strategy=Strategy.UPDATE, steps=(step,))
    options = {"names": [f"{workspace_of(context)} {name}" for name in touched(step)]}
    with context.metadata.transaction() as tx:
        at = context.clock()
        run = runs.create(
            tx,
            str(uuid4()),
            RunKind.DIRECT,
            at=at,
            by=context.actor,
            workspace=workspace_of(context),
            options=options,
            plan=documents.plan_document(plan),
        )
        relay.hand_over(tx, context, run.id)
        detail = {"run": run.id, "step": report.words(step)}
        audit.seal(tx, at=at, actor=context.actor, action="AskForStep", subject=report.subject(step), detail=detail)
    return _ended_well(wait(context, run.id))


def touched(step: Step) -> tuple[str, ...]:
    """Name what a step changes, as leases do."""
    match step:
        case Grant(share, recipients) | Revoke(share, recipients):
            names = [f"share:{share}", *(f"recipient:{one}" for one in recipients)]
        case _:
            names = [f"{_kind(step)}:{report.subject(step)}"]
    return tuple(sorted(name.lower() for name in names))


def _kind(step: Step) -> str:
    words = report.kind(step)
    kinds = {
        "Recipient": "recipient",
        "Policy": "recipient",
        "Token": "recipient",
        "Share": "share",
        "Objects": "share",
        "Pipeline": "pipeline",
        "Update": "pipeline",
        "Schedule": "schedule",
        "Catalog": "catalog",
    }
    return next((kind for end, kind in kinds.items() if words.endswith(end)), words.lower())


def _ended_well(run: RunRecord) -> RunRecord:
    if run.status is RunStatus.COMPLETED:
        return run
    if run.http_status is None:
        raise GuardRefused(run.message or f"run {run.id} ended as {run.status}", code=run.code)
    raise WorkspaceRefused(run.message or "", status=run.http_status, code=run.code)


def _check_owner(context: Context, step: Step) -> None:
    """Refuse to change a thing that neither we nor a pack has made and that somebody else owns."""
    client = context.workspaces.client()
    found = _changed(client, step)
    if found is None or found.there.mark or not found.there.owner or _recorded(context, found):
        return
    me, groups = whoami(client)
    if found.there.owner.lower() not in {me.lower(), *(group.lower() for group in groups)}:
        raise GuardRefused(
            f"the {found.kind} {found.name} belongs to {found.there.owner}",
            code="share-someone-elses",
            remedy="ask its owner, or ask to adopt it",
        )


def _check_job(context: Context, step: Step, *, adopt: bool) -> None:
    """Refuse to change a job that has other tasks, or to delete one that carries no mark of ours unless *adopt*."""
    if not isinstance(step, ChangeSchedule | DeleteSchedule):
        return
    job_id = step.job_id if isinstance(step, ChangeSchedule) else step.before.job_id
    job = pipelines.schedule(context.workspaces.client(), job_id)
    if job is not None and job.other_tasks:
        raise _not_ours(job, "does other things than start this pipeline")
    if job is not None and isinstance(step, DeleteSchedule) and not (job.mark or adopt):
        raise _not_ours(
            job, f"belongs to {job.owner or 'nobody known'} and was made neither by a pack nor by this service"
        )


def _not_ours(job: ScheduleState, why: str) -> GuardRefused:
    return GuardRefused(
        f"the job {job.settings.name} ({job.job_id}) {why}",
        code="share-job-shared",
        remedy="take its other tasks out of it, or change it in Databricks",
    )


def _recorded(context: Context, found: _Changed) -> bool:
    """Tell whether our records know a thing; schedules have none of their own."""
    if found.kind == "schedule":
        return False
    with context.metadata.read() as tx:
        return found.name.lower() in entities.known(tx, found.kind)


def _changed(client: WorkspaceClient, step: Step) -> _Changed | None:
    """Return the thing that a step changes as it is, None where the step makes something or the thing is not there."""
    match step:
        case ChangeRecipient() | DeleteRecipient():
            return _found("recipient", step.name, look_at_recipient(client, step.name))
        case RotateToken() | AddPolicy() | RemovePolicy():
            return _found("recipient", step.recipient, look_at_recipient(client, step.recipient))
        case ChangeShare() | DeleteShare():
            return _found("share", step.name, look_at_share(client, step.name))
        case ChangeObjects() | Grant() | Revoke():
            return _found("share", step.share, look_at_share(client, step.share))
        case ChangePipeline() | StartUpdate():
            return _found("pipeline", report.subject(step), pipelines.pipeline(client, step.id))
        case DeletePipeline(before):
            return _found("pipeline", before.settings.name, pipelines.pipeline(client, before.id))
        case ChangeSchedule():
            return _found("schedule", step.settings.name, pipelines.schedule(client, step.job_id))
        case DeleteSchedule(before):
            return _found("schedule", before.settings.name, pipelines.schedule(client, before.job_id))
    return None


def _found(kind: str, name: str, there: _Owned | None) -> _Changed | None:
    return _Changed(kind, name, there) if there else None
