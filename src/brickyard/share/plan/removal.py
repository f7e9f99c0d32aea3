"""DELETE packs: what they name goes, when it is ours; what others need stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from brickyard.share.model.current import PipelineState, ScheduleState
from brickyard.share.model.pack import Removal
from brickyard.share.model.steps import DeletePipeline, DeleteSchedule, Loss
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage
from brickyard.share.plan.naming import schedule_name
from brickyard.share.plan.ownership import taking
from brickyard.share.plan.surplus import ended_recipient, ended_share, pipeline_loss


def removal(case: Case, wanted: Removal) -> Iterator[Item]:
    """Yield the end of the named schedules, pipelines, shares and recipients.

    With a share go the pipelines that this pack made for it, and no others. What is not there is a warning.
    """
    yield from _pipelines(case, wanted)
    for name in _unique(wanted.shares):
        state = case.current.shares.get(name.lower())
        if state is None:
            yield Mind(f"There is no share {name} to delete.")
            continue
        yield from taking(case, "share", state.name, owner=state.owner, mark=state.mark)
        yield from ended_share(case, state)
    for name in _unique(wanted.recipients):
        recipient = case.current.recipients.get(name.lower())
        if recipient is None:
            yield Mind(f"There is no recipient {name} to delete.")
            continue
        yield from taking(case, "recipient", recipient.name, owner=recipient.owner, mark=recipient.mark)
        yield from ended_recipient(case, recipient)


def _unique(names: Iterable[str]) -> list[str]:
    return [found for _, found in sorted({name.lower(): name for name in names}.items())]


def _pipelines(case: Case, wanted: Removal) -> Iterator[Item]:
    named = {name.lower(): (name, share) for share, names in wanted.pipelines.items() for name in names}
    made = {name: (name, share) for share in wanted.shares for name in case.mine("pipeline", share)}
    for folded, (name, share) in sorted({**made, **named}.items()):
        state = case.current.pipelines.get(folded)
        if state is not None and _theirs(case, "pipeline", name):
            yield Mind(f"The pipeline {name} stays: another share pack needs it.")
            continue
        job = case.current.schedules.get(schedule_name(name).lower())
        if job is not None:
            yield from _job(case, job, share)
        if state is not None:
            yield from _pipeline(case, state, share)
        elif folded in named:
            yield Mind(f"There is no pipeline {name} to delete.")


def _job(case: Case, state: ScheduleState, share: str) -> Iterator[Item]:
    name = state.settings.name
    if state.other_tasks:
        yield Mind(f"The job {name} stays: it does more than start a pipeline.")
    elif _theirs(case, "schedule", name):
        yield Mind(f"The job {name} stays: another share pack needs it.")
    else:
        yield from taking(case, "schedule", name, owner=state.owner, mark=state.mark)
        yield Do(Stage.NO_SCHEDULE, DeleteSchedule(state, share))
        yield Loss(what=f"{state.settings.pipeline} is no longer started by the job {name}")


def _pipeline(case: Case, state: PipelineState, share: str) -> Iterator[Item]:
    name = state.settings.name
    yield from taking(case, "pipeline", name, owner=state.owner, mark=state.mark)
    yield Do(Stage.NO_PIPELINE, DeletePipeline(state, share))
    yield pipeline_loss(case, state, share)


def _theirs(case: Case, kind: str, name: str) -> bool:
    """Tell whether another pack has made a thing or lists it."""
    return any(name.lower() in names for (k, _), names in case.others.items() if k == kind)
