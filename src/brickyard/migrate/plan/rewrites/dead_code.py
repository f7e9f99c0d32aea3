"""Commented-out code goes; prose stays. A comment counts as code only when it parses and could not be a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from brickyard.dbsql.parse import parse
from brickyard.migrate.model import Proposal
from brickyard.migrate.plan.rewrites.view import NotebookView
from brickyard.notebooks.model import Cell, CellEdit, Language, Span

RULE = "remove-dead-comments"
_SQL_LINE = re.compile(r"^[ \t]*--(?P<text>[^\n]*)(?:\n|\Z)", re.MULTILINE)
_PYTHON_LINE = re.compile(r"^[ \t]*#(?P<text>[^\n]*)(?:\n|\Z)", re.MULTILINE)
_HEADS = ("SELECT", "INSERT", "CREATE", "DROP", "DELETE", "UPDATE", "MERGE", "TRUNCATE", "WITH", "ALTER")
_SECOND = re.compile(r"\b(FROM|INTO|TABLE|VIEW|SET|VALUES|OVERWRITE|AS)\b")
_KEPT = re.compile(r"^\s*(MAGIC|COMMAND|DBTITLE|brickyard:|noqa|type:|pylint|%)")


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose to take out each run of comment lines that is code."""
    setting = view.settings[RULE]
    for cell in view.notebook.cells:
        for span in _runs(cell):
            yield Proposal(
                rule=RULE,
                edit_class=setting.edit_class,
                apply=setting.apply,
                reason="commented-out code",
                hunks=(CellEdit(cell.index, span, ""),),
            )


def _runs(cell: Cell) -> Iterator[Span]:
    if cell.language not in (Language.SQL, Language.PYTHON):
        return
    sql = cell.language is Language.SQL
    strings = () if sql else _string_lines(cell)
    found = (_SQL_LINE if sql else _PYTHON_LINE).finditer(cell.source, cell.body.start, cell.body.end)
    lines = [m for m in found if cell.source.count("\n", cell.body.start, m.start()) + 1 not in strings]
    for run in _adjacent(lines):
        text = "\n".join(m["text"].removeprefix(" ") for m in run)
        if not any(_KEPT.match(m["text"]) for m in run) and (_is_sql(text) if sql else _is_python(text)):
            yield Span(run[0].start(), run[-1].end())


def _string_lines(cell: Cell) -> set[int]:
    """The lines of the body that stand inside a string of several lines."""
    try:
        tree = ast.parse(cell.code)
    except (SyntaxError, ValueError):
        return set(range(1, cell.code.count("\n") + 2))
    strings = (n for n in ast.walk(tree) if isinstance(n, ast.Constant | ast.JoinedStr))
    return {line for n in strings for line in range(n.lineno + 1, (n.end_lineno or n.lineno) + 1)}


def _adjacent(lines: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    run: list[re.Match[str]] = []
    for line in lines:
        if run and run[-1].end() != line.start():
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _is_sql(text: str) -> bool:
    """Whether every line belongs to statements that parse and are written in the capitals of code, or end as one."""
    if not text.strip().startswith(_HEADS) or not _SECOND.search(text):
        return False
    script = parse(text)
    return bool(script.statements) and all(
        s.error is None and s.verb.split(" ")[0] in _HEADS for s in script.statements
    )


def _is_python(text: str) -> bool:
    """Whether the text parses as statements that do something: calls, assignments, imports."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    acting = (ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom)
    return bool(body) and all(
        isinstance(n, acting) or (isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)) for n in body
    )
