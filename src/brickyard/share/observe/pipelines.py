"""Reads pipelines and the jobs that start them, found by their exact names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from brickyard.share.model.current import PipelineSettings, PipelineState, ScheduleSettings, ScheduleState
from brickyard.share.observe.asking import found, together
from brickyard.share.observe.recipients import MARK
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob, Job, JobSettings
    from databricks.sdk.service.pipelines import GetPipelineResponse, PipelineSpec, PipelineStateInfo

T = TypeVar("T")

_MANY = 20  # names from which on everything is listed once instead of one question a name
_WILD = ("'", "\\")  # what a filter of pipelines would need to escape


def pipelines(client: WorkspaceClient, names: Iterable[str]) -> dict[str, PipelineState]:
    """Return those of some pipelines that exist, by folded name.

    The filter of Databricks takes `_` and `%` as wildcards and so finds too much; what it finds is compared by name. Of
    two with one name the one that carries our mark counts.
    """
    wanted = {name.lower(): name for name in names}
    listed = _listed(client, sorted(wanted.values()), _all_pipelines, _pipelines_like)
    ids = sorted({one.pipeline_id for one in listed if one.pipeline_id and (one.name or "").lower() in wanted})
    states = [state for state in together(lambda one: pipeline(client, one), ids) if state is not None]
    return {one.settings.name.lower(): one for one in sorted(states, key=lambda s: s.mark is not None)}


def pipeline(client: WorkspaceClient, pipeline_id: str) -> PipelineState | None:
    """Return a pipeline by its id; None when it does not exist."""
    info = found(f"read the pipeline {pipeline_id}", lambda: client.pipelines.get(pipeline_id))
    return None if info is None else _state(info)


def schedule(client: WorkspaceClient, job_id: int) -> ScheduleState | None:
    """Return a job by its id, with the id of its pipeline for a name; None when it does not exist."""
    job = found(f"read the job {job_id}", lambda: client.jobs.get(job_id))
    return None if job is None else _schedule(job, {})


def schedules(client: WorkspaceClient, names: Iterable[str], known: Mapping[str, str]) -> dict[str, ScheduleState]:
    """Return those of some jobs that exist, by folded name; *known* are names of pipelines by their ids."""
    wanted = {name.lower(): name for name in names}
    listed = _listed(client, sorted(wanted.values()), _all_jobs, _jobs_named)
    states = [_schedule(job, known) for job in listed if _job_name(job).lower() in wanted]
    ordered = sorted(states, key=lambda s: (s.mark is not None, -s.job_id))
    return {one.settings.name.lower(): one for one in ordered}


def _listed(
    client: WorkspaceClient,
    names: list[str],
    everything: Callable[[WorkspaceClient], list[T]],
    named: Callable[[WorkspaceClient, str], list[T]],
) -> list[T]:
    """Ask name by name, or for everything at once when the names are many or cannot be put into a filter."""
    if len(names) > _MANY or any(sign in name for name in names for sign in _WILD):
        return everything(client)
    return [one for ones in together(lambda name: named(client, name), names) for one in ones]


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


@translated("list the pipelines")
def _all_pipelines(client: WorkspaceClient) -> list[PipelineStateInfo]:
    return list(client.pipelines.list_pipelines(max_results=100))


def _pipelines_like(client: WorkspaceClient, name: str) -> list[PipelineStateInfo]:
    with translated(f"look for the pipeline {name}"):
        return list(client.pipelines.list_pipelines(filter=f"name LIKE '{name}'"))


def _state(info: GetPipelineResponse) -> PipelineState:
    spec = info.spec
    configuration = (spec.configuration if spec else None) or {}
    tags = (spec.tags if spec else None) or {}
    return PipelineState(
        id=info.pipeline_id or "",
        settings=_settings(info.name or "", spec),
        owner=info.creator_user_name or "",
        mark=configuration.get(MARK) or tags.get(MARK),
    )


def _settings(name: str, spec: PipelineSpec | None) -> PipelineSettings:
    configuration = (spec.configuration if spec else None) or {}
    return PipelineSettings(
        name=name,
        source=configuration.get("pipelines.source_table", ""),
        target=configuration.get("pipelines.target_table", ""),
        catalog=(spec.catalog if spec else None) or "",
        schema=((spec.schema or spec.target) if spec else None) or "",
        keys=tuple(key.strip() for key in configuration.get("pipelines.keys", "").split(",") if key.strip()),
        scd_type=configuration.get("pipelines.scd_type", "2"),
        continuous=bool(spec and spec.continuous),
        serverless=bool(spec and spec.serverless),
        notifications=_people(spec),
        tags=_public((spec.tags if spec else None) or {}),
    )


def _people(spec: PipelineSpec | None) -> tuple[str, ...]:
    notifications = (spec.notifications if spec else None) or ()
    return tuple(sorted({person for one in notifications for person in one.email_recipients or ()}))


def _public(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in sorted(tags.items()) if key != MARK}


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


@translated("list the jobs")
def _all_jobs(client: WorkspaceClient) -> list[BaseJob]:
    return list(client.jobs.list(expand_tasks=True, limit=100))


def _jobs_named(client: WorkspaceClient, name: str) -> list[BaseJob]:
    with translated(f"look for the schedule {name}"):
        return list(client.jobs.list(name=name, expand_tasks=True))


def _job_name(job: BaseJob) -> str:
    return (job.settings.name if job.settings else None) or ""


def _schedule(job: BaseJob | Job, known: Mapping[str, str]) -> ScheduleState:
    settings = job.settings
    tags = (settings.tags if settings else None) or {}
    started = _started(settings)
    return ScheduleState(
        job_id=job.job_id or 0,
        settings=_timing(settings, known.get(started or "", started or ""), tags),
        other_tasks=started is None,
        mark=tags.get(MARK),
        owner=job.creator_user_name or "",
    )


def _started(settings: JobSettings | None) -> str | None:
    """Return the id of the pipeline that a job starts when that is all it does."""
    tasks = (settings.tasks if settings else None) or []
    if len(tasks) != 1 or tasks[0].pipeline_task is None:
        return None
    return tasks[0].pipeline_task.pipeline_id


def _timing(settings: JobSettings | None, pipeline: str, tags: Mapping[str, str]) -> ScheduleSettings:
    schedule = settings.schedule if settings else None
    emails = settings.email_notifications if settings else None
    people = {*(emails.on_success or ()), *(emails.on_failure or ())} if emails else set()
    return ScheduleSettings(
        name=(settings.name if settings else None) or "",
        pipeline=pipeline,
        cron=schedule.quartz_cron_expression if schedule else "",
        timezone=schedule.timezone_id if schedule else "UTC",
        paused=bool(schedule and schedule.pause_status and schedule.pause_status.value == "PAUSED"),
        notifications=tuple(sorted(people)),
        tags=_public(tags),
        description=(settings.description if settings else None) or "",
    )
