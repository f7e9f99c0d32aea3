"""What a run does next, decided without a clock, a process or a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.runs.machine import Finish, Retry, Settle, Start, Stop, advance, next_wake
from brickyard.local.runs.model import Attempt, Dependency, Life, Outcome, Run, RunIf, RunType, TaskKind, TaskSpec

OK = (Life.TERMINATED, Outcome.SUCCESS)
BAD = (Life.TERMINATED, Outcome.FAILED)
GONE = (Life.TERMINATED, Outcome.CANCELED)


def task(key: str, *upstream: str, **options: object) -> TaskSpec:
    return TaskSpec(key, TaskKind.NOTEBOOK, {}, tuple(Dependency(u) for u in upstream), **options)


def run_of(*tasks: TaskSpec, **options: object) -> Run:
    given = {"life": Life.RUNNING, "started": 0, **options}
    return Run(1, 2, RunType.SUBMIT, "r", "me", "me", {}, tasks, 1, 0, **given)


def attempts(**states: tuple[Life, Outcome | None] | Life) -> dict[str, Attempt]:
    found = {}
    for number, (key, state) in enumerate(states.items()):
        life, outcome = state if isinstance(state, tuple) else (state, None)
        found[key] = Attempt(10 + number, 1, key, life=life, outcome=outcome, started=0)
    return found


def test_a_task_starts_when_all_that_it_depends_on_has_ended():
    run = run_of(task("a"), task("b", "a"), task("c", "a", "b"))
    assert advance(run, attempts(a=Life.BLOCKED, b=Life.BLOCKED, c=Life.BLOCKED), 0) == [Start("a")]
    assert advance(run, attempts(a=Life.RUNNING, b=Life.BLOCKED, c=Life.BLOCKED), 0) == []
    assert advance(run, attempts(a=OK, b=Life.BLOCKED, c=Life.BLOCKED), 0) == [Start("b")]
    assert advance(run, attempts(a=OK, b=OK, c=Life.BLOCKED), 0) == [Start("c")]
    assert advance(run, attempts(a=OK, b=OK, c=OK), 0) == [Finish(Life.TERMINATED, Outcome.SUCCESS, "")]


@pytest.mark.parametrize(
    ("run_if", "upstream", "expected"),
    [
        (RunIf.ALL_SUCCESS, [OK, OK], None),
        (RunIf.ALL_SUCCESS, [OK, BAD], Outcome.UPSTREAM_FAILED),
        (RunIf.ALL_SUCCESS, [OK, GONE], Outcome.UPSTREAM_CANCELED),
        (RunIf.ALL_SUCCESS, [OK, (Life.TERMINATED, Outcome.EXCLUDED)], None),
        *((run_if, [(Life.TERMINATED, Outcome.EXCLUDED)] * 2, Outcome.EXCLUDED) for run_if in RunIf),
        (RunIf.AT_LEAST_ONE_SUCCESS, [BAD, OK], None),
        (RunIf.AT_LEAST_ONE_SUCCESS, [BAD, BAD], Outcome.UPSTREAM_FAILED),
        (RunIf.NONE_FAILED, [OK, (Life.TERMINATED, Outcome.EXCLUDED)], None),
        (RunIf.NONE_FAILED, [OK, BAD], Outcome.UPSTREAM_FAILED),
        (RunIf.ALL_DONE, [BAD, GONE], None),
        (RunIf.AT_LEAST_ONE_FAILED, [OK, BAD], None),
        (RunIf.AT_LEAST_ONE_FAILED, [OK, OK], Outcome.EXCLUDED),
        (RunIf.ALL_FAILED, [BAD, (Life.TERMINATED, Outcome.TIMEDOUT)], None),
        (RunIf.ALL_FAILED, [BAD, OK], Outcome.EXCLUDED),
    ],
)
def test_run_if_judges_the_tasks_upstream(run_if, upstream, expected):
    run = run_of(task("a"), task("b"), task("c", "a", "b", run_if=run_if))
    moves = advance(run, attempts(a=upstream[0], b=upstream[1], c=Life.BLOCKED), 0)
    if expected is None:
        assert moves == [Start("c")]
    else:
        assert [(type(m), m.task_key, m.outcome) for m in moves] == [(Settle, "c", expected)]


def test_a_condition_excludes_the_branch_that_asks_for_the_other_outcome():
    spec = TaskSpec("no", TaskKind.NOTEBOOK, {}, (Dependency("if", "false"),))
    yes = replace(spec, key="yes", depends_on=(Dependency("if", "true"),))
    latest = attempts(**{"if": OK, "no": Life.BLOCKED, "yes": Life.BLOCKED})
    latest["if"] = replace(latest["if"], answer="true")
    moves = advance(run_of(task("if"), spec, yes), latest, 0)
    assert [(type(m), m.task_key) for m in moves] == [(Settle, "no"), (Start, "yes")]
    assert moves[0].outcome is Outcome.EXCLUDED


def test_a_task_of_the_other_branch_is_excluded_also_when_it_depends_on_more():
    both = TaskSpec("both", TaskKind.NOTEBOOK, {}, (Dependency("if", "false"), Dependency("a")))
    any_ = replace(both, key="any", run_if=RunIf.NONE_FAILED)
    latest = attempts(**{"if": OK, "a": OK, "both": Life.BLOCKED, "any": Life.BLOCKED})
    latest["if"] = replace(latest["if"], answer="true")
    moves = advance(run_of(task("if"), task("a"), both, any_), latest, 0)
    assert [(type(m), m.task_key) for m in moves] == [(Settle, "both"), (Start, "any")]


def test_a_failure_that_no_leaf_feels_is_success_with_failures():
    run = run_of(task("a"), task("b", "a", run_if=RunIf.ALL_DONE))
    assert advance(run, attempts(a=BAD, b=OK), 0) == [Finish(Life.TERMINATED, Outcome.SUCCESS_WITH_FAILURES, "")]


def test_a_failed_leaf_fails_the_run_with_the_words_of_databricks():
    (finish,) = advance(run_of(task("a")), {"a": replace(attempts(a=BAD)["a"], message="Workload failed.")}, 0)
    words = "Task a failed with message: Workload failed. This caused all downstream tasks to get skipped."
    assert finish == Finish(Life.INTERNAL_ERROR, Outcome.FAILED, words)


def test_retries_are_made_until_they_are_used_up():
    run = run_of(task("a", max_retries=1, retry_wait_ms=500))
    failed = attempts(a=BAD)["a"]
    assert advance(run, {"a": failed}, 1000) == [Retry("a", 1500)]
    waiting = replace(failed, number=1, life=Life.WAITING_FOR_RETRY, outcome=None, ready=1500)
    assert advance(run, {"a": waiting}, 1499) == []
    assert next_wake(run, {"a": waiting}) == 1500
    assert advance(run, {"a": waiting}, 1500) == [Start("a")]
    assert advance(run, {"a": replace(failed, number=1)}, 2000)[0].outcome is Outcome.FAILED


def test_a_timeout_is_retried_only_when_asked():
    timed_out = {"a": attempts(a=(Life.TERMINATED, Outcome.TIMEDOUT))["a"]}
    never = run_of(task("a", max_retries=1))
    assert advance(never, timed_out, 0) == [Finish(Life.TERMINATED, Outcome.TIMEDOUT, "Task a timed out.")]
    assert advance(run_of(task("a", max_retries=1, retry_on_timeout=True)), timed_out, 0) == [Retry("a", 0)]


def test_a_task_over_its_time_is_stopped_and_the_wake_time_is_its_deadline():
    run, latest = run_of(task("a", timeout_ms=100)), attempts(a=Life.RUNNING)
    assert next_wake(run, latest) == 100
    assert advance(run, latest, 99) == []
    assert advance(run, latest, 100) == [Stop("a", timed_out=True)]


def test_a_cancelled_run_stops_what_runs_and_settles_what_waits():
    run = run_of(task("a"), task("b", "a"), cancel_requested=True)
    moves = advance(run, attempts(a=Life.RUNNING, b=Life.BLOCKED), 0)
    assert moves == [Stop("a", False), Settle("b", Life.TERMINATED, Outcome.CANCELED, "Run cancelled.")]
    assert advance(run, attempts(a=Life.TERMINATING, b=GONE), 0) == []
    assert advance(run, attempts(a=GONE, b=GONE), 0) == [Finish(Life.TERMINATED, Outcome.CANCELED, "Run cancelled.")]


def test_a_cancel_that_came_too_late_does_not_change_what_happened():
    run = run_of(task("a"), cancel_requested=True)
    assert advance(run, attempts(a=OK), 0) == [Finish(Life.TERMINATED, Outcome.SUCCESS, "")]


def test_a_run_over_its_time_is_wound_up_as_timed_out():
    run = run_of(task("a"), timeout_ms=2000)
    assert next_wake(run, attempts(a=Life.RUNNING)) == 2000
    assert advance(run, attempts(a=Life.RUNNING), 2000) == [Stop("a", timed_out=True)]
    ended = attempts(a=(Life.TERMINATED, Outcome.TIMEDOUT))
    message = "Run timed out after 2 seconds."
    assert advance(run, ended, 2001) == [Finish(Life.TERMINATED, Outcome.TIMEDOUT, message)]


def test_a_queued_or_ended_run_asks_for_nothing():
    for life in (Life.QUEUED, Life.TERMINATED, Life.SKIPPED, Life.INTERNAL_ERROR):
        assert advance(run_of(task("a"), life=life), attempts(a=Life.BLOCKED), 0) == []


@st.composite
def graphs(draw: st.DrawFn) -> tuple[TaskSpec, ...]:
    keys = [f"t{n}" for n in range(draw(st.integers(1, 6)))]
    return tuple(
        task(
            key,
            *draw(st.sets(st.sampled_from(keys[:n]), max_size=3) if n else st.just(set())),
            run_if=draw(st.sampled_from(RunIf)),
            max_retries=draw(st.integers(0, 2)),
        )
        for n, key in enumerate(keys)
    )


@given(graphs(), st.data())
def test_every_run_ends_and_starts_no_task_before_its_time(tasks, data):
    run, latest, order = run_of(*tasks), attempts(**{t.key: Life.BLOCKED for t in tasks}), []
    for now in range(200):
        moves = advance(run, latest, now)
        for move in moves:
            match move:
                case Start(key):
                    order.append(key)
                    outcome = data.draw(st.sampled_from([Outcome.SUCCESS, Outcome.FAILED, Outcome.TIMEDOUT]))
                    assert all(latest[d.task_key].life.final for d in run.task(key).depends_on)
                    latest[key] = replace(latest[key], life=Life.TERMINATED, outcome=outcome)
                case Settle(key, life, outcome, _):
                    latest[key] = replace(latest[key], life=life, outcome=outcome)
                case Retry(key, ready):
                    number = latest[key].number + 1
                    latest[key] = replace(latest[key], life=Life.WAITING_FOR_RETRY, number=number, ready=ready)
                case Finish():
                    assert all(a.life.final for a in latest.values())
                    assert all(order.count(t.key) <= t.max_retries + 1 for t in tasks)
                    return
        assert moves, "nothing to do and not finished"
    raise AssertionError("the run did not end")
