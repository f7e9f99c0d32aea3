"""Checks the settings of jobs and submitted runs and reads their tasks; what cannot run here is refused at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from brickyard.kernel import quartz
from brickyard.kernel.errors import SpecInvalid
from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.routes import field_list, field_number, field_object, field_objects, field_text
from brickyard.local.runs.model import Dependency, JsonObject, RunIf, Schedule, TaskKind, TaskSpec

MAX_TASKS = 1000
MAX_CONCURRENCY = 100
_KEY = re.compile(r"[\w-]{1,100}\Z")
_ENUM = "must be one of"
_ELSEWHERE = (
    "ai_runtime_task", "alert_task", "clean_rooms_notebook_task", "dashboard_task", "dbt_cloud_task",
    "dbt_platform_task", "dbt_task", "gen_ai_compute_task", "power_bi_task",
    "python_operator_task", "spark_jar_task", "spark_submit_task",
)  # fmt: skip
_TASK_FIELDS = (*TaskKind, *_ELSEWHERE)
CONDITION_OPERATORS = (
    "EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL",
)  # fmt: skip


def normalize(settings: Mapping[str, object], default_key: str) -> JsonObject:
    """Return the settings in the multi-task form; a single task of API 2.0 becomes a task named *default_key*."""
    single = {name: settings[name] for name in (*_TASK_FIELDS, "libraries") if name in settings}
    if "tasks" in settings or not any(name in single for name in _TASK_FIELDS):
        return dict(settings)
    shared = ("existing_cluster_id", "new_cluster", "max_retries", "min_retry_interval_millis", "retry_on_timeout")
    task = {"task_key": default_key, **single, **{name: settings[name] for name in shared if name in settings}}
    rest = {name: value for name, value in settings.items() if name not in task}
    return {**rest, "tasks": [task]}


def read_tasks(settings: Mapping[str, object]) -> tuple[TaskSpec, ...]:
    """Read and check the tasks: known types, unique keys, an acyclic graph; raises ApiError."""
    if settings.get("git_source"):
        raise ApiError(501, "NOT_IMPLEMENTED", "git_source is not served here: import the files into the workspace.")
    objects = field_objects(settings, "tasks")
    if len(objects) > MAX_TASKS:
        raise invalid(f"A job may have at most {MAX_TASKS} tasks.")
    environments = _environments(settings)
    tasks = tuple(_read_task(task, environments) for task in objects)
    _check_graph(tasks)
    return tasks


def check_job(settings: Mapping[str, object]) -> None:
    """Check what belongs to the job itself: name, limits, parameters."""
    field_text(settings, "name", "Untitled")
    if not 0 <= field_number(settings, "max_concurrent_runs", 1) <= 1000:
        raise invalid("max_concurrent_runs must be between 0 and 1000.")
    if field_number(settings, "timeout_seconds", 0) < 0:
        raise invalid("timeout_seconds must not be negative.")
    read_schedule(settings)
    names = [field_text(p, "name") for p in field_objects(settings, "parameters")]
    if len(names) != len(set(names)):
        raise invalid("Job parameters must have different names.")


def check_environments(settings: Mapping[str, object]) -> None:
    """Check that every environment that a task names is there."""
    known = _environments(settings)
    tasks = field_objects(settings, "tasks")
    for task in [*tasks, *(field_object(field_object(t, TaskKind.FOR_EACH), "task") for t in tasks)]:
        key = field_text(task, "environment_key", "")
        if key and key not in known:
            raise invalid(f"Task {field_text(task, 'task_key')} names the environment {key}, which is not defined.")


def refuse_updates(tasks: Sequence[TaskSpec]) -> None:
    """Refuse tasks that only a pipeline may start."""
    for task in tasks:
        if task.kind is TaskKind.UPDATE:
            raise invalid(f"Task {task.key} must have exactly one task type, it has 0.")


def read_schedule(settings: Mapping[str, object]) -> Schedule | None:
    """The schedule of a job, None when it has none; raises ApiError."""
    if not settings.get("schedule"):
        return None
    body = field_object(settings, "schedule")
    state = field_text(body, "pause_status", "UNPAUSED")
    if state not in ("PAUSED", "UNPAUSED"):
        raise invalid(f"schedule.pause_status {_ENUM} PAUSED, UNPAUSED.")
    zone = field_text(body, "timezone_id")
    try:
        return Schedule(quartz.parse(field_text(body, "quartz_cron_expression")), ZoneInfo(zone), state == "PAUSED")
    except SpecInvalid as error:
        raise invalid(f"Invalid quartz cron expression: {error.message}") from error
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid(f"Invalid timezone ID: {zone!r}.") from error


def parameter_defaults(settings: Mapping[str, object]) -> dict[str, str]:
    """The job parameters with their default values."""
    return {field_text(p, "name"): str(p.get("default", "")) for p in field_objects(settings, "parameters")}


def _environments(settings: Mapping[str, object]) -> dict[str, list[str]]:
    """The dependencies of each environment by its key."""
    return {
        field_text(one, "environment_key"): text_list(field_object(one, "spec"), "dependencies")
        for one in field_objects(settings, "environments")
    }


def _libraries(task: JsonObject, environments: Mapping[str, list[str]]) -> tuple[str, ...]:
    """What the task's libraries and its environment add to Python; JARs and their like mean nothing here."""
    lines = list(environments.get(field_text(task, "environment_key", ""), ()))
    for library in field_objects(task, "libraries"):
        if "whl" in library:
            lines.append(field_text(library, "whl"))
        if "requirements" in library:
            lines.append(f"-r {field_text(library, 'requirements')}")
        if "pypi" in library:
            lines.append(field_text(field_object(library, "pypi"), "package"))
    return tuple(lines)


def _read_task(task: JsonObject, environments: Mapping[str, list[str]]) -> TaskSpec:
    key = field_text(task, "task_key")
    if not _KEY.match(key):
        raise invalid(f"Invalid task_key {key!r}: use letters, digits, - and _, at most 100 of them.")
    kind = _kind(task, key)
    body = field_object(task, kind)
    _CHECKERS[kind](body)
    return TaskSpec(
        key,
        kind,
        body,
        tuple(_dependency(d) for d in field_objects(task, "depends_on")),
        _run_if(task),
        field_number(task, "max_retries", 0),
        field_number(task, "min_retry_interval_millis", 0),
        task.get("retry_on_timeout") is True,
        field_number(task, "timeout_seconds", 0) * 1000,
        _libraries(task, environments),
    )


def _kind(task: JsonObject, key: str) -> TaskKind:
    given = [name for name in _TASK_FIELDS if task.get(name) is not None]
    if len(given) != 1:
        raise invalid(f"Task {key} must have exactly one task type, it has {len(given)}.")
    if given[0] in _ELSEWHERE:
        served = ", ".join(kind for kind in TaskKind if kind is not TaskKind.UPDATE)
        raise ApiError(501, "NOT_IMPLEMENTED", f"Task {key}: {given[0]} does not run here; these types do: {served}.")
    return TaskKind(given[0])


def _run_if(task: JsonObject) -> RunIf:
    name = field_text(task, "run_if", RunIf.ALL_SUCCESS)
    if name not in RunIf.__members__:
        raise invalid(f"run_if {_ENUM} {', '.join(RunIf)}.")
    return RunIf(name)


def _dependency(edge: JsonObject) -> Dependency:
    outcome = edge.get("outcome")
    return Dependency(field_text(edge, "task_key"), None if outcome is None else str(outcome).lower())


def _workspace_file(body: JsonObject, path_field: str) -> None:
    path = field_text(body, path_field)
    if field_text(body, "source", "WORKSPACE") != "WORKSPACE":
        raise ApiError(501, "NOT_IMPLEMENTED", "source GIT is not served here: import the file into the workspace.")
    if not path.startswith("/") or "://" in path:
        raise invalid(f"{path_field} must be an absolute workspace path, not {path!r}.")
    if not isinstance(body.get("parameters", []), list):
        raise invalid("parameters must be a list.")
    field_object(body, "base_parameters")


def _wheel(body: JsonObject) -> None:
    field_text(body, "package_name")
    field_text(body, "entry_point")
    if field_list(body, "parameters") and field_object(body, "named_parameters"):
        raise invalid("python_wheel_task takes parameters or named_parameters, not both.")


def _sql_file(body: JsonObject) -> None:
    if "file" not in body:
        raise ApiError(501, "NOT_IMPLEMENTED", "sql_task runs files here; query, alert and dashboard are not served.")
    _workspace_file(field_object(body, "file"), "path")
    field_object(body, "parameters")


def _condition(body: JsonObject) -> None:
    if field_text(body, "op") not in CONDITION_OPERATORS:
        raise invalid(f"condition_task.op {_ENUM} {', '.join(CONDITION_OPERATORS)}.")
    field_text(body, "left")
    field_text(body, "right")


def _for_each(body: JsonObject) -> None:
    field_text(body, "inputs")
    if not 1 <= field_number(body, "concurrency", 1) <= MAX_CONCURRENCY:
        raise invalid(f"for_each_task.concurrency must be between 1 and {MAX_CONCURRENCY}.")
    nested = _read_task(field_object(body, "task"), {})
    if nested.kind is TaskKind.FOR_EACH:
        raise invalid("A for_each_task cannot be nested in another one.")
    if nested.depends_on:
        raise invalid("The nested task of a for_each_task cannot depend on other tasks.")


_CHECKERS: Mapping[TaskKind, Callable[[JsonObject], object]] = {
    TaskKind.NOTEBOOK: partial(_workspace_file, path_field="notebook_path"),
    TaskKind.PYTHON: partial(_workspace_file, path_field="python_file"),
    TaskKind.WHEEL: _wheel,
    TaskKind.SQL: _sql_file,
    TaskKind.CONDITION: _condition,
    TaskKind.RUN_JOB: partial(field_number, name="job_id"),
    TaskKind.PIPELINE: partial(field_text, name="pipeline_id"),
    TaskKind.FOR_EACH: _for_each,
    TaskKind.UPDATE: partial(field_text, name="update_id"),
}


def _check_graph(tasks: Sequence[TaskSpec]) -> None:
    by_key = {task.key: task for task in tasks}
    if len(by_key) != len(tasks):
        raise invalid("Task keys must be unique.")
    for task in tasks:
        for edge in task.depends_on:
            if edge.task_key not in by_key:
                raise invalid(f"Task {task.key} depends on {edge.task_key}, which does not exist.")
            if edge.outcome is not None and by_key[edge.task_key].kind is not TaskKind.CONDITION:
                raise invalid(f"Task {task.key} asks for an outcome of {edge.task_key}, which is not a condition.")
    _check_acyclic(by_key)


def _check_acyclic(by_key: Mapping[str, TaskSpec]) -> None:
    waiting = {key: {d.task_key for d in task.depends_on} for key, task in by_key.items()}
    while free := [key for key, upstream in waiting.items() if not upstream]:
        for key in free:
            del waiting[key]
        for upstream in waiting.values():
            upstream.difference_update(free)
    if waiting:
        raise invalid(f"The tasks depend on each other in a circle: {', '.join(sorted(waiting))}.")


def text_map(value: Mapping[str, object]) -> dict[str, str]:
    """Parameters as text, as the Jobs API sends them to a notebook."""
    return {name: "" if given is None else _text(given) for name, given in value.items()}


def text_list(body: Mapping[str, object], name: str) -> list[str]:
    """A list of parameters as text."""
    return [_text(value) for value in field_list(body, name)]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
