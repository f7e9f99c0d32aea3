"""Pipelines and the jobs that start them: made, changed, made anew, and taken away with the assets that they copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from brickyard.share.model.current import (
    ObjectKind,
    PipelineSettings,
    PipelineState,
    ScheduleSettings,
    ScheduleState,
)
from brickyard.share.model.pack import PipelineSpec, ShareSpec
from brickyard.share.model.steps import (
    ChangePipeline,
    ChangeSchedule,
    CreatePipeline,
    CreateSchedule,
    CreateSchema,
    DeletePipeline,
    DeleteSchedule,
    EnableChangeFeed,
    ImportLibrary,
    Loss,
    Refusal,
)
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage, meant
from brickyard.share.plan.naming import catalog_and_schema, schedule_name, target
from brickyard.share.plan.ownership import taking

FULL = "full_refresh"


def pipelines(case: Case) -> Iterator[Item]:
    """Yield what the declared pipelines need."""
    declared = [(share, one) for share in case.pack.share for one in share.pipelines]
    for share, one in sorted(declared, key=lambda pair: pair[1].name_prefix.lower()):
        yield from _source(case, share, one)
        yield from _place(case, share, one)
        yield from _pipeline(case, share, one)
    yield from _doubles(declared)
    if declared:
        yield from _library(case)


def wanted(share: ShareSpec, spec: PipelineSpec, source: str) -> PipelineSettings:
    """Return a pipeline as the pack wants it; its name is `name_prefix`, to the letter."""
    catalog, schema = catalog_and_schema(share, spec)
    marks = dict.fromkeys(share.delta_share.tags, "") if share.delta_share else {}
    return PipelineSettings(
        name=spec.name_prefix,
        source=source,
        target=target(share, spec),
        catalog=catalog,
        schema=schema,
        keys=spec.key_columns,
        scd_type=spec.scd_type,
        continuous=spec.schedule.continuous,
        serverless=spec.serverless,
        notifications=tuple(sorted(set(spec.notification))),
        tags=dict(sorted({**marks, **spec.tags}.items())),
    )


# ── what a pipeline stands on ────────────────────────────────────────────────────────────────────────────────────────


def _source(case: Case, share: ShareSpec, spec: PipelineSpec) -> Iterator[Item]:
    """A pipeline's source is a table that keeps its changes, unless all of it is copied each time."""
    where = f"share {share.name}: pipeline {spec.name_prefix}"
    source = case.current.sources.get(spec.source_asset.lower())
    if source is None:
        yield Refusal(
            f"the source {spec.source_asset} does not exist, or we may not see it",
            where=where,
            remedy=meant(spec.source_asset, case.current.sources) or "correct source_asset",
            code="share-source-missing",
        )
        return
    if source.kind is ObjectKind.TABLE and not source.change_feed and spec.scd_type != FULL:
        yield Do(Stage.CHANGE_FEED, EnableChangeFeed(source.name))
        yield Mind(f"The change feed of {source.name} is turned on: writing to it takes more space from now on.")
    elif not source.change_feed and spec.scd_type != FULL:
        yield Refusal(
            f"{source.name} is a {source.kind}, which keeps no changes to copy",
            where=where,
            remedy="write `scd_type: full_refresh`, or name a table",
            code="share-not-copyable",
        )
    if source.kind in (ObjectKind.SCHEMA, ObjectKind.VOLUME, ObjectKind.FUNCTION, ObjectKind.MODEL):
        yield Refusal(
            f"{source.name} is a {source.kind} and cannot be copied",
            where=where,
            remedy="name a table",
            code="share-not-copyable",
        )
    yield from _missing_keys(spec, source.columns, where)


def _missing_keys(spec: PipelineSpec, columns: tuple[str, ...], where: str) -> Iterator[Refusal]:
    known = {column.lower() for column in columns}
    for key in spec.key_columns:
        if key.lower() not in known:
            yield Refusal(
                f"{spec.source_asset} has no column {key}",
                where=f"{where}, key_columns",
                remedy=meant(key, known) or f"its columns are {', '.join(columns) or 'unknown'}",
                code="share-column-missing",
            )


def _place(case: Case, share: ShareSpec, spec: PipelineSpec) -> Iterator[Item]:
    """The catalog must be there; the schema is made."""
    catalog, schema = catalog_and_schema(share, spec)
    where = f"share {share.name}: pipeline {spec.name_prefix}"
    if catalog.lower() not in case.current.catalogs:
        yield Refusal(
            f"there is no catalog {catalog or '(none is given)'}",
            where=where,
            remedy=meant(catalog, case.current.catalogs) or "have it created, or name another in ext_catalog_name",
            code="share-catalog-missing",
        )
    elif f"{catalog}.{schema}".lower() not in case.current.schemas:
        yield Do(Stage.SCHEMA, CreateSchema(catalog, schema))


def _library(case: Case) -> Iterator[Item]:
    current = case.current
    if current.shipped and current.library != current.shipped:
        yield Do(Stage.LIBRARY, ImportLibrary(current.library_path, current.shipped))


def _doubles(declared: list[tuple[ShareSpec, PipelineSpec]]) -> Iterator[Item]:
    seen: set[str] = set()
    for share, spec in declared:
        if spec.name_prefix.lower() in seen:
            yield Refusal(
                f"the pipeline {spec.name_prefix} is declared twice",
                where=f"share {share.name}",
                remedy="give each pipeline a name of its own",
                code="share-pipeline-declared-twice",
            )
        seen.add(spec.name_prefix.lower())


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pipeline(case: Case, share: ShareSpec, spec: PipelineSpec) -> Iterator[Item]:
    source = case.current.sources.get(spec.source_asset.lower())
    settings = wanted(share, spec, source.name if source else spec.source_asset)
    state = case.current.pipelines.get(spec.name_prefix.lower())
    if state is None:
        yield Do(Stage.PIPELINE, CreatePipeline(settings, share.name))
        yield from _schedule(case, share, spec)
        return
    yield from taking(case, "pipeline", state.settings.name, owner=state.owner, mark=state.mark)
    if settings.source.lower() == state.settings.source.lower():
        merged = _merged(case, share, settings, state)
        if merged != state.settings:
            yield Do(Stage.PIPELINE, ChangePipeline(state.id, merged, state.settings))
        yield from _schedule(case, share, spec)
    elif case.replace:
        yield from _anew(case, share, spec, settings, state)
    else:
        yield Refusal(
            f"the pipeline {state.settings.name} copies {state.settings.source}; its source cannot become {settings.source}",
            where=f"share {share.name}: pipeline {spec.name_prefix}",
            remedy="give the new pipeline another name, or ask to replace this one and its table",
            code="share-needs-replacing",
        )


def _anew(
    case: Case, share: ShareSpec, spec: PipelineSpec, settings: PipelineSettings, state: PipelineState
) -> Iterator[Item]:
    """Delete and make, the job that starts it with it: a job names its pipeline by an id that ends."""
    job = case.current.schedules.get(schedule_name(spec.name_prefix).lower())
    if job is not None and not job.other_tasks:
        yield Do(Stage.ANEW, DeleteSchedule(job, share.name))
    yield Do(Stage.ANEW, DeletePipeline(state, share.name))
    yield Do(Stage.ANEW, CreatePipeline(settings, share.name))
    if job is not None and job.other_tasks:
        yield _shared_job(share, job)
    elif not spec.schedule.continuous:
        yield Do(Stage.ANEW, CreateSchedule(_timing(spec), share.name))
    yield Loss(
        what=f"the pipeline {state.settings.name} is made anew: what it has copied of {state.settings.source} ends",
        who=tuple(sorted(share.recipients)),
        irreversible=True,
    )


def _merged(case: Case, share: ShareSpec, settings: PipelineSettings, state: PipelineState) -> PipelineSettings:
    """The settings after the change: what is declared, and of what is not what is there."""
    old = state.settings
    own = settings.name.lower() in case.mine("pipeline", share.name) or case.exact
    same_keys = not settings.keys or {k.lower() for k in settings.keys} == {k.lower() for k in old.keys}
    return replace(
        settings,
        name=old.name,
        source=old.source,
        target=old.target if settings.target.lower() == old.target.lower() else settings.target,
        catalog=old.catalog if settings.catalog.lower() == old.catalog.lower() else settings.catalog,
        schema=old.schema if settings.schema.lower() == old.schema.lower() else settings.schema,
        keys=old.keys if same_keys else settings.keys,
        notifications=_people(settings.notifications, old.notifications, own),
        tags=_tags(settings.tags, old.tags, own),
    )


def _people(new: tuple[str, ...], old: tuple[str, ...], own: bool) -> tuple[str, ...]:
    """Whom to tell: an empty list leaves alone; of what is not ours nobody is taken off."""
    if not new or set(new) == set(old):
        return old
    after = set(new) if own else {*new, *old}
    return old if after == set(old) else tuple(sorted(after))


def _tags(new: Mapping[str, str], old: Mapping[str, str], own: bool) -> Mapping[str, str]:
    if not new:
        return old
    return dict(new) if own else {**old, **new}


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _timing(spec: PipelineSpec) -> ScheduleSettings:
    return ScheduleSettings(
        name=schedule_name(spec.name_prefix),
        pipeline=spec.name_prefix,
        cron=" ".join((spec.schedule.cron or "").split()),
        timezone=spec.schedule.timezone,
        notifications=tuple(sorted(set(spec.notification))),
        tags=dict(sorted(spec.tags.items())),
        description=spec.description,
    )


def _schedule(case: Case, share: ShareSpec, spec: PipelineSpec) -> Iterator[Item]:
    state = case.current.schedules.get(schedule_name(spec.name_prefix).lower())
    if spec.schedule.continuous:
        yield from () if state is None else unscheduled(case, state, share.name)
    elif state is None:
        yield Do(Stage.SCHEDULE, CreateSchedule(_timing(spec), share.name))
    else:
        yield from _rescheduled(case, share, spec, state)


def _rescheduled(case: Case, share: ShareSpec, spec: PipelineSpec, state: ScheduleState) -> Iterator[Item]:
    merged = _merged_timing(case, share, _timing(spec), state)
    if state.other_tasks or state.settings.pipeline.lower() != spec.name_prefix.lower():
        if merged != state.settings:
            yield _shared_job(share, state)
        return
    yield from taking(case, "schedule", state.settings.name, owner=state.owner, mark=state.mark)
    if merged != state.settings:
        yield Do(Stage.SCHEDULE, ChangeSchedule(state.job_id, merged, state.settings))


def _shared_job(share: ShareSpec, state: ScheduleState) -> Refusal:
    return Refusal(
        f"the job {state.settings.name} ({state.job_id}) does other things than start this pipeline",
        where=f"share {share.name}: schedule {state.settings.name}",
        remedy="rename the job, or take the other tasks out of it",
        code="share-job-shared",
    )


def _merged_timing(case: Case, share: ShareSpec, new: ScheduleSettings, state: ScheduleState) -> ScheduleSettings:
    """The schedule after the change; whether it is paused is for those who operate it."""
    old = state.settings
    own = new.name.lower() in case.mine("schedule", share.name) or case.exact
    return replace(
        new,
        name=old.name,
        pipeline=old.pipeline,
        cron=old.cron if new.cron.upper() == " ".join(old.cron.split()).upper() else new.cron,
        paused=old.paused,
        notifications=_people(new.notifications, old.notifications, own),
        tags=_tags(new.tags, old.tags, own),
        description=new.description or old.description,
    )


def unscheduled(case: Case, state: ScheduleState, share: str) -> Iterator[Item]:
    """Yield the end of a schedule that this pack has made, and of nothing else."""
    name = state.settings.name
    made = any(name.lower() in case.mine("schedule", parent) for parent in case.parents("schedule"))
    if state.other_tasks:
        yield Mind(f"The job {name} stays: it does more than start a pipeline.")
    elif not made:
        yield Mind(f"The job {name} stays: this share pack has not made it.")
    elif any(name.lower() in names for (kind, _), names in case.others.items() if kind == "schedule"):
        yield Mind(f"The job {name} stays: another share pack has made it too.")
    else:
        yield Do(Stage.NO_SCHEDULE, DeleteSchedule(state, share))
        yield Loss(what=f"{state.settings.pipeline} is no longer started by the job {name}")
