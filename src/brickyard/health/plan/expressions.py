"""Reading the SQL of contracts: which columns it names, which literals it compares them with, what it must not call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

_DIALECT = "databricks"
_UNSTEADY = {"current_timestamp", "current_date", "now", "rand", "randn", "uuid", "monotonically_increasing_id"}
_UNSTEADY_CLASSES = (exp.CurrentTimestamp, exp.CurrentDate, exp.Rand, exp.Randn, exp.Uuid)
_ARBITRARY_CLASSES = (exp.First, exp.AnyValue, exp.Last)


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression or a query says: columns it names, literals it compares a column with, calls to refuse."""

    columns: frozenset[str]
    compared: tuple[tuple[str, str], ...]
    unsteady: tuple[str, ...]


class Unreadable(Exception):
    """The text is no SQL expression; carries what the parser said."""


@cache
def read(sql: str) -> Expression:
    """Read an expression or a query, or raise Unreadable."""
    try:
        tree = sqlglot.parse_one(sql, dialect=_DIALECT)
    except SqlglotError as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    return Expression(
        columns=frozenset(_column(node) for node in tree.find_all(exp.Column)),
        compared=tuple(_compared(tree)),
        unsteady=tuple(_unsteady(tree)),
    )


@cache
def traced(query: str, tables: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return the columns (table, column) that a query computes each of its columns from, through its inner queries.

    *tables* are the tables that it reads, with their columns. A column that reads none, such as a count, has nothing.
    """
    schema = {table: dict.fromkeys(columns, "string") for table, columns in tables}
    found = lineage(None, query, schema, dialect=_DIALECT)
    nodes = found.items() if isinstance(found, dict) else ()
    return {name: tuple(sorted(set(_ends(node)))) for name, node in nodes}


def _ends(node: Node) -> Iterator[tuple[str, str]]:
    for one in node.walk():
        if isinstance(one.expression, exp.Table):
            yield one.expression.name, one.name.rpartition(".")[2]


def _column(node: exp.Column) -> str:
    return f"{node.table}.{node.name}" if node.table else node.name


def _compared(tree: exp.Expr) -> Iterator[tuple[str, str]]:
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.In):
        left, others = node.this, node.expressions if isinstance(node, exp.In) else [node.expression]
        for one, other in ((left, right) for right in others):
            yield from _pair(one, other)
            yield from _pair(other, one)


def _pair(column: exp.Expr, literal: exp.Expr) -> Iterator[tuple[str, str]]:
    if isinstance(column, exp.Column) and isinstance(literal, exp.Literal) and literal.is_string:
        yield column.name, literal.this


def _unsteady(tree: exp.Expr) -> Iterator[str]:
    for node in tree.walk():
        if isinstance(node, (*_UNSTEADY_CLASSES, *_ARBITRARY_CLASSES)):
            yield node.key
        elif isinstance(node, exp.Anonymous) and node.name.lower() in _UNSTEADY:
            yield node.name.lower()
