"""The files of the rows that a MERGE updates, written again: found by the keys alone, the others are not read.

delta-rs reads every file that could hold such a row, whole. Only where each assigned value is a column of the source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.compute import SetLookupOptions, call_function
from sqlglot import exp

from brickyard.local.sql.delta.log import Action, Snapshot
from brickyard.local.sql.delta.write import cast
from brickyard.local.sql.types import to_arrow

_MOST_BYTES = 256 * 2**20  # of files that are written again: they are held in memory, several times larger than on disk
_FOUND = "_found"


@dataclass(frozen=True, slots=True)
class Updates:
    """Rows of the source that update rows of the target.

    `marks`: the target's columns by which a row is known, with the values of each row that is updated; `assigned`: the
    source's column for each column of the target that it changes.
    """

    marks: pa.Table
    rows: pa.Table
    assigned: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Replaced:
    """Files that go, and the rows that come in their place, `updated` of which are changed."""

    files: tuple[Action, ...]
    rows: pa.Table
    updated: int


def assignments(tree: exp.Merge) -> dict[str, str] | None:
    """Return the source's column for each column that the one clause on matched rows sets; None where it does more."""
    whens = [when for when in tree.args["whens"].expressions if when.args.get("matched")]
    if len(whens) != 1 or not isinstance(then := whens[0].args["then"], exp.Update):
        return None
    source = tree.args["using"].alias_or_name.lower()
    found = {}
    for change in then.expressions:
        value = change.expression if isinstance(change, exp.EQ) else None
        if not isinstance(value, exp.Column) or value.table.lower() != source:
            return None
        found[change.this.name.lower()] = value.name.lower()
    return found


def keys(tree: exp.Merge) -> dict[str, str] | None:
    """Return the source's column for each column of the target that must equal it; None where one side is no column."""
    ours, theirs = tree.this.alias_or_name.lower(), tree.args["using"].alias_or_name.lower()
    found = {}
    for part in tree.args["on"].flatten():
        if isinstance(part, (exp.EQ, exp.NullSafeEQ)):
            sides = {s.table.lower(): s.name for s in (part.this, part.expression) if isinstance(s, exp.Column)}
            if sides.keys() != {ours, theirs}:
                return None
            found[sides[ours]] = sides[theirs]
    return found


def replaced(before: Snapshot, updates: Updates) -> Replaced | None:
    """Work out what updates make of the files that hold their rows; None where delta-rs had better do it."""
    only_grows = before.configuration.get("delta.appendOnly", "").lower() == "true"
    if only_grows or before.partition_columns or any(file.get("deletionVector") for file in before.files):
        return None
    held = [(file, found) for file in before.files if (found := _found(before, file, updates.marks)).num_rows]
    if not held or sum(file["size"] for file, _ in held) > _MOST_BYTES:
        return None
    try:
        parts = [_rewritten(before, file, found, updates) for file, found in held]
    except pa.ArrowInvalid:  # a value within a struct does not fit, which is for delta-rs to refuse
        return None
    return Replaced(tuple(file for file, _ in held), pa.concat_tables(parts), sum(found.num_rows for _, found in held))


def _found(before: Snapshot, file: Action, marks: pa.Table) -> pa.Table:
    """The places in a file of the rows that are updated, each with the number of its mark."""
    nowhere = pa.table({_FOUND: pa.array([], pa.int64()), "mark": pa.array([], pa.int64())})
    if any(_is_outside(file, name, marks[name]) for name in marks.column_names):
        return nowhere
    columns = _columns(before, file, marks.column_names)
    mask = pa.array([True] * columns.num_rows, pa.bool_())
    for name in marks.column_names:
        mask = call_function("and", [mask, is_among(columns[name], marks[name])])
    places = call_function("indices_nonzero", [mask])
    if not len(places):
        return nowhere
    numbers = {values: number for number, values in enumerate(_tuples(marks))}
    met = [(at, numbers.get(row)) for at, row in zip(places.to_pylist(), _tuples(columns.take(places)), strict=True)]
    pairs = [(at, mark) for at, mark in met if mark is not None]
    return pa.table(
        {_FOUND: pa.array([at for at, _ in pairs], pa.int64()), "mark": pa.array([m for _, m in pairs], pa.int64())}
    )


def is_among(values: pa.ChunkedArray | pa.Array, wanted: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Tell of each value whether it is one of those wanted; NULL is like NULL."""
    return call_function("is_in", [values], SetLookupOptions(wanted.combine_chunks()))


def _tuples(table: pa.Table) -> Sequence[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _is_outside(file: Action, name: str, values: pa.ChunkedArray) -> bool:
    """Whether no value of a column of dates, which the log writes as text, lies within the bounds that it has of the file."""
    stats = json.loads(file.get("stats") or "{}")
    least, most = stats.get("minValues", {}).get(name), stats.get("maxValues", {}).get(name)
    if not pa.types.is_date(values.type) or least is None or most is None or values.null_count:
        return False
    bounds = call_function("min_max", [values.cast(pa.string())]).as_py()
    return bool(bounds["max"] < least or bounds["min"] > most)


def _columns(before: Snapshot, file: Action, wanted: Sequence[str]) -> pa.Table:
    """Columns of a file in the types of the table; one that is younger than the file is NULL."""
    path = before.path / unquote(file["path"])
    within = set(pq.read_schema(path).names)
    rows = pq.read_table(path, columns=[name for name in wanted if name in within], partitioning=None)
    types = {field["name"]: to_arrow(field["type"]) for field in before.fields}
    count = pq.read_metadata(path).num_rows
    arrays = [rows[name].cast(types[name]) if name in within else pa.nulls(count, types[name]) for name in wanted]
    return pa.table(arrays, names=list(wanted))


def _rewritten(before: Snapshot, file: Action, found: pa.Table, updates: Updates) -> pa.Table:
    whole = _columns(before, file, [field["name"] for field in before.fields])
    changes = is_among(pa.array(range(whole.num_rows), pa.int64()), found[_FOUND])
    kept, changed = whole.filter(call_function("invert", [changes])), whole.take(found[_FOUND])
    new = updates.rows.take(found["mark"])
    for at, name in enumerate(whole.column_names):
        if name.lower() in updates.assigned:
            changed = changed.set_column(at, name, cast(new[updates.assigned[name.lower()]], whole[name].type))
    return pa.concat_tables([kept, changed])
