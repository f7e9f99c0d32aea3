"""Runs as wholes: graphs of tasks, parameters, retries, timeouts, cancels, queues, tokens."""

from __future__ import annotations

import json
import time

import pytest
from databricks.sdk import errors
from databricks.sdk.errors import BadRequest, InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service import jobs
from databricks.sdk.service.workspace import ImportFormat

SLEEP = "# Databricks notebook source\nimport time\ntime.sleep(60)"


def exits_with(expression: str) -> str:
    return f"# Databricks notebook source\ndbutils.notebook.exit({expression})"


def states(run: jobs.Run) -> dict[str, str]:
    return {t.task_key: t.state.result_state.value for t in run.tasks}


def test_tasks_run_in_the_order_of_their_dependencies_and_pass_values(bench, task):
    first = bench.put(
        "# Databricks notebook source\ndbutils.jobs.taskValues.set('n', {'a': 3})\ndbutils.jobs.taskValues.set('s', 'text')"
    )
    second = bench.put(
        exits_with(
            "str([dbutils.jobs.taskValues.get('first', 'n'), dbutils.widgets.getAll(), "
            "dbutils.jobs.taskValues.get('first', 'nope', default=5)])"
        )
    )
    given = {
        "n": "{{tasks.first.values.n}}", "s": "{{tasks.first.values.s}}", "r": "{{tasks.first.result_state}}",
        "run": "{{job.run_id}}", "name": "{{task.name}}", "unknown": "{{no.such.thing}}",
    }  # fmt: skip
    after = task(second, "second", **given)
    after.depends_on = [jobs.TaskDependency("first")]
    run = bench.ended(bench.submit(after, task(first, "first")))
    assert states(run) == {"first": "SUCCESS", "second": "SUCCESS"}
    by_key = {t.task_key: t for t in run.tasks}
    assert by_key["first"].end_time <= by_key["second"].start_time
    result = bench.client.jobs.get_run_output(by_key["second"].run_id).notebook_output.result
    resolved = {
        "n": '{"a": 3}', "s": "text", "r": "success", "run": str(run.run_id), "name": "second",
        "unknown": "{{no.such.thing}}",
    }  # fmt: skip
    assert result == str([{"a": 3}, resolved, 5])
    assert by_key["second"].resolved_values.notebook_task.base_parameters == resolved


def test_a_condition_chooses_the_branch(bench, task):
    path = bench.put("# Databricks notebook source\npass")
    check = jobs.SubmitTask(
        "check", condition_task=jobs.ConditionTask(op=jobs.ConditionTaskOp.GREATER_THAN, left="10", right="9")
    )
    yes, no = task(path, "yes"), task(path, "no")
    yes.depends_on = [jobs.TaskDependency("check", outcome="true")]
    no.depends_on = [jobs.TaskDependency("check", outcome="false")]
    run = bench.ended(bench.submit(check, yes, no))
    assert states(run) == {"check": "SUCCESS", "yes": "SUCCESS", "no": "EXCLUDED"}
    assert run.state.result_state.value == "SUCCESS"
    assert run.tasks[0].condition_task.outcome == "true"


def test_a_failed_task_skips_those_after_it_unless_they_run_anyway(bench, task):
    bad, good = bench.put("# Databricks notebook source\n1/0"), bench.put("# Databricks notebook source\npass")
    after, anyway = task(good, "after"), task(good, "anyway")
    after.depends_on = anyway.depends_on = [jobs.TaskDependency("bad")]
    anyway.run_if = jobs.RunIf.ALL_DONE
    run = bench.ended(bench.submit(task(bad, "bad"), after, anyway))
    assert states(run) == {"bad": "FAILED", "after": "UPSTREAM_FAILED", "anyway": "SUCCESS"}
    assert run.state.result_state.value == "FAILED"


def test_a_failed_task_is_tried_again_and_every_attempt_is_kept(bench, task):
    retried = task(bench.put(exits_with("dbutils.widgets.get('n')")), n="{{task.execution_count}}")
    failing = task(bench.put("# Databricks notebook source\n1/0"), "failing")
    failing.max_retries, failing.min_retry_interval_millis = 2, 50
    run = bench.ended(bench.submit(failing, retried))
    attempts = [(t.task_key, t.attempt_number, t.state.result_state.value) for t in run.tasks]
    assert attempts == [
        ("failing", 0, "FAILED"), ("failing", 1, "FAILED"), ("failing", 2, "FAILED"), ("main", 0, "SUCCESS"),
    ]  # fmt: skip
    assert len({t.run_id for t in run.tasks}) == 4


def test_a_task_over_its_time_is_stopped_with_all_it_started(bench, task):
    text = (
        "# Databricks notebook source\nimport subprocess, time\np = subprocess.Popen(['sleep', '60'])\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    bench.run("# Databricks notebook source\npass")
    slow = task(bench.put(text))
    slow.timeout_seconds = 3
    began = time.monotonic()
    run = bench.ended(bench.submit(slow))
    assert time.monotonic() - began < 40  # far less than it would have slept
    assert run.tasks[0].state.result_state.value == "TIMEDOUT"
    assert run.state.result_state.value == "TIMEDOUT"
    assert run.state.user_cancelled_or_timedout
    folder = bench.workspace.parts.runs.folder(run.tasks[0].run_id)
    child = int((folder / "log.txt").read_text())
    with pytest.raises(ProcessLookupError):
        _wait_gone(child)


def _wait_gone(pid: int) -> None:
    import os

    for _ in range(500):
        os.kill(pid, 0)
        time.sleep(0.02)


def test_a_run_over_its_time_is_stopped(bench, task):
    run = bench.ended(bench.submit(task(bench.put(SLEEP)), timeout_seconds=1))
    assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("TERMINATED", "TIMEDOUT")


def test_cancel_lets_the_notebook_clean_up(bench, task):
    text = (
        "# Databricks notebook source\nimport time\ntry:\n    time.sleep(60)\nfinally:\n"
        "    dbutils.fs.put('/cleanup/' + dbutils.widgets.get('id'), 'cleaned', True)"
    )
    run_id = bench.submit(task(bench.put(text), id="{{job.run_id}}"))
    bench.reached(run_id, "RUNNING")
    time.sleep(0.3)
    bench.client.jobs.cancel_run(run_id)
    run = bench.ended(run_id)
    assert states(run) == {"main": "CANCELED"}
    assert run.state.as_dict() == {
        "life_cycle_state": "TERMINATED", "result_state": "CANCELED", "state_message": "Run cancelled.",
        "user_cancelled_or_timedout": True,
    }  # fmt: skip
    assert run.status.termination_details.code.value == "USER_CANCELED"
    assert (bench.workspace.home / "dbfs" / "cleanup" / str(run_id)).read_text() == "cleaned"
    bench.client.jobs.cancel_run(run_id)
    assert bench.ended(run_id).state.result_state.value == "CANCELED"


@pytest.mark.full
def test_a_notebook_that_ignores_the_cancel_is_killed_after_ten_seconds(bench, task):
    text = "# Databricks notebook source\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(90)"
    run_id = bench.submit(task(bench.put(text)))
    bench.reached(run_id, "RUNNING")
    time.sleep(0.5)
    began = time.monotonic()
    bench.client.jobs.cancel_run(run_id)
    assert bench.ended(run_id).state.result_state.value == "CANCELED"
    assert 9 < time.monotonic() - began < 40


def test_a_process_that_kills_itself_is_an_internal_error(bench, task):
    run = bench.ended(bench.submit(task(bench.put("# Databricks notebook source\nimport os\nos.kill(os.getpid(), 9)"))))
    assert run.tasks[0].state.life_cycle_state.value == "INTERNAL_ERROR"
    assert run.tasks[0].state.state_message == "The driver process was killed by SIGKILL."
    assert run.tasks[0].status.termination_details.code.value == "DRIVER_ERROR"


def test_cancel_reaches_the_children_of_a_notebook(bench, task):
    child = bench.put(SLEEP)
    run_id = bench.submit(task(bench.put(f"# Databricks notebook source\ndbutils.notebook.run('{child}', 0)")))
    job_id = bench.reached(run_id, "RUNNING").job_id
    while not (children := [r for r in bench.client.jobs.list_runs(job_id=job_id) if r.run_id != run_id]):
        time.sleep(0.02)
    bench.client.jobs.cancel_run(run_id)
    bench.ended(run_id)
    assert bench.ended(children[0].run_id).state.result_state.value == "CANCELED"


def test_a_token_makes_one_run_however_often_it_is_sent(bench, task):
    path = bench.put("# Databricks notebook source\npass")
    first = bench.submit(task(path), idempotency_token="t" * 64)
    assert bench.submit(task(path), idempotency_token="t" * 64) == first
    assert bench.submit(task(path)) != first
    with pytest.raises(InvalidParameterValue, match="at most 64 characters"):
        bench.submit(task(path), idempotency_token="t" * 65)
    bench.ended(first)


def test_a_reply_that_was_lost_does_not_make_a_second_run(bench, task):
    path = bench.put("# Databricks notebook source\npass")
    bench.workspace.drop_reply("jobs.submit")
    run_id = bench.submit(task(path), idempotency_token="lost-reply")
    assert bench.submit(task(path), idempotency_token="lost-reply") == run_id
    runs = [r.run_id for r in bench.client.jobs.list_runs() if r.run_id >= run_id]
    assert runs == [run_id]
    bench.ended(run_id)


def test_job_parameters_reach_notebooks_and_are_overridden_by_run_now(bench):
    path = bench.put(
        "# Databricks notebook source\nimport json\ndbutils.notebook.exit(json.dumps(dbutils.widgets.getAll()))"
    )
    job = bench.client.jobs.create(
        name="parameters",
        parameters=[jobs.JobParameterDefinition("env", "dev"), jobs.JobParameterDefinition("id", "{{job.id}}")],
        tasks=[
            jobs.Task(
                "main",
                notebook_task=jobs.NotebookTask(path, base_parameters={"env": "own", "b": "{{job.parameters.env}}"}),
            )
        ],
    )
    run = bench.ended(bench.client.jobs.run_now(job.job_id, job_parameters={"env": "prod"}).response.run_id)
    result = bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result
    assert json.loads(result) == {"env": "prod", "b": "prod", "id": str(job.job_id)}
    assert [p.as_dict() for p in run.job_parameters] == [
        {"name": "env", "default": "dev", "value": "prod"},
        {"name": "id", "default": "{{job.id}}", "value": "{{job.id}}"},
    ]
    again = bench.client.jobs.run_now(job.job_id, notebook_params={"b": "n"}).response
    assert again.number_in_job == 2
    run = bench.ended(again.run_id)
    result = bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result
    assert json.loads(result) == {"env": "dev", "b": "n", "id": str(job.job_id)}
    assert run.overriding_parameters.notebook_params == {"b": "n"}


def test_a_run_over_the_limit_is_skipped_or_waits(bench):
    path = bench.put(SLEEP)
    tasks = [jobs.Task("main", notebook_task=jobs.NotebookTask(path))]
    job_id = bench.client.jobs.create(name="limited", tasks=tasks).job_id
    first = bench.client.jobs.run_now(job_id).response.run_id
    skipped = bench.client.jobs.get_run(bench.client.jobs.run_now(job_id).response.run_id)
    assert skipped.state.life_cycle_state.value == "SKIPPED"
    assert skipped.state.result_state.value == "MAXIMUM_CONCURRENT_RUNS_REACHED"
    bench.client.jobs.update(job_id, new_settings=jobs.JobSettings(queue=jobs.QueueSettings(enabled=True)))
    waiting = bench.client.jobs.run_now(job_id).response.run_id
    queued = bench.client.jobs.get_run(waiting)
    assert (queued.state.life_cycle_state.value, queued.status.state.value) == ("QUEUED", "QUEUED")
    assert queued.status.queue_details.code.value == "MAX_CONCURRENT_RUNS_REACHED"
    bench.client.jobs.cancel_run(first)
    bench.reached(waiting, "RUNNING")
    bench.client.jobs.cancel_all_runs(job_id=job_id)
    assert [bench.ended(r).state.result_state.value for r in (first, waiting)] == ["CANCELED", "CANCELED"]


def test_a_python_file_runs_as_the_main_program(bench):
    program = "import sys, os\nprint(__name__, sys.argv[1:], os.path.basename(os.getcwd()))\nraise SystemExit(int(sys.argv[1]))\n"
    bench.client.workspace.mkdirs("/Shared/programs")
    bench.client.workspace.upload("/Shared/programs/p.py", program.encode(), format=ImportFormat.RAW, overwrite=True)
    outputs = []
    for code in ("0", "3"):
        body = jobs.SparkPythonTask("/Workspace/Shared/programs/p.py", parameters=[code, "{{job.run_id}}"])
        run = bench.ended(bench.submit(jobs.SubmitTask("main", spark_python_task=body)))
        outputs.append((run, bench.client.jobs.get_run_output(run.tasks[0].run_id)))
    (good, said), (bad, failed) = outputs
    assert said.logs == f"__main__ ['0', '{good.run_id}'] programs\n"
    assert (good.state.result_state.value, bad.state.result_state.value) == ("SUCCESS", "FAILED")
    assert failed.error == "SystemExit: 3 (/Shared/programs/p.py, line 3)"


def test_a_task_can_run_another_job(bench):
    path = bench.put("# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('x'))")
    inner = bench.client.jobs.create(
        name="inner",
        parameters=[jobs.JobParameterDefinition("x", "1")],
        tasks=[jobs.Task("main", notebook_task=jobs.NotebookTask(path))],
    )
    call = jobs.SubmitTask("call", run_job_task=jobs.RunJobTask(inner.job_id, job_parameters={"x": "2"}))
    run = bench.ended(bench.submit(call))
    assert run.state.result_state.value == "SUCCESS"
    started = bench.client.jobs.get_run_output(run.tasks[0].run_id).run_job_output.run_id
    tasks = bench.client.jobs.get_run(started).tasks
    assert bench.client.jobs.get_run_output(tasks[0].run_id).notebook_output.result == "2"


def test_a_missing_notebook_fails_the_task_with_its_path(bench, task):
    run = bench.ended(bench.submit(task("/Shared/not/there")))
    message = (
        'Unable to access the notebook "/Shared/not/there" in the workspace: it does not exist or is not a notebook.'
    )
    assert run.tasks[0].state.as_dict() == {
        "life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": message,
        "user_cancelled_or_timedout": False,
    }  # fmt: skip
    assert bench.client.jobs.get_run_output(run.tasks[0].run_id).error == message


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"tasks": [{"task_key": "a"}]}, BadRequest, "exactly one task type"),
        ({"tasks": [{"task_key": "a b", "notebook_task": {"notebook_path": "/x"}}]}, BadRequest, "Invalid task_key"),
        ({"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "x"}}]}, BadRequest, "absolute workspace path"),
        ({"tasks": [{"task_key": "a", "dbt_task": {"commands": []}}]}, errors.NotImplemented, "dbt_task"),
        ({"tasks": [{"task_key": "a", "for_each_task": {}}]}, BadRequest, "Missing required field: inputs"),
        ({"git_source": {"git_url": "x"}, "tasks": []}, errors.NotImplemented, "git_source"),
        (
            {"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}, "depends_on": [{"task_key": "b"}]}]},
            BadRequest,
            "does not exist",
        ),
        (
            {"tasks": [
                {"task_key": k, "notebook_task": {"notebook_path": "/x"}, "depends_on": [{"task_key": o}]}
                for k, o in (("a", "b"), ("b", "a"))
            ]},
            BadRequest,
            "in a circle: a, b",
        ),
        ({"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}}] * 2}, BadRequest, "unique"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_when_it_is_asked_for(bench, settings, error, message):
    for path in ("/api/2.2/jobs/create", "/api/2.2/jobs/runs/submit"):
        with pytest.raises(error, match=message):
            bench.client.api_client.do("POST", path, body=settings)


def test_unknown_ids_are_told_as_databricks_tells_them(bench):
    with pytest.raises(ResourceDoesNotExist, match=r"Job 99 does not exist\."):
        bench.client.jobs.get(99)
    with pytest.raises(ResourceDoesNotExist, match=r"Run 99 does not exist\."):
        bench.client.jobs.get_run(99)
    with pytest.raises(InvalidParameterValue, match=r"Job 99 does not exist\."):
        bench.client.jobs.run_now(99)


def test_the_output_of_a_whole_run_cannot_be_asked_for(bench, task):
    run_id = bench.submit(task(bench.put("# Databricks notebook source\npass")))
    with pytest.raises(
        InvalidParameterValue, match="Retrieving the output of runs with multiple tasks is not supported"
    ):
        bench.client.jobs.get_run_output(run_id)
    bench.ended(run_id)


def test_a_single_task_of_api_2_0_runs(bench):
    path = bench.put(exits_with("'old'"))
    body = {"run_name": "old", "notebook_task": {"notebook_path": path}, "existing_cluster_id": "c"}
    run_id = bench.client.api_client.do("POST", "/api/2.0/jobs/runs/submit", body=body)["run_id"]
    run = bench.ended(run_id)
    assert [(t.task_key, t.existing_cluster_id) for t in run.tasks] == [("main", "c")]
    assert bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "old"


def test_a_run_may_not_act_as_somebody_else(bench, task):
    body = {
        "run_as": {"user_name": "boss@local"},
        "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/x"}}],
    }
    stranger = bench.workspace.client("someone@local")
    with pytest.raises(Exception, match=r"someone@local may not run as boss@local\."):
        stranger.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)


def test_the_token_of_a_run_ends_with_it(bench, task):
    path = bench.put("# Databricks notebook source\nimport os\ndbutils.notebook.exit(os.environ['DATABRICKS_TOKEN'])")
    run = bench.ended(bench.submit(task(path)))
    token = bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result
    assert bench.workspace.parts.tokens.principal_of(token) is None


def test_runs_are_listed_newest_first_page_by_page_and_by_filter(bench, task):
    path = bench.put("# Databricks notebook source\npass")
    job_id = bench.client.jobs.create(
        name="listed", max_concurrent_runs=9, tasks=[jobs.Task("main", notebook_task=jobs.NotebookTask(path))]
    ).job_id
    ids = [bench.client.jobs.run_now(job_id).response.run_id for _ in range(5)]
    for run_id in ids:
        bench.ended(run_id)
    assert [r.run_id for r in bench.client.jobs.list_runs(job_id=job_id, limit=2)] == ids[::-1]
    assert list(bench.client.jobs.list_runs(job_id=job_id, active_only=True)) == []
    assert [r.run_id for r in bench.client.jobs.list_runs(job_id=job_id, completed_only=True)] == ids[::-1]
    assert list(bench.client.jobs.list_runs(job_id=job_id, run_type=jobs.RunType.SUBMIT_RUN)) == []
    started = bench.client.jobs.get_run(ids[2]).start_time
    later = [r.run_id for r in bench.client.jobs.list_runs(job_id=job_id, start_time_from=started)]
    assert later == ids[:1:-1]
    (first,) = [r for r in bench.client.jobs.list_runs(job_id=job_id, expand_tasks=True) if r.run_id == ids[0]]
    assert [t.task_key for t in first.tasks] == ["main"]


def test_a_run_with_many_tasks_comes_in_pages(bench):
    condition = jobs.ConditionTask(op=jobs.ConditionTaskOp.EQUAL_TO, left="1", right="1")
    run_id = bench.submit(*(jobs.SubmitTask(f"t{n:03}", condition_task=condition) for n in range(205)))
    run = bench.ended(run_id)
    assert [t.task_key for t in run.tasks] == [f"t{n:03}" for n in range(205)]
    assert run.state.result_state.value == "SUCCESS"
