"""Runs the Python of a cell: statements, then the value of a last expression; errors are told without our own frames."""

from __future__ import annotations

import ast
import linecache
import traceback
from collections.abc import Callable
from types import CodeType, TracebackType

from brickyard.local.kernel.control import CellFailed

Namespace = dict[str, object]
NOTHING = object()


def run_python(code: str, name: str, namespace: Namespace, first_line: int = 1) -> object:
    """Execute *code* and return the value of its last expression, NOTHING when it ends with something else.

    *name* stands for the file in tracebacks; *first_line* is the line of the cell at which the code begins.
    """
    padded = "\n" * (first_line - 1) + code
    linecache.cache[name] = (len(padded), None, padded.splitlines(keepends=True), name)
    tree = ast.parse(padded, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _execute(compile(tree, name, "exec", dont_inherit=True), namespace)
    if not isinstance(last, ast.Expr):
        return NOTHING
    return _evaluate(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), namespace, padded)


def run_program(source: bytes, name: str, namespace: Namespace) -> None:
    """Execute a whole file."""
    _execute(compile(source, name, "exec", dont_inherit=True), namespace)


def _execute(code: CodeType, namespace: Namespace) -> None:
    exec(code, namespace)  # noqa: S102 - running the user's notebook is what a kernel is for


def _evaluate(code: CodeType, namespace: Namespace, source: str) -> object:
    value = eval(code, namespace)  # noqa: S307 - see above
    return NOTHING if source.rstrip().endswith(";") else value


def cell_name(notebook: str, index: int) -> str:
    """The name of a cell in tracebacks."""
    return f"<cell {index} of {notebook}>"


def failure(error: BaseException, name: str, where: Callable[[int | None], str]) -> CellFailed:
    """The report of an error raised by the cell called *name*; *where* words the place from its line."""
    if isinstance(error, CellFailed):
        return error
    described = traceback.TracebackException.from_exception(error, capture_locals=False)
    _hide_our_frames(described)
    line = error.lineno if isinstance(error, SyntaxError) else _line_in(error.__traceback__, name)
    said = error.msg if isinstance(error, SyntaxError) else str(error).strip()
    first, *rest = f"{type(error).__name__}: {said}".removesuffix(": ").splitlines()
    return CellFailed("\n".join([f"{first} ({where(line)})", *rest]), "".join(described.format()))


def _hide_our_frames(described: traceback.TracebackException | None) -> None:
    while described is not None:
        described.stack = traceback.StackSummary.from_list([f for f in described.stack if not _ours(f.filename)])
        _hide_our_frames(described.__cause__)
        described = described.__context__


def _line_in(trace: TracebackType | None, name: str) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == name]
    return lines[-1] if lines else None


def _ours(filename: str) -> bool:
    return filename.replace("\\", "/").rpartition("/brickyard/local/kernel/")[1] != ""
