"""Which function performs which kind of step, and which looks whether it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

from brickyard.share.apply import ground, pipelines, recipients, shares, updates
from brickyard.share.apply.hands import Hands, Result
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
from brickyard.share.plan import inverse


def perform(hands: Hands, step: Step) -> Result:  # noqa: C901 — one case for each kind of step
    """Perform one step once; raises WorkspaceRefused with Databricks' own words, WorkspaceDown when its reply is lost."""
    match step:
        case CreateRecipient():
            return recipients.create(hands, step)
        case ChangeRecipient():
            return recipients.change(hands, step)
        case AddPolicy():
            return recipients.add_policy(hands, step)
        case RemovePolicy():
            return recipients.remove_policy(hands, step)
        case RotateToken():
            return recipients.rotate(hands, step)
        case DeleteRecipient():
            return recipients.delete(hands, step)
        case CreateShare():
            return shares.create(hands, step)
        case ChangeShare():
            return shares.change(hands, step)
        case ChangeObjects():
            return shares.change_objects(hands, step)
        case Grant():
            return shares.grant(hands, step)
        case Revoke():
            return shares.revoke(hands, step)
        case DeleteShare():
            return shares.delete(hands, step)
        case CreateCatalog():
            return ground.create_catalog(hands, step)
        case CreateSchema():
            return ground.create_schema(hands, step)
        case EnableChangeFeed():
            return ground.enable_change_feed(hands, step)
        case ImportLibrary():
            return ground.import_library(hands, step)
        case CreatePipeline():
            return pipelines.create(hands, step)
        case ChangePipeline():
            return pipelines.change(hands, step)
        case DeletePipeline():
            return pipelines.delete(hands, step)
        case StartUpdate():
            return updates.start(hands, step)
        case CreateSchedule():
            return pipelines.create_schedule(hands, step)
        case ChangeSchedule():
            return pipelines.change_schedule(hands, step)
        case DeleteSchedule():
            return pipelines.delete_schedule(hands, step)
    assert_never(step)


def look(hands: Hands, step: Step) -> Result | None:  # noqa: C901 — one case for each kind of step
    """Return what an earlier try of a step has left, or None when it is still to be done."""
    match step:
        case CreateRecipient():
            return recipients.look_created(hands, step)
        case ChangeRecipient():
            return recipients.look_changed(hands, step)
        case AddPolicy():
            return recipients.look_policy(hands, step)
        case RemovePolicy():
            return recipients.look_no_policy(hands, step)
        case RotateToken():
            return recipients.look_rotated(hands, step)
        case DeleteRecipient():
            return recipients.look_deleted(hands, step)
        case CreateShare():
            return shares.look_created(hands, step)
        case ChangeShare():
            return shares.look_changed(hands, step)
        case ChangeObjects():
            return shares.look_objects(hands, step)
        case Grant():
            return shares.look_granted(hands, step)
        case Revoke():
            return shares.look_revoked(hands, step)
        case DeleteShare():
            return shares.look_deleted(hands, step)
        case CreateCatalog():
            return ground.look_catalog(hands, step)
        case CreateSchema():
            return ground.look_schema(hands, step)
        case EnableChangeFeed():
            return ground.look_change_feed(hands, step)
        case ImportLibrary():
            return ground.look_library(hands, step)
        case CreatePipeline():
            return pipelines.look_created(hands, step)
        case ChangePipeline():
            return pipelines.look_changed(hands, step)
        case DeletePipeline():
            return pipelines.look_deleted(hands, step)
        case StartUpdate():
            return updates.look_started(hands, step)
        case CreateSchedule():
            return pipelines.look_scheduled(hands, step)
        case ChangeSchedule():
            return pipelines.look_rescheduled(hands, step)
        case DeleteSchedule():
            return pipelines.look_unscheduled(hands, step)
    assert_never(step)


def undoing(step: Step, result: Mapping[str, Any]) -> Step | None:
    """Return the step that undoes another, with the ids that came of it; None where nothing can."""
    undo = inverse(step)
    match undo:
        case DeletePipeline(before) if result.get("pipeline_id"):
            return replace(undo, before=replace(before, id=result["pipeline_id"]))
        case DeleteSchedule(before) if result.get("job_id"):
            return replace(undo, before=replace(before, job_id=result["job_id"]))
    return undo
