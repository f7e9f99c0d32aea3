"""Dynamic value references (`{{job.run_id}}`, `{{tasks.x.values.k}}`, …) and what finally reaches a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from brickyard.local.runs.model import Attempt, JsonObject, Run, TaskKind, TaskSpec
from brickyard.local.runs.settings import text_list, text_map

_PARTS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}
_REFERENCE = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a reference can name: the run, the attempt, its finished neighbours, their task values, an iteration's input."""

    run: Run
    attempt: Attempt
    latest: Mapping[str, Attempt]
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    workspace_url: str = ""
    workspace_id: str = ""
    given: Mapping[str, str] = field(default_factory=dict)


def resolve(task: TaskSpec, around: Surroundings) -> JsonObject:
    """The task's body with every known reference replaced; unknown ones stay as they are written."""
    if task.kind is TaskKind.UPDATE:
        return task.body
    names = _names(task, around)
    if task.kind is TaskKind.FOR_EACH:  # the nested task is resolved when an iteration begins
        return {**task.body, "inputs": _replace(task.body.get("inputs"), names)}
    body = _replace(task.body, names)
    return {**body, **_effective(task.kind, body, around.run, names)} if isinstance(body, dict) else {}


def resolve_parameters(run: Run) -> dict[str, str]:
    """The job parameters with references to the job and run replaced."""
    names = _run_names(run)
    return {name: _fill(value, names) for name, value in run.parameters.items()}


def compare(operator: str, left: str, right: str) -> bool:
    """Evaluate a condition: EQUAL_TO and NOT_EQUAL on text, the orderings on numbers; raises ValueError."""
    if operator in ("EQUAL_TO", "NOT_EQUAL"):
        return (left == right) is (operator == "EQUAL_TO")
    a, b = float(left), float(right)
    return {
        "GREATER_THAN": a > b,
        "GREATER_THAN_OR_EQUAL": a >= b,
        "LESS_THAN": a < b,
        "LESS_THAN_OR_EQUAL": a <= b,
    }[operator]


def _effective(kind: TaskKind, body: JsonObject, run: Run, names: Mapping[str, str]) -> JsonObject:
    """What run-now and the job parameters put over the task's own parameters; job parameters win."""
    job = resolve_parameters(run)
    match kind:
        case TaskKind.NOTEBOOK:
            own = _text_object(body.get("base_parameters"))
            return {"base_parameters": {**own, **_text_object(run.overrides.get("notebook_params")), **job}}
        case TaskKind.PYTHON:
            given = run.overrides if run.overrides.get("python_params") else body
            key = "python_params" if given is run.overrides else "parameters"
            return {"parameters": [_fill(value, names) for value in text_list(given, key)]}
        case TaskKind.WHEEL:
            return _wheel_parameters(body, run, job, names)
        case TaskKind.SQL:
            own = _text_object(body.get("parameters"))
            return {"parameters": {**own, **_text_object(run.overrides.get("sql_params")), **job}}
        case TaskKind.CONDITION | TaskKind.RUN_JOB | TaskKind.PIPELINE | TaskKind.UPDATE | TaskKind.FOR_EACH:
            return {}


def _wheel_parameters(body: JsonObject, run: Run, job: Mapping[str, str], names: Mapping[str, str]) -> JsonObject:
    """Positional parameters as they are; to named ones come those of run-now and the job parameters."""
    given = _text_object(run.overrides.get("python_named_params"))
    if not run.overrides.get("python_params") and ("named_parameters" in body or given):
        named = {**_text_object(body.get("named_parameters")), **given, **job}
        return {"named_parameters": {name: _fill(value, names) for name, value in named.items()}}
    where, key = (run.overrides, "python_params") if run.overrides.get("python_params") else (body, "parameters")
    return {"parameters": [_fill(value, names) for value in text_list(where, key)]}


def _text_object(value: object) -> dict[str, str]:
    return text_map(value) if isinstance(value, dict) else {}


def _replace(value: object, names: Mapping[str, str]) -> object:
    match value:
        case str():
            return _fill(value, names)
        case dict():
            return {key: _replace(inner, names) for key, inner in value.items()}
        case list():
            return [_replace(inner, names) for inner in value]
        case _:
            return value


def _fill(text: str, names: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: names.get(found[1], found[0]), text)


def _names(task: TaskSpec, around: Surroundings) -> dict[str, str]:
    attempt = around.attempt
    names = _run_names(around.run)
    names |= {f"job.parameters.{name}": value for name, value in resolve_parameters(around.run).items()}
    names |= {
        "task.name": task.key,
        "task_key": task.key,
        "task.run_id": str(attempt.task_run_id),
        "run_id": str(attempt.task_run_id),
        "task.execution_count": str(attempt.number + 1),
        "task_retry_count": str(attempt.number),
        "task.notebook_path": str(task.body.get("notebook_path", "")),
        "workspace.url": around.workspace_url,
        "workspace.id": around.workspace_id,
    }
    for key, other in around.latest.items():
        names[f"tasks.{key}.run_id"] = str(other.task_run_id)
        names[f"tasks.{key}.execution_count"] = str(other.number + 1)
        names[f"tasks.{key}.result_state"] = (other.outcome or "").lower()
        names[f"tasks.{key}.outcome"] = other.answer or ""
        names[f"tasks.{key}.error_code"] = other.code
        names[f"tasks.{key}.notebook_path"] = str(other.resolved.get("notebook_path", ""))
    names |= around.given
    return names | {f"tasks.{key}.values.{name}": value for (key, name), value in around.values.items()}


def _run_names(run: Run) -> dict[str, str]:
    """What names the run itself; times are in UTC."""
    began = run.started or run.created
    names = {
        "job.id": str(run.job_id),
        "job_id": str(run.job_id),
        "job.run_id": str(run.run_id),
        "parent_run_id": str(run.run_id),
        "job.name": run.name,
        "job.repair_count": str(len(run.phases)),
        "job.trigger.type": run.trigger.value.lower(),
        **_time_names("job.start_time", began),
        **_time_names("job.trigger.time", run.created),
    }
    return names | {"start_date": names["job.start_time.iso_date"], "start_time": str(began)}


def _time_names(name: str, at: int) -> dict[str, str]:
    """The parts of a time in ms since the epoch that a reference can ask for."""
    then = datetime.fromtimestamp(at / 1000, UTC)
    return {
        f"{name}.iso_date": f"{then:%Y-%m-%d}",
        f"{name}.iso_datetime": f"{then:%Y-%m-%dT%H:%M:%S}",
        f"{name}.iso_weekday": str(then.isoweekday()),
        f"{name}.is_weekday": str(then.isoweekday() < 6).lower(),
        f"{name}.timestamp_ms": str(at),
        **{f"{name}.{part}": f"{then:{code}}" for part, code in _PARTS.items()},
    }
