"""The direct routes of schedules: the jobs that start pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from brickyard.context import Context
from brickyard.kernel import quartz
from brickyard.kernel.errors import Conflict, NotFound, SpecInvalid
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.direct import Done, do
from brickyard.share.api.feeding import PipelineName, jobs_of, pipeline_id, pipeline_state, schedule_states
from brickyard.share.api.pipelines import Address, Tags
from brickyard.share.api.workspaces import Working
from brickyard.share.model.current import ScheduleSettings, ScheduleState
from brickyard.share.model.steps import ChangeSchedule, CreateSchedule, DeleteSchedule
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob, Job

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=ContractRoute)
of_pipelines = APIRouter(prefix="/pipelines", tags=["schedules"], route_class=ContractRoute)

Search = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$")]


JobName = Annotated[str, Path(max_length=256, pattern=r"^[^\x00-\x1f\x7f/]+$", description="Name of the job.")]
Cron = Annotated[str, Query(min_length=1, max_length=100, description="A Quartz expression of six or seven fields.")]
Zone = Annotated[str, Query(min_length=1, max_length=100, description="A zone of the IANA database.")]


class NewSchedule(BaseModel):
    """When a pipeline is to be started."""

    model_config = ConfigDict(extra="forbid")

    job_name: str = Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f/]+$")
    cron_expression: str = Field(min_length=1, max_length=100)
    time_zone: str = Field("UTC", min_length=1, max_length=100)
    paused: bool = False
    email_notifications: list[Address] = Field(default_factory=list, max_length=100)
    tags: Tags = Field(default_factory=dict)


class Scheduled(BaseModel):
    """A schedule that was made."""

    message: str
    pipeline_name: str
    pipeline_id: str
    job_name: str
    cron_expression: str
    time_zone: str
    paused: bool


class CronSchedule(BaseModel):
    """When a job runs."""

    cron_expression: str
    timezone: str
    pause_status: str


class Schedule(BaseModel):
    """A job that starts a pipeline; *cron_schedule* is null when it is started by hand only."""

    job_id: int
    name: str
    pipeline_id: str | None
    cron_schedule: CronSchedule | None
    tags: dict[str, str]


class Schedules(BaseModel):
    """Schedules, by job."""

    Message: str
    Schedule: list[Schedule]


@router.get("", responses=answers(403), response_model_exclude_none=True)
def list_schedules(
    context: Working,
    page_size: Annotated[int, Query(ge=1, le=100)] = 100,
    pipeline_name_search_string: Search = None,
) -> Schedules | Failure:
    """Return the jobs that start pipelines, of all or of those whose names contain a text."""
    client = context.workspaces.client()
    with translated("list the schedules"):
        names = _named(client, pipeline_name_search_string)
        found = [one for one in _schedules(client, page_size) if names is None or one.pipeline_id in names]
    return _listed(found)


@router.get("/pipeline/{pipeline_name}", responses=answers(403, 409))
def schedules_of(context: Working, pipeline_name: PipelineName) -> Schedules:
    """Return the jobs that start a pipeline."""
    client = context.workspaces.client()
    found = [schedule(job) for job in jobs_of(client, pipeline_id(client, pipeline_name))]
    if not found:
        raise NotFound(f"no job starts the pipeline {pipeline_name}")
    return Schedules(Message=f"Fetched {len(found)} schedules!", Schedule=found)


@of_pipelines.post("/{pipeline_name}/schedules", status_code=201, responses=answers(403, 409))
def create_schedule(context: Working, pipeline_name: PipelineName, wanted: NewSchedule) -> Scheduled:
    """Make the job that starts a pipeline."""
    _check(wanted.cron_expression, wanted.time_zone)
    client = context.workspaces.client()
    pipeline = pipeline_state(client, pipeline_name)
    if any(state.settings.name == wanted.job_name for state in schedule_states(client, pipeline)):
        raise Conflict(f"the job {wanted.job_name} starts {pipeline_name} already", code="share-schedule-there")
    settings = ScheduleSettings(
        name=wanted.job_name,
        pipeline=pipeline_name,
        cron=wanted.cron_expression,
        timezone=wanted.time_zone,
        paused=wanted.paused,
        notifications=tuple(sorted(set(wanted.email_notifications))),
        tags=wanted.tags,
    )
    do(context, CreateSchedule(settings))
    return Scheduled(
        message="Schedule created successfully",
        pipeline_name=pipeline_name,
        pipeline_id=pipeline.id,
        job_name=wanted.job_name,
        cron_expression=wanted.cron_expression,
        time_zone=wanted.time_zone,
        paused=wanted.paused,
    )


@of_pipelines.patch("/{pipeline_name}/schedules/{job_name}/cron", responses=answers(403, 409))
def change_cron(context: Working, pipeline_name: PipelineName, job_name: JobName, cron_expression: Cron) -> Done:
    """Change when a job starts a pipeline."""
    state = _schedule(context, pipeline_name, job_name)
    _check(cron_expression, state.settings.timezone)
    return _changed(context, state, replace(state.settings, cron=cron_expression))


@of_pipelines.patch("/{pipeline_name}/schedules/{job_name}/timezone", responses=answers(403, 409))
def change_timezone(context: Working, pipeline_name: PipelineName, job_name: JobName, time_zone: Zone) -> Done:
    """Change the zone of a job's schedule."""
    state = _schedule(context, pipeline_name, job_name)
    _check(state.settings.cron, time_zone)
    return _changed(context, state, replace(state.settings, timezone=time_zone))


@of_pipelines.delete("/{pipeline_name}/schedules/{job_name}", responses=answers(403, 409))
def delete_schedule(context: Working, pipeline_name: PipelineName, job_name: JobName) -> Done:
    """Delete a job that we made and that does nothing but start this pipeline."""
    do(context, DeleteSchedule(_schedule(context, pipeline_name, job_name)))
    return Done(Message=f"Schedule {job_name} was deleted.")


@of_pipelines.delete("/{pipeline_name}/schedules", responses=answers(403, 409))
def delete_schedules(context: Working, pipeline_name: PipelineName) -> Done:
    """Delete every job that starts a pipeline on a schedule and does nothing else; none when one of them is not ours."""
    client = context.workspaces.client()
    states = schedule_states(client, pipeline_state(client, pipeline_name))
    found = sorted((state for state in states if not state.other_tasks), key=_is_ours)  # what is refused comes first
    for state in found:
        do(context, DeleteSchedule(state))
    return Done(Message=f"{len(found)} schedule(s) of {pipeline_name} were deleted.")


def _schedule(context: Context, pipeline_name: str, job_name: str) -> ScheduleState:
    client = context.workspaces.client()
    found = schedule_states(client, pipeline_state(client, pipeline_name))
    named = [state for state in found if job_name in (state.settings.name, str(state.job_id))]
    if not named:
        raise NotFound(f"no job {job_name} starts the pipeline {pipeline_name}")
    return max(named, key=_is_ours)


def _is_ours(state: ScheduleState) -> bool:
    return state.mark is not None and not state.other_tasks


def _changed(context: Context, state: ScheduleState, settings: ScheduleSettings) -> Done:
    """Do a change, unless it is none."""
    if settings != state.settings:
        do(context, ChangeSchedule(state.job_id, settings, state.settings))
    return Done(Message=f"Schedule {settings.name} runs at {settings.cron} {settings.timezone}.")


def _check(cron: str, zone: str) -> None:
    """Raise SpecInvalid for an expression that is no Quartz one, or a zone that nobody knows."""
    quartz.parse(cron)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise SpecInvalid(
            f"{zone!r} is no time zone", remedy="give one of the IANA database, such as Europe/Berlin"
        ) from error


def schedule(job: Job | BaseJob) -> Schedule:
    """Return a job's schedule."""
    settings = job.settings
    cron = settings.schedule if settings else None
    return Schedule(
        job_id=job.job_id or 0,
        name=(settings.name if settings else None) or "",
        pipeline_id=next(iter(_pipelines_of(job)), None),
        cron_schedule=CronSchedule(
            cron_expression=cron.quartz_cron_expression,
            timezone=cron.timezone_id,
            pause_status=cron.pause_status.value if cron.pause_status else "UNPAUSED",
        )
        if cron
        else None,
        tags=dict((settings.tags if settings else None) or {}),
    )


def _pipelines_of(job: Job | BaseJob) -> Iterator[str]:
    for task in (job.settings.tasks if job.settings else None) or ():
        if task.pipeline_task:
            yield task.pipeline_task.pipeline_id


def _schedules(client: WorkspaceClient, page_size: int) -> Iterator[Schedule]:
    """Yield the jobs that start a pipeline."""
    for job in client.jobs.list(expand_tasks=True, limit=page_size):
        if any(_pipelines_of(job)):
            yield schedule(job)


def _named(client: WorkspaceClient, search: str | None) -> set[str] | None:
    """Return the ids of the pipelines whose names contain a text, None for all."""
    if not search:
        return None
    every: Any = client.pipelines.list_pipelines()
    return {one.pipeline_id for one in every if search.lower() in (one.name or "").lower()}


def _listed(found: list[Schedule]) -> Schedules | Failure:
    if not found:
        return Failure(detail="No schedules found for search criteria.")
    return Schedules(Message=f"Fetched {len(found)} schedules!", Schedule=found)
