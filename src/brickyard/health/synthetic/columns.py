"""From named values to a table of exactly a source's columns: absent columns and fields become null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic.draw import DAY, Ints, Mask
from brickyard.health.synthetic.sources import ARRIVED, arrival_schema


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """A struct that is null outside the mask."""

    mask: Mask
    fields: Mapping[str, Any]


def table(name: str, size: int, arrived: Ints, values: Mapping[str, Any]) -> pa.Table:
    """Build rows of one source; raise KeyError for a value that the source has no column for."""
    schema = arrival_schema(name)
    unknown = set(values) - set(schema.names)
    if unknown:
        raise KeyError(f"{name} has no columns {sorted(unknown)}")
    given = {**values, ARRIVED: arrived}
    return pa.table([fill(field.type, size, given.get(field.name)) for field in schema], schema=schema)


def fill(kind: pa.DataType, size: int, value: Any) -> pa.Array:
    """Make a column of this kind from an array, one value for all rows, the fields of a struct, or nothing."""
    match value:
        case None:
            return pa.nulls(size, kind)
        case pa.Array() | pa.ChunkedArray():
            return value if value.type == kind else value.cast(kind)
        case np.ndarray():
            return pa.array(value, type=kind)
        case Where(mask, fields):
            return _struct(kind, size, fields, mask)
        case Mapping() if pa.types.is_struct(kind):
            return _struct(kind, size, value, None)
        case _:
            return pa.repeat(pa.scalar(value, type=kind), size)


def _struct(kind: pa.DataType, size: int, values: Mapping[str, Any], mask: Mask | None) -> pa.Array:
    unknown = set(values) - {field.name for field in kind.fields}
    if unknown:
        raise KeyError(f"the struct has no fields {sorted(unknown)}")
    children = [fill(field.type, size, values.get(field.name)) for field in kind.fields]
    absent = None if mask is None else pa.array(~mask)
    return pa.StructArray.from_arrays(children, fields=list(kind.fields), mask=absent)


def dates(moments: Ints) -> pa.Array:
    """Return the UTC days of moments given in microseconds."""
    return pa.array((moments // DAY).astype(np.int32), pa.int32()).cast(pa.date32())


def instants(moments: Ints) -> pa.Array:
    """Return moments given in microseconds as timestamps."""
    return pa.array(moments, pa.timestamp("us", "UTC"))
