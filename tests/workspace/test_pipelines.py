"""Pipelines: kept, found, changed, run, watched, stopped."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue, NotFound
from databricks.sdk.service.jobs import CronSchedule, JobSettings, PauseStatus, PipelineTask, RunResultState, Task
from databricks.sdk.service.pipelines import (
    NotebookLibrary,
    Notifications,
    PipelineLibrary,
    PipelineState,
    UpdateInfo,
    UpdateInfoState,
)
from databricks.sdk.service.workspace import ImportFormat, Language

ENDED = {UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED}
CODE = """-- Databricks notebook source
CREATE OR REFRESH MATERIALIZED VIEW ${dataset} AS SELECT 1 AS one
"""


@pytest.fixture(scope="module")
def library(target: Any) -> list[PipelineLibrary]:
    path, content = f"{target.folder}/declares", base64.b64encode(CODE.encode()).decode()
    target.client.workspace.import_(path, content=content, format=ImportFormat.SOURCE, language=Language.SQL)
    return [PipelineLibrary(notebook=NotebookLibrary(path=path))]


@pytest.fixture
def pipeline(client: WorkspaceClient, schema: str, library: list[PipelineLibrary]) -> Iterator[str]:
    """The id of a pipeline that makes a view of one row."""
    catalog, _, name = schema.partition(".")
    made = client.pipelines.create(
        name=f"contract_{secrets.token_hex(4)}",
        catalog=catalog,
        schema=name,
        libraries=library,
        serverless=True,
        development=True,
        configuration={"dataset": f"one_{secrets.token_hex(4)}"},
        tags={"k": "v"},
        notifications=[Notifications(alerts=["on-update-failure"], email_recipients=["a@example.com"])],
    )
    assert made.pipeline_id
    yield made.pipeline_id
    if any(p.pipeline_id == made.pipeline_id for p in client.pipelines.list_pipelines()):
        client.pipelines.delete(made.pipeline_id)


def ended(client: WorkspaceClient, pipeline: str, update: str | None) -> UpdateInfo:
    """The update when it has ended."""
    limit = time.monotonic() + 300
    while time.monotonic() < limit:
        found = client.pipelines.get_update(pipeline, str(update)).update
        if found and found.state in ENDED:
            return found
        time.sleep(0.1)
    raise AssertionError("the update did not end")


@pytest.mark.covers("pipelines.create", "pipelines.get")
def test_a_pipeline_is_described_as_it_was_asked_for(
    client: WorkspaceClient, pipeline: str, faithful: Callable[[Any], Any]
):
    found = faithful(client.pipelines.get(pipeline))
    assert (found.state, found.creator_user_name) == (PipelineState.IDLE, client.current_user.me().user_name)
    spec = found.spec
    assert (spec.id, spec.continuous, spec.development, spec.serverless) == (pipeline, False, True, True)
    assert (spec.tags, spec.notifications[0].email_recipients) == ({"k": "v"}, ["a@example.com"])


@pytest.mark.covers("pipelines.list_pipelines")
def test_pipelines_are_found_by_a_pattern_with_wildcards(
    client: WorkspaceClient, pipeline: str, all_faithful: Callable[..., list[Any]]
):
    name = str(client.pipelines.get(pipeline).name)
    found = all_faithful(client.pipelines.list_pipelines(filter=f"name LIKE '{name}'"), "statuses")
    assert [p.pipeline_id for p in found] == [pipeline]
    for pattern, matches in ((f"{name[:-1]}%", True), (f"{name[:-1]}_", True), (name[:-1], False), ("%zz_q", False)):
        listed = {p.pipeline_id for p in client.pipelines.list_pipelines(filter=f"name LIKE '{pattern}'")}
        assert (pipeline in listed) is matches, pattern
    assert pipeline in {p.pipeline_id for p in client.pipelines.list_pipelines(max_results=1)}


def test_a_second_pipeline_of_the_same_name_is_refused(
    client: WorkspaceClient, pipeline: str, library: list[PipelineLibrary]
):
    name = client.pipelines.get(pipeline).name
    with pytest.raises(DatabricksError, match="already used by another pipeline") as refused:
        client.pipelines.create(name=name, libraries=library)
    assert refused.value.error_code == "RESOURCE_CONFLICT"
    other = client.pipelines.create(name=name, libraries=library, allow_duplicate_names=True).pipeline_id
    client.pipelines.delete(str(other))


@pytest.mark.covers("pipelines.update")
def test_settings_are_replaced_as_a_whole(client: WorkspaceClient, pipeline: str, library: list[PipelineLibrary]):
    before = client.pipelines.get(pipeline)
    assert before.spec
    client.pipelines.update(
        pipeline, name=before.name, catalog=before.spec.catalog, schema=before.spec.schema, libraries=library
    )
    after = client.pipelines.get(pipeline)
    assert after.spec and not after.spec.tags and not after.spec.configuration
    with pytest.raises(DatabricksError):
        client.pipelines.update(pipeline, name="x", expected_last_modified=before.last_modified)


@pytest.mark.covers(
    "pipelines.start_update", "pipelines.get_update", "pipelines.list_updates", "pipelines.list_pipeline_events"
)
def test_an_update_makes_the_tables_and_tells_how_it_went(
    target: Any,
    client: WorkspaceClient,
    pipeline: str,
    schema: str,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
):
    update = client.pipelines.start_update(pipeline, full_refresh=True).update_id
    assert ended(client, pipeline, update).state is UpdateInfoState.COMPLETED
    assert faithful(client.pipelines.get_update(pipeline, str(update))).update.full_refresh is True
    assert [u.update_id for u in faithful(client.pipelines.list_updates(pipeline)).updates] == [update]
    dataset = faithful(client.pipelines.get(pipeline)).spec.configuration["dataset"]
    assert target.sql(f"SELECT one FROM {schema}.{dataset}").result.data_array == [["1"]]
    target.answers.clear()
    events = all_faithful(client.pipelines.list_pipeline_events(pipeline, max_results=100), "events")
    assert {"create_update", "update_progress", "flow_progress"} <= {event.event_type for event in events}
    assert {event.origin.update_id for event in events if event.event_type == "flow_progress"} == {update}
    warned = client.pipelines.list_pipeline_events(pipeline, filter="level='WARN'")
    assert list(warned) == []


@pytest.mark.covers("pipelines.stop")
def test_stopping_an_idle_pipeline_is_no_error(client: WorkspaceClient, pipeline: str):
    assert client.pipelines.stop(pipeline).result().state is PipelineState.IDLE


@pytest.mark.covers("pipelines.delete")
def test_a_deleted_pipeline_is_gone(client: WorkspaceClient, pipeline: str):
    client.pipelines.delete(pipeline)
    with pytest.raises(NotFound):
        client.pipelines.get(pipeline)


def test_a_job_refreshes_a_pipeline(client: WorkspaceClient, pipeline: str):
    task = Task(task_key="refresh", pipeline_task=PipelineTask(pipeline_id=pipeline, full_refresh=True))
    job = client.jobs.create(name=f"contract-{secrets.token_hex(4)}", tasks=[task]).job_id
    assert job
    run = client.jobs.run_now(job).result()
    assert run.state and run.state.result_state is RunResultState.SUCCESS
    updates = client.pipelines.list_updates(pipeline).updates or []
    assert [(u.cause.value if u.cause else None, u.full_refresh) for u in updates] == [("JOB_TASK", True)]
    client.jobs.delete(job)


def test_a_schedule_is_kept_edited_and_removed(client: WorkspaceClient, pipeline: str, faithful: Callable[[Any], Any]):
    task = Task(task_key="refresh", pipeline_task=PipelineTask(pipeline_id=pipeline))
    schedule = CronSchedule("0 30 6 ? * MON-FRI", "Europe/Berlin", pause_status=PauseStatus.PAUSED)
    job = client.jobs.create(name=f"contract-{secrets.token_hex(4)}", tasks=[task], schedule=schedule).job_id
    assert job
    assert faithful(client.jobs.get(job)).settings.schedule == schedule
    later = CronSchedule("0 0 7 L * ?", "UTC", pause_status=PauseStatus.UNPAUSED)
    client.jobs.update(job, new_settings=JobSettings(schedule=later))
    assert faithful(client.jobs.get(job)).settings.schedule == later
    client.jobs.update(job, fields_to_remove=["schedule"])
    assert faithful(client.jobs.get(job)).settings.schedule is None
    client.jobs.delete(job)


@pytest.mark.parametrize(
    ("cron", "zone"),
    [("0 5 * * *", "UTC"), ("banana x", "UTC"), ("0 0 6 * * *", "UTC"), ("0 0 6 * * ?", "Mars/Phobos")],
)
def test_a_schedule_that_never_could_be_is_refused(client: WorkspaceClient, cron: str, zone: str):
    with pytest.raises(InvalidParameterValue):
        client.jobs.create(name="never", schedule=CronSchedule(cron, zone))
