"""Which rows a tied ROW_NUMBER may pick: the query that returns all of them, so that another pick is no difference.

A query that keeps `ROW_NUMBER() … = 1` may return any of the rows that tie for the first place. With `RANK()` in its stead
it returns each of them. Rows of two copies that differ are both right when all of them are among these, and each
partition holds as many of them on one side as on the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from brickyard.dbsql.model import Statement
from brickyard.kernel.names import TableName, quote
from brickyard.migrate.plan.reconcile import Layout, Side
from brickyard.migrate.plan.rewrites import NotebookView, SqlUnit
from brickyard.notebooks.model import Span

_ROW_NUMBER = re.compile(r"\brow_number(?=\s*\()", re.IGNORECASE)
_WINDOW = re.compile(
    r"\brow_number\s*\(\s*\)\s*over\s*\(\s*(?:partition\s+by\s+(?P<by>.+?)\s+)?order\s+by\b", re.IGNORECASE | re.DOTALL
)
_COLUMN = re.compile(r"(?:[\w`]+\.)*`?(\w+)`?\Z")
_REPLACING = ("TRUNCATE", "OPTIMIZE", "ANALYZE", "VACUUM", "DROP TABLE")


@dataclass(frozen=True, slots=True)
class Tie:
    """A query for every row that a target's ROW_NUMBER may pick, the columns it fills, and its partition's columns."""

    query: str
    columns: tuple[str, ...]
    partition: tuple[str, ...]


def tie(view: NotebookView, target: TableName) -> Tie | None:
    """Return the tie of a target that one statement fills by one ROW_NUMBER; None where it is not as plain as that."""
    wanted = ".".join((target.catalog, target.schema, target.name)).lower()
    views: list[tuple[str, str]] = []
    found: list[tuple[SqlUnit, Statement, list[tuple[str, str]]]] = []
    for unit, statement in _statements(view):
        query = _query(unit, statement)
        if statement.temp_view and query:
            views.append((statement.temp_view, query))
        elif _writes(view, unit, statement, wanted) and statement.verb not in _REPLACING:
            found.append((unit, statement, list(views)))
    return _tie(*found[0]) if len(found) == 1 else None


def _statements(view: NotebookView) -> Iterator[tuple[SqlUnit, Statement]]:
    for unit in view.units:
        for statement in unit.script.statements:
            yield unit, statement


def _writes(view: NotebookView, unit: SqlUnit, statement: Statement, wanted: str) -> bool:
    target = statement.arguments.get("target")
    return any(r == target and view.name_of(unit, r) == wanted for r in statement.references)


def _query(unit: SqlUnit, statement: Statement) -> str | None:
    span = statement.arguments.get("query")
    if not isinstance(span, Span) or span.start == statement.span.start or statement.holes or statement.markers:
        return None
    return span.slice(unit.text)


def _tie(unit: SqlUnit, statement: Statement, views: Sequence[tuple[str, str]]) -> Tie | None:
    query = _query(unit, statement)
    if query is None or statement.verb not in ("INSERT", "INSERT OVERWRITE", "CREATE TABLE"):
        return None
    windows = [m for text in (*(v for _, v in views), query) for m in _WINDOW.finditer(text)]
    partition = _partition(windows[0]["by"]) if len(windows) == 1 else None
    if partition is None:
        return None
    named = ", ".join(f"{quote(name)} AS ({_ranked(text)})" for name, text in views)
    whole = f"WITH {named} SELECT * FROM ({_ranked(query)}) AS filled" if named else _ranked(query)
    columns = statement.arguments.get("columns") if statement.verb != "CREATE TABLE" else None
    return Tie(whole, tuple(map(str, columns)) if isinstance(columns, tuple) else (), partition)


def _ranked(text: str) -> str:
    return _ROW_NUMBER.sub("rank", text)


def _partition(by: str | None) -> tuple[str, ...] | None:
    """The plain columns of PARTITION BY, none at all without it; None where one is computed."""
    parts = [_COLUMN.match(part.strip()) for part in by.split(",")] if by else []
    return None if None in parts else tuple(m[1] for m in parts if m)


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────────────────


def excuse_query(found: Tie, target: Side, layout: Layout, differences: str) -> str | None:
    """Select how many differing rows no tie explains, and in how many partitions the sides hold unequal numbers.

    None where the target's columns do not show the partition, or where floats would have to be compared.
    """
    filled = found.columns or tuple(column.name for column in target.columns)
    places = {c.name.lower(): f"v{i}" for i, c in enumerate(layout.exact)}
    missing = [name for name in found.partition if name.lower() not in places]
    if layout.floats or missing or {name.lower() for name in filled} != set(places):
        return None
    types = {column.name.lower(): column for column in target.columns}
    shared = {c.name.lower(): c for c in layout.exact}
    cast = ", ".join(f"CAST({quote(n)} AS {types[n.lower()].type}) AS {quote(n)}" for n in filled)
    picked = ", ".join(f"CAST({shared[c.name.lower()].expression(c.original)} AS STRING)" for c in layout.exact)
    own = ", ".join(f"v{i}" for i in range(len(layout.exact)))
    allowed = (
        f"SELECT {picked} FROM (SELECT {cast} FROM ({found.query}) AS tied({', '.join(map(quote, filled))})) AS allowed"
    )
    strangers = f"SELECT count(*) FROM (SELECT {own} FROM ({differences}) AS d EXCEPT {allowed}) AS strangers"
    keys = ", ".join(places[name.lower()] for name in found.partition)
    grouped = f"SELECT sum(n_o) AS o, sum(n_r) AS r FROM ({differences}) AS d" + (f" GROUP BY {keys}" if keys else "")
    return f"SELECT ({strangers}), (SELECT count(*) FROM ({grouped}) AS sums WHERE o <> r)"
