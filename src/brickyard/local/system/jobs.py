"""Rows of `system.lakeflow` about jobs: their definitions version by version, their runs and task runs slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from brickyard.local.api.scim import user_id
from brickyard.local.runs.model import Attempt, Job, JsonObject, Outcome, Run, RunType, TaskKind, Trigger
from brickyard.local.system.model import Row, at_ms
from brickyard.local.system.timeline import Period, timeline_rows

_RESULTS: Mapping[Outcome, str] = {
    Outcome.SUCCESS: "SUCCEEDED",
    Outcome.SUCCESS_WITH_FAILURES: "SUCCEEDED",
    Outcome.FAILED: "FAILED",
    Outcome.TIMEDOUT: "TIMED_OUT",
    Outcome.CANCELED: "CANCELLED",
    Outcome.EXCLUDED: "SKIPPED",
    Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED: "SKIPPED",
    Outcome.UPSTREAM_FAILED: "BLOCKED",
    Outcome.UPSTREAM_CANCELED: "BLOCKED",
}
_CODES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.SUCCESS: ("SUCCESS", "SUCCESS"),
    Outcome.SUCCESS_WITH_FAILURES: ("SUCCESS", "SUCCESS"),
    Outcome.FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    Outcome.TIMEDOUT: ("CANCELLED", "CLIENT_ERROR"),
    Outcome.CANCELED: ("CANCELLED", "CLIENT_ERROR"),
    Outcome.EXCLUDED: ("SKIPPED", "SUCCESS"),
    Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED: ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
    Outcome.UPSTREAM_FAILED: ("SKIPPED", "CLIENT_ERROR"),
    Outcome.UPSTREAM_CANCELED: ("SKIPPED", "CLIENT_ERROR"),
}
_DRIVER = "DRIVER_ERROR"  # the process itself was lost: an ERROR, not a task that FAILED
_TYPES = {_DRIVER: "CLOUD_FAILURE"}
_KINDS = {
    "schedule": "CRON",
    "continuous": "CONTINUOUS",
    "file_arrival": "FILE_ARRIVAL",
    "periodic": "PERIODIC",
    "table_update": "TABLE",
}
_TRIGGERS = {Trigger.ONE_TIME: "ONETIME", Trigger.PERIODIC: "CRON"}
_FILES = ("url", "min_time_between_triggers_seconds", "wait_after_last_change_seconds")
_UPDATES = ("table_names", "min_time_between_triggers_seconds", "wait_after_last_change_seconds", "condition")


@dataclass(frozen=True, slots=True)
class Starters:
    """The task run that started a run and the one at the top of that chain; None for a run that nobody's task started."""

    source: int | None = None
    root: int | None = None


def job_row(job: Job, at: int, *, deleted: bool = False) -> Row:
    """The version of a job that took effect *at*, in ms since the epoch."""
    settings = job.settings
    acting = _object(settings.get("run_as"))
    run_as = str(acting.get("user_name") or acting.get("service_principal_name") or job.creator)
    return {
        "job_id": str(job.job_id),
        "name": job.name,
        "creator_id": user_id(job.creator),
        "tags": {name: str(value) for name, value in _object(settings.get("tags")).items()},
        "run_as": user_id(run_as),
        "change_time": at_ms(at),
        "delete_time": at_ms(at) if deleted else None,
        "description": settings.get("description"),
        **_trigger(settings),
        "run_as_user_name": run_as,
        "creator_user_name": job.creator,
        "timeout_seconds": settings.get("timeout_seconds"),
        "health_rules": _rules(settings.get("health")),
        "deployment": _deployment(settings.get("deployment")),
        "create_time": at_ms(job.created),
    }


def _trigger(settings: JsonObject) -> Row:
    """The one trigger of a job; several are told as MULTIPLE without their settings."""
    found = dict(_triggers(settings))
    paused = [body.get("pause_status") == "PAUSED" for body in found.values()]
    if len(found) > 1:
        return {"trigger": None, "trigger_type": "MULTIPLE", "paused": all(paused)}
    if not found:
        return {"trigger": None, "trigger_type": None, "paused": None}
    ((kind, body),) = found.items()
    return {"trigger": {kind: _TRIGGER_FIELDS[kind](body)}, "trigger_type": _KINDS[kind], "paused": paused[0]}


def _triggers(settings: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for kind in ("schedule", "continuous"):
        if settings.get(kind):
            yield kind, _object(settings[kind])
    trigger = _object(settings.get("trigger"))
    for kind in ("file_arrival", "periodic", "table_update"):
        if trigger.get(kind):
            yield kind, {**_object(trigger[kind]), "pause_status": trigger.get("pause_status")}


_TRIGGER_FIELDS = {
    "schedule": lambda body: _picked(body, ("quartz_cron_expression", "timezone_id")),
    "continuous": lambda body: {"enabled": body.get("pause_status") != "PAUSED"},
    "file_arrival": lambda body: _picked(body, _FILES),
    "periodic": lambda body: {"interval": body.get("interval"), "units": body.get("unit")},
    "table_update": lambda body: _picked(body, _UPDATES),
}


def task_columns(job: Job) -> dict[str, Row]:
    """What the versions of a job's tasks say, by task key."""
    tasks = job.settings.get("tasks")
    return {str(task["task_key"]): _task_columns(task) for task in _objects(tasks)}


def _task_columns(task: JsonObject) -> Row:
    return {
        "depends_on_keys": [str(edge["task_key"]) for edge in _objects(task.get("depends_on"))],
        "timeout_seconds": task.get("timeout_seconds"),
        "health_rules": _rules(task.get("health")),
    }


def task_row(job: Job, key: str, columns: Row, at: int, *, deleted: bool = False) -> Row:
    """The version of a task that took effect *at*, in ms since the epoch."""
    return {
        **columns,
        "job_id": str(job.job_id),
        "task_key": key,
        "change_time": at_ms(at),
        "delete_time": at_ms(at) if deleted else None,
    }


def begun(run: Run) -> int:
    """When a run was asked for, or its latest repair was, in ms since the epoch."""
    return run.repaired or run.created


def run_rows(run: Run, attempts: Sequence[Attempt], starters: Starters, period: Period) -> Iterator[Row]:
    """The slices of a period of a run; the phases of one with several tasks are 0, which means not reported."""
    always: Row = {
        "job_id": str(run.job_id),
        "run_id": str(run.run_id),
        "trigger_type": _TRIGGERS.get(run.trigger, run.trigger.value),
        "run_type": run.run_type.value,
        "run_name": run.name,
        "compute_ids": [],
        "compute": _all_compute(run),
        "job_parameters": _parameters(run),
        "source_task_run_id": None if starters.source is None else str(starters.source),
        "root_task_run_id": None if starters.root is None else str(starters.root),
    }
    at_end: Row = {
        **_ending(run.outcome, ""),
        "run_duration_seconds": (period.end - begun(run)) // 1000,
        **_run_phases(run, attempts),
    }
    return timeline_rows(period, always, at_end)


def _run_phases(run: Run, attempts: Sequence[Attempt]) -> Row:
    queued = max((run.started or 0) - begun(run), 0) // 1000
    if len(run.tasks) == 1 and attempts:
        return {"queue_duration_seconds": queued, **_phases(attempts[-1])}
    return {"queue_duration_seconds": 0, "setup_duration_seconds": 0, "execution_duration_seconds": 0} | _NO_CLEANUP


def attempt_rows(run: Run, attempt: Attempt, period: Period) -> Iterator[Row]:
    """The slices of a period of a task run."""
    always: Row = {
        "job_id": str(run.job_id),
        "run_id": str(attempt.task_run_id),
        "task_key": attempt.task_key,
        "compute_ids": [],
        "compute": _compute(run, attempt.task_key),
        "job_run_id": str(run.run_id),
        "parent_run_id": str(run.run_id),
        "task_parameters": _task_parameters(attempt),
    }
    at_end = {**_ending(attempt.outcome, attempt.code), **_phases(attempt)}
    return timeline_rows(period, always, at_end)


_NO_CLEANUP: Row = {"cleanup_duration_seconds": 0}


def _phases(attempt: Attempt) -> Row:
    """Setup until the process works, execution until it ends; what never worked has executed nothing."""
    ended = attempt.ended or 0
    started, executing = attempt.started or ended, attempt.executing or ended
    setup, execution = (executing - started) // 1000, (ended - executing) // 1000
    return {"setup_duration_seconds": setup, "execution_duration_seconds": execution} | _NO_CLEANUP


def _ending(outcome: Outcome | None, code: str) -> Row:
    if outcome is None:
        return {"result_state": None, "termination_code": None, "termination_type": None}
    known, blame = _CODES[outcome]
    result = "ERROR" if code == _DRIVER and outcome is Outcome.FAILED else _RESULTS[outcome]
    return {
        "result_state": result,
        "termination_code": code or known,
        "termination_type": _TYPES.get(code, blame),
    }


def _all_compute(run: Run) -> list[Row] | None:
    found = [one for task in run.tasks for one in _compute(run, task.key) or ()]
    return [one for place, one in enumerate(found) if one not in found[:place]] or None


def _compute(run: Run, key: str) -> list[Row] | None:
    """The warehouse of a SQL task; the processes of other tasks are no compute that has an id."""
    task = run.task(key)
    if task.kind is not TaskKind.SQL or not task.body.get("warehouse_id"):
        return None
    return [{"type": "WAREHOUSE", "cluster_id": None, "warehouse_id": str(task.body["warehouse_id"])}]


def _parameters(run: Run) -> Row | None:
    if run.run_type is not RunType.JOB or not run.parameters:
        return None
    return {name: {"value": value} for name, value in run.parameters.items()}


def _task_parameters(attempt: Attempt) -> Row | None:
    given = _object(attempt.resolved.get("base_parameters"))
    return {name: {"value": str(value)} for name, value in given.items()} or None


def _rules(health: object) -> list[Row] | None:
    rules = [
        {"metric": rule.get("metric"), "operator": rule.get("op"), "value": rule.get("value")}
        for rule in _objects(_object(health).get("rules"))
    ]
    return rules or None


def _deployment(body: object) -> Row | None:
    return _picked(body, ("kind", "metadata_file_path")) if isinstance(body, dict) else None


def _picked(body: JsonObject, names: Sequence[str]) -> Row:
    return {name: body.get(name) for name in names}


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
