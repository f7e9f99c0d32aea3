"""Updates of pipelines: begun once, and known again by what has begun since."""

from __future__ import annotations

from brickyard.share.apply.hands import Hands, Result
from brickyard.share.model.steps import StartUpdate
from brickyard.workspace import translated

_LOOKED_AT = 100  # updates, newest first, in which one that was begun a moment ago is looked for


def start(hands: Hands, step: StartUpdate) -> Result:
    """Begin an update; Databricks refuses it while another one of the pipeline is at work."""
    with translated(f"start pipeline {step.name}"):
        begun = hands.client.pipelines.start_update(step.id, full_refresh=step.full_refresh)
    return {"update_id": begun.update_id}


def look_started(hands: Hands, step: StartUpdate) -> Result | None:
    """Return an update of this kind that was asked for by a call and is newer than the one that the step has seen.

    One that somebody else has begun in between does the same to the pipeline, and is taken for ours.
    """
    with translated(f"look for updates of pipeline {step.name}"):
        listed = hands.client.pipelines.list_updates(step.id, max_results=_LOOKED_AT).updates or []
    for update in listed:
        if update.update_id == step.newest:
            return None
        called = update.cause is not None and update.cause.value == "API_CALL"
        if called and bool(update.full_refresh) == step.full_refresh:
            return {"update_id": update.update_id}
    return None
