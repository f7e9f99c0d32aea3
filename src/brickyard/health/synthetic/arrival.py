"""When rows become visible, and which columns they may already fill: late rows, repeats, ties, older schemas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.synthetic import draw
from brickyard.health.synthetic.draw import DAY, HOUR, MINUTE, Ints
from brickyard.health.synthetic.sources import ARRIVED, source
from brickyard.health.synthetic.world import World

LATEST = 60 * HOUR  # after its event a row that is no usage has arrived, so that a reader may look back three days
LATE_SHARE = 0.003
REPEATED_SHARE = 0.001


def arrive(rng: np.random.Generator, world: World, event: Ints, *, latest: int = LATEST) -> Ints:
    """Draw when rows arrive: 1 to 24 hours after their event, a few late, all before the account has settled."""
    size = len(event)
    wait = rng.integers(HOUR, 24 * HOUR, size)
    late = draw.some(rng, size, LATE_SHARE, 2)
    wait[late] = rng.integers(30 * HOUR, latest, len(late))
    return np.minimum(event + wait, world.settled - MINUTE)


def moments(table: pa.Table, column: str = ARRIVED) -> Ints:
    """Return a timestamp column in microseconds since 1970."""
    return table.column(column).combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)


def by_arrival(table: pa.Table) -> pa.Table:
    """Sort rows by arrival; rows of one instant keep their order."""
    order = np.argsort(moments(table), kind="stable")
    return table.take(pa.array(order)).combine_chunks()


def drifted(table: pa.Table, name: str, world: World) -> pa.Table:
    """Sort by arrival and empty the new columns and fields of the rows that arrived before the drift."""
    ordered = by_arrival(table)
    old = int(np.searchsorted(moments(ordered), world.drift))
    if old == 0 or source(name).schema() == source(name).schema(drifted=False):
        return ordered
    return pa.concat_tables([_without_news(ordered.slice(0, old), name), ordered.slice(old)]).combine_chunks()


def _without_news(table: pa.Table, name: str) -> pa.Table:
    before = source(name).schema(drifted=False)
    columns = [
        widened(narrowed(table.column(field.name), before.field(field.name).type), field.type)
        if field.name in before.names
        else pa.nulls(table.num_rows, field.type)
        for field in table.schema
        if field.name != ARRIVED
    ]
    return pa.table([*columns, table.column(ARRIVED)], schema=table.schema)


def narrowed(column: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with only the fields of an older type, at any depth."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return _reshape(array, kind)


def widened(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with the fields of a newer type, null where it had none."""
    return _reshape(array, kind)


def _reshape(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_list(kind):
        values = _reshape(array.flatten(), kind.value_type)
        return pa.ListArray.from_arrays(_offsets(array), values, type=kind, mask=_absent(array))
    children = [
        _reshape(array.field(field.name), field.type)
        if array.type.get_field_index(field.name) >= 0
        else pa.nulls(len(array), field.type)
        for field in kind.fields
    ]
    return pa.StructArray.from_arrays(children, fields=list(kind.fields), mask=_absent(array))


def _absent(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _offsets(array: pa.Array) -> pa.Array:
    lengths = call_function("list_value_length", [array]).fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def replaced(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    """Return the table with other values in one column."""
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), values)


def later(table: pa.Table, wait: Ints, world: World) -> pa.Table:
    """Return the rows arriving this much later, though not after the account has settled."""
    arrived = np.minimum(moments(table) + wait, world.settled - MINUTE)
    return replaced(table, ARRIVED, pa.array(arrived, pa.timestamp("us", "UTC")))


def repeats(table: pa.Table, rng: np.random.Generator, world: World) -> pa.Table:
    """Return exact copies of a few rows, delivered again up to two days later."""
    again = table.take(pa.array(draw.some(rng, table.num_rows, REPEATED_SHARE, 2)))
    return later(again, rng.integers(0, 2 * DAY, again.num_rows), world)


def ties(table: pa.Table, rng: np.random.Generator, world: World, column: str, values: Sequence[object]) -> pa.Table:
    """Return second versions of a few rows that differ in one column only, so that no sequence decides."""
    rivals = table.take(pa.array(draw.some(rng, table.num_rows, REPEATED_SHARE / 2, 2)))
    other = draw.pick(values, rng.integers(0, len(values), rivals.num_rows), table.schema.field(column).type)
    same_day = (moments(rivals) // DAY + 1) * DAY - 1
    changed = replaced(rivals, column, other)
    moved = np.minimum(moments(rivals) + rng.integers(0, 2 * HOUR, rivals.num_rows), same_day)
    return replaced(changed, ARRIVED, pa.array(moved, pa.timestamp("us", "UTC")))


def told(table: pa.Table, name: str, world: World, *, tie: tuple[str, Sequence[object]] | None = None) -> pa.Table:
    """Finish an appended source: older schema before the drift, repeats, ties, and the order of arrival."""
    base = drifted(table, name, world)
    if base.num_rows == 0:
        return base
    first = int(moments(base)[0])
    rng = world.rng("told", name, first % 1_000_000_007)
    extra = [repeats(base, rng, world)]
    if tie is not None:
        extra.append(ties(base, rng, world, *tie))
    return by_arrival(pa.concat_tables([base, *extra]))
