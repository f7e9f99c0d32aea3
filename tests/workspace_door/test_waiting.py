"""Waiting for job runs."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import NotebookTask, SubmitTask
from databricks.sdk.service.workspace import ImportFormat, Language

from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted, NotFound, WorkspaceRefused
from brickyard.workspace import Workspaces, wait_run


@pytest.fixture
def client(door: Workspaces) -> Iterator[WorkspaceClient]:
    yield door.client()
    stop.clear()


def _submit(client: WorkspaceClient, source: str) -> int:
    client.workspace.import_(
        "/Shared/waited",
        content=base64.b64encode(f"# Databricks notebook source\n{source}\n".encode()).decode(),
        format=ImportFormat.SOURCE,
        language=Language.PYTHON,
        overwrite=True,
    )
    task = SubmitTask(task_key="it", notebook_task=NotebookTask("/Shared/waited"))
    return client.jobs.submit(run_name="waited", tasks=[task]).run_id


def _result(run: object) -> str | None:
    state = getattr(run, "state", None)
    return state.result_state.value if state and state.result_state else None


@pytest.mark.parametrize(("source", "result"), [("print(1)", "SUCCESS"), ("1 / 0", "FAILED")])
def test_a_run_comes_back_when_it_is_over_however_it_ended(client: WorkspaceClient, source: str, result: str):
    seen: list[str | None] = []
    run = wait_run(client, _submit(client, source), lambda run: seen.append(_result(run)))
    assert (_result(run), seen[-1]) == (result, result)


def test_a_stop_ends_the_waiting_and_not_the_run(client: WorkspaceClient):
    run_id = _submit(client, "import time; time.sleep(2)")
    with pytest.raises(Interrupted):
        wait_run(client, run_id, lambda _: stop.request())
    stop.clear()
    assert _result(wait_run(client, run_id)) == "SUCCESS"


def test_waiting_ends_when_its_time_is_up(client: WorkspaceClient):
    run_id = _submit(client, "import time; time.sleep(5)")
    with pytest.raises(WorkspaceRefused) as refused:
        wait_run(client, run_id, timeout_seconds=0.2)
    assert refused.value.error_code == "run-too-long"
    client.jobs.cancel_run(run_id)


def test_a_run_that_is_not_there_is_not_found(client: WorkspaceClient):
    with pytest.raises(NotFound):
        wait_run(client, 987654321)
