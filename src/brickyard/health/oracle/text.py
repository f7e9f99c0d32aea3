"""The canonical text of values, and the fingerprint of a row that decides between two versions with nothing else to tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

_UNIT = chr(31)
_ABSENT = chr(30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fingerprint(values: Iterable[tuple[Any, pa.DataType]]) -> str:
    """Return md5 over the canonical texts of a row's values; NULL has a text of its own."""
    texts = (_ABSENT if value is None else canonical(value, kind) for value, kind in values)
    return hashlib.md5(_UNIT.join(texts).encode(), usedforsecurity=False).hexdigest()


def canonical(value: Any, kind: pa.DataType) -> str:
    """Return a text that is equal exactly when values are: instants in microseconds, maps and lists as JSON."""
    if pa.types.is_timestamp(kind):
        return str(_micros(value))
    if pa.types.is_nested(kind):
        return json.dumps(_plain(value, kind), separators=(",", ":"), ensure_ascii=False)
    return _simple(value)


def _micros(value: datetime) -> int:
    return (value - _EPOCH) // timedelta(microseconds=1)


def _simple(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value as JSON writes it: keys of maps sorted, fields of structs that hold nothing left out."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(key): _plain(inner, kind.item_type) for key, inner in sorted(value)}
    if pa.types.is_list(kind):
        return [_plain(inner, kind.value_type) for inner in value]
    if pa.types.is_struct(kind):
        told = ((field.name, _plain(value[field.name], field.type)) for field in kind.fields)
        return {name: inner for name, inner in told if inner is not None}
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if isinstance(value, datetime) else value
