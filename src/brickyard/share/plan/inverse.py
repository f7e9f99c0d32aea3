"""How a step is undone."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from brickyard.share.model.current import PipelineState, RecipientState, ScheduleState, ShareState
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangePipeline,
    ChangeRecipient,
    ChangeSchedule,
    ChangeShare,
    CreateCatalog,
    CreatePipeline,
    CreateRecipient,
    CreateSchedule,
    CreateSchema,
    CreateShare,
    DeletePipeline,
    DeleteRecipient,
    DeleteSchedule,
    DeleteShare,
    EnableChangeFeed,
    Grant,
    ImportLibrary,
    RemovePolicy,
    Revoke,
    RotateToken,
    StartUpdate,
    Step,
)
from brickyard.share.plan.lifetimes import newest


def inverse(step: Step) -> Step | None:  # noqa: C901 — one case for each kind of step
    """Return the step that undoes another one, or None where there is none.

    What a step has made is named without an id: an empty id or a job id of 0 stands for whatever bears the name.
    A token that had no end before keeps the one it was given.
    """
    match step:
        case CreateRecipient():
            return DeleteRecipient(step.name, _made(step))
        case ChangeRecipient():
            return _changed_back(step)
        case AddPolicy(recipient, policy):
            return RemovePolicy(recipient, policy)
        case RemovePolicy(recipient, policy):
            return AddPolicy(recipient, replace(policy, id=None))
        case CreateShare(name, comment):
            return DeleteShare(name, ShareState(name=name, owner="", comment=comment))
        case ChangeShare(name, comment, before):
            return ChangeShare(name, before, comment)
        case ChangeObjects():
            return replace(step, add=step.remove, update=step.before, remove=step.add, before=step.update)
        case Grant(share, recipients):
            return Revoke(share, recipients)
        case Revoke(share, recipients):
            return Grant(share, recipients)
        case CreatePipeline(settings, share):
            return DeletePipeline(PipelineState(id="", settings=settings), share)
        case ChangePipeline(id, settings, before):
            return ChangePipeline(id, before, settings)
        case CreateSchedule(settings, share):
            return DeleteSchedule(ScheduleState(job_id=0, settings=settings), share)
        case ChangeSchedule(job_id, settings, before):
            return ChangeSchedule(job_id, before, settings)
        case DeleteSchedule(before, share):
            return CreateSchedule(before.settings, share)
        case (
            DeleteRecipient()
            | RotateToken()
            | DeleteShare()
            | DeletePipeline()
            | StartUpdate()
            | CreateCatalog()
            | CreateSchema()
            | EnableChangeFeed()
            | ImportLibrary()
        ):
            return None
        case _:
            assert_never(step)


def _made(step: CreateRecipient) -> RecipientState:
    return RecipientState(
        name=step.name,
        type=step.type,
        owner="",
        comment=step.comment,
        metastore=step.metastore,
        ip_addresses=step.ip_addresses,
        properties=step.properties,
    )


def _changed_back(step: ChangeRecipient) -> ChangeRecipient:
    before = step.before
    token = newest(before.tokens)
    return ChangeRecipient(
        name=step.name,
        comment=None if step.comment is None else before.comment,
        ip_addresses=None if step.ip_addresses is None else before.ip_addresses,
        properties=None if step.properties is None else before.properties,
        expires_at=token.expires_at if step.expires_at is not None and token else None,
        before=_after(step),
    )


def _after(step: ChangeRecipient) -> RecipientState:
    before, token = step.before, newest(step.before.tokens)
    ends = step.expires_at
    tokens = tuple(replace(t, expires_at=ends) if ends is not None and t is token else t for t in before.tokens)
    return replace(
        before,
        comment=before.comment if step.comment is None else step.comment,
        ip_addresses=before.ip_addresses if step.ip_addresses is None else step.ip_addresses,
        properties=before.properties if step.properties is None else step.properties,
        tokens=tokens,
    )
