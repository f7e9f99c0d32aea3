"""Tasks that run once per input: concurrency, references, results, retries, cancel, and a killed server."""

from __future__ import annotations

import json
import time

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import jobs


def each(inputs: object, nested: jobs.Task, concurrency: int | None = None, **more: object) -> jobs.SubmitTask:
    """A task over *inputs*, a list or the text of a reference."""
    text = inputs if isinstance(inputs, str) else json.dumps(inputs)
    body = jobs.ForEachTask(inputs=text, task=nested, concurrency=concurrency)
    return jobs.SubmitTask(task_key="each", for_each_task=body, **more)


def condition(left: str, right: str = "1", op: str = "GREATER_THAN", **more: object) -> jobs.Task:
    task = jobs.ConditionTask(op=jobs.ConditionTaskOp(op), left=left, right=right)
    return jobs.Task("one", condition_task=task, **more)


def notebook(path: str, **parameters: str) -> jobs.Task:
    return jobs.Task("one", notebook_task=jobs.NotebookTask(path, base_parameters=parameters))


def iterations(bench, run: jobs.Run) -> list[jobs.RunTask]:
    found = next(task for task in run.tasks if task.task_key == "each")
    return bench.client.jobs.get_run(found.run_id).iterations


def test_every_input_is_an_iteration_with_its_own_values(bench):
    path = bench.put("# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('what'))")
    nested = notebook(path, what="{{input.name}}-{{input.where.x}}-{{job.run_id}}-{{task.name}}", whole="{{input}}")
    inputs = [{"name": "a", "where": {"x": 1}}, {"name": "b", "where": {"x": 2}}]
    run = bench.ended(bench.submit(each(inputs, nested, 2)))
    found = iterations(bench, run)
    assert run.state.result_state.value == "SUCCESS", run.tasks
    assert [one.task_key for one in found] == ["one_iteration_0", "one_iteration_1"]
    assert [bench.client.jobs.get_run_output(one.run_id).notebook_output.result for one in found] == [
        f"a-1-{run.run_id}-one_iteration_0", f"b-2-{run.run_id}-one_iteration_1",
    ]  # fmt: skip
    told = bench.client.jobs.get_run_output(found[0].run_id).metadata
    assert (told.job_run_id, told.run_type.value) == (run.run_id, "SUBMIT_RUN")
    assert json.loads(found[1].resolved_values.notebook_task.base_parameters["whole"]) == inputs[1]
    stats = run.tasks[0].for_each_task.stats.task_run_stats
    assert (stats.total_iterations, stats.succeeded_iterations, stats.failed_iterations) == (2, 2, 0)


def test_the_inputs_may_be_a_task_value_and_a_nested_task_reads_task_values_of_its_run(bench, task):
    first = task(bench.put("# Databricks notebook source\ndbutils.jobs.taskValues.set('names', ['x', 'y'])"), "first")
    code = "dbutils.notebook.exit(dbutils.widgets.get('n') + str(dbutils.jobs.taskValues.get('first', 'names')))"
    nested = notebook(bench.put(f"# Databricks notebook source\n{code}"), n="{{input}}")
    after = each("{{tasks.first.values.names}}", nested, 2, depends_on=[jobs.TaskDependency("first")])
    run = bench.ended(bench.submit(first, after))
    outputs = [bench.client.jobs.get_run_output(one.run_id).notebook_output.result for one in iterations(bench, run)]
    assert outputs == ["x['x', 'y']", "y['x', 'y']"]


def test_one_failed_iteration_fails_the_task_after_the_others_ran_and_what_depends_on_it_is_skipped(bench):
    after = jobs.SubmitTask(
        "after", condition_task=condition("1").condition_task, depends_on=[jobs.TaskDependency("each")]
    )
    run = bench.ended(bench.submit(each([2, "no number", 0], condition("{{input}}"), 1), after))
    assert {t.task_key: t.state.result_state.value for t in run.tasks} == {"each": "FAILED", "after": "UPSTREAM_FAILED"}
    assert run.tasks[0].state.state_message == "1 of 3 iterations did not succeed."
    found = iterations(bench, run)
    assert [(i.state.result_state.value, i.condition_task.outcome) for i in found] == [
        ("SUCCESS", "true"), ("FAILED", None), ("SUCCESS", "false"),
    ]  # fmt: skip
    (error,) = run.tasks[0].for_each_task.stats.error_message_stats
    assert (error.count, "no number" in error.error_message) == (1, True)


def test_iterations_are_retried_each_for_itself(bench):
    nested = condition("{{input}}{{task.execution_count}}x", max_retries=1)
    run = bench.ended(bench.submit(each(["a"], nested)))
    assert [(i.task_key, i.attempt_number, i.state.result_state.value) for i in iterations(bench, run)] == [
        ("one_iteration_0", 0, "FAILED"), ("one_iteration_0", 1, "FAILED"),
    ]  # fmt: skip


@pytest.mark.parametrize(("concurrency", "most"), [(None, 1), (3, 3)])
def test_no_more_iterations_run_at_a_time_than_asked_for(bench, concurrency, most):
    path = bench.put(
        "# Databricks notebook source\nimport time\nb = time.time()\ntime.sleep(0.4)\n"
        "dbutils.notebook.exit(f'{b} {time.time()}')"
    )
    run = bench.ended(bench.submit(each([1, 2, 3, 4], notebook(path), concurrency)))
    outputs = [bench.client.jobs.get_run_output(one.run_id).notebook_output.result for one in iterations(bench, run)]
    spans = [tuple(map(float, text.split())) for text in outputs]
    together = max(sum(other[0] <= begin < other[1] for other in spans) for begin, _ in spans)
    assert together == most


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ("{{tasks.none.values.x}}", "must be a JSON array, not '{{tasks.none.values.x}}'"),
        ('{"a": 1}', "must be a JSON array"),
        (list(range(1001)), "may have at most 1000 inputs, it has 1001."),
    ],
)
def test_inputs_that_are_no_array_fail_the_task(bench, inputs, says):
    run = bench.ended(bench.submit(each(inputs, condition("2"))))
    assert run.tasks[0].state.result_state.value == "FAILED"
    assert says in run.tasks[0].state.state_message
    assert run.tasks[0].status.termination_details.code.value == "INVALID_RUN_CONFIGURATION"


def test_no_input_is_a_success(bench):
    run = bench.ended(bench.submit(each([], condition("2"))))
    assert run.state.result_state.value == "SUCCESS"


@pytest.mark.parametrize(
    ("nested", "concurrency", "says"),
    [
        (jobs.Task("in", for_each_task=jobs.ForEachTask("[]", condition("1"))), 1, "cannot be nested in another one"),
        (condition("1", depends_on=[jobs.TaskDependency("x")]), 1, "cannot depend on other tasks"),
        (condition("1"), 101, "concurrency must be between 1 and 100"),
    ],
)
def test_a_for_each_task_that_cannot_be_is_refused_at_once(bench, nested, concurrency, says):
    with pytest.raises(DatabricksError, match=says):
        bench.submit(each([1], nested, concurrency))


def test_a_cancel_reaches_the_iterations_and_those_that_wait(bench):
    path = bench.put("# Databricks notebook source\nimport time\ntime.sleep(60)")
    run_id = bench.submit(each([1, 2, 3], notebook(path), 2))
    bench.reached(run_id, "RUNNING")
    limit = time.monotonic() + 20
    while not any(
        i.state.life_cycle_state.value == "RUNNING" for i in iterations(bench, bench.client.jobs.get_run(run_id))
    ):
        assert time.monotonic() < limit
        time.sleep(0.02)
    bench.client.jobs.cancel_run(run_id)
    run = bench.ended(run_id)
    assert run.state.result_state.value == "CANCELED"
    assert {i.state.result_state.value for i in iterations(bench, run)} == {"CANCELED"}


def test_a_for_each_task_that_takes_too_long_stops_its_iterations(bench):
    path = bench.put("# Databricks notebook source\nimport time\ntime.sleep(60)")
    run = bench.ended(bench.submit(each([1, 2], notebook(path), 2, timeout_seconds=1)))
    assert run.tasks[0].state.result_state.value == "TIMEDOUT"
    assert {i.state.result_state.value for i in iterations(bench, run)} == {"CANCELED"}


def test_a_repair_runs_the_iterations_again_and_the_lists_of_runs_do_not_show_them(bench):
    nested = condition("{{input}}{{job.parameters.n}}")
    body = jobs.ForEachTask(inputs="[2, 3]", task=nested)
    job = bench.client.jobs.create(
        name="each", tasks=[jobs.Task("each", for_each_task=body)], parameters=[jobs.JobParameterDefinition("n", "x")]
    ).job_id
    run_id = bench.ended(bench.client.jobs.run_now(job).response.run_id).run_id
    bench.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True, job_parameters={"n": "0"})
    run = bench.ended(run_id)
    assert [t.state.result_state.value for t in run.tasks] == ["FAILED", "SUCCESS"]
    (listed,) = bench.client.jobs.list_runs(job_id=job, expand_tasks=True)
    stats = [task.for_each_task.stats.task_run_stats for task in listed.tasks]
    assert (listed.run_id, [(s.failed_iterations, s.succeeded_iterations) for s in stats]) == (run_id, [(2, 0), (0, 2)])
    shown = bench.client.jobs.get_run(bench.client.jobs.get_run(run.tasks[1].run_id).iterations[0].run_id)
    assert (shown.job_run_id, shown.run_type.value, shown.state.result_state.value) == (run_id, "JOB_RUN", "SUCCESS")
