"""Reads conditions in SQL, of which clients send the simple ones as hints."""

from __future__ import annotations

from collections.abc import Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from brickyard.local.sharing.prune import FLIPPED, Both, Compare, Either, IsNull, Not, Predicate, Unknown


def predicate(hints: Sequence[str]) -> Predicate:
    """Read `predicateHints`: SQL conditions that hold together."""
    return Both(tuple(_of_text(hint) for hint in hints))


def _of_text(text: str) -> Predicate:
    try:
        tree = sqlglot.parse_one(text, dialect="databricks")
        return _of_tree(tree) if isinstance(tree, exp.Expression) else Unknown()
    except (SqlglotError, RecursionError):
        return Unknown()


_SQL_OPS: dict[type[exp.Expression], str] = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


def _of_tree(tree: exp.Expression) -> Predicate:
    match tree:
        case exp.Paren():
            return _of_tree(tree.this)
        case exp.And():
            return Both((_of_tree(tree.this), _of_tree(tree.expression)))
        case exp.Or():
            return Either((_of_tree(tree.this), _of_tree(tree.expression)))
        case exp.Not():
            return Not(_of_tree(tree.this))
        case exp.NEQ():
            return Not(_compared("=", tree.this, tree.expression))
        case exp.Is() if isinstance(tree.expression, exp.Null) and isinstance(tree.this, exp.Column):
            return IsNull(tree.this.name)
        case exp.Binary() if type(tree) in _SQL_OPS:
            return _compared(_SQL_OPS[type(tree)], tree.this, tree.expression)
    return Unknown()


def _compared(op: str, left: exp.Expression, right: exp.Expression) -> Predicate:
    match left, right:
        case exp.Column(), exp.Literal():
            return Compare(left.name, op, right.name, _sql_kind(right))
        case exp.Literal(), exp.Column():
            return Compare(right.name, FLIPPED[op], left.name, _sql_kind(left))
    return Unknown()


def _sql_kind(literal: exp.Literal) -> str:
    return "quoted" if literal.is_string else "long"
