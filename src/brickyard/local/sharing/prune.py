"""Leaves out files that cannot hold a row that a client asks for; hints only, so what is not understood leaves all files in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brickyard.local.sql.delta.log import Action, physical_name

_INTEGERS = frozenset({"byte", "short", "integer", "long"})
_COMPARED = {*_INTEGERS, "string", "date", "boolean"}
_COMPARABLE = {  # a literal's kind and the columns that compare with it without a cast
    "int": _INTEGERS,
    "long": _INTEGERS,
    "string": frozenset({"string"}),
    "date": frozenset({"date"}),
    "bool": frozenset({"boolean"}),
    "quoted": frozenset({"string", "date"}),
}
FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Compare:
    """A column compared with a literal, which is kept as text; `kind` is the hint's word for its type."""

    column: str
    op: str
    literal: str
    kind: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether a column is NULL."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    child: Predicate


@dataclass(frozen=True, slots=True)
class Both:
    """All children hold."""

    children: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Some child holds."""

    children: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that is not understood."""


Predicate = Compare | IsNull | Not | Both | Either | Unknown


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a predicate can come to for the rows of a file."""

    true: bool = True
    false: bool = True


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What is known of a column in a file; `exact` when all its values are `low`."""

    low: Any = None
    high: Any = None
    exact: bool = False
    some_null: bool = True
    all_null: bool = False


def kept(files: Sequence[Action], predicate: Predicate, fields: Sequence[Any]) -> list[Action]:
    """The files that may hold a row for which the predicate is true."""
    columns = {field["name"].lower(): field for field in fields}
    try:
        return [file for file in files if _outcome(predicate, _File(file, columns)).true]
    except RecursionError:
        return list(files)


def limited(files: Sequence[Action], limit: int) -> list[Action]:
    """As many files from the beginning as hold *limit* rows; a file that does not say how many it holds counts as none."""
    found: list[Action] = []
    rows = 0
    for file in files:
        if rows >= limit:
            break
        found.append(file)
        rows += rows_of(file)
    return found


def rows_of(file: Action) -> int:
    """How many rows a file holds as its statistics say, 0 when they do not."""
    deleted: int = (file.get("deletionVector") or {}).get("cardinality", 0)
    return max(int(_stats(file).get("numRecords", 0)) - deleted, 0)


# --- reading hints --------------------------------------------------------------------------------------------------


def of_json(text: str | None) -> Predicate:
    """Read `jsonPredicateHints`."""
    try:
        return _of_node(json.loads(text)) if text else Unknown()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):  # JSON of another shape
        return Unknown()


_JSON_OPS = {"equal": "=", "lessThan": "<", "lessThanOrEqual": "<=", "greaterThan": ">", "greaterThanOrEqual": ">="}


def _of_node(node: Mapping[str, Any]) -> Predicate:
    children = node.get("children") or []
    match node["op"]:
        case "and":
            return Both(tuple(map(_of_node, children)))
        case "or":
            return Either(tuple(map(_of_node, children)))
        case "not":
            return Not(_of_node(children[0]))
        case "isNull":
            return IsNull(children[0]["name"])
        case op if op in _JSON_OPS and len(children) == 2:
            return _of_sides(_JSON_OPS[op], *children)
    return Unknown()


def _of_sides(op: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Predicate:
    match left["op"], right["op"]:
        case "column", "literal":
            return Compare(left["name"], op, str(right["value"]), _json_kind(left, right))
        case "literal", "column":
            return Compare(right["name"], FLIPPED[op], str(left["value"]), _json_kind(left, right))
    return Unknown()


def _json_kind(left: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    return str(left["valueType"]) if left["valueType"] == right["valueType"] else ""


# --- what a predicate can come to -------------------------------------------------------------------------------------


def _outcome(predicate: Predicate, file: _File) -> Outcome:
    match predicate:
        case Both(children):
            found = [_outcome(child, file) for child in children]
            return Outcome(all(o.true for o in found), not found or any(o.false for o in found))
        case Either(children):
            found = [_outcome(child, file) for child in children]
            return Outcome(not found or any(o.true for o in found), all(o.false for o in found))
        case Not(child):
            inner = _outcome(child, file)
            return Outcome(inner.false, inner.true)
        case IsNull(column):
            bounds = file.bounds(column)
            return Outcome(bounds.some_null, not bounds.all_null) if bounds else Outcome()
        case Compare():
            return _compare(predicate, file)
        case Unknown():
            return Outcome()


def _compare(predicate: Compare, file: _File) -> Outcome:
    bounds = file.bounds(predicate.column)
    literal = file.typed(predicate)
    if bounds is None or literal is None:
        return Outcome()
    if bounds.all_null:
        return Outcome(true=False, false=False)
    if bounds.low is None or bounds.high is None:
        return Outcome()
    true = _possible(predicate.op, bounds.low, bounds.high, literal)
    return Outcome(true, not (bounds.exact and true))


def _possible(op: str, low: Any, high: Any, literal: Any) -> bool:
    match op:
        case "=":
            return bool(low <= literal <= high)
        case "<":
            return bool(low < literal)
        case "<=":
            return bool(low <= literal)
        case ">":
            return bool(high > literal)
    return bool(high >= literal)


class _File:
    """What the log says of one file's columns."""

    def __init__(self, action: Action, columns: Mapping[str, Any]) -> None:
        self._columns = columns
        self._partition: Mapping[str, str | None] = action.get("partitionValues") or {}
        self._stats = _stats(action)

    def typed(self, predicate: Compare) -> Any:
        """The literal as a value that compares with the column's, None when it does not."""
        field = self._columns.get(predicate.column.lower())
        type_ = field["type"] if field else None
        known = isinstance(type_, str) and type_ in _COMPARABLE.get(predicate.kind, ())
        return _value(predicate.literal, type_) if known else None

    def bounds(self, column: str) -> _Bounds | None:
        """What is known of a column, None for nothing."""
        field = self._columns.get(column.lower())
        if field is None or not isinstance(field["type"], str) or field["type"] not in _COMPARED:
            return None
        name = physical_name(field)
        if name in self._partition:
            return _of_partition(self._partition[name], field["type"])
        return self._of_stats(name, field["type"])

    def _of_stats(self, name: str, type_: str) -> _Bounds | None:
        rows, nulls = self._stats.get("numRecords"), (self._stats.get("nullCount") or {}).get(name)
        if rows is None or nulls is None:
            return None
        low, high = ((self._stats.get(side) or {}).get(name) for side in ("minValues", "maxValues"))
        known = low is not None and high is not None
        return _Bounds(
            _value(str(low), type_) if known else None,
            _value(str(high), type_) if known else None,
            some_null=nulls > 0,
            all_null=nulls == rows,
        )


def _of_partition(text: str | None, type_: str) -> _Bounds | None:
    if not text:
        return _Bounds(some_null=True, all_null=True)
    value = _value(text, type_)
    return None if value is None else _Bounds(value, value, exact=True, some_null=False)


def _value(text: str, type_: object) -> Any:
    """A value as compared here: whole numbers as numbers, the other types as text; None for what is not one."""
    if type_ in _INTEGERS:
        return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
    if type_ == "date":
        return text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    return text.lower() if type_ == "boolean" else text


def _stats(file: Action) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.get("stats") or "{}")
    return found
