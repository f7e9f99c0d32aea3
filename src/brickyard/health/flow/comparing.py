"""Comparing gold with what it must hold: the truth goes up as Parquet, and the engine compares the rows' fingerprints."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError

from brickyard.health.flow import Door
from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.plan import text
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.kernel.names import TableName, quote

SCHEMA, VOLUME = "truth", "files"
_SHOWN = 3  # rows of a table that differs
_AT_ONCE = 6  # tables compared by one statement


class Known(Protocol):
    """The rows that gold tables must hold, by table, without the audit columns."""

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables."""
        ...

    def __getitem__(self, table: str) -> pa.Table:
        """Return the rows of a table."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs: its key, and of each column that differs the text in gold and in the truth."""

    key: Mapping[str, str | None]
    side: str  # missing | surplus | differs
    columns: Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One gold table beside its truth: `rows` in gold, `expected` in the truth, and a few rows that differ."""

    table: str
    domain: str
    rows: int
    expected: int
    equal: bool
    differences: tuple[Difference, ...] = ()


def compare(
    door: Door, client: WorkspaceClient, truth: Known, tables: Iterable[str] = (), gold: Gold | None = None
) -> tuple[Compared, ...]:
    """Compare gold tables (all by default) with the truth inside the engine; no table is downloaded.

    Makes the schema `truth` with a volume in the gold catalog and leaves the Parquet files there. Raises
    WorkspaceRefused when a file cannot be uploaded.
    """
    gold = gold or compile_all()
    wanted = [gold[name] for name in (tuple(tables) or truth.tables())]
    door.sql(f"CREATE SCHEMA IF NOT EXISTS {quote(door.places.catalog)}.{quote(SCHEMA)}")
    door.sql(f"CREATE VOLUME IF NOT EXISTS {TableName(door.places.catalog, SCHEMA, VOLUME).sql}")
    for table in wanted:
        _upload(door, client, table, truth[table.table])
    found: list[Compared] = []
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        measured = {row["table_name"]: row for row in door.sql(_measured(door, part))}
        found += [_compared(door, table, measured[table.table]) for table in part]
    return tuple(found)


def _path(door: Door, table: GoldTable) -> str:
    return f"/Volumes/{door.places.catalog}/{SCHEMA}/{VOLUME}/{table.table}.parquet"


def _upload(door: Door, client: WorkspaceClient, table: GoldTable, rows: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(rows.select([column.name for column in _columns(table)]), buffer, compression="zstd")
    buffer.seek(0)
    try:
        client.files.upload(_path(door, table), buffer, overwrite=True)
    except DatabricksError as error:
        raise WorkspaceRefused(
            f"the truth of {table.table} cannot be uploaded: {error}", code="health-truth-not-uploaded"
        ) from error


def _columns(table: GoldTable) -> tuple[GoldColumn, ...]:
    return table.of_origin("source", "enriched", "history")


def _fingerprint(table: GoldTable) -> str:
    return text.fingerprint([(quote(column.name), column.type) for column in _columns(table)])


def _sides(door: Door, table: GoldTable) -> tuple[str, str]:
    return door.places.gold(table.table), f"parquet.`{_path(door, table)}`"


def _measured(door: Door, tables: Sequence[GoldTable]) -> str:
    """Ask of each table how many rows both sides have, and how many fingerprints do not occur equally often."""
    return " UNION ALL ".join(_measure(door, table) for table in tables)


def _measure(door: Door, table: GoldTable) -> str:
    mark = _fingerprint(table)
    ours, theirs = _sides(door, table)
    marked = (
        f"SELECT {mark} AS mark, 1 AS ours, 0 AS theirs FROM {ours}"
        f" UNION ALL SELECT {mark} AS mark, 0 AS ours, 1 AS theirs FROM {theirs}"
    )
    counted = f"SELECT sum(ours) AS ours, sum(theirs) AS theirs FROM ({marked}) GROUP BY mark"
    return (
        f"SELECT {text.text(table.table)} AS table_name, coalesce(sum(ours), 0) AS ours,"
        f" coalesce(sum(theirs), 0) AS theirs, count_if(ours <> theirs) AS unlike FROM ({counted})"
    )


def _compared(door: Door, table: GoldTable, measured: Mapping[str, Any]) -> Compared:
    unlike = int(measured["unlike"])
    shown = tuple(_difference(table, row) for row in door.sql(_unlike(door, table))) if unlike else ()
    rows, expected = int(measured["ours"]), int(measured["theirs"])
    return Compared(table.table, table.contract.domain, rows, expected, not unlike, shown)


def _unlike(door: Door, table: GoldTable) -> str:
    """Ask for the first rows that stand on one side only or differ, with the texts of all their columns."""
    mark = f"{_fingerprint(table)} AS _mark"
    ours, theirs = (f"(SELECT *, {mark} FROM {side})" for side in _sides(door, table))
    shown = [
        f"{text.canonical(f'{side}.{quote(column.name)}', column.type)} AS {side}_{at}"
        for at, column in enumerate(_columns(table))
        for side in ("g", "t")
    ]
    order = ", ".join(f"coalesce(g.{quote(name)}, t.{quote(name)})" for name in table.key)
    return (
        f"SELECT g._mark AS g_mark, t._mark AS t_mark, {', '.join(shown)} FROM {ours} g FULL OUTER JOIN {theirs} t"
        f" ON {text.same(table.key, 'g', 't')} WHERE NOT (g._mark <=> t._mark) ORDER BY {order} LIMIT {_SHOWN}"
    )


def _difference(table: GoldTable, row: Mapping[str, Any]) -> Difference:
    names = [column.name for column in _columns(table)]
    values = {name: (row[f"g_{at}"], row[f"t_{at}"]) for at, name in enumerate(names)}
    key = {name: ours if row["g_mark"] is not None else theirs for name, (ours, theirs) in _of(values, table.key)}
    if row["g_mark"] is None or row["t_mark"] is None:
        return Difference(key, "surplus" if row["t_mark"] is None else "missing", {})
    return Difference(key, "differs", {name: pair for name, pair in values.items() if pair[0] != pair[1]})


def _of(values: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, Any]]:
    return [(name, values[name]) for name in names]
