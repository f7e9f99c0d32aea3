"""The direct routes of schedules: the jobs that start pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from brickyard.kernel.errors import NotFound
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.feeding import PipelineName, jobs_of, pipeline_id
from brickyard.share.api.workspaces import Working
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob, Job

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=ContractRoute)

Search = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$")]


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
