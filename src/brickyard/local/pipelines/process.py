"""The process of an update: run the code of the libraries, which declares the graph, then evaluate it."""

from __future__ import annotations

import sys
from pathlib import Path

from brickyard.local.kernel import sqltext
from brickyard.local.kernel.control import CellFailed
from brickyard.local.kernel.notebook import Kernel
from brickyard.local.kernel.process import SparkDoor
from brickyard.local.kernel.python import failure, run_program
from brickyard.local.kernel.spark import open_session
from brickyard.local.pipelines import statements
from brickyard.local.pipelines.graph import Door, Graph, install
from brickyard.local.pipelines.order import Library, UpdateOrder
from brickyard.local.pipelines.session import PipelineSession
from brickyard.local.pipelines.update import Updater, quoted


def run(order: UpdateOrder, kernel: Kernel, door: SparkDoor, workspace: Path) -> None:
    """Run an update to its end; raises CellFailed for what fails in a library or in a flow."""
    server = kernel.server
    spark = open_session(server.host, server.token, PipelineSession)
    door.use(spark)
    graph = Graph()
    updater = Updater(order, graph, spark, server)
    updater.tell_progress("INITIALIZING")
    _settle(order, spark)
    install(Door(graph, lambda: spark))
    spark.declare = lambda text, run: statements.declare(text, graph, run)
    with kernel.dbutils.widgets.given(dict(order.configuration)):
        for library in order.libraries:
            _load(library, kernel, workspace)
        spark.declare = None
        spark.datasets = updater
        updater.run()


def _settle(order: UpdateOrder, spark: PipelineSession) -> None:
    """Make the pipeline's configuration and namespace those of the session."""
    for name, value in order.configuration.items():
        spark.settings[name] = value
    if not spark.catalog.databaseExists(f"{order.catalog}.{order.schema}"):
        spark.plain(f"CREATE SCHEMA {quoted(f'{order.catalog}.{order.schema}')}")
    spark.plain(f"USE CATALOG {quoted(order.catalog)}")
    spark.plain(f"USE SCHEMA {quoted(order.schema)}")
    if order.root_path:
        sys.path.insert(0, "/Workspace" + order.root_path)


def _load(library: Library, kernel: Kernel, workspace: Path) -> None:
    if library.is_notebook:
        kernel.run(library.path)
        return
    local = workspace.joinpath(*library.path.strip("/").split("/"))
    try:
        if library.path.endswith(".sql"):
            for statement in sqltext.statements(local.read_text()):
                kernel.spark().sql(statement)
        else:
            run_program(local.read_bytes(), str(local), kernel.namespace)
    except CellFailed:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a program may raise anything; it is reported
        raise failure(
            error, str(local), lambda line: f"{library.path}, line {line}" if line else library.path
        ) from None
