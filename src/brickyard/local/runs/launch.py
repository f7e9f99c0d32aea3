"""How a task becomes a process: its parameters resolved, its environment scrubbed, its token issued."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from brickyard.local.api.errors import ApiError
from brickyard.local.api.routes import field_list, field_number, field_object, field_text
from brickyard.local.api.tokens import Principal, Tokens
from brickyard.local.files.workspace import Entry, Kind, WorkspaceFiles, workspace_path
from brickyard.local.runs.foreach import input_names, inputs_of, settings_of
from brickyard.local.runs.model import Attempt, JsonObject, Life, Outcome, Run, TaskKind, TaskSpec, now_ms
from brickyard.local.runs.output import read_rows
from brickyard.local.runs.parameters import Surroundings, compare, resolve
from brickyard.local.runs.processes import Order, Processes, scrubbed
from brickyard.local.runs.store import Store

RUNTIME_VERSION = "17.3"
OVERRIDES = ("notebook_params", "python_params", "python_named_params", "sql_params", "job_parameters", "only")
_RUN_TOKEN_SECONDS = 48 * 3600.0
_KINDS = {
    TaskKind.NOTEBOOK: "notebook",
    TaskKind.PYTHON: "python",
    TaskKind.WHEEL: "wheel",
    TaskKind.SQL: "sql",
}


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Where a workspace lies: its REST address, its folder, the variables its processes may inherit."""

    host: str
    home: Path
    environment: Mapping[str, str]

    @property
    def workspace_id(self) -> str:
        """The identifier that the workspace gave itself when it was made."""
        return str(json.loads((self.home / "workspace.json").read_text())["workspace_id"])

    def attempt(self, task_run_id: int) -> Path:
        """Where an attempt keeps its log and results."""
        return self.home / "runs" / str(task_run_id)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Does for the scheduler what is not its own: starting, halting and cleaning up after attempts."""

    surfaces: Surfaces
    tokens: Tokens
    files: WorkspaceFiles
    store: Store
    processes: Processes
    run_job: Callable[[int, JsonObject, Principal], Run]
    cancel: Callable[[int], None]
    refresh: Callable[[JsonObject, Attempt, Principal], int]
    iterate: Callable[[Run, Attempt, JsonObject], Run]

    def begin(self, run: Run, task: TaskSpec, attempt: Attempt) -> Attempt:
        """Start an attempt: a process, a condition that is judged at once, or a run of another job."""
        body = resolve(task, self._surroundings(run, attempt))
        attempt = replace(attempt, resolved=body)
        self.store.save_attempt(attempt)
        match task.kind:
            case TaskKind.CONDITION:
                return _judged(attempt, body)
            case TaskKind.RUN_JOB:
                return self._begin_job(attempt, body, run)
            case TaskKind.PIPELINE:
                return self._begin_refresh(attempt, body, run)
            case TaskKind.FOR_EACH:
                return self._begin_iterations(attempt, body, run)
            case TaskKind.UPDATE:
                return self._begin_update(run, attempt)
            case _:
                return self._begin_process(run, task, attempt)

    def _surroundings(self, run: Run, attempt: Attempt) -> Surroundings:
        """What the references of an attempt mean; an iteration refers to the run of its for_each task."""
        root = self.store.root(run)
        values = {key: _as_text(value) for key, value in self.store.values(root.run_id).items()}
        latest, surfaces = self.store.latest(root.run_id), self.surfaces
        given = {} if root is run else input_names(run, attempt.task_key)
        for task in root.tasks:
            if task.kind is TaskKind.SQL and latest[task.key].outcome is Outcome.SUCCESS:
                given |= _row_names(task.key, read_rows(self.folder(latest[task.key].task_run_id)))
        return Surroundings(root, attempt, latest, values, surfaces.host, surfaces.workspace_id, given)

    def halt(self, task: TaskSpec, attempt: Attempt) -> None:
        """Ask the process or the child run of an attempt to end."""
        if attempt.child is not None:
            self.cancel(attempt.child)
        else:
            self.processes.stop(attempt.task_run_id)

    def left(self, attempt: Attempt) -> None:
        """End the token of an attempt and the runs that its notebook started."""
        self.tokens.revoke_run(attempt.task_run_id)
        for run in self.store.open_runs():
            if run.parent == attempt.task_run_id:
                self.cancel(run.run_id)

    def folder(self, task_run_id: int) -> Path:
        """Where an attempt keeps its log and results."""
        return self.surfaces.attempt(task_run_id)

    def _begin_job(self, attempt: Attempt, body: JsonObject, run: Run) -> Attempt:
        given = {name: body[name] for name in (*OVERRIDES, "idempotency_token") if name in body}
        token = {"idempotency_token": f"task-run-{attempt.task_run_id}"}
        try:
            child = self.run_job(field_number(body, "job_id"), {**given, **token}, Principal(run.run_as))
        except ApiError as error:
            return _over(attempt, Outcome.FAILED, error.message, "INVALID_RUN_CONFIGURATION")
        return replace(attempt, child=child.run_id, life=Life.RUNNING, executing=now_ms())

    def _begin_iterations(self, attempt: Attempt, body: JsonObject, run: Run) -> Attempt:
        try:
            inputs = inputs_of(body)
        except ApiError as error:
            return _over(attempt, Outcome.FAILED, error.message, "INVALID_RUN_CONFIGURATION")
        if not inputs:
            return _over(attempt, Outcome.SUCCESS, "")
        settings = settings_of(body, inputs, field_list(run.settings, "environments"))
        child = self.iterate(run, attempt, settings)
        return replace(attempt, child=child.run_id, life=Life.RUNNING, executing=now_ms())

    def _begin_refresh(self, attempt: Attempt, body: JsonObject, run: Run) -> Attempt:
        try:
            child = self.refresh(body, attempt, Principal(run.run_as))
        except ApiError as error:
            return _over(attempt, Outcome.FAILED, error.message, "INVALID_RUN_CONFIGURATION")
        return replace(attempt, child=child, life=Life.RUNNING, executing=now_ms())

    def _begin_update(self, run: Run, attempt: Attempt) -> Attempt:
        folder = self.folder(attempt.task_run_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = {"kind": "pipeline", "path": f"/{run.name}", "update": attempt.resolved, **self._roots()}
        environment = self._environment(run, attempt, folder)
        self.processes.start(Order(attempt.task_run_id, str(folder), environment, work))
        return attempt

    def _roots(self) -> JsonObject:
        return {"dbfs": str(self.surfaces.home / "dbfs"), "workspace": str(self.files.root)}

    def _begin_process(self, run: Run, task: TaskSpec, attempt: Attempt) -> Attempt:
        if task.kind is TaskKind.WHEEL:
            return self._begin_work(run, task, attempt, {"path": "/", "entry": _entry(attempt.resolved)}, None)
        path, wanted = _source_of(task.kind, attempt.resolved)
        entry = self.files.find(path)
        if entry is None or (entry.kind is not wanted and task.kind is not TaskKind.SQL):
            return _over(attempt, Outcome.FAILED, _no_access(path, wanted), "RESOURCE_NOT_FOUND", Life.INTERNAL_ERROR)
        return self._begin_work(run, task, attempt, {"path": path}, entry)

    def _begin_work(self, run: Run, task: TaskSpec, attempt: Attempt, what: JsonObject, entry: Entry | None) -> Attempt:
        folder = self.folder(attempt.task_run_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = {
            "kind": _KINDS[task.kind],
            **what,
            **_parameters_of(attempt.resolved),
            **self._roots(),
            "libraries": bool(task.libraries),
            "tags": _tags(self.store.root(run), attempt, entry, self.surfaces.host),
        }
        environment = self._environment(run, attempt, folder)
        self.processes.start(Order(attempt.task_run_id, str(folder), environment, work))
        return attempt

    def _environment(self, run: Run, attempt: Attempt, folder: Path) -> dict[str, str]:
        token = self.tokens.issue(run.run_as, ttl=_RUN_TOKEN_SECONDS, run=attempt.task_run_id)
        return {
            **scrubbed(self.surfaces.environment),
            "HOME": str(folder),
            "DATABRICKS_HOST": self.surfaces.host,
            "DATABRICKS_TOKEN": token,
            "DATABRICKS_AUTH_TYPE": "pat",
            "DATABRICKS_RUNTIME_VERSION": RUNTIME_VERSION,
            "IS_SERVERLESS": "TRUE",
        }


def _row_names(key: str, rows: list[dict[str, str | None]]) -> dict[str, str]:
    """What references to the rows of a SQL task mean."""
    first = {f"tasks.{key}.output.first_row.{name}": value or "" for name, value in (rows or [{}])[0].items()}
    return {f"tasks.{key}.output.rows": json.dumps(rows, ensure_ascii=False), **first}


def _entry(body: JsonObject) -> list[str]:
    return [field_text(body, "package_name"), field_text(body, "entry_point")]


def _tags(run: Run, attempt: Attempt, entry: Entry | None, host: str) -> JsonObject:
    """What a notebook's context says of its run."""
    return {
        "user": run.run_as,
        "jobId": str(run.job_id),
        "jobName": run.name,
        "multitaskParentRunId": str(run.run_id),
        "runId": str(attempt.task_run_id),
        "taskKey": attempt.task_key,
        **({} if entry is None else {"notebookId": str(entry.object_id)}),
        "browserHostName": host.removeprefix("http://"),
    }


def _source_of(kind: TaskKind, body: JsonObject) -> tuple[str, Kind]:
    match kind:
        case TaskKind.NOTEBOOK:
            return workspace_path(field_text(body, "notebook_path")), Kind.NOTEBOOK
        case TaskKind.PYTHON:
            return workspace_path(field_text(body, "python_file")), Kind.FILE
        case _:
            return workspace_path(field_text(field_object(body, "file"), "path")), Kind.FILE


def _parameters_of(body: JsonObject) -> JsonObject:
    if body.get("named_parameters"):
        return {"arguments": [f"--{name}={value}" for name, value in field_object(body, "named_parameters").items()]}
    given = body.get("base_parameters", body.get("parameters"))
    return {"arguments": given} if isinstance(given, list) else {"parameters": given or {}}


def _no_access(path: str, wanted: Kind) -> str:
    what = "notebook" if wanted is Kind.NOTEBOOK else "file"
    return f'Unable to access the {what} "{path}" in the workspace: it does not exist or is not a {what}.'


def _judged(attempt: Attempt, body: JsonObject) -> Attempt:
    left, right = field_text(body, "left"), field_text(body, "right")
    try:
        answer = compare(field_text(body, "op"), left, right)
    except ValueError:
        why = f"The condition compares {left!r} with {right!r}, which are not both numbers."
        return _over(attempt, Outcome.FAILED, why, "INVALID_RUN_CONFIGURATION")
    return replace(_over(attempt, Outcome.SUCCESS, ""), answer=str(answer).lower())


def _over(attempt: Attempt, outcome: Outcome, message: str, code: str = "", life: Life = Life.TERMINATED) -> Attempt:
    return replace(attempt, life=life, outcome=outcome, message=message, code=code, executing=now_ms(), ended=now_ms())


def _as_text(coded: str) -> str:
    value = json.loads(coded)
    return value if isinstance(value, str) else coded
