"""What is only said, never done: SELECT *, CACHE, and 'NULL' written as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.dbsql.model import Statement
from brickyard.migrate.model import EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit

STAR = "select-star"
NULLS = "null-literals"
CACHE = "cache"
_STAR = re.compile(r"\bSELECT\s+(?:\w+\.)?\*", re.IGNORECASE)
_NULL = re.compile(r"\b(?:THEN|ELSE)\s+'NULL'", re.IGNORECASE)
_CACHE = re.compile(r"\bCACHE\s+(?:LAZY\s+)?TABLE\b", re.IGNORECASE)
_SAID = {
    STAR: (_STAR, "SELECT * follows every change of its source's columns", "list the columns that are meant"),
    NULLS: (
        _NULL,
        "the text 'NULL' is not a missing value; under ANSI mode it can fail a cast",
        "write NULL if a missing value is meant; this changes data, so it is left to you",
    ),
    CACHE: (
        _CACHE,
        "serverless compute and SQL warehouses do not keep CACHE TABLE",
        "drop it, unless the statement pins a random result",
    ),
}


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Say what is worth a look; nothing is edited."""
    for unit in view.units:
        for statement in unit.script.statements:
            for rule, (pattern, message, remedy) in _SAID.items():
                match = pattern.search(unit.text, statement.span.start, statement.span.end)
                if rule in view.settings and match:
                    yield _say(view, unit, statement, rule, match.start(), message, remedy)


def _say(
    view: NotebookView, unit: SqlUnit, statement: Statement, rule: str, offset: int, message: str, remedy: str
) -> Proposal:
    cell = view.notebook.cells[unit.cell - 1]
    line = cell.source.count("\n", 0, unit.offset + offset) + 1
    finding = Finding(rule, Severity.INFO, message, remedy, unit.cell, line, statement.verb)
    return Proposal(rule, EditClass.ADVICE, message, hunks=(), findings=(finding,), apply=False)
