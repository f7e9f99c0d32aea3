"""Pipelines and the jobs that start them, found by the pipeline's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from fastapi import Path

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.share.model.current import PipelineSettings, PipelineState, ScheduleSettings, ScheduleState
from brickyard.share.observe.recipients import MARK
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Job
    from databricks.sdk.service.pipelines import GetPipelineResponse, PipelineSpec

PipelineName = Annotated[str, Path(max_length=255, pattern=r"^[^\x00-\x1f\x7f/]+$")]


def pipeline_id(client: WorkspaceClient, name: str) -> str:
    """Return the id of the pipeline *name*, or raise NotFound; Conflict when several have the name."""
    with translated(f"find the pipeline {name}"):
        found = [p.pipeline_id for p in client.pipelines.list_pipelines(filter=_like(name)) if p.name == name]
    ids = [one for one in found if one]
    if not ids:
        raise NotFound(f"pipeline {name} does not exist")
    if len(ids) > 1:
        raise Conflict(f"{len(ids)} pipelines are named {name}", code="share-pipeline-twice")
    return ids[0]


def pipeline_state(client: WorkspaceClient, name: str) -> PipelineState:
    """Return a pipeline as it is, or raise NotFound."""
    found = pipeline_id(client, name)
    with translated(f"read the pipeline {name}"):
        return _state(client.pipelines.get(found))


def newest_update(client: WorkspaceClient, pipeline: str) -> str | None:
    """Return the id of a pipeline's newest update, None when it never ran."""
    with translated(f"read the updates of the pipeline {pipeline}"):
        updates = client.pipelines.list_updates(pipeline, max_results=1).updates or []
    return next((one.update_id for one in updates), None)


def schedule_states(client: WorkspaceClient, pipeline: PipelineState) -> list[ScheduleState]:
    """Return the jobs that start a pipeline on a schedule, as they are."""
    jobs = jobs_of(client, pipeline.id)
    return [state for job in jobs if (state := _schedule(job, pipeline.settings.name)) is not None]


def jobs_of(client: WorkspaceClient, pipeline: str) -> list[Job]:
    """Return the jobs that start a pipeline, by id."""
    with translated(f"find the jobs of the pipeline {pipeline}"):
        return sorted(_jobs(client, pipeline), key=lambda job: job.job_id or 0)


def _jobs(client: WorkspaceClient, pipeline: str) -> Iterator[Job]:
    for listed in client.jobs.list(expand_tasks=True):
        tasks = (listed.settings.tasks if listed.settings else None) or ()
        if listed.job_id and any(t.pipeline_task and t.pipeline_task.pipeline_id == pipeline for t in tasks):
            yield client.jobs.get(listed.job_id)


def _like(name: str) -> str:
    """Return the filter that finds a name: its quotes are doubled, and its wildcards find a little more."""
    quoted = name.replace("'", "''")
    return f"name LIKE '{quoted}'"


def _state(found: GetPipelineResponse) -> PipelineState:
    return PipelineState(
        id=found.pipeline_id or "",
        settings=_settings(found.name or "", found.spec),
        owner=found.run_as_user_name or found.creator_user_name or "",
        mark=((found.spec.configuration if found.spec else None) or {}).get(MARK),
    )


def _settings(name: str, spec: PipelineSpec | None) -> PipelineSettings:
    configuration = (spec.configuration if spec else None) or {}
    told = [address for one in (spec.notifications if spec else None) or () for address in one.email_recipients or ()]
    keys = configuration.get("pipelines.keys", "")
    return PipelineSettings(
        name=name,
        source=configuration.get("pipelines.source_table", ""),
        target=configuration.get("pipelines.target_table", ""),
        catalog=(spec.catalog if spec else None) or "",
        schema=((spec.schema or spec.target) if spec else None) or "",
        keys=tuple(key.strip() for key in keys.split(",") if key.strip()),
        scd_type=configuration.get("pipelines.scd_type", "2"),
        continuous=bool(spec and spec.continuous),
        serverless=bool(spec and spec.serverless),
        notifications=tuple(sorted(set(told))),
        tags=dict((spec.tags if spec else None) or {}),
        libraries=tuple(_notebooks(spec)),
    )


def _notebooks(spec: PipelineSpec | None) -> Iterator[str]:
    for one in (spec.libraries if spec else None) or ():
        if one.notebook and one.notebook.path:
            yield one.notebook.path


def _schedule(job: Job, pipeline: str) -> ScheduleState | None:
    """Return a job's schedule, None for a job that is started by hand only."""
    settings = job.settings
    if settings is None or settings.schedule is None:
        return None
    cron, mails = settings.schedule, settings.email_notifications
    return ScheduleState(
        job_id=job.job_id or 0,
        settings=ScheduleSettings(
            name=settings.name or "",
            pipeline=pipeline,
            cron=cron.quartz_cron_expression,
            timezone=cron.timezone_id,
            paused=cron.pause_status is not None and cron.pause_status.value == "PAUSED",
            notifications=tuple(sorted(set((mails.on_failure if mails else None) or ()))),
            tags={key: value for key, value in (settings.tags or {}).items() if key != MARK},
            description=settings.description or "",
        ),
        other_tasks=len(settings.tasks or ()) > 1,
        mark=(settings.tags or {}).get(MARK),
    )
