"""One step that a direct route asks for, through the same guards, journal and audit as a pack."""

from __future__ import annotations

from uuid import uuid4

from brickyard.context import Context
from brickyard.kernel.errors import GuardRefused, WorkspaceRefused
from brickyard.share import report
from brickyard.share.flow import relay
from brickyard.share.flow.submit import workspace_of
from brickyard.share.flow.wait import wait
from brickyard.share.model.pack import Strategy
from brickyard.share.model.runs import RunKind, RunRecord, RunStatus
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangeRecipient,
    ChangeShare,
    DeleteRecipient,
    DeleteShare,
    Grant,
    Plan,
    RemovePolicy,
    Revoke,
    RotateToken,
    Step,
)
from brickyard.share.observe.asking import whoami
from brickyard.share.observe.recipients import recipient as look_at_recipient
from brickyard.share.observe.shares import share as look_at_share
from brickyard.share.store import audit, documents, entities, runs


def direct(context: Context, step: Step, *, adopt: bool = False) -> RunRecord:
    """Perform one step now and return its run, or raise what Databricks or a guard said.

    Raises GuardRefused for a recipient or share of somebody else, unless *adopt*, and WorkspaceRefused with the status
    that Databricks gave.
    """
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
    }
    return next((kind for end, kind in kinds.items() if words.endswith(end)), words.lower())


def _ended_well(run: RunRecord) -> RunRecord:
    if run.status is RunStatus.COMPLETED:
        return run
    if run.http_status is None:
        raise GuardRefused(run.message or f"run {run.id} ended as {run.status}", code=run.code)
    raise WorkspaceRefused(run.message or "", status=run.http_status, code=run.code)


def _check_owner(context: Context, step: Step) -> None:
    """Refuse to change a recipient or share that neither we nor a pack has made and that somebody else owns."""
    kind, name = _changed(step)
    if not kind:
        return
    client = context.workspaces.client()
    there = look_at_share(client, name) if kind == "share" else look_at_recipient(client, name)
    if there is None or there.mark or not there.owner:
        return
    with context.metadata.read() as tx:
        if name.lower() in entities.known(tx, kind):
            return
    me, groups = whoami(client)
    if there.owner.lower() not in {me.lower(), *(group.lower() for group in groups)}:
        raise GuardRefused(
            f"the {kind} {name} belongs to {there.owner}",
            code="share-someone-elses",
            remedy="ask its owner, or ask to adopt it",
        )


def _changed(step: Step) -> tuple[str, str]:
    """The kind and name of the recipient or share that a step changes; empty where it makes something."""
    match step:
        case ChangeRecipient() | DeleteRecipient():
            return "recipient", step.name
        case RotateToken() | AddPolicy() | RemovePolicy():
            return "recipient", step.recipient
        case ChangeShare() | DeleteShare():
            return "share", step.name
        case ChangeObjects() | Grant() | Revoke():
            return "share", step.share
    return "", ""
