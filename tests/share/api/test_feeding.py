"""The direct routes of catalogs, pipelines, schedules and their metrics, read from a real local workspace."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from databricks.sdk.service.jobs import CronSchedule, PipelineTask, Task
from databricks.sdk.service.pipelines import NotebookLibrary, Notifications, PipelineLibrary

from brickyard.local import LocalWorkspace
from brickyard.share.api.feeding import pipeline_state, schedule_states
from brickyard.share.model.current import PipelineSettings, ScheduleSettings


@pytest.fixture
def copy(workspace: LocalWorkspace) -> Iterator[str]:
    """A pipeline with a schedule."""
    client = workspace.client()
    library = PipelineLibrary(notebook=NotebookLibrary(path="/Shared/x"))
    configuration = {
        "pipelines.source_table": "main.default.a",
        "pipelines.target_table": "a_copy",
        "pipelines.keys": "id, day",
        "pipelines.scd_type": "1",
    }
    told = [Notifications(alerts=["on-update-failure"], email_recipients=["ada@example.com"])]
    made = client.pipelines.create(
        name="copy's 100%", catalog="main", schema="default", serverless=True, libraries=[library],
        configuration=configuration, notifications=told,
    ).pipeline_id  # fmt: skip
    assert made
    job = client.jobs.create(
        name="copy_schedule",
        tasks=[Task(task_key="run_pipeline", pipeline_task=PipelineTask(pipeline_id=made))],
        schedule=CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC"),
    ).job_id
    yield made
    client.jobs.delete(job or 0)
    client.pipelines.delete(made)


def test_a_pipeline_and_its_schedule_are_read_as_they_are(workspace: LocalWorkspace, copy: str):
    state = pipeline_state(workspace.client(), "copy's 100%")
    assert (state.id, state.settings) == (
        copy,
        PipelineSettings(
            name="copy's 100%", source="main.default.a", target="a_copy", catalog="main", schema="default",
            keys=("id", "day"), scd_type="1", serverless=True, notifications=("ada@example.com",), libraries=("/Shared/x",),
        ),
    )  # fmt: skip
    (schedule,) = schedule_states(workspace.client(), state)
    assert schedule.settings == ScheduleSettings(name="copy_schedule", pipeline="copy's 100%", cron="0 0 6 * * ?")


def test_pipelines_and_schedules_are_listed_by_a_part_of_the_name(client: httpx.Client, copy: str):
    (found,) = client.get("/pipelines", params={"search_string": "COPY"}).json()["Pipeline"]
    assert found["pipeline_id"] == copy
    (found,) = client.get("/schedules", params={"pipeline_name_search_string": "copy"}).json()["Schedule"]
    assert (found["name"], found["cron_schedule"]["cron_expression"]) == ("copy_schedule", "0 0 6 * * ?")
    for path in ("/pipelines?search_string=zzz", "/schedules?pipeline_name_search_string=zzz"):
        assert list(client.get(path).json()) == ["detail"]


def test_one_pipeline_its_schedules_and_metrics_are_found_by_its_name(client: httpx.Client, copy: str):
    name = "copy's%20100%25"
    assert client.get(f"/pipelines/{name}").json()["spec"]["configuration"]["pipelines.target_table"] == "a_copy"
    assert [one["name"] for one in client.get(f"/schedules/pipeline/{name}").json()["Schedule"]] == ["copy_schedule"]
    assert client.get(f"/pipelines/{name}/metrics").json() == []
    assert client.get(f"/pipelines/{name}/job-runs/metrics").json() == []
    assert [client.get(f"{path}/nothing").status_code for path in ("/pipelines", "/schedules/pipeline")] == [404, 404]


def test_a_schedule_is_checked_before_anything_is_sent(client: httpx.Client, copy: str):
    wanted = {"job_name": "x", "cron_expression": "0 6 * * *", "time_zone": "UTC"}
    five = client.post("/pipelines/copy's%20100%25/schedules", json=wanted)
    zone = client.post(
        "/pipelines/copy's%20100%25/schedules", json={**wanted, "cron_expression": "0 0 6 * * ?", "time_zone": "../x"}
    )
    assert [five.status_code, zone.status_code] == [400, 400]


def test_catalogs_are_listed_and_shown(client: httpx.Client):
    assert "main" in {found["name"] for found in client.get("/catalogs").json()["Catalog"]}
    assert client.get("/api/catalogs/main").json()["name"] == "main"
    assert client.get("/catalogs/nothing").status_code == 404
