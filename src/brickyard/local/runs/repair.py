"""What a repair of a run does: which tasks run again, with which settings; pure decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.routes import field_list, field_object, field_objects
from brickyard.local.runs.model import Attempt, JsonObject, Life, Outcome, Phase, Run
from brickyard.local.runs.settings import read_tasks, text_map

OVERRIDES = ("notebook_params", "python_params", "python_named_params", "sql_params", "job_parameters")
_DONE = (Outcome.SUCCESS, Outcome.SUCCESS_WITH_FAILURES)
_CURRENT = ("environments", "job_clusters")


def check(run: Run, body: JsonObject) -> None:
    """Refuse a repair of a run that is active or skipped, or one asked for by somebody who missed the latest repair."""
    if not run.life.final:
        raise ApiError(400, "INVALID_STATE", f"Run {run.run_id} is active; only a run that has ended can be repaired.")
    if run.life is Life.SKIPPED:
        raise ApiError(400, "INVALID_STATE", f"Run {run.run_id} was skipped; start a new one.")
    given = body.get("latest_repair_id")
    if given != run.repair_id and str(given) != str(run.repair_id):
        known = "has not been repaired yet" if run.repair_id is None else f"was last repaired by {run.repair_id}"
        raise invalid(f"The latest_repair_id {given} is wrong: run {run.run_id} {known}.")


def chosen(run: Run, latest: Mapping[str, Attempt], body: JsonObject) -> list[str]:
    """The keys of the tasks that run again, in the run's order; raises ApiError for a wrong or empty choice."""
    named, failed = [str(key) for key in field_list(body, "rerun_tasks")], body.get("rerun_all_failed_tasks") is True
    if bool(named) is failed:
        raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks is needed.")
    unknown = sorted(set(named) - set(latest))
    if unknown:
        raise invalid(f"rerun_tasks names tasks that the run does not have: {', '.join(unknown)}.")
    picked = set(named) or _not_done(run, latest)
    if body.get("rerun_dependent_tasks") is True:
        picked |= downstream(run, picked)
    if not picked:
        raise invalid(f"Run {run.run_id} has no failed task to repair.")
    return [task.key for task in run.tasks if task.key in picked]


def downstream(run: Run, keys: set[str]) -> set[str]:
    """The tasks that depend on any of *keys*, directly or not."""
    found: set[str] = set()
    while more := {t.key for t in run.tasks if {d.task_key for d in t.depends_on} & (keys | found)} - found:
        found |= more
    return found


def repaired(run: Run, repair_id: int, body: JsonObject, now: int) -> Run:
    """The run as it waits again; what it was before becomes one of its phases."""
    before = run.repaired if run.repaired is not None else run.created
    phase = Phase(run.repair_id, before, run.ended or now, run.life, run.outcome, run.message)
    overrides = {**run.overrides, **{name: body[name] for name in OVERRIDES if body.get(name)}}
    return replace(
        run,
        life=Life.PENDING,
        outcome=None,
        message="",
        ended=None,
        cancel_requested=False,
        timed_out=False,
        phases=(*run.phases, phase),
        repair_id=repair_id,
        repaired=now,
        parameters={**run.parameters, **text_map(field_object(body, "job_parameters"))},
        overrides=overrides,
    )


def with_settings(run: Run, current: JsonObject, keys: Sequence[str]) -> Run:
    """The run with the job's current definition of the tasks *keys*, where that still fits into the run."""
    known = {task.key for task in run.tasks}
    now = {str(task.get("task_key")): task for task in field_objects(current, "tasks")}
    tasks = [
        now[key] if key in keys and key in now and _fits(now[key], known) else task
        for task in field_objects(run.settings, "tasks")
        for key in [str(task.get("task_key"))]
    ]
    shared = {name: current[name] for name in _CURRENT if name in current}
    settings = {**run.settings, **shared, "tasks": tasks}
    return replace(run, settings=settings, tasks=read_tasks(settings))


def _fits(task: JsonObject, known: set[str]) -> bool:
    return {str(edge.get("task_key")) for edge in field_objects(task, "depends_on")} <= known


def _not_done(run: Run, latest: Mapping[str, Attempt]) -> set[str]:
    """What failed, was cancelled or skipped for that; and what was excluded, when it depends on such a task."""
    failed = {key for key, attempt in latest.items() if attempt.outcome not in (*_DONE, Outcome.EXCLUDED)}
    excluded = {key for key, attempt in latest.items() if attempt.outcome is Outcome.EXCLUDED}
    return failed | (downstream(run, failed) & excluded)
