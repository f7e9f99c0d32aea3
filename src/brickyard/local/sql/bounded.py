"""MERGE with literal bounds on the target: by delta-rs, which reads only the files that the bounds allow.

The engine reads the whole target whatever the bounds, so that its time grows with the table; delta-rs prunes by the
statistics of the files, as Databricks does. Only where every expression means the same to both.
"""

from __future__ import annotations

from sqlglot import exp

from brickyard.local.sql.call import Call
from brickyard.local.sql.delta.log import Snapshot
from brickyard.local.sql.expand import single

_LARGEST_SOURCE = 300_000  # rows that may update; more are better off in the engine, which need not hold them
_LARGEST_APPENDED = 1_500_000  # rows, held in memory, where all that meet nothing are appended
_PLAIN = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not),
    *(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Neg),
)
_ORDERED = (exp.GTE, exp.LTE, exp.GT, exp.LT, exp.Between, exp.In)
_PROTOCOL = ("delta.columnMapping.mode", "delta.enableDeletionVectors")


def bounded(call: Call, before: Snapshot) -> exp.Merge | None:
    """Return the statement when it is a MERGE that delta-rs can prune and whose expressions it reads as Spark does."""
    if call.verb != "MERGE" or any(name in before.configuration for name in _PROTOCOL):
        return None
    tree = single(call.text, call.session.temp_views, trees=True).tree
    if not isinstance(tree, exp.Merge):
        return None
    target = tree.this.alias_or_name.lower()
    prunes = any(bounds(part, target) for part in tree.args["on"].flatten())
    return tree if prunes and _plain(tree) else None


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


def is_appended(rows: int) -> bool:
    """Whether a source of so many rows is merged here where it only adds to the target."""
    return rows <= _LARGEST_APPENDED
