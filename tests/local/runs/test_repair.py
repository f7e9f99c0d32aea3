"""Repairs of runs: what runs again, what stays, what is refused, and what a killed server leaves."""

from __future__ import annotations

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import jobs

from brickyard.local.runs.machine import Finish, Retry, Start, advance
from brickyard.local.runs.model import Attempt, Life, Outcome, Run, RunType, TaskKind, TaskSpec


def condition(key: str, left: str, *upstream: str, op: str = "GREATER_THAN", run_if: str = "ALL_SUCCESS") -> jobs.Task:
    """A task that fails when *left* is no number."""
    edges = [jobs.TaskDependency(one) for one in upstream]
    task = jobs.ConditionTask(op=jobs.ConditionTaskOp(op), left=left, right="1")
    return jobs.Task(key, condition_task=task, depends_on=edges, run_if=jobs.RunIf(run_if))


N = "{{job.parameters.n}}"


@pytest.fixture
def job(bench):
    """`a` fails while n is no number; `b` and `c` hang on it, `d` and `e` do not; `f` runs when `a` failed."""
    tasks = [
        condition("a", N), condition("b", "2", "a"), condition("c", "{{job.repair_count}}", "b"),
        condition("d", "5"), condition("e", "6", "d"), condition("f", "1", "a", run_if="AT_LEAST_ONE_FAILED"),
    ]  # fmt: skip
    parameters = [jobs.JobParameterDefinition("n", "none")]
    made = bench.client.jobs.create(name="repairable", tasks=tasks, parameters=parameters).job_id
    yield made
    bench.client.jobs.delete(made)


def latest(run: jobs.Run) -> dict[str, tuple[int, str]]:
    """The last attempt of every task: its number and result."""
    return {task.task_key: (task.attempt_number, task.state.result_state.value) for task in run.tasks}


def test_a_repair_runs_the_failed_and_the_skipped_again_and_keeps_the_rest(bench, job):
    first = bench.ended(bench.client.jobs.run_now(job).response.run_id)
    assert latest(first) == {
        "a": (0, "FAILED"), "b": (0, "UPSTREAM_FAILED"), "c": (0, "UPSTREAM_FAILED"),
        "d": (0, "SUCCESS"), "e": (0, "SUCCESS"), "f": (0, "SUCCESS"),
    }  # fmt: skip
    waiter = bench.client.jobs.repair_run(first.run_id, rerun_all_failed_tasks=True, job_parameters={"n": "7"})
    run = bench.ended(first.run_id)
    assert (run.run_id, run.state.result_state.value) == (first.run_id, "SUCCESS")
    assert latest(run) == {
        "a": (1, "SUCCESS"), "b": (1, "SUCCESS"), "c": (1, "SUCCESS"),
        "d": (0, "SUCCESS"), "e": (0, "SUCCESS"), "f": (0, "SUCCESS"),
    }  # fmt: skip
    assert {p.name: p.value for p in run.job_parameters} == {"n": "7"}
    resolved = {t.task_key: t.resolved_values.condition_task.left for t in run.tasks if t.attempt_number}
    assert resolved == {"a": "7", "b": "2", "c": "1"}
    history = bench.client.jobs.get_run(first.run_id, include_history=True).repair_history
    assert [(h.type.value, h.id, h.state.result_state.value, len(h.task_run_ids)) for h in history] == [
        ("ORIGINAL", None, "FAILED", 6), ("REPAIR", waiter.response.repair_id, "SUCCESS", 3),
    ]  # fmt: skip


def test_named_tasks_run_again_alone_or_with_what_depends_on_them(bench, job):
    run_id = bench.ended(bench.client.jobs.run_now(job, job_parameters={"n": "2"}).response.run_id).run_id
    repair = bench.client.jobs.repair_run(run_id, rerun_tasks=["d"]).response.repair_id
    assert {k: n for k, (n, _) in latest(bench.ended(run_id)).items()} == dict.fromkeys("abcf", 0) | {"d": 1, "e": 0}
    again = bench.client.jobs.repair_run(
        run_id, rerun_tasks=["b", "d"], rerun_dependent_tasks=True, latest_repair_id=repair
    )
    run = bench.ended(run_id)
    assert {k: n for k, (n, _) in latest(run).items()} == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 1, "f": 0}
    history = bench.client.jobs.get_run(run_id, include_history=True).repair_history
    assert [h.id for h in history] == [None, repair, again.response.repair_id]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "Exactly one of rerun_tasks and rerun_all_failed_tasks is needed."),
        ({"rerun_tasks": ["a"], "rerun_all_failed_tasks": True}, "Exactly one of"),
        ({"rerun_tasks": ["a", "x", "y"]}, "rerun_tasks names tasks that the run does not have: x, y."),
        ({"rerun_all_failed_tasks": True}, "has no failed task to repair."),
        ({"rerun_tasks": ["a"], "latest_repair_id": 5}, "The latest_repair_id 5 is wrong"),
    ],
)
def test_a_repair_that_makes_no_sense_is_refused(bench, job, asked, says):
    run_id = bench.ended(bench.client.jobs.run_now(job, job_parameters={"n": "2"}).response.run_id).run_id
    with pytest.raises(DatabricksError, match=says):
        bench.client.jobs.repair_run(run_id, **asked)


def test_a_second_repair_must_name_the_first_and_an_active_run_is_not_repaired(bench, job, task):
    run_id = bench.ended(bench.client.jobs.run_now(job).response.run_id).run_id
    first = bench.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True).response.repair_id
    assert bench.ended(run_id).state.result_state.value == "FAILED"
    with pytest.raises(DatabricksError, match=f"was last repaired by {first}"):
        bench.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    sleeping = bench.submit(task(bench.put("# Databricks notebook source\nimport time\ntime.sleep(60)")))
    bench.reached(sleeping, "RUNNING")
    with pytest.raises(DatabricksError, match="is active; only a run that has ended can be repaired"):
        bench.client.jobs.repair_run(sleeping, rerun_tasks=["main"])
    bench.client.jobs.cancel_run(sleeping)
    assert bench.ended(sleeping).state.result_state.value == "CANCELED"


def test_a_repair_uses_the_current_settings_of_the_job(bench, job):
    run_id = bench.ended(bench.client.jobs.run_now(job).response.run_id).run_id
    bench.client.jobs.update(job, new_settings=jobs.JobSettings(tasks=[condition("a", "8")]))
    bench.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    run = bench.ended(run_id)
    assert run.state.result_state.value == "SUCCESS"
    assert next(t for t in run.tasks if t.task_key == "a").condition_task.left == "8"


def test_a_cancelled_run_is_repaired_and_a_notebooks_output_is_that_of_its_last_attempt(bench, task):
    path = bench.put("# Databricks notebook source\nimport time\ntime.sleep(60)")
    run_id = bench.submit(task(path))
    bench.reached(run_id, "RUNNING")
    bench.client.jobs.cancel_run(run_id)
    bench.ended(run_id)
    bench.put("# Databricks notebook source\ndbutils.notebook.exit('well')", path)
    bench.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    run = bench.ended(run_id)
    assert [t.state.result_state.value for t in run.tasks] == ["CANCELED", "SUCCESS"]
    assert bench.client.jobs.get_run_output(run.tasks[-1].run_id).notebook_output.result == "well"


TASK = TaskSpec("a", TaskKind.NOTEBOOK, {}, max_retries=1)
OTHER = TaskSpec("b", TaskKind.NOTEBOOK, {}, max_retries=5)


def repaired(*attempts: Attempt) -> list[object]:
    run = Run(
        1, 2, RunType.JOB, "r", "me", "me", {}, (TASK, OTHER), 1, 0, Life.RUNNING, started=0,
        repair_id=100, repaired=50, timeout_ms=1000,
    )  # fmt: skip
    return advance(run, {a.task_key: a for a in attempts}, 60)


def ended(task_run_id: int, key: str, outcome: Outcome, number: int, base: int = 0) -> Attempt:
    return Attempt(task_run_id, 1, key, number, Life.TERMINATED, outcome, base=base)


def test_retries_count_anew_in_a_repair_and_what_it_did_not_ask_for_is_not_retried():
    done = ended(9, "b", Outcome.FAILED, 0)
    assert repaired(ended(101, "a", Outcome.FAILED, 2, 2), done) == [Retry("a", 60)]
    assert isinstance(repaired(ended(102, "a", Outcome.FAILED, 3, 2), done)[0], Finish)
    assert repaired(Attempt(101, 1, "a", 2, base=2), done) == [Start("a")]


def test_the_time_limit_of_a_repaired_run_counts_from_the_repair():
    attempts = Attempt(101, 1, "a", 2, Life.RUNNING, base=2), ended(9, "b", Outcome.SUCCESS, 0)
    run = Run(
        1, 2, RunType.JOB, "r", "me", "me", {}, (TASK, OTHER), 1, 0, Life.RUNNING, started=0, repaired=5000,
        repair_id=100, timeout_ms=1000,
    )  # fmt: skip
    assert advance(run, {a.task_key: a for a in attempts}, 5900) == []
    assert advance(run, {a.task_key: a for a in attempts}, 6000) != []
