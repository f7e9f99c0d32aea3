"""Column types as Spark writes them, read into Arrow types."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

_WORD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|\d+|[<>(),:])")
_PLAIN: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "smallint": pa.int16(),
    "tinyint": pa.int8(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def arrow_type(text: str) -> pa.DataType:
    """Read one type such as `map<string,array<int>>`; raise ValueError for a text that is no type."""
    words = _WORD.findall(text)
    kind, rest = _read(words)
    if rest:
        raise ValueError(f"{text!r} goes on after its type: {rest[:3]}")
    return kind


def _read(words: list[str]) -> tuple[pa.DataType, list[str]]:
    head, *rest = words
    if head in _PLAIN:
        return _PLAIN[head], rest
    if head == "decimal":
        return pa.decimal128(int(rest[1]), int(rest[3])), rest[5:]
    if head not in _NESTED:
        raise ValueError(f"no type is called {head!r}")
    return _NESTED[head](rest[1:])


def _read_array(words: list[str]) -> tuple[pa.DataType, list[str]]:
    element, rest = _read(words)
    return pa.list_(element), rest[1:]


def _read_map(words: list[str]) -> tuple[pa.DataType, list[str]]:
    key, rest = _read(words)
    value, rest = _read(rest[1:])
    return pa.map_(key, value), rest[1:]


def _read_struct(words: list[str]) -> tuple[pa.DataType, list[str]]:
    fields: list[pa.Field] = []
    rest = words
    while True:
        name, _colon, *rest = rest
        kind, rest = _read(rest)
        fields.append(pa.field(name, kind))
        separator, *rest = rest
        if separator == ">":
            return pa.struct(fields), rest


_NESTED: dict[str, Callable[[list[str]], tuple[pa.DataType, list[str]]]] = {
    "array": _read_array,
    "map": _read_map,
    "struct": _read_struct,
}
