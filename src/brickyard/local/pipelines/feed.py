"""What a stream gives to a flow: the rows of a Delta table between two of its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from brickyard.kernel.names import quote
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Action, Snapshot
from brickyard.local.sql.model import SqlError


@dataclass(frozen=True, slots=True)
class Increment:
    """Rows up to *version*: as a query that the engine can run, or as the *rows* themselves."""

    version: int
    query: str = ""
    rows: pa.Table | None = None


def increment(name: str, path: Path, after: int | None, options: Mapping[str, str]) -> Increment:
    """Return what is new in a table after a version (None: everything), as Structured Streaming reads it; raises SqlError."""
    now = log.snapshot(path)
    if after is not None and now.version < after:
        raise SqlError(
            "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE",
            f"The table {name} was replaced since the last update read it. Run a full refresh.",
            "55019",
        )
    if options.get("readchangefeed", options.get("readchangedata")) == "true":
        return Increment(now.version, _changes(name, now, after, options))
    if after is None and "startingversion" not in options:
        return Increment(now.version, f"SELECT * FROM {_quoted(name)} VERSION AS OF {now.version}")
    first = _starting(options, now) if after is None else after + 1
    rows = _appended(name, now, first, options)
    if not rows.num_rows:
        return Increment(now.version, f"SELECT * FROM {_quoted(name)} WHERE FALSE")
    return Increment(now.version, rows=rows)


def _changes(name: str, now: Snapshot, after: int | None, options: Mapping[str, str]) -> str:
    if after is None and "startingversion" not in options:
        return _as_inserts(name, now)
    first = _starting(options, now) if after is None else after + 1
    if first > now.version:
        return f"{_as_inserts(name, now)} WHERE FALSE"
    return f"SELECT * FROM table_changes('{name}', {first}, {now.version})"


def _as_inserts(name: str, now: Snapshot) -> str:
    """The whole table as the first batch of its change feed."""
    at = datetime.fromtimestamp(now.timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    marks = f"'insert' AS _change_type, CAST({now.version} AS BIGINT) AS _commit_version, TIMESTAMP'{at}' AS _commit_timestamp"
    return f"SELECT *, {marks} FROM {_quoted(name)} VERSION AS OF {now.version}"


def _starting(options: Mapping[str, str], now: Snapshot) -> int:
    wanted = options["startingversion"]
    return now.version + 1 if wanted == "latest" else int(wanted)


def _appended(name: str, now: Snapshot, first: int, options: Mapping[str, str]) -> pa.Table:
    """The rows that commits added; a commit that changed rows is an error unless `skipChangeCommits`."""
    skip = options.get("skipchangecommits", options.get("ignorechanges")) == "true"
    tables = [_conformed(now, pa.table({}), {}, 0)]
    for version in range(first, now.version + 1):
        actions = log.read_commit(now.path, version)
        if any(action["remove"].get("dataChange") for action in actions if "remove" in action):
            if skip:
                continue
            raise _changed(name, version)
        adds = [action["add"] for action in actions if "add" in action and action["add"].get("dataChange")]
        tables += [_rows(now, add) for add in adds]
    return pa.concat_tables(tables)


def _rows(now: Snapshot, add: Action) -> pa.Table:
    rows = pq.read_table(now.path / unquote(str(add["path"])), partitioning=None)
    return _conformed(now, rows, add.get("partitionValues") or {}, rows.num_rows)


def _conformed(now: Snapshot, rows: pa.Table, partition: Mapping[str, Any], count: int) -> pa.Table:
    """The columns of the schema by name, those of the partition filled in, those that a file lacks NULL."""
    columns = []
    for field in now.fields:
        name = write.physical_name(field)
        known = name in rows.column_names
        columns.append(rows.column(name) if known else pa.array([partition.get(name)] * count, pa.string()))
    names = [field["name"] for field in now.fields]
    return write.conform(pa.table(columns, names=names), now.fields).rename_columns(names)


def _changed(name: str, version: int) -> SqlError:
    return SqlError(
        "DELTA_SOURCE_TABLE_IGNORE_CHANGES",
        f"Detected a data update in the source table {name} at version {version}. This is currently not supported. "
        "Read its change feed, set skipChangeCommits, or run a full refresh.",
        "0A000",
    )


def _quoted(name: str) -> str:
    return ".".join(quote(part) for part in name.split("."))
