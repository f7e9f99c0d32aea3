"""Jobs and runs."""

from __future__ import annotations

import base64
import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, OperationFailed, ResourceDoesNotExist
from databricks.sdk.service.compute import Environment
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    CronSchedule,
    ForEachTask,
    JobEditMode,
    JobEmailNotifications,
    JobEnvironment,
    JobNotificationSettings,
    JobParameterDefinition,
    JobSettings,
    JobsHealthMetric,
    JobsHealthOperator,
    JobsHealthRule,
    JobsHealthRules,
    NotebookTask,
    PauseStatus,
    PerformanceTarget,
    PythonWheelTask,
    QueueSettings,
    RepairHistoryItemType,
    RunLifeCycleState,
    RunResultState,
    SubmitTask,
    Task,
    TaskDependency,
    TaskEmailNotifications,
    TaskNotificationSettings,
)
from databricks.sdk.service.workspace import ImportFormat, Language

HEALTH = JobsHealthRule(JobsHealthMetric.RUN_DURATION_SECONDS, JobsHealthOperator.GREATER_THAN, 600)
ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.INTERNAL_ERROR, RunLifeCycleState.SKIPPED}


@pytest.fixture(scope="module")
def notebook(target: Any) -> str:
    return put(
        target, "hello", "dbutils.widgets.text('who', 'world')\ndbutils.notebook.exit(dbutils.widgets.get('who'))"
    )


@pytest.fixture(scope="module")
def sleeper(target: Any) -> str:
    return put(target, "sleeper", "import time\ntime.sleep(120)")


def put(target: Any, name: str, code: str) -> str:
    path = f"{target.folder}/{name}"
    content = base64.b64encode(f"# Databricks notebook source\n{code}\n".encode()).decode()
    target.client.workspace.import_(path, content=content, format=ImportFormat.SOURCE, language=Language.PYTHON)
    return path


@pytest.fixture
def job(client: WorkspaceClient, notebook: str) -> Iterator[int]:
    made = client.jobs.create(name=f"contract-{secrets.token_hex(4)}", tasks=[task(notebook)], tags={"k": "v"})
    assert made.job_id
    yield made.job_id
    client.jobs.delete(made.job_id)


def task(notebook: str) -> Task:
    return Task(task_key="main", notebook_task=NotebookTask(notebook_path=notebook))


@pytest.mark.covers("jobs.create", "jobs.get", "jobs.list", "jobs.reset", "jobs.update", "jobs.delete")
def test_a_job_is_kept_changed_and_found(
    client: WorkspaceClient,
    notebook: str,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
    target: Any,
):
    name = f"contract-{secrets.token_hex(4)}"
    job_id = faithful(client.jobs.create(name=name, tasks=[task(notebook)], tags={"k": "v"})).job_id
    target.answers.clear()
    assert [j.job_id for j in all_faithful(client.jobs.list(name=name.upper()), "jobs")] == [job_id]
    client.jobs.update(job_id, new_settings=JobSettings(tags={"k": "w"}))
    found = faithful(client.jobs.get(job_id))
    assert (found.settings.name, found.settings.tags) == (name, {"k": "w"})
    client.jobs.reset(job_id, JobSettings(name=f"{name}-b", tasks=[task(notebook)]))
    assert (client.jobs.get(job_id).settings or JobSettings()).tags in (None, {})
    client.jobs.delete(job_id)
    with pytest.raises(ResourceDoesNotExist) as gone:
        client.jobs.get(job_id)
    assert str(gone.value) == f"Job {job_id} does not exist."


@pytest.mark.covers("jobs.run_now", "jobs.get_run", "jobs.get_run_output", "jobs.list_runs")
def test_a_job_runs_and_its_result_is_read(
    client: WorkspaceClient,
    job: int,
    faithful: Callable[[Any], Any],
    all_faithful: Callable[..., list[Any]],
    target: Any,
):
    run = client.jobs.run_now(job, notebook_params={"who": "me"}).result()
    assert (run.state.life_cycle_state, run.state.result_state) == (
        RunLifeCycleState.TERMINATED,
        RunResultState.SUCCESS,
    )
    assert run.status and run.status.termination_details.code.value == "SUCCESS"
    assert faithful(client.jobs.get_run(run.run_id)).run_page_url
    output = faithful(client.jobs.get_run_output(run.tasks[0].run_id))
    assert output.notebook_output.result == "me"
    target.answers.clear()
    assert [r.run_id for r in all_faithful(client.jobs.list_runs(job_id=job), "runs")] == [run.run_id]


@pytest.mark.covers("jobs.submit", "jobs.export_run", "jobs.delete_run")
def test_tasks_run_once_without_a_job(client: WorkspaceClient, notebook: str, faithful: Callable[[Any], Any]):
    tasks = [
        SubmitTask(
            task_key="only", notebook_task=NotebookTask(notebook_path=notebook, base_parameters={"who": "submitted"})
        )
    ]
    token = secrets.token_hex(8)
    run = client.jobs.submit(run_name="contract", tasks=tasks, idempotency_token=token).result()
    assert client.jobs.submit(run_name="contract", tasks=tasks, idempotency_token=token).response.run_id == run.run_id
    assert client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "submitted"
    assert faithful(client.jobs.export_run(run.tasks[0].run_id)).views
    client.jobs.delete_run(run.run_id)
    with pytest.raises(ResourceDoesNotExist):
        client.jobs.get_run(run.run_id)


@pytest.mark.covers("jobs.repair_run")
def test_a_failed_run_is_repaired_and_says_so(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    tasks = [
        Task(task_key="first", condition_task=compared("{{job.parameters.n}}")),
        Task(task_key="other", condition_task=compared("3")),
        Task(task_key="then", condition_task=compared("4"), depends_on=[TaskDependency("first")]),
    ]
    parameters = [JobParameterDefinition(name="n", default="none")]
    job_id = client.jobs.create(name=f"contract-{secrets.token_hex(4)}", tasks=tasks, parameters=parameters).job_id
    with pytest.raises(OperationFailed):
        client.jobs.run_now_and_wait(job_id)
    (failed,) = client.jobs.list_runs(job_id=job_id)
    run = client.jobs.repair_run_and_wait(failed.run_id, rerun_all_failed_tasks=True, job_parameters={"n": "7"})
    assert (run.run_id, run.state.result_state) == (failed.run_id, RunResultState.SUCCESS)
    told = faithful(client.jobs.get_run(run.run_id, include_history=True))
    assert [(h.type, h.state.result_state, len(h.task_run_ids)) for h in told.repair_history] == [
        (RepairHistoryItemType.ORIGINAL, RunResultState.FAILED, 3),
        (RepairHistoryItemType.REPAIR, RunResultState.SUCCESS, 2),
    ]
    with pytest.raises(InvalidParameterValue):
        client.jobs.repair_run(run.run_id, rerun_tasks=["other"])
    client.jobs.delete(job_id)


def compared(left: str) -> ConditionTask:
    return ConditionTask(op=ConditionTaskOp.GREATER_THAN, left=left, right="1")


def test_a_wheel_runs_in_its_environment(client: WorkspaceClient, target: Any, faithful: Callable[[Any], Any]):
    path = f"{target.folder}/contract_wheel-1.0-py3-none-any.whl"
    code = "import sys\ndef main():\n    print(sys.argv[1:])\n"
    client.workspace.upload(path, io.BytesIO(wheel("contract_wheel", code)), format=ImportFormat.RAW, overwrite=True)
    task = SubmitTask(
        task_key="only",
        python_wheel_task=PythonWheelTask("contract_wheel", "run", parameters=["a", "{{job.run_id}}"]),
        environment_key="default",
    )
    spec = Environment(environment_version="2", dependencies=[f"/Workspace{path}"])
    run = client.jobs.submit(run_name="contract", tasks=[task], environments=[JobEnvironment("default", spec)]).result()
    faithful(client.jobs.get_run(run.run_id))
    assert f"['a', '{run.run_id}']" in faithful(client.jobs.get_run_output(run.tasks[0].run_id)).logs


def wheel(name: str, code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/entry_points.txt", f"[console_scripts]\nrun = {name}:main\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return content.getvalue()


def test_a_task_runs_for_each_input(client: WorkspaceClient, notebook: str, faithful: Callable[[Any], Any]):
    nested = Task("say", notebook_task=NotebookTask(notebook, base_parameters={"who": "{{input.name}}"}))
    inputs = json.dumps([{"name": "a"}, {"name": "b"}])
    task = SubmitTask("each", for_each_task=ForEachTask(inputs=inputs, task=nested, concurrency=2))
    run = client.jobs.submit(run_name="contract", tasks=[task]).result()
    told = faithful(client.jobs.get_run(run.tasks[0].run_id))
    assert {client.jobs.get_run_output(one.run_id).notebook_output.result for one in told.iterations} == {"a", "b"}


def test_what_a_job_says_of_its_notifications_and_limits_is_kept(
    client: WorkspaceClient, notebook: str, faithful: Callable[[Any], Any]
):
    settings = JobSettings(
        name=f"contract-{secrets.token_hex(4)}",
        description="all of it",
        tasks=[
            Task(
                task_key="main",
                notebook_task=NotebookTask(notebook_path=notebook),
                description="a task",
                timeout_seconds=60,
                max_retries=1,
                min_retry_interval_millis=2000,
                retry_on_timeout=True,
                email_notifications=TaskEmailNotifications(on_failure=["a@example.com"]),
                notification_settings=TaskNotificationSettings(alert_on_last_attempt=True),
                health=JobsHealthRules([HEALTH]),
            )
        ],
        tags={"team": "data"},
        timeout_seconds=120,
        max_concurrent_runs=2,
        email_notifications=JobEmailNotifications(on_start=["a@example.com"], on_success=["b@example.com"]),
        notification_settings=JobNotificationSettings(no_alert_for_skipped_runs=True),
        health=JobsHealthRules([HEALTH]),
        queue=QueueSettings(enabled=True),
        performance_target=PerformanceTarget.STANDARD,
        schedule=CronSchedule("0 0 4 * * ?", "UTC", PauseStatus.PAUSED),
        edit_mode=JobEditMode.UI_LOCKED,
    )
    job_id = client.jobs.create(**{name: getattr(settings, name) for name in settings.as_shallow_dict()}).job_id
    found = faithful(client.jobs.get(job_id)).settings
    assert {name: value for name, value in found.as_dict().items() if name in settings.as_dict()} == settings.as_dict()
    client.jobs.delete(job_id)


@pytest.mark.covers("jobs.cancel_run")
def test_a_run_is_cancelled(client: WorkspaceClient, sleeper: str):
    tasks = [SubmitTask(task_key="only", notebook_task=NotebookTask(notebook_path=sleeper))]
    waiter = client.jobs.submit(run_name="contract", tasks=tasks)
    run = client.jobs.cancel_run_and_wait(waiter.response.run_id)
    assert (run.state.life_cycle_state, run.state.result_state) == (
        RunLifeCycleState.TERMINATED,
        RunResultState.CANCELED,
    )


@pytest.mark.covers("jobs.cancel_all_runs")
def test_all_runs_of_a_job_are_cancelled(client: WorkspaceClient, sleeper: str):
    job_id = client.jobs.create(name="contract", tasks=[task(sleeper)]).job_id
    waiter = client.jobs.run_now(job_id)
    client.jobs.cancel_all_runs(job_id=job_id)
    run = client.jobs.wait_get_run_job_terminated_or_skipped(waiter.response.run_id)
    assert run.state.result_state is RunResultState.CANCELED
    client.jobs.delete(job_id)


def test_a_notebook_that_fails_says_where_and_why(target: Any, client: WorkspaceClient):
    path = put(target, "failing", "x = 1\n\n# COMMAND ----------\n\nraise ValueError('no <good>')")
    tasks = [SubmitTask(task_key="only", notebook_task=NotebookTask(notebook_path=path))]
    run_id = client.jobs.submit(run_name="contract", tasks=tasks).response.run_id
    while (run := client.jobs.get_run(run_id)).state.life_cycle_state not in ENDED:
        time.sleep(0.2)
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert run.tasks[0].state.result_state is RunResultState.FAILED
    assert "ValueError" in output.error and "no <good>" in output.error


def test_job_parameters_reach_the_notebook(client: WorkspaceClient, notebook: str):
    job_id = client.jobs.create(
        name="contract", tasks=[task(notebook)], parameters=[JobParameterDefinition(name="who", default="all")]
    ).job_id
    run = client.jobs.run_now(job_id, job_parameters={"who": "parameter"}).result()
    assert client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "parameter"
    client.jobs.delete(job_id)


def test_unknown_jobs_and_runs_do_not_exist_in_databricks_own_words(client: WorkspaceClient):
    for ask, words in (
        (lambda: client.jobs.get(1), "Job 1 does not exist."),
        (lambda: client.jobs.get_run(1), "Run 1 does not exist."),
        (lambda: client.jobs.run_now(1), "Job 1 does not exist."),
    ):
        with pytest.raises((ResourceDoesNotExist, InvalidParameterValue)) as gone:
            ask()
        assert str(gone.value) == words
