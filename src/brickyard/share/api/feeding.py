"""Pipelines and the jobs that start them, found by the pipeline's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from fastapi import Path

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Job

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
