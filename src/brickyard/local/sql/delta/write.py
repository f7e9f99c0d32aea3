"""Writing rows: delta-rs makes the files in a staging folder, our own commit adopts them, so that history says who and why."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, convert_to_deltalake, write_deltalake
from deltalake.exceptions import DeltaError

from brickyard.local.arrow import nullable
from brickyard.local.sql.delta.bounds import honest
from brickyard.local.sql.delta.log import Action, Author, Change, Snapshot, commit, physical_name, read_commit, snapshot
from brickyard.local.sql.model import SqlError, unsupported
from brickyard.local.sql.types import to_arrow

_STAGING = "_staging"
_FILE_SIZE = 8 * 2**20  # bytes; tables here are small, and a MERGE rewrites the files of the rows that it changes
_LARGEST_ADOPTED = 4 * _FILE_SIZE
_STALE = 24 * 3600  # seconds after which nobody writes into a folder any more
_APPEND_TRIES = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table is to look like: the fields of its schema (Delta's JSON), partitions, properties and comment."""

    fields: Sequence[Any]
    partition_columns: tuple[str, ...] = ()
    configuration: Mapping[str, str] | None = None
    comment: str | None = None

    @property
    def schema_string(self) -> str:
        """The schema as Delta's JSON text."""
        return json.dumps({"type": "struct", "fields": list(self.fields)})


@dataclass(frozen=True, slots=True)
class Staged:
    """Files that lie in the table's folder and belong to no version yet."""

    adds: tuple[Action, ...]
    rows: int

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(add["size"] for add in self.adds)

    @property
    def actions(self) -> list[Action]:
        """The actions that adopt them."""
        return [{"add": add} for add in self.adds]


def conform(table: pa.Table, fields: Sequence[Any]) -> pa.Table:
    """Give rows the names and types of a schema by position; raise SqlError for NULL in a NOT NULL column."""
    arrays = []
    for column, field in zip(table.columns, fields, strict=True):
        arrays.append(cast(column, to_arrow(field["type"])))
        if not field["nullable"] and column.null_count:
            raise SqlError(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                f"NOT NULL constraint violated for column: {field['name']}.",
                "23502",
            )
    names = [physical_name(field) for field in fields]
    schema = pa.schema([pa.field(n, a.type) for n, a in zip(names, arrays, strict=True)])
    return pa.Table.from_arrays(arrays, schema=schema)


def cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Cast a column; struct fields go by name where the names are the same, else by position."""
    if not pa.types.is_nested(type_) or column.type == type_:
        return column.cast(type_)
    return pa.chunked_array([_cast_nested(chunk, type_) for chunk in column.chunks], type_)


def _cast_nested(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_null(array.type) or not pa.types.is_nested(type_):
        return array.cast(type_)
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(type_):
        parts = [_cast_nested(part, type_.field(i).type) for i, part in enumerate(_struct_parts(array, type_))]
        return pa.StructArray.from_arrays(parts, fields=list(type_), mask=mask)
    if pa.types.is_map(type_):
        keys, items = _cast_nested(array.keys, type_.key_type), _cast_nested(array.items, type_.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, type_, mask=mask)
    return pa.ListArray.from_arrays(array.offsets, _cast_nested(array.values, type_.value_type), type_, mask=mask)


def _struct_parts(array: pa.StructArray, type_: pa.StructType) -> list[pa.Array]:
    known = {array.type.field(i).name.lower(): i for i in range(array.type.num_fields)}
    names = [field.name.lower() for field in type_]
    if len(known) != len(names):
        message = f"A struct of {len(known)} fields cannot be written as {type_}."
        raise SqlError("INCOMPATIBLE_DATA_FOR_TABLE.STRUCT_MISSING_FIELDS", message, "KD000")
    return [array.field(known.get(name, i)) for i, name in enumerate(names)]


def stage(path: Path, table: pa.Table, fields: Sequence[Any], partition_columns: Sequence[str]) -> Staged:
    """Write rows as files into the table's folder, not yet part of any version."""
    rows = conform(table, fields)
    if rows.num_rows == 0:
        return Staged((), 0)
    physical = {field["name"]: physical_name(field) for field in fields}
    with staging(path) as folder:
        try:
            write_deltalake(
                folder,
                rows,
                partition_by=[physical[name] for name in partition_columns] or None,
                target_file_size=_FILE_SIZE,
            )
        except DeltaError as error:
            raise SqlError("DELTA_WRITE_FAILED", str(error), "58030") from error
        moved = tuple(_move(folder, path, add) for add in _added(folder))
    return Staged(moved, rows.num_rows)


def adopt(path: Path, folder: Path, fields: Sequence[Any]) -> Staged | None:
    """Move files that the engine wrote into the table's folder; None where they are not just as the table would have them.

    Neither few rows in many files, nor files so large that a MERGE had better not write them again.
    """
    files = list(folder.glob("*.parquet"))
    sizes = [file.stat().st_size for file in files]
    if sum(sizes) < _FILE_SIZE or max(sizes) > _LARGEST_ADOPTED:
        return None
    wanted = pa.schema([pa.field(field["name"], to_arrow(field["type"])) for field in fields])
    if not all(nullable(pq.read_schema(file)).equals(nullable(wanted)) for file in files):
        return None
    convert_to_deltalake(folder)
    moved = tuple(_move(folder, path, add) for add in _added(folder))
    return Staged(moved, sum(json.loads(add["stats"])["numRecords"] for add in moved))


def _added(folder: Path) -> list[Action]:
    return [action["add"] for action in read_commit(folder, 0) if "add" in action]


def _move(folder: Path, path: Path, add: Action) -> Action:
    name = unquote(add["path"])
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).rename(path / name)
    return honest(_present(add), path)


def _present(action: Action) -> Action:
    return {name: value for name, value in action.items() if value is not None}


@contextmanager
def staging(path: Path) -> Iterator[Path]:
    """Lend a folder beside a table's files, from which they can be moved; what is left in it goes."""
    folder = path / _STAGING / uuid.uuid4().hex
    folder.mkdir(parents=True)
    _clear(folder.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(folders: Path) -> None:
    """Take away what killed processes left, and what an engine wrote after it had been stopped."""
    for folder in folders.iterdir():
        with suppress(FileNotFoundError):  # another writer has just given it back
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def layout_actions(path: Path, layout: Layout, table_id: str | None = None) -> tuple[Action, Action]:
    """The protocol and metadata that a layout needs; raises SqlError for properties that Delta does not know, or a void type.

    The readers that we have cannot open a table whose schema names a void.
    """
    if any(_holds_void(field["type"]) for field in layout.fields):
        raise unsupported("A column of type VOID", "give NULL a type, as in CAST(NULL AS STRING)")
    with staging(path) as folder:
        try:
            DeltaTable.create(
                folder / "t",
                Schema.from_json(layout.schema_string),
                partition_by=list(layout.partition_columns),
                description=layout.comment,
                configuration=layout.configuration,
                raise_if_key_not_exists=False,
            )
        except (DeltaError, ValueError) as error:
            raise SqlError("DELTA_INVALID_TABLE", str(error), "42KD5") from error
        actions = {name: _present(value) for action in read_commit(folder / "t", 0) for name, value in action.items()}
    metadata = actions["metaData"]
    if table_id is not None:
        metadata["id"] = table_id
    return actions["protocol"], metadata


def _holds_void(type_: Any) -> bool:
    if not isinstance(type_, dict):
        return type_ == "void"
    within = [type_.get(name) for name in ("elementType", "keyType", "valueType")]
    return any(map(_holds_void, [*within, *(field["type"] for field in type_.get("fields", ()))]))


def create(path: Path, author: Author, change: Change, layout: Layout, rows: pa.Table | None) -> int:
    """Make a table: commit 0 with its rows."""
    protocol, metadata = layout_actions(path, layout)
    staged = _stage_optional(path, rows, json.loads(metadata["schemaString"])["fields"], layout)
    return commit(
        path, 0, author, _counted(change, staged, ()), [{"protocol": protocol}, {"metaData": metadata}, *staged.actions]
    )


def replace(path: Path, author: Author, change: Change, layout: Layout, rows: pa.Table | None) -> int:
    """Make a table anew at the same place: one commit, the history stays."""
    before = snapshot(path)
    protocol, metadata = layout_actions(path, layout, before.metadata["id"])
    staged = _stage_optional(path, rows, json.loads(metadata["schemaString"])["fields"], layout)
    actions = [*removals(before.files), {"metaData": metadata}, *staged.actions]
    needed = highest_protocol(before.protocol, protocol)
    if needed != before.protocol:
        actions.insert(0, {"protocol": needed})
    return commit(path, before.version + 1, author, _counted(change, staged, before.files), actions)


def _stage_optional(path: Path, rows: pa.Table | None, fields: Sequence[Any], layout: Layout) -> Staged:
    return Staged((), 0) if rows is None else stage(path, rows, fields, layout.partition_columns)


def append(path: Path, author: Author, change: Change, rows: pa.Table | Staged, before: Snapshot | None = None) -> int:
    """Add rows, made for *before*; another writer's commit since then is no conflict unless it changed the schema."""
    before = before or snapshot(path)
    staged = rows if isinstance(rows, Staged) else stage(path, rows, before.fields, before.partition_columns)
    version = before.version + 1
    for _ in range(_APPEND_TRIES):
        try:
            return commit(path, version, author, _counted(change, staged, ()), staged.actions)
        except SqlError as error:
            if not error.retryable or any("metaData" in a or "protocol" in a for a in read_commit(path, version)):
                raise
            version += 1
    raise SqlError("DELTA_CONCURRENT_APPEND", "Too many concurrent writers.", "2D521", retryable=True)


def rewrite(
    before: Snapshot,
    author: Author,
    change: Change,
    removed: Sequence[Action],
    rows: pa.Table,
    extra: Sequence[Action] = (),
) -> int:
    """Take files out of a table and put rows in, in one commit on top of *before*."""
    staged = stage(before.path, rows, before.fields, before.partition_columns)
    actions = [*removals(removed), *staged.actions, *extra]
    return commit(before.path, before.version + 1, author, _counted(change, staged, removed), actions)


def removals(files: Sequence[Action], *, data_change: bool = True) -> list[Action]:
    """The actions that take files out of a table."""
    now = time.time_ns() // 1_000_000
    return [{"remove": _removal(file, now, data_change)} for file in files]


def _removal(file: Action, now: int, data_change: bool) -> Action:
    kept = {
        name: file[name] for name in ("path", "size", "partitionValues", "deletionVector") if file.get(name) is not None
    }
    return {**kept, "deletionTimestamp": now, "dataChange": data_change, "extendedFileMetadata": True}


def _counted(change: Change, staged: Staged, removed: Sequence[Action]) -> Change:
    metrics: dict[str, int] = {}
    if staged.adds or not removed:
        metrics |= {"numFiles": len(staged.adds), "numOutputRows": staged.rows, "numOutputBytes": staged.bytes}
    if removed:
        metrics |= {"numRemovedFiles": len(removed), "numRemovedBytes": sum(f["size"] for f in removed)}
    return Change(change.operation, change.parameters, {**metrics, **change.metrics}, change.blind_append)


def highest_protocol(one: Action, other: Action) -> Action:
    """The protocol that allows what both allow."""
    reader = max(one["minReaderVersion"], other["minReaderVersion"])
    writer = max(one["minWriterVersion"], other["minWriterVersion"])
    merged: Action = {"minReaderVersion": reader, "minWriterVersion": writer}
    if reader >= 3:
        merged["readerFeatures"] = sorted({*one.get("readerFeatures", ()), *other.get("readerFeatures", ())})
    if writer >= 7:
        features = {*one.get("writerFeatures", ()), *other.get("writerFeatures", ())}
        merged["writerFeatures"] = sorted(features | _legacy_features(one) | _legacy_features(other))
    return merged


_LEGACY = (
    (2, "appendOnly"),
    (2, "invariants"),
    (3, "checkConstraints"),
    (4, "changeDataFeed"),
    (4, "generatedColumns"),
    (5, "columnMapping"),
)


def _legacy_features(protocol: Action) -> set[str]:
    version = protocol["minWriterVersion"]
    return set() if version >= 7 else {name for minimum, name in _LEGACY if version >= minimum}


def row_count(files: Sequence[Action], path: Path) -> int:
    """How many rows files hold, deleted ones not counted."""
    return sum(_rows_of(file, path) for file in files)


def _rows_of(file: Action, path: Path) -> int:
    stats = json.loads(file.get("stats") or "{}")
    deleted = (file.get("deletionVector") or {}).get("cardinality", 0)
    if "numRecords" in stats:
        return int(stats["numRecords"]) - deleted
    return int(pq.read_metadata(path / unquote(file["path"])).num_rows) - deleted


def check_names(names: Sequence[str]) -> None:
    """Raise SqlError when two columns of a table have one name."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise SqlError("COLUMN_ALREADY_EXISTS", f"The column `{name.lower()}` already exists.", "42711")
        seen.add(name.lower())
