"""What `{{…}}` means in a task: the job, the run, times, neighbours, the workspace."""

from __future__ import annotations

import json

import pytest

from brickyard.local.runs.model import Attempt, Life, Outcome, Phase, Run, RunType, TaskKind, TaskSpec, Trigger
from brickyard.local.runs.parameters import Surroundings, compare, resolve

SATURDAY = 1_795_236_131_042  # 2026-11-21 04:42:11.042 UTC
PHASE = Phase(None, 0, 1, Life.TERMINATED, Outcome.FAILED, "")
LATEST = {
    "a": Attempt(7, 1, "a", 2, Life.TERMINATED, Outcome.UPSTREAM_FAILED, code="DRIVER_ERROR", resolved={"notebook_path": "/n"}),
    "if": Attempt(8, 1, "if", 0, Life.TERMINATED, Outcome.SUCCESS, answer="true"),
}  # fmt: skip


def said(text: str, kind: TaskKind = TaskKind.CONDITION) -> object:
    task = TaskSpec("me", kind, {"left": text, "notebook_path": "/mine"})
    run = Run(
        1, 2, RunType.JOB, "the job", "u", "u", {}, (task,), 3, SATURDAY, started=SATURDAY,
        parameters={"day": "x-{{job.id}}"}, trigger=Trigger.PERIODIC, phases=(PHASE,),
    )  # fmt: skip
    values = {("a", "rows"): "7", ("a", "n.m"): "[1]"}
    attempt = Attempt(9, 1, "me", 4)
    return resolve(task, Surroundings(run, attempt, LATEST, values, "http://h", "42", {"input.k": "v"}))["left"]


@pytest.mark.parametrize(
    ("reference", "meaning"),
    [
        ("job.id", "2"), ("job.name", "the job"), ("job.run_id", "1"), ("job.repair_count", "1"),
        ("job.trigger.type", "periodic"), ("job.trigger.time.iso_date", "2026-11-21"), ("job.parameters.day", "x-2"),
        ("job.start_time.iso_datetime", "2026-11-21T04:42:11"), ("job.start_time.timestamp_ms", str(SATURDAY)),
        ("job.start_time.iso_weekday", "6"), ("job.start_time.is_weekday", "false"), ("job.start_time.hour", "04"),
        ("task.name", "me"), ("task.run_id", "9"), ("task.execution_count", "5"), ("task.notebook_path", "/mine"),
        ("tasks.a.run_id", "7"), ("tasks.a.result_state", "upstream_failed"), ("tasks.a.error_code", "DRIVER_ERROR"),
        ("tasks.a.execution_count", "3"), ("tasks.a.notebook_path", "/n"), ("tasks.if.outcome", "true"),
        ("tasks.a.values.rows", "7"), ("tasks.a.values.n.m", "[1]"), ("workspace.id", "42"), ("workspace.url", "http://h"),
        ("input.k", "v"), ("nothing.of.that", "{{nothing.of.that}}"),
    ],
)  # fmt: skip
def test_a_reference_means_what_it_names_and_an_unknown_one_stays_as_written(reference, meaning):
    assert said(f"{{{{{reference}}}}}") == meaning


def test_spaces_inside_of_a_reference_and_several_in_one_text_are_fine():
    assert said("<{{ job.id }}-{{task.name}}>") == "<2-me>"


@pytest.mark.parametrize(
    ("operator", "left", "right", "answer"),
    [
        ("EQUAL_TO", "1", "1.0", False), ("EQUAL_TO", "a", "a", True), ("NOT_EQUAL", "a", "A", True),
        ("GREATER_THAN", "10", "9", True), ("GREATER_THAN_OR_EQUAL", "9.0", "9", True), ("LESS_THAN", "-1", "0", True),
        ("LESS_THAN_OR_EQUAL", "2", "1", False),
    ],
)  # fmt: skip
def test_conditions_compare_text_for_equality_and_numbers_for_order(operator, left, right, answer):
    assert compare(operator, left, right) is answer


def test_what_is_no_number_has_no_order():
    with pytest.raises(ValueError, match="could not convert"):
        compare("LESS_THAN", "a", "1")


def test_named_parameters_of_a_wheel_take_those_of_run_now_and_of_the_job_over_them():
    task = TaskSpec("me", TaskKind.WHEEL, {"named_parameters": {"a": "{{job.id}}", "b": "1", "c": "1"}})
    run = Run(
        1, 2, RunType.JOB, "j", "u", "u", {}, (task,), 1, SATURDAY, parameters={"c": "3", "d": "4"},
        overrides={"python_named_params": {"b": 2}},
    )  # fmt: skip
    found = resolve(task, Surroundings(run, Attempt(9, 1, "me"), {}))
    assert json.loads(json.dumps(found)) == {"named_parameters": {"a": "2", "b": "2", "c": "3", "d": "4"}}
