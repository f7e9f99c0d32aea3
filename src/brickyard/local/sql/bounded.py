"""MERGE with literal bounds on the target: by delta-rs, which reads only the files that the bounds allow.

The engine reads the whole target whatever the bounds, so that its time grows with the table; delta-rs prunes by the
statistics of the files, as Databricks does. Only where every expression means the same to both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from sqlglot import exp

from brickyard.local.arrow import is_like
from brickyard.local.sql.call import Call
from brickyard.local.sql.delta.log import Snapshot
from brickyard.local.sql.expand import single
from brickyard.local.sql.types import to_arrow

_LARGEST_SOURCE = 300_000  # rows that may update; more are better off in the engine, which need not hold them
_LARGEST_APPENDED = 1_500_000, 512 * 2**20  # rows and bytes of columns in files, held in memory to be appended
_PLAIN = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not),
    *(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Neg),
)
_ORDERED = (exp.GTE, exp.LTE, exp.GT, exp.LT, exp.Between, exp.In)
_PROTOCOL = ("delta.columnMapping.mode", "delta.enableDeletionVectors")


def bounded(call: Call, before: Snapshot) -> exp.Merge | None:
    """Return the statement when it is a MERGE that delta-rs can prune and whose expressions it reads as Spark does."""
    if call.verb != "MERGE" or not is_plain_table(before):
        return None
    tree = single(call.text, call.session.temp_views, trees=True).tree
    if not isinstance(tree, exp.Merge):
        return None
    target = tree.this.alias_or_name.lower()
    prunes = any(bounds(part, target) for part in tree.args["on"].flatten())
    return tree if prunes and _plain(tree) and _names_columns(tree, before) else None


def _names_columns(tree: exp.Merge, before: Snapshot) -> bool:
    """Whether each list of columns to insert names columns of the table, each once and with a value; else it is refused."""
    known = {field["name"].lower() for field in before.fields}
    thens = [when.args["then"] for when in tree.args["whens"].expressions]
    return all(is_star(then) or _lists_each_once(then, known) for then in thens if isinstance(then, exp.Insert))


def _lists_each_once(then: exp.Insert, known: set[str]) -> bool:
    if not isinstance(then.this, exp.Tuple):
        return False
    names = [column.name.lower() for column in then.this.expressions]
    values = then.expression.expressions if then.expression else []
    return len(names) == len(values) == len(set(names)) and known.issuperset(names)


def is_plain_table(before: Snapshot) -> bool:
    """Whether a row of the table is what is written: no constraint, default, mapped name or value of its own making."""
    names = before.configuration
    guarded = any(name in _PROTOCOL or name.startswith("delta.constraints.") for name in names)
    own = any(not field["nullable"] or set(field["metadata"]) - {"comment"} for field in before.fields)
    return not guarded and not own


def is_like_the_target(tree: exp.Merge, before: Snapshot, given: pa.Schema) -> bool:
    """Whether each clause finds a value for its columns in the source, of the column's type.

    What becomes of others is the engine's to say: it casts only what no value is lost by, and refuses the rest.
    """
    ours, theirs = tree.this.alias_or_name.lower(), tree.args["using"].alias_or_name.lower()
    target = {field["name"].lower(): to_arrow(field["type"]) for field in before.fields}
    known = {theirs: {field.name.lower(): field.type for field in given}, ours: target}
    thens = [when.args["then"] for when in tree.args["whens"].expressions]
    return all(
        column in target and (type_ := _type(value, theirs, known)) is not None and is_like(type_, target[column])
        for then in thens
        for column, value in _given(then, theirs, list(target))
    )


def _given(then: exp.Expression, theirs: str, every: list[str]) -> Iterator[tuple[str, exp.Expression]]:
    """The columns that a clause writes, each with its value."""
    if is_star(then):
        yield from ((name, exp.column(name, table=theirs)) for name in every)
    elif isinstance(then, exp.Insert):
        pairs = zip(then.this.expressions, then.expression.expressions, strict=True)
        yield from ((column.name.lower(), value) for column, value in pairs)
    elif isinstance(then, exp.Update):
        yield from ((change.this.name.lower(), change.expression) for change in then.expressions)


def _type(value: exp.Expression, theirs: str, known: dict[str, dict[str, pa.DataType]]) -> pa.DataType | None:
    """The type of a column, or of a literal that can be of one only."""
    if isinstance(value, exp.Column):
        return known.get(value.table.lower() or theirs, {}).get(value.name.lower())
    match value:
        case exp.Null():
            return pa.null()
        case exp.Boolean():
            return pa.bool_()
        case exp.Literal(is_string=True):
            return pa.string()
    return None


def is_star(then: exp.Expression) -> bool:
    """Whether a clause writes every column from the source's column of its name."""
    return isinstance(then.this, exp.Star) or any(isinstance(part, exp.Star) for part in then.expressions)


def updates(tree: exp.Merge) -> bool:
    """Whether a clause is about rows that meet one of the source."""
    return any(when.args.get("matched") for when in tree.args["whens"].expressions)


def bounds(part: exp.Expression, target: str) -> bool:
    """Whether a part of the condition compares a column of the target with literals only."""
    columns = list(part.find_all(exp.Column))
    return isinstance(part, _ORDERED) and bool(columns) and all(c.table.lower() == target for c in columns)


def _plain(tree: exp.Merge) -> bool:
    whens = tree.args["whens"].expressions
    conditions = [when.args["condition"] for when in whens if when.args.get("condition")]
    values = [value for when in whens for value in _values(when.args["then"])]
    return all(_is_plain(part) for part in (tree.args["on"], *conditions, *values))


def _values(then: exp.Expression) -> list[exp.Expression]:
    if isinstance(then, exp.Insert):
        return list(then.expression.expressions) if then.expression else []
    return [
        side for change in then.expressions if isinstance(change, exp.EQ) for side in (change.this, change.expression)
    ]


def _is_plain(part: exp.Expression) -> bool:
    return all((isinstance(node, _PLAIN) and not _is_field(node)) or _is_day(node) for node in part.walk())


def _is_field(node: exp.Expr) -> bool:
    """Whether it names a field within a struct, which delta-rs would take for a column of that name."""
    return isinstance(node, exp.Column) and bool(node.args.get("db"))


def _is_day(node: exp.Expr) -> bool:
    """A date or timestamp literal, or a type inside one."""
    if isinstance(node, exp.Cast):
        return isinstance(node.this, exp.Literal) and node.to.this in (exp.DataType.Type.DATE, *_TIMES)
    return isinstance(node, exp.DataType)


_TIMES = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ)


def is_small(rows: int) -> bool:
    """Whether a source of so many rows is merged here, whatever becomes of them."""
    return rows <= _LARGEST_SOURCE


def is_appended(rows: int, size: int) -> bool:
    """Whether a source of so many rows and bytes is merged here where it only adds to the target."""
    return rows <= _LARGEST_APPENDED[0] and size <= _LARGEST_APPENDED[1]
