"""Runs the cells of a notebook, whatever format it is written in, and of the notebooks that it runs inline."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from brickyard.kernel.errors import SpecInvalid
from brickyard.local.kernel import display
from brickyard.local.kernel.control import NotebookExit, NotServed
from brickyard.local.kernel.dbutils import DbUtils, absolute
from brickyard.local.kernel.namespace import Spark
from brickyard.local.kernel.python import NOTHING, Namespace, cell_name, failure, run_python
from brickyard.local.kernel.record import CellRecord, Recorder, now_ms
from brickyard.local.kernel.server import Server, ServerRefused
from brickyard.local.kernel.sqltext import markers, statements, substituted
from brickyard.local.kernel.widgets import do_widget_statement
from brickyard.notebooks.model import Cell, Format, Language, Notebook
from brickyard.notebooks.parse import parse

_DATABRICKS_METADATA = "application/vnd.databricks.v1+notebook"
_WANTS_SPARK = re.compile(rb"SparkSession|pyspark|delta\.tables|from delta\b|import delta\b")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.\-]*")


@dataclass(slots=True)
class Kernel:
    """The state that the cells of a run share."""

    server: Server
    recorder: Recorder
    dbutils: DbUtils
    namespace: Namespace
    spark: Callable[[], Spark]
    stack: list[str] = field(default_factory=list)

    def run(self, path: str) -> None:
        """Run a notebook's cells in order; raises CellFailed or NotebookExit."""
        if path in self.stack:
            raise RecursionError(f"%run makes a circle: {' -> '.join([*self.stack, path])}")
        notebook = self._fetch(path)
        self.stack.append(path)
        try:
            with self.dbutils.widgets.given(_without(_declared(notebook), self.dbutils.widgets.getAll())):
                for cell in notebook.cells:
                    self._run_cell(cell)
        finally:
            self.stack.pop()

    def _fetch(self, path: str) -> Notebook:
        headers, data = self.server.download("/api/local/runs/source", path=path)
        self.prepare(data)
        return parse(headers["x-file-name"], data)

    def prepare(self, code: bytes) -> None:
        """Open the Spark session before code that names it: `SparkSession.builder` and `delta` must find it there."""
        if _WANTS_SPARK.search(code):
            self.spark()

    def _run_cell(self, cell: Cell) -> None:
        if cell.language is Language.MARKDOWN or not cell.code.strip():
            return
        path = self.stack[-1]
        record = CellRecord(path, cell.index, len(self.stack) - 1, cell.language, cell.title, cell.source, now_ms())
        with self.recorder.cell(record):
            try:
                self._execute(cell)
            except NotebookExit:
                record.status = "EXITED"
                raise
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a cell may raise anything; it is reported
                failed = failure(error, cell_name(path, cell.index), lambda line: self._place(cell, line))
                record.error, record.trace = failed.headline, failed.trace
                raise failed from None
            record.status = "SUCCESS"

    def _place(self, cell: Cell, line: int | None) -> str:
        where = f"cell {cell.index}" + (f", line {line}" if line else "")
        return where if len(self.stack) == 1 else f"{where} of {self.stack[-1]}, run by {self.stack[0]}"

    def _execute(self, cell: Cell) -> None:
        match cell.language:
            case Language.PYTHON:
                self._python(cell)
            case Language.SQL:
                self._sql(cell.code)
            case Language.RUN:
                self._run_inline(cell)
            case Language.PIP:
                require_installed(cell.code)
            case Language.FS:
                self.dbutils.fs.command(shlex.split(cell.code))
            case Language.SHELL:
                raise NotServed("%sh is off in the local workspace: use Python, or dbutils.fs for files.")
            case Language.SCALA | Language.R:
                raise NotServed(f"%{cell.language} cells do not run in the local workspace: it runs Python and SQL.")
            case _:
                raise NotServed(f"The magic of this cell does not run in the local workspace: {cell.source[:40]!r}")

    def _python(self, cell: Cell) -> None:
        for line in cell.source[: cell.body.start].splitlines():
            if line.lstrip().startswith("%pip"):
                require_installed(line.lstrip().removeprefix("%pip"))
        first_line = cell.source.count("\n", 0, cell.body.start) + 1
        value = run_python(cell.code, cell_name(self.stack[-1], cell.index), self.namespace, first_line)
        if value is not NOTHING and value is not None:
            self.recorder.output(display.echoed(value))

    def _sql(self, code: str) -> None:
        widgets = self.dbutils.widgets
        for statement in statements(substituted(code, widgets.getAll())):
            if not do_widget_statement(statement, widgets):
                frame = self.spark().sql(statement, args=markers(statement, widgets.getAll()) or None)
                self.namespace["_sqldf"] = frame
                self._show_last(frame)

    def _show_last(self, frame: display.SparkFrame) -> None:
        self.recorder.replace_output(display.frame_table(frame))

    def _run_inline(self, cell: Cell) -> None:
        if cell.run_target is None:
            raise SpecInvalid("%run needs the path of a notebook")
        target = absolute(self.stack[-1].rpartition("/")[0], cell.run_target)
        with self.dbutils.widgets.given(dict(cell.run_parameters)):
            try:
                self.run(target)
            except ServerRefused as error:
                raise NotServed(f"%run {cell.run_target}: {error}") from error


def _declared(notebook: Notebook) -> dict[str, str]:
    """The widgets that the metadata of an `.ipynb` notebook holds, with their current values."""
    if notebook.format is not Format.JUPYTER:
        return {}
    metadata = json.loads(notebook.text.removeprefix("\ufeff")).get("metadata", {}).get(_DATABRICKS_METADATA, {})
    widgets = metadata.get("widgets") or {}
    return {name: str(_current(widget)) for name, widget in widgets.items() if isinstance(widget, dict)}


def _current(widget: Mapping[str, object]) -> object:
    info = widget.get("widgetInfo")
    default = info.get("defaultValue", "") if isinstance(info, Mapping) else ""
    return widget.get("currentValue") or default


def _without(values: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in known}


def require_installed(command: str) -> None:
    """Accept `%pip install x` when every package is there already; refuse any other installation."""
    words = shlex.split(command)
    names = [word for word in words[1:] if not word.startswith("-") and _REQUIREMENT.match(word)]
    missing = [name for name in names if not _installed(name)]
    if words[:1] != ["install"] or missing or not names:
        raise NotServed(
            f"%pip {' '.join(words)}: the local workspace installs nothing"
            + (f", and {', '.join(missing)} is not there" if missing else "")
            + "; install it into Brickyard's own environment."
        )


def _installed(requirement: str) -> bool:
    match = _REQUIREMENT.match(requirement)
    try:
        return match is not None and bool(importlib.metadata.version(match[0]))
    except importlib.metadata.PackageNotFoundError:
        return False
