"""Columns of gold tables from the leaves of a source: taken over, taken apart, counted, fitted into narrower decimals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.text import canonical

Columns = dict[str, pa.Array | pa.ChunkedArray]
Mask = pa.Array | pa.ChunkedArray


def copied(rows: pa.Table, names: str) -> Columns:
    """Return columns as they are; *names* are separated by blanks."""
    return {name: rows.column(name) for name in names.split()}


def flattened(rows: pa.Table, struct: str, prefix: str | None = None) -> Columns:
    """Return every leaf of a struct as prefix (the struct's name by default) and path, joined by one underscore."""
    head = f"{struct}_" if prefix is None else prefix
    inner = {name: name.removeprefix(f"{struct}__") for name in rows.schema.names if name.startswith(f"{struct}__")}
    return {(head + path.replace("__", "_")).lower(): rows.column(name) for name, path in inner.items()}


def computed(kind: pa.DataType, compute: Callable[..., Any], *columns: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column computed row by row from the values of others."""
    values = (column.to_pylist() for column in columns)
    return pa.array([compute(*row) for row in zip(*values, strict=True)], kind)


def entries(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Count the entries of maps or lists; none in one that is null."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_map(array.type):
        array = array.cast(pa.list_(pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])))
    return call_function("list_value_length", [array]).fill_null(0).cast(pa.int32())


def fits(values: pa.Array | pa.ChunkedArray, precision: int, scale: int) -> Mask:
    """Tell which decimals a narrower decimal holds exactly; null fits."""
    most = Decimal(10) ** (precision - scale)
    unit = Decimal(1).scaleb(-scale)
    told = (value is None or (abs(value) < most and value == value.quantize(unit)) for value in values.to_pylist())
    return pa.array(told, pa.bool_())


def narrowed(values: pa.Array | pa.ChunkedArray, precision: int, scale: int) -> pa.Array:
    """Return decimals, all of which fit, as narrower ones."""
    return pa.array(values.to_pylist(), pa.decimal128(precision, scale))


def known(rows: pa.Table, names: Iterable[str]) -> Mask:
    """Tell the rows that have a value in every one of these columns."""
    return every(rows, *(rows.column(name).is_valid() for name in names))


def forward(rows: pa.Table, begin: str, end: str) -> Mask:
    """Tell the rows that do not end before they begin; nothing is said against a row without either."""
    return call_function("greater_equal", [rows.column(end), rows.column(begin)]).fill_null(True)


def at_least(rows: pa.Table, name: str, least: float) -> Mask:
    """Tell the rows whose number is not too small; null is not."""
    return call_function("greater_equal", [rows.column(name), pa.scalar(least, rows.column(name).type)]).fill_null(True)


def every(rows: pa.Table, *masks: Mask) -> Mask:
    """Tell the rows that each mask tells."""
    found: Mask = pa.repeat(pa.scalar(True), rows.num_rows)
    for mask in masks:
        found = call_function("and", [found, mask])
    return found


def where(rows: pa.Table, *masks: Mask) -> pa.Table:
    """Return the rows that each mask tells."""
    return rows.filter(every(rows, *masks))


def table(*parts: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Put columns together."""
    return pa.table({name: values for part in parts for name, values in part.items()})


def day(instants: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return the UTC days of instants."""
    return instants.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)


def seconds(instants: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return instants in whole seconds since 1970, cut."""
    return computed(
        pa.int64(), lambda micros: None if micros is None else micros // 1_000_000, instants.cast(pa.int64())
    )


def minus(left: pa.Array | pa.ChunkedArray, right: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Subtract; null where either is null."""
    return call_function("subtract", [left, right])


def is_value(values: pa.Array | pa.ChunkedArray, wanted: str) -> pa.Array | pa.ChunkedArray:
    """Tell where a value is the wanted one; null where there is none."""
    return call_function("equal", [values, pa.scalar(wanted)])


def json_of(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return lists and maps as JSON without spaces: keys of maps sorted, fields of structs that hold nothing left out."""
    return computed(pa.string(), lambda value: None if value is None else canonical(value, values.type), values)


def taken(values: pa.Array | pa.ChunkedArray, keep: Iterable[bool]) -> pa.Array:
    """Return the values where *keep*, and null elsewhere."""
    return pa.array(
        [value if good else None for value, good in zip(values.to_pylist(), keep, strict=True)], values.type
    )


def without_zero(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the numbers with null for 0."""
    return computed(values.type, lambda value: value or None, values)
