"""MERGE in two steps, as Databricks does it: find the rows that meet, by their keys alone; then touch no other files.

Rows that meet none are appended, which reads nothing of the target; the files of those that do are written again, by
`replaced` where a row only takes values of the source, else by delta-rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pyarrow.compute import call_function
from sqlglot import exp

from brickyard.kernel.names import quote
from brickyard.local.arrow import is_like
from brickyard.local.sql import bounded, changefeed, replaced
from brickyard.local.sql.call import Call, Target
from brickyard.local.sql.delta import write
from brickyard.local.sql.delta.log import Change, Snapshot
from brickyard.local.sql.model import Result
from brickyard.local.sql.replaced import Replaced, Updates
from brickyard.local.sql.types import to_arrow
from brickyard.local.sql.written import ROW, Written

_MOST_DAYS = 100  # as literals in a condition
_MET, _ACTS = "_row_that_met", "_acts_on_it"
_MOST_SLICES = 1000  # of a table that is not copied


def merge(call: Call, target: Target, before: Snapshot, tree: exp.Merge, source: Written) -> Result | None:
    """Merge a small source whose condition bounds the target by literals; None where a value must be cast or is missing."""
    if not bounded.is_like_the_target(tree, before, source.schema):
        return None
    rows = source.table()
    ours = _inserted(tree, before, rows.schema)
    if ours is None or not _is_simple(tree):
        return changefeed.merge_rows(call, target, tree, rows.drop_columns(ROW))
    met = call.query(_meeting(target, tree, source))
    if _twice(tree, rows, met):
        return changefeed.merge_rows(call, target, tree, rows.drop_columns(ROW))
    acting = met.filter(met[_ACTS])
    new = _those(rows, met, meet=False)
    if not acting.num_rows:
        return _appended(call, before, ours, new)
    found = _replaced(before, tree, rows, acting)
    if found is not None:
        return _committed(call, before, found, _as_ours(before, ours, new))
    both = pa.concat_tables([new, _those(rows, acting, meet=True)]).drop_columns(ROW)
    return changefeed.merge_rows(call, target, _within(tree, acting), both)


def append(call: Call, target: Target, before: Snapshot, tree: exp.Merge, source: Written) -> Result | None:
    """Merge a source of which no row changes one of the target; None where one does, or might.

    The engine would write files as large as it can, which every later MERGE that changes one of their rows reads whole.
    """
    ours = _inserted(tree, before, source.schema)
    if ours is None or not _is_simple(tree):
        return None
    meeting = f"SELECT {_MET}, bool_or({_ACTS}) AS {_ACTS} FROM ({_meeting(target, tree, source)}) GROUP BY {_MET}"
    met = call.query(meeting)
    if call_function("any", [met[_ACTS]]).as_py():
        return None
    return _appended(call, before, ours, _those(source.table(), met, meet=False))


def _those(rows: pa.Table, met: pa.Table, *, meet: bool) -> pa.Table:
    """The rows of the source that are, or are not, among those that met one of the target; those between are not copied."""
    found = replaced.is_among(rows[ROW], met[_MET].cast(rows[ROW].type))
    if meet:
        return rows.filter(found)
    places = call_function("indices_nonzero", [found]).to_pylist()
    if len(places) > _MOST_SLICES:
        return rows.filter(call_function("invert", [found]))
    edges = [-1, *places, rows.num_rows]
    return pa.concat_tables(rows.slice(before + 1, after - before - 1) for before, after in pairwise(edges))


def _is_simple(tree: exp.Merge) -> bool:
    """Whether every column is named by its table's alias, and rows that meet nothing of the source are left alone."""
    qualified = all(column.table and not column.args.get("db") for column in _conditions(tree))
    return qualified and not any(when.args.get("source") for when in tree.args["whens"].expressions)


def _conditions(tree: exp.Merge) -> Iterable[exp.Column]:
    yield from tree.args["on"].find_all(exp.Column)
    for when in tree.args["whens"].expressions:
        if when.args.get("condition"):
            yield from when.args["condition"].find_all(exp.Column)


def _inserted(tree: exp.Merge, before: Snapshot, given: pa.Schema) -> dict[str, str] | None:
    """The source's column for each column of the target that a new row has; None where a row is more than that."""
    whens = [when for when in tree.args["whens"].expressions if not when.args.get("matched")]
    if len(whens) != 1 or whens[0].args.get("condition"):
        return None
    then, source = whens[0].args["then"], tree.args["using"].alias_or_name.lower()
    if not isinstance(then, exp.Insert) or not isinstance(then.this, exp.Tuple) or not then.expression:
        return None
    known = {name.lower(): name for name in given.names}
    pairs = zip(then.this.expressions, then.expression.expressions, strict=True)
    found = {column.name.lower(): _column(value, source, known) for column, value in pairs}
    same = {column: name for column, name in found.items() if name and _is_same(given.field(name).type, column, before)}
    return same if len(same) == len(found) else None


def _column(value: exp.Expression, source: str, known: dict[str, str]) -> str | None:
    return known.get(value.name.lower()) if isinstance(value, exp.Column) and value.table.lower() == source else None


def _is_same(type_: pa.DataType, column: str, before: Snapshot) -> bool:
    """Whether a value needs no cast, which is the engine's to make."""
    field = next((field for field in before.fields if field["name"].lower() == column), None)
    return field is not None and is_like(type_, to_arrow(field["type"]))


def _meeting(target: Target, tree: exp.Merge, source: Written) -> str:
    """Ask which rows of the source meet one of the target, whether a clause acts on it, and where it lies."""
    ours, theirs = tree.this.alias_or_name, tree.args["using"].alias_or_name
    acts = [when.args.get("condition") for when in tree.args["whens"].expressions if when.args.get("matched")]
    acting = " OR ".join(f"({condition.sql('databricks')})" if condition else "true" for condition in acts)
    places = ", ".join(f"{quote(ours)}.{quote(name)} AS {quote(name)}" for name in _bounding(tree))
    return (
        f"SELECT {quote(theirs)}.{ROW} AS {_MET}, coalesce({acting or 'false'}, false) AS {_ACTS}, {places} FROM {source.relation} AS {quote(theirs)}"
        f" JOIN delta.{quote(str(target.path))} AS {quote(ours)} ON {' AND '.join(map(_spelled, tree.args['on'].flatten()))}"
    )


def _spelled(part: exp.Expression) -> str:
    """Spell a part of the condition for the engine, which joins by hash on `<=>` only, not on what means the same."""
    if isinstance(part, exp.NullSafeEQ):
        return f"{part.this.sql('databricks')} <=> {part.expression.sql('databricks')}"
    return part.sql("databricks")


def _bounding(tree: exp.Merge) -> list[str]:
    """The target's columns that the condition bounds by literals."""
    ours = tree.this.alias_or_name.lower()
    parts = [part for part in tree.args["on"].flatten() if bounded.bounds(part, ours)]
    return sorted({column.name for part in parts for column in part.find_all(exp.Column)})


def _twice(tree: exp.Merge, rows: pa.Table, met: pa.Table) -> bool:
    """Whether two rows of the source have one key, so that they may meet the same row."""
    theirs = tree.args["using"].alias_or_name.lower()
    equal = [part for part in tree.args["on"].flatten() if isinstance(part, (exp.NullSafeEQ, exp.EQ))]
    wanted = {c.name.lower() for part in equal for c in part.find_all(exp.Column) if c.table.lower() == theirs}
    keys = [name for name in rows.column_names if name.lower() in wanted]
    if not keys or any(pa.types.is_nested(rows.schema.field(name).type) for name in keys):
        return True
    meeting = _those(rows.select([*keys, ROW]), met, meet=True).select(keys)
    return meeting.group_by(keys).aggregate([]).num_rows < meeting.num_rows


def _appended(call: Call, before: Snapshot, ours: dict[str, str], new: pa.Table) -> Result:
    metrics = _metrics(inserted=new.num_rows)
    if new.num_rows:
        write.append(before.path, call.author, Change("MERGE", {}, metrics), _as_ours(before, ours, new), before)
    return call.changed(metrics)


def _as_ours(before: Snapshot, ours: Mapping[str, str], new: pa.Table) -> pa.Table:
    """New rows in the columns of the target."""
    columns = [ours.get(field["name"].lower()) for field in before.fields]
    arrays = [
        new[name] if name else pa.nulls(new.num_rows, to_arrow(field["type"]))
        for name, field in zip(columns, before.fields, strict=True)
    ]
    return pa.table(arrays, names=[field["name"] for field in before.fields])


def _metrics(*, inserted: int, updated: int = 0, copied: int = 0, files: int = 0) -> dict[str, int]:
    return {
        "numTargetRowsInserted": inserted,
        "numTargetRowsUpdated": updated,
        "numTargetRowsDeleted": 0,
        "numTargetRowsCopied": copied,
        "numTargetFilesRemoved": files,
    }


def _replaced(before: Snapshot, tree: exp.Merge, rows: pa.Table, acting: pa.Table) -> Replaced | None:
    """What becomes of the files whose rows the source updates; None where that is more than putting values in."""
    assigned, equal = replaced.assignments(tree), replaced.keys(tree)
    known = {name.lower(): name for name in rows.column_names}
    if assigned is None or not equal:
        return None
    pairs = [*assigned.items(), *((name.lower(), theirs.lower()) for name, theirs in equal.items())]
    if not all(
        value in known and _is_same(rows.schema.field(known[value]).type, name, before) for name, value in pairs
    ):
        return None  # a cast is the engine's to make, and so is finding what equals across types
    types = {field["name"].lower(): (field["name"], to_arrow(field["type"])) for field in before.fields}
    places = {number: at for at, number in enumerate(rows[ROW].to_pylist())}
    source = rows.take(pa.array([places[number] for number in acting[_MET].to_pylist()], pa.int64()))
    values = {name.lower(): source[known[theirs.lower()]] for name, theirs in equal.items()}
    values |= {name.lower(): acting[name] for name in _bounding(tree)}
    marks = pa.table({types[name][0]: column.cast(types[name][1]) for name, column in values.items()})
    updates = Updates(marks, source, {name: known[value] for name, value in assigned.items()})
    found = replaced.replaced(before, updates)
    return found if found and found.updated == acting.num_rows else None  # a clause may act on one of two equal rows


def _committed(call: Call, before: Snapshot, found: Replaced, new: pa.Table) -> Result:
    """Commit the files written again and those of new rows together."""
    staged = write.stage(before.path, new, before.fields, before.partition_columns)
    copied = found.rows.num_rows - found.updated
    metrics = _metrics(inserted=new.num_rows, updated=found.updated, copied=copied, files=len(found.files))
    write.rewrite(before, call.author, Change("MERGE", {}, metrics), found.files, found.rows, staged.actions)
    return call.changed(metrics)


def _within(tree: exp.Merge, acting: pa.Table) -> exp.Merge:
    """The MERGE with bounds as close as the rows that it changes lie."""
    narrowed = tree.copy()
    parts = [narrowed.args["on"]]
    for name in _bounding(tree):
        parts += _closer(exp.column(name, table=tree.this.alias_or_name), acting[name])
    narrowed.set("on", exp.and_(*parts, copy=False))
    return narrowed


def _closer(column: exp.Column, values: pa.ChunkedArray) -> list[exp.Expression]:
    found: list[Any] = sorted(set(values.to_pylist()))
    if not isinstance(found[0], date):
        return []
    closer: list[exp.Expression] = [exp.GTE(this=column.copy(), expression=_literal(found[0]))]
    closer.append(exp.LTE(this=column.copy(), expression=_literal(found[-1])))
    if not isinstance(found[0], datetime) and len(found) <= _MOST_DAYS:
        closer.append(exp.In(this=column.copy(), expressions=[_literal(value) for value in found]))
    return closer


def _literal(value: date) -> exp.Expression:
    kind = exp.DataType.Type.TIMESTAMPTZ if isinstance(value, datetime) else exp.DataType.Type.DATE
    return exp.cast(exp.Literal.string(value.isoformat()), kind)
