"""The process of one task attempt: sets up the surroundings of user code, runs it, and leaves a result."""

from __future__ import annotations

import builtins
import os
import runpy
import signal
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from brickyard.local.kernel import display
from brickyard.local.kernel.control import Cancelled, CellFailed, NotebookExit, NotServed, Unserved
from brickyard.local.kernel.dbutils import DbUtils, JobUtils, NotebookUtils, SecretUtils, TaskValues
from brickyard.local.kernel.files import FileSystem
from brickyard.local.kernel.mounts import mount
from brickyard.local.kernel.notebook import Kernel, Spark
from brickyard.local.kernel.places import Places
from brickyard.local.kernel.python import failure
from brickyard.local.kernel.record import MAX_RESULT, JsonObject, Recorder, Tee
from brickyard.local.kernel.server import Server, ServerRefused
from brickyard.local.kernel.widgets import Widgets


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to run: `kind` is notebook, python or sql; parameters are a mapping or a list of arguments."""

    kind: str
    path: str
    parameters: Mapping[str, str]
    arguments: tuple[str, ...]
    dbfs: Path
    workspace: Path


def run(order: Mapping[str, object]) -> int:
    """Run the order's task and return the exit code; how it ended stands in `result.json`."""
    folder = Path(str(order["folder"]))
    os.environ.clear()
    os.environ.update(_texts(order["environment"]))
    recorder = Recorder(folder)
    sys.stdout, sys.stderr = Tee(recorder, 1), Tee(recorder, 2)
    signal.signal(signal.SIGTERM, _cancel)
    result = _result(_read_task(order["task"]), folder, recorder)
    recorder.finish(result)
    return 0 if result["status"] == "SUCCESS" else 1


def _result(task: Task, folder: Path, recorder: Recorder) -> JsonObject:
    try:
        _run_task(task, folder, recorder)
        return {"status": "SUCCESS"}
    except NotebookExit as leaving:
        return {"status": "SUCCESS", "result": leaving.value[:MAX_RESULT], "truncated": len(leaving.value) > MAX_RESULT}
    except CellFailed as error:
        sys.stderr.write(error.trace)
        return {"status": "FAILED", "error": error.headline, "trace": error.trace}
    except Cancelled:
        return {"status": "CANCELED"}
    except (ServerRefused, NotServed) as error:
        return {"status": "FAILED", "error": str(error), "trace": str(error)}


def _run_task(task: Task, folder: Path, recorder: Recorder) -> None:
    server = Server(os.environ["DATABRICKS_HOST"], os.environ["DATABRICKS_TOKEN"])
    places = Places(task.dbfs, task.workspace, folder / "scratch", lambda name: _volume_folder(server, name))
    places.scratch.mkdir(exist_ok=True)
    show = lambda value: recorder.output(display.shown(value))  # noqa: E731 - one word for two uses
    dbutils = DbUtils(
        Widgets(task.parameters),
        NotebookUtils(server, task.path.rpartition("/")[0]),
        FileSystem(places, show),
        JobUtils(TaskValues(server)),
        SecretUtils(server, recorder.conceal),
    )
    spark = _Once(server)
    kernel = Kernel(server, recorder, dbutils, _namespace(dbutils, show, recorder, spark), spark)
    _enter_folder(task, places)
    mount(places)
    _publish(kernel.namespace)
    if task.kind == "python":
        _run_file(task, kernel.namespace)
    else:
        kernel.run(task.path)


class _Once:
    """Opens the Spark session when it is first asked for."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session: Spark | None = None

    def __call__(self) -> Spark:
        if self._session is None:
            from brickyard.local.kernel.spark import connect

            self._session = connect(self._server.host, self._server.token)
        return self._session


class _UserNamespace(dict[str, object]):
    """The globals of the cells; what needs a Spark session is made when it is first named."""

    def __init__(self, given: Mapping[str, object], lazy: Mapping[str, Callable[[], object]]) -> None:
        super().__init__(given)
        self._lazy = dict(lazy)

    def __missing__(self, name: str) -> object:
        if name not in self._lazy:
            raise KeyError(name)
        self[name] = self._lazy.pop(name)()
        return self[name]


def _namespace(
    dbutils: DbUtils, show: Callable[[object], None], recorder: Recorder, spark: Callable[[], Spark]
) -> dict[str, object]:
    given = {
        "__name__": "__main__",
        "__builtins__": builtins,
        "dbutils": dbutils,
        "display": lambda value=None, *_, **__: show(value),
        "displayHTML": lambda html: recorder.output({"type": "html", "html": str(html)}),
        "getArgument": dbutils.widgets.getArgument,
        "sc": _absent("sc", "the SparkContext", "DataFrames and spark.createDataFrame"),
        "sqlContext": _absent("sqlContext", "the SQLContext", "spark.sql and spark.table"),
    }
    lazy = {
        "spark": spark,
        "sql": lambda: getattr(spark(), "sql"),  # noqa: B009 - a bound method, not a call
        "table": lambda: getattr(spark(), "table"),  # noqa: B009
        "udf": _udf,
    }
    return _UserNamespace(given, lazy)


def _udf() -> object:
    from pyspark.sql.functions import udf

    return udf


def _absent(name: str, what: str, instead: str) -> Unserved:
    return Unserved(f"{name}: {what} does not exist under Spark Connect, as on serverless compute; use {instead}.")


def _publish(namespace: dict[str, object]) -> None:
    """Make `from databricks.sdk.runtime import *` yield the objects of this notebook."""
    module = types.ModuleType("dbruntime")
    holder = types.SimpleNamespace(get_namespace_globals=lambda: _Whole(namespace))
    initializer = types.SimpleNamespace(getOrCreate=lambda: holder)
    setattr(module, "UserNamespaceInitializer", initializer)  # noqa: B010 - a module's attribute, unknown to the checker
    sys.modules["dbruntime"] = module
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main


class _Whole(dict[str, object]):
    """The notebook's globals, those not made yet included: asking for one makes it."""

    def __init__(self, namespace: dict[str, object]) -> None:
        super().__init__()
        self._namespace = namespace

    def __contains__(self, name: object) -> bool:
        """Every name that the SDK asks for is one of ours."""
        return True

    def __getitem__(self, name: str) -> object:
        return self._namespace[name]


def _enter_folder(task: Task, places: Places) -> None:
    """Work in the notebook's folder, and import modules from it, as workspace files allow."""
    folder = places.mounted("/Workspace" + task.path.rpartition("/")[0])
    if folder is not None and folder.is_dir():
        os.chdir(folder)
        sys.path[:0] = [str(folder)]
    sys.dont_write_bytecode = True


def _run_file(task: Task, namespace: Mapping[str, object]) -> None:
    """Run a Python file as the main program."""
    local = task.workspace.joinpath(*task.path.strip("/").removeprefix("Workspace/").split("/"))
    sys.argv = [task.path, *task.arguments]
    given = {name: namespace[name] for name in ("dbutils", "display", "displayHTML", "spark")}
    try:
        runpy.run_path(str(local), init_globals=given, run_name="__main__")
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise failure(leaving, str(local), lambda line: _line(task.path, line)) from None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a program may raise anything; it is reported
        raise failure(error, str(local), lambda line: _line(task.path, line)) from None


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
    )


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _cancel(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled
