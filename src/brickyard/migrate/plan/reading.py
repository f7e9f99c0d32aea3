"""Running through a notebook's cells in order, notebooks that it `%run`s included, to find what it names."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from brickyard.kernel.errors import SpecInvalid
from brickyard.migrate.model.inputs import PlanOptions, plain_path
from brickyard.migrate.model.nouns import Severity
from brickyard.migrate.plan.python import calls, expressions, statements
from brickyard.migrate.plan.python.frame import Exhausted, Frame, Machine, Scope, Unit
from brickyard.migrate.plan.python.literals import Literal
from brickyard.migrate.plan.python.values import Chars, Function, Place, Text, Unknown, made, plain
from brickyard.migrate.plan.uses import Uses
from brickyard.notebooks.model import Cell, Language, Notebook, Span
from brickyard.notebooks.parse import parse

_MAX_CHILDREN = 20
_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=\n]+)?[-+*/|&]?=(?!=)", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*[%!](?=\S)", re.MULTILINE)
_RUN_ARGUMENT = re.compile(r"\$(\w+)\s*=\s*(\"[^\"]*\"|'[^']*'|\S+)")
_FOREIGN = frozenset({Language.SCALA, Language.R})


@dataclass(frozen=True, slots=True)
class Library:
    """The notebooks that can be looked up by path: those planned together."""

    sources: Mapping[str, bytes] = field(default_factory=dict)

    def find(self, asker: str, path: str) -> str | None:
        """The path of the notebook that *asker* calls *path*, with or without suffix."""
        base = PurePosixPath(path.removeprefix("/")) if path.startswith("/") else PurePosixPath(asker).parent / path
        wanted = plain_path(base)
        for suffix in ("", ".py", ".sql", ".ipynb", ".scala", ".r"):
            if wanted + suffix in self.sources:
                return wanted + suffix
        return None


@lru_cache(maxsize=512)
def _parse_notebook(path: str, data: bytes) -> Notebook:
    return parse(path, data)


def read(notebook: Notebook, options: PlanOptions, library: Library, callers: Sequence[Mapping[str, str]] = ()) -> Uses:
    """Find the uses of objects in a notebook; *callers* holds the arguments by which other notebooks run it."""
    uses = Uses(options)
    machine = Machine(
        witness=uses,
        handlers={**expressions.HANDLERS, ast.Call: calls.call},
        otherwise=expressions.visit,
        run=statements.run_function,
        params=options.params,
        callers=callers,
    )
    uses.machine = machine
    reader = _Reader(uses, machine, library, {})
    reader.notebook(notebook)
    reader.uncalled()
    uses.widgets = dict(_widget_values(reader.scope, options.params))
    return uses


def _widget_values(scope: Scope, params: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The widgets that the notebook makes, each with its one value."""
    for name, value in scope.items():
        if name.startswith("@widget:"):
            known = plain(value)
            own = name.removeprefix("@widget:")
            if isinstance(known, str):
                yield own, params.get(own, known)


@dataclass(slots=True)
class _Reader:
    uses: Uses
    machine: Machine
    library: Library
    scope: Scope
    running: list[str] = field(default_factory=list)

    def notebook(self, notebook: Notebook) -> None:
        """Run through all cells; inside a notebook that another runs, nothing is reported."""
        self.running.append(notebook.path)
        for cell in notebook.cells:
            self.cell(cell, notebook)
        self.running.pop()

    def cell(self, cell: Cell, notebook: Notebook) -> None:
        """Run through one cell; a broken one leaves the others intact."""
        if len(self.running) == 1:
            self.uses.cell = cell.index
        match cell.language:
            case Language.SQL:
                self._guarded(cell, lambda: self._sql(cell))
            case Language.PYTHON:
                self._guarded(cell, lambda: self._python(cell))
            case Language.RUN:
                self._run(cell, notebook)
            case language if language in _FOREIGN:
                self._note_language(cell)

    def _place(self, cell: Cell, offset: int) -> Place:
        at = min(offset, len(cell.source))
        return Place(self._number(cell), Span(at, at))

    def _number(self, cell: Cell) -> int:
        return cell.index if len(self.running) == 1 else 0

    def _guarded(self, cell: Cell, action: Callable[[], None]) -> None:
        try:
            action()
        except RecursionError:
            self._note_broken(cell, cell.body.start, "it is nested too deeply")
        except Exhausted:
            self.uses.note(
                "evaluation-limit",
                Severity.WARN,
                "the notebook takes too long to evaluate; names computed from here on are not known",
                "split the notebook, or give the values with --param",
                self._place(cell, cell.body.start),
            )

    def _sql(self, cell: Cell) -> None:
        start, end = cell.body.start, cell.body.end
        literal = Literal(cell.code, range(start, end), range(start + 1, end + 1), "", "", self._number(cell))
        if cell.code.strip():
            self.uses.sql(Text((Chars(literal, 0, end - start),)), self._frame(cell), None)

    def _frame(self, cell: Cell) -> Frame:
        return Frame(Unit.of(cell.code, self._number(cell), cell.body.start), (self.scope,))

    def _python(self, cell: Cell) -> None:
        tree = self._parsed(cell)
        if tree is not None:
            statements.run_block(tree.body, self._frame(cell), self.machine)

    def _parsed(self, cell: Cell) -> ast.Module | None:
        fault: SyntaxError | ValueError | None = None
        for text in (cell.code, _MAGIC.sub(lambda m: "#" * len(m.group()), cell.code)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SyntaxWarning)
                    warnings.simplefilter("ignore", DeprecationWarning)
                    return ast.parse(text)
            except (SyntaxError, ValueError) as error:
                fault = fault or error
        self._note_fault(cell, fault)
        for name in _ASSIGNED.findall(cell.code):
            self.scope[name] = Unknown(name)
        return None

    def _note_fault(self, cell: Cell, fault: SyntaxError | ValueError | None) -> None:
        line = getattr(fault, "lineno", None) or 1
        offset = cell.body.start + sum(len(text) + 1 for text in cell.code.split("\n")[: line - 1])
        self._note_broken(cell, offset, getattr(fault, "msg", None) or str(fault))

    def _note_broken(self, cell: Cell, offset: int, what: str) -> None:
        self.uses.note(
            "cell-unparsable",
            Severity.WARN,
            f"this cell does not parse: {what}",
            "mend the cell and plan again; the other cells are refactored",
            self._place(cell, offset),
        )

    def _note_language(self, cell: Cell) -> None:
        self.uses.note(
            "language-unsupported",
            Severity.WARN,
            f"{cell.language.value} is not read: what this cell names is not known, and it is left byte for byte",
            "refactor the cell by hand, or rewrite it in Python or SQL",
            self._place(cell, cell.body.start),
        )

    def _run(self, cell: Cell, notebook: Notebook) -> None:
        target = cell.run_target
        path = self.library.find(notebook.path, target) if target else None
        if not self.uses.muted and target:
            self.uses.children.append((target, {}, "%run"))
        if path is None or path in self.running or len(self.running) > _MAX_CHILDREN:
            if path not in self.running:
                self._note_missing(cell, target or "")
            return
        for name, value in _RUN_ARGUMENT.findall(cell.code):
            self.scope[f"@widget:{name}"] = made(value.strip("\"'"))
        self._include(cell, path)

    def _include(self, cell: Cell, path: str) -> None:
        """Run through another notebook, for the variables, views and settings that it leaves."""
        try:
            child = _parse_notebook(path, self.library.sources[path])
        except SpecInvalid:
            self._note_missing(cell, path)
            return
        self.uses.muted += 1
        self.notebook(child)
        self.uses.muted -= 1

    def _note_missing(self, cell: Cell, target: str) -> None:
        self.uses.note(
            "child-missing",
            Severity.WARN,
            f"the notebook {target} that is run here is not among those planned; what it defines is not known",
            "plan the folder that holds both",
            self._place(cell, cell.body.start),
        )

    def uncalled(self) -> None:
        """Run through the functions that nothing calls, their parameters unknown."""
        self.uses.cell = 0
        index = 0
        while index < len(self.machine.defined):
            function = self.machine.defined[index]
            index += 1
            if id(function.node) not in self.machine.called and function.frame.unit.cell:
                self._blindly(function)

    def _blindly(self, function: Function) -> None:
        try:
            calls.call_blindly(function, self.machine)
        except (RecursionError, Exhausted):
            self.machine.called.add(id(function))
