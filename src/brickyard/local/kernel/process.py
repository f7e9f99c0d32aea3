"""The process of one task attempt: sets up the surroundings of user code, runs it, and leaves a result."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.local.engines.pyspark_import import outside_doctests
from brickyard.local.kernel import overlay, wheel
from brickyard.local.kernel.context import NotebookContext
from brickyard.local.kernel.control import Cancelled, CellFailed, NotebookExit
from brickyard.local.kernel.dbutils import DbUtils, JobUtils, NotebookUtils, SecretUtils, TaskValues
from brickyard.local.kernel.files import FileSystem
from brickyard.local.kernel.mounts import mount
from brickyard.local.kernel.namespace import Spark, fill, shower
from brickyard.local.kernel.notebook import Kernel
from brickyard.local.kernel.places import Places
from brickyard.local.kernel.python import failure, run_program
from brickyard.local.kernel.record import MAX_RESULT, JsonObject, Recorder, stream
from brickyard.local.kernel.server import Server, ServerRefused
from brickyard.local.kernel.widgets import Widgets
from brickyard.local.pipelines.order import read_order

if TYPE_CHECKING:
    from brickyard.local.kernel.spark import Session

INSTALL_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to run: `kind` is notebook, python, wheel, sql or pipeline; parameters are a mapping or a list.

    *update* is the order of a pipeline's update, *entry* the package and entry point of a wheel, both empty for all else.
    """

    kind: str
    path: str
    parameters: Mapping[str, str]
    arguments: tuple[str, ...]
    dbfs: Path
    workspace: Path
    tags: Mapping[str, str]
    update: Mapping[str, object]
    entry: tuple[str, ...]
    libraries: bool


def run(order: Mapping[str, object]) -> int:
    """Run the order's task and return the exit code; how it ended stands in `result.json`."""
    folder = Path(str(order["folder"]))
    os.environ.clear()
    os.environ.update(_texts(order["environment"]))
    recorder = Recorder(folder)
    sys.stdout, sys.stderr = stream(recorder, 1), stream(recorder, 2)
    signal.signal(signal.SIGTERM, _cancel)
    spark = SparkDoor(Server(os.environ["DATABRICKS_HOST"], os.environ["DATABRICKS_TOKEN"]))
    result = _result(order, folder, recorder, spark)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    recorder.finish(result)
    spark.close()
    return 0 if result["status"] == "SUCCESS" else 1


def _result(order: Mapping[str, object], folder: Path, recorder: Recorder, spark: SparkDoor) -> JsonObject:
    try:
        task = _read_task(order["task"])
        if task.libraries:
            _lay_libraries(order, spark.server)
        _run_task(task, folder, recorder, spark)
        return {"status": "SUCCESS"}
    except NotebookExit as leaving:
        return {"status": "SUCCESS", "result": leaving.value[:MAX_RESULT], "truncated": len(leaving.value) > MAX_RESULT}
    except CellFailed as error:
        sys.stderr.write(error.trace)
        return {"status": "FAILED", "error": error.headline, "trace": error.trace}
    except Cancelled:
        return {"status": "CANCELED"}
    except ServerRefused as error:
        return {"status": "FAILED", "error": str(error), "trace": traceback.format_exc(), "code": error.error_code}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - what fails outside of a cell (no engine, a broken file) is told as well
        return {"status": "FAILED", "error": str(error) or type(error).__name__, "trace": traceback.format_exc()}


def _lay_libraries(order: Mapping[str, object], server: Server) -> None:
    """Import from the environment of the task; in a new interpreter when this one cannot forget what it replaces."""
    given = order.get("site")
    site = Path(str(given or server.post("/api/local/runs/environment", {}, INSTALL_SECONDS)["site"]))
    if given is None and overlay.needs_fresh(site):
        overlay.restart({**order, "site": str(site)})
    overlay.enter(site)
    with outside_doctests():
        importlib.import_module("brickyard.local.kernel.spark")  # there already, but in a new interpreter


def _run_task(task: Task, folder: Path, recorder: Recorder, spark: SparkDoor) -> None:
    server = spark.server
    places = Places(task.dbfs, task.workspace, folder / "scratch", lambda name: _volume_folder(server, name))
    places.scratch.mkdir(exist_ok=True)
    dbutils = DbUtils(
        Widgets(task.parameters),
        NotebookUtils(server, task.path.rpartition("/")[0], _context(task, server)),
        FileSystem(places, shower(recorder)),
        JobUtils(TaskValues(server)),
        SecretUtils(server, recorder.conceal),
    )
    kernel = Kernel(server, recorder, dbutils, fill(dbutils, recorder, spark), spark)
    if task.kind == "wheel":
        os.chdir(places.scratch)
    else:
        _enter_folder(task, places)
    mount(places)
    if task.update:
        from brickyard.local.pipelines import process as pipeline

        pipeline.run(read_order(task.update), kernel, spark, task.workspace)
    elif task.kind == "python":
        _run_file(task, kernel)
    elif task.kind == "wheel":
        _run_wheel(task, kernel, spark)
    else:
        kernel.run(task.path)


def _context(task: Task, server: Server) -> NotebookContext:
    where = {"notebook_path": task.path, "api_url": server.host, "api_token": server.token}
    return NotebookContext(task.tags, where)


class SparkDoor:
    """Opens the Spark session when it is first asked for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._session: Session | None = None

    def __call__(self) -> Spark:
        """The session."""
        if self._session is None:
            from brickyard.local.kernel.spark import connect

            self._session = connect(self.server.host, self.server.token)
        return self._session

    def use(self, session: Session) -> None:
        """Take a session that is open already."""
        self._session = session

    def close(self) -> None:
        """Let the engine forget the session; one that is gone already is no error."""
        if self._session is None:
            return
        import grpc
        from pyspark.errors import PySparkException

        with contextlib.suppress(PySparkException, grpc.RpcError):
            self._session.client.release_session()


def _enter_folder(task: Task, places: Places) -> None:
    """Work in the notebook's folder, and import modules from it, as workspace files allow."""
    folder = places.mounted("/Workspace" + task.path.rpartition("/")[0])
    if folder is not None and folder.is_dir():
        os.chdir(folder)
        sys.path[:0] = [str(folder)]
    sys.dont_write_bytecode = True


def _run_file(task: Task, kernel: Kernel) -> None:
    """Run a Python file as the main program, `spark` and `dbutils` at hand as in Databricks."""
    local = task.workspace.joinpath(*task.path.strip("/").split("/"))
    sys.argv = [task.path, *task.arguments]
    kernel.namespace["__file__"] = str(local)
    program = local.read_bytes()
    kernel.prepare(program)
    try:
        run_program(program, str(local), kernel.namespace)
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise failure(leaving, str(local), lambda line: _line(task.path, line)) from None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a program may raise anything; it is reported
        raise failure(error, str(local), lambda line: _line(task.path, line)) from None


def _run_wheel(task: Task, kernel: Kernel, spark: SparkDoor) -> None:
    """Call the entry point of a wheel as its command would be, Spark's session at hand when it is asked for."""
    from brickyard.local.kernel.spark import on_demand

    package, entry_point = task.entry
    on_demand(spark, kernel.namespace["spark"])
    sys.argv = [entry_point, *task.arguments]
    try:
        wheel.find(package, entry_point)()
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise failure(leaving, "", lambda line: f"{package}, {entry_point}") from None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a program may raise anything; it is reported
        place = _last_place(error) or f"{package}, {entry_point}"
        raise failure(error, "", lambda line: place) from None


def _last_place(error: BaseException) -> str:
    """The innermost file and line outside of the interpreter's own libraries."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/brickyard/local/kernel/" not in f.filename]
    if not frames:
        return ""
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"


def _line(path: str, line: int | None) -> str:
    return f"{path}, line {line}" if line else path


def _volume_folder(server: Server, name: str) -> str:
    volume = server.get(f"/api/2.1/unity-catalog/volumes/{name}")
    return str(volume["storage_location"]).removeprefix("file://")


def _read_task(value: object) -> Task:
    given = value if isinstance(value, Mapping) else {}
    arguments = given.get("arguments")
    return Task(
        str(given["kind"]),
        str(given["path"]),
        _texts(given.get("parameters")),
        tuple(map(str, arguments)) if isinstance(arguments, list) else (),
        Path(str(given["dbfs"])),
        Path(str(given["workspace"])),
        _texts(given.get("tags")),
        given.get("update") or {},
        tuple(map(str, given.get("entry") or ())),
        given.get("libraries") is True,
    )


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _cancel(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled
