"""`dbutils`: widgets, notebook, fs, jobs, secrets, library, and a clear word about what is not served."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from brickyard.local.kernel.context import EntryPoint, NotebookContext
from brickyard.local.kernel.control import NotebookExit, Unserved
from brickyard.local.kernel.files import FileSystem
from brickyard.local.kernel.server import Server
from brickyard.local.kernel.widgets import Widgets

MAX_TASK_VALUE = 48 * 1024
_RUNS = "/api/2.2/jobs/runs"


class ChildFailed(Exception):
    """A notebook started by `dbutils.notebook.run` did not end well."""


@dataclass(frozen=True, slots=True)
class NotebookUtils:
    """`dbutils.notebook`."""

    server: Server
    folder: str
    context: NotebookContext = field(default_factory=NotebookContext)
    poll_seconds: float = 0.1

    @property
    def entry_point(self) -> EntryPoint:
        """Where `entry_point.getDbutils().notebook().getContext()` begins."""
        return EntryPoint(self.context)

    def getContext(self) -> NotebookContext:  # noqa: N802 - Databricks' spelling
        """What is known of this run."""
        return self.context

    def exit(self, value: object = "") -> None:
        """Stop the notebook; *value* becomes the run's result."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: int = 0, arguments: Mapping[str, object] | None = None) -> str:
        """Run another notebook as a run of its own and return what it exits with."""
        body = {
            "path": absolute(self.folder, path),
            "timeout_seconds": timeout_seconds,
            "arguments": {name: str(value) for name, value in (arguments or {}).items()},
        }
        run_id = self.server.post("/api/local/runs/child", body)["run_id"]
        run = self._wait(run_id)
        output = self.server.get(f"{_RUNS}/get-output", run_id=_task_run(run))
        state = _mapping(run["state"])
        if state.get("result_state") != "SUCCESS":
            raise ChildFailed(f"{body['path']} (run {run_id}): {output.get('error') or state.get('state_message')}")
        return str(_mapping(output.get("notebook_output", {})).get("result", ""))

    def _wait(self, run_id: object) -> dict[str, object]:
        while True:
            run = self.server.get(f"{_RUNS}/get", run_id=run_id)
            if _mapping(run["state"])["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                return run
            time.sleep(self.poll_seconds)


@dataclass(frozen=True, slots=True)
class TaskValues:
    """`dbutils.jobs.taskValues`."""

    server: Server

    def set(self, key: str, value: object) -> None:
        """Keep a JSON value of this task for the tasks after it."""
        coded = json.dumps(value)
        if len(coded.encode()) > MAX_TASK_VALUE:
            raise ValueError(f"The task value {key} is larger than 48 KiB.")
        self.server.post("/api/local/runs/task-values", {"key": key, "value": coded})

    def get(self, taskKey: str, key: str, default: object = None, debugValue: object = None) -> object:  # noqa: N803 - Databricks' spelling
        """A value that another task of the run has set."""
        answer = self.server.get("/api/local/runs/task-values", task_key=taskKey, key=key)
        if "value" in answer:
            return json.loads(str(answer["value"]))
        if default is not None:
            return default
        raise ValueError(f"No task value with key {key!r} was set by task {taskKey!r}, and there is no default.")


@dataclass(frozen=True, slots=True)
class JobUtils:
    """`dbutils.jobs`."""

    taskValues: TaskValues  # noqa: N815 - Databricks' spelling


class LibraryUtils:
    """`dbutils.library`."""

    def restartPython(self) -> None:  # noqa: N802 - Databricks' spelling
        """Do nothing: nothing was installed that would need a restart."""


@dataclass(frozen=True, slots=True)
class SecretScope:
    """One scope of a listing."""

    name: str


@dataclass(frozen=True, slots=True)
class SecretMetadata:
    """One key of a scope."""

    key: str


@dataclass(frozen=True, slots=True)
class SecretUtils:
    """`dbutils.secrets`; what was read here is blotted out of everything the notebook prints or shows."""

    server: Server
    conceal: Callable[[str], None]

    def get(self, scope: str, key: str) -> str:
        """A secret as text."""
        return self.getBytes(scope, key).decode("utf-8")

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - Databricks' spelling
        """A secret as bytes."""
        value = base64.b64decode(str(self.server.get("/api/2.0/secrets/get", scope=scope, key=key)["value"]))
        self.conceal(value.decode("utf-8", "replace"))
        return value

    def list(self, scope: str) -> list[SecretMetadata]:
        """The keys of a scope."""
        rows = self.server.get("/api/2.0/secrets/list", scope=scope).get("secrets", [])
        return [SecretMetadata(str(row["key"])) for row in _rows(rows)]

    def listScopes(self) -> Sequence[SecretScope]:  # noqa: N802 - Databricks' spelling
        """The scopes."""
        rows = self.server.get("/api/2.0/secrets/scopes/list").get("scopes", [])
        return [SecretScope(str(row["name"])) for row in _rows(rows)]


@dataclass(frozen=True, slots=True)
class DbUtils:
    """`dbutils`."""

    widgets: Widgets
    notebook: NotebookUtils
    fs: FileSystem
    jobs: JobUtils
    secrets: SecretUtils
    library: LibraryUtils = field(default_factory=LibraryUtils)
    credentials: Unserved = field(default_factory=lambda: _unserved("credentials", "files here need no credential"))
    data: Unserved = field(default_factory=lambda: _unserved("data", "use DataFrame.describe()"))

    @property
    def entry_point(self) -> EntryPoint:
        """The other spelling of the way to the context."""
        return self.notebook.entry_point


def _unserved(name: str, way_out: str) -> Unserved:
    return Unserved(f"dbutils.{name} is not served by the local workspace: {way_out}.")


def absolute(folder: str, path: str) -> str:
    """The absolute workspace path of *path* as written in a notebook of *folder*."""
    parts: list[str] = [] if path.startswith("/") else folder.strip("/").split("/")
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(part for part in parts if part)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Mapping[str, object]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _task_run(run: Mapping[str, object]) -> object:
    tasks = run.get("tasks")
    return _mapping(tasks[0])["run_id"] if isinstance(tasks, list) and tasks else run["run_id"]
