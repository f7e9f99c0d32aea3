"""Writes of flows, each one commit of the target: the whole of a view, what is new of a stream, a batch of changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from brickyard.kernel.names import quote
from brickyard.local.pipelines.cdc import END, START, Action, Change, Edit, Key, Row, scd1, scd2
from brickyard.local.pipelines.graph import AutoCdc, Dataset
from brickyard.local.pipelines.session import PipelineSession

_SEQUENCE, _DELETED, _ACTION = "__sequence", "__deleted", "__action"


@dataclass(frozen=True, slots=True)
class Written:
    """What a flow wrote, in rows; None for what does not apply to it."""

    output: int | None = None
    upserted: int | None = None
    deleted: int | None = None
    size: int | None = None

    def metrics(self) -> dict[str, int]:
        """The figures by the names of the event log."""
        named = {
            "num_output_rows": self.output,
            "num_upserted_rows": self.upserted,
            "num_deleted_rows": self.deleted,
            "num_output_bytes": self.size,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Job:
    """Where a flow writes; *committed* runs the write with its checkpoint, *marks* are properties of the table."""

    spark: PipelineSession
    dataset: Dataset
    target: str
    committed: Callable[[Callable[[], Written]], Written]
    marks: Mapping[str, str]


def empty(spark: PipelineSession, target: str) -> None:
    """Remove all rows of a table that is to be computed anew; one that is not there yet needs nothing."""
    if spark.catalog.tableExists(target):
        spark.plain(f"TRUNCATE TABLE {target}")


def replace_all(job: Job, frame: Any) -> Written:
    """Write the whole of a materialized view."""
    view = job.spark.view(frame)
    if _fits(job, view):
        return job.committed(lambda: _insert(job, f"INSERT OVERWRITE {job.target} BY NAME SELECT * FROM {view}"))
    create = f"CREATE OR REPLACE TABLE {job.target}{_layout(job)} AS SELECT * FROM {view}"
    return job.committed(lambda: _insert(job, create))


def append(job: Job, frame: Any) -> Written:
    """Append what is new."""
    view = job.spark.view(frame)
    _ensure(job, view)
    return job.committed(lambda: _insert(job, f"INSERT INTO {job.target} BY NAME SELECT * FROM {view}"))


def nothing(job: Job, frame: Any, cdc: AutoCdc | None) -> Written:
    """Make the table when it is missing; there is nothing new to write."""
    _ensure(job, job.spark.view(frame if cdc is None else _output(job, frame, cdc)))
    return Written(0) if cdc is None else Written(0, 0, 0)


def apply_changes(job: Job, frame: Any, cdc: AutoCdc) -> Written:
    """Apply a batch of changes as SCD type 1 or 2."""
    output = _output(job, frame, cdc)
    _ensure(job, job.spark.view(output))
    changes = _read_changes(frame, cdc, [name for name in output.columns if name not in (START, END)])
    existing = _existing(job, output, cdc, {change.key for change in changes})
    edits = _edits(cdc, existing, changes)
    return job.committed(lambda: _merge(job, edits, cdc, existing.schema))


# --- tables ---------------------------------------------------------------------------------------------------------


def _ensure(job: Job, view: str) -> None:
    """Make the target, or add the columns that it lacks."""
    if not job.spark.catalog.tableExists(job.target):
        create = f"CREATE TABLE {job.target}{_layout(job)} AS SELECT * FROM {view} WHERE FALSE"
        job.spark.plain(create)
        return
    known = {name.lower() for name in job.spark.plain(f"SELECT * FROM {job.target}").columns}
    fields = [f for f in job.spark.plain(f"SELECT * FROM {view}").schema.fields if f.name.lower() not in known]
    if fields:
        added = ", ".join(f"{quote(field.name)} {field.dataType.simpleString()}" for field in fields)
        job.spark.plain(f"ALTER TABLE {job.target} ADD COLUMNS ({added})")


def _fits(job: Job, view: str) -> bool:
    if not job.spark.catalog.tableExists(job.target):
        return False
    old = job.spark.plain(f"SELECT * FROM {job.target}").schema
    new = job.spark.plain(f"SELECT * FROM {view}").schema
    return [(f.name, f.dataType) for f in old.fields] == [(f.name, f.dataType) for f in new.fields]


def _layout(job: Job) -> str:
    dataset, properties = job.dataset, {**job.dataset.properties, **job.marks}
    text = f" PARTITIONED BY ({', '.join(map(quote, dataset.partition_columns))})" if dataset.partition_columns else ""
    if dataset.comment:
        text += f" COMMENT {_literal(dataset.comment)}"
    pairs = ", ".join(f"{_literal(k)} = {_literal(v)}" for k, v in properties.items())
    return f"{text} TBLPROPERTIES ({pairs})"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _insert(job: Job, statement: str) -> Written:
    job.spark.plain(statement)
    figures = _last_metrics(job)
    return Written(figures.get("numOutputRows", 0), size=figures.get("numOutputBytes"))


def _last_metrics(job: Job) -> dict[str, int]:
    row = job.spark.plain(f"DESCRIBE HISTORY {job.target} LIMIT 1").collect()[0]
    return {name: int(value) for name, value in dict(row["operationMetrics"] or {}).items() if str(value).isdigit()}


# --- changes --------------------------------------------------------------------------------------------------------


def _output(job: Job, frame: Any, cdc: AutoCdc) -> Any:
    """The columns of the target, for SCD type 2 with the bounds of each version."""
    left_out = {name.lower() for name in cdc.except_column_list}
    chosen = [n for n in frame.columns if n.lower() not in left_out]
    if cdc.column_list:
        wanted = {name.lower() for name in cdc.column_list}
        chosen = [name for name in chosen if name.lower() in wanted]
    output = frame.select(*(_column(name) for name in chosen))
    if cdc.scd_type == 1:
        return output
    bounds = [_expression(cdc.sequence_by).alias(bound) for bound in (START, END)]
    return frame.select(*(_column(name) for name in chosen), *bounds)


def _read_changes(frame: Any, cdc: AutoCdc, names: Sequence[str]) -> list[Change]:
    deleted = _expression(cdc.apply_as_deletes if cdc.apply_as_deletes is not None else "FALSE")
    marks = [_expression(cdc.sequence_by).alias(_SEQUENCE), deleted.alias(_DELETED)]
    keys = [_column(name).alias(f"__key_{i}") for i, name in enumerate(cdc.keys)]
    rows = frame.select(*(_column(name) for name in names), *marks, *keys).toArrow().to_pylist()
    return [_change(row, len(cdc.keys), names) for row in rows]


def _change(row: Row, key_size: int, names: Sequence[str]) -> Change:
    if row[_SEQUENCE] is None:
        raise ValueError("The sequence_by of a change is NULL; it must tell the order of the changes.")
    key = tuple(hashable(row[f"__key_{i}"]) for i in range(key_size))
    return Change(key, hashable(row[_SEQUENCE]), bool(row[_DELETED]), {name: row[name] for name in names})


def hashable(value: Any) -> Any:
    """A value by which rows are found and ordered: structs go by their fields."""
    if isinstance(value, dict):
        return tuple(hashable(item) for item in value.values())
    return tuple(map(hashable, value)) if isinstance(value, list) else value


def _existing(job: Job, output: Any, cdc: AutoCdc, keys: set[Key]) -> pa.Table:
    """The rows of the target, those of other keys left out."""
    rows = job.spark.plain(f"SELECT * FROM {job.target}").toArrow().select(output.columns)
    columns = [rows.column(_spelt(rows, name)).to_pylist() for name in cdc.keys]
    found = zip(*columns, strict=True)
    return rows.filter(pa.array([tuple(map(hashable, key)) in keys for key in found], pa.bool_()))


def _spelt(rows: pa.Table, name: str) -> str:
    return next((column for column in rows.column_names if column.lower() == name.lower()), name)


def _edits(cdc: AutoCdc, existing: pa.Table, changes: Sequence[Change]) -> list[Edit]:
    rows = existing.to_pylist()
    names = [_spelt(existing, name) for name in cdc.keys]
    keyed = [(tuple(hashable(row[name]) for name in names), row) for row in rows]
    if cdc.scd_type == 1:
        sequence = (
            cdc.sequence_by if isinstance(cdc.sequence_by, str) and cdc.sequence_by in existing.column_names else None
        )
        return scd1(dict(keyed), changes, sequence)
    history: dict[Key, list[Row]] = {}
    for key, row in keyed:
        history.setdefault(key, []).append(row)
    return scd2(history, changes, _tracked(cdc, existing.column_names))


def _tracked(cdc: AutoCdc, names: Sequence[str]) -> Sequence[str] | None:
    if cdc.track_history:
        return cdc.track_history
    if cdc.track_history_except:
        return [name for name in names if name not in (START, END, *cdc.track_history_except)]
    return None


def _merge(job: Job, edits: Sequence[Edit], cdc: AutoCdc, schema: pa.Schema) -> Written:
    if edits:
        rows = pa.Table.from_pylist([_plain(edit.row) for edit in edits], schema)
        marked = rows.append_column(_ACTION, pa.array([edit.action.value for edit in edits]))
        job.spark.plain(_merge_statement(job, job.spark.view(job.spark.createDataFrame(marked)), cdc, schema.names))
    deleted = sum(edit.action is Action.DELETE for edit in edits)
    size = _last_metrics(job).get("numTargetBytesAdded") if edits else 0
    return Written(len(edits) - deleted, len(edits) - deleted, deleted, size)


def _plain(row: Row) -> Mapping[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in row.items()}


def _merge_statement(job: Job, view: str, cdc: AutoCdc, names: Sequence[str]) -> str:
    match = [*cdc.keys, *([START] if cdc.scd_type == 2 else [])]
    on = " AND ".join(f"(t.{quote(name)} <=> s.{quote(name)})" for name in match)
    updates = ", ".join(f"t.{quote(name)} = s.{quote(name)}" for name in names)
    columns, values = ", ".join(map(quote, names)), ", ".join(f"s.{quote(name)}" for name in names)
    return (
        f"MERGE INTO {job.target} AS t USING {view} AS s ON {on} "
        f"WHEN MATCHED AND s.{_ACTION} = '{Action.DELETE}' THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {updates} "
        f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )


def _column(name: str) -> Any:
    from pyspark.sql import functions

    return functions.col(quote(name))


def _expression(value: Any) -> Any:
    from pyspark.sql import functions

    return functions.expr(value) if isinstance(value, str) else value
