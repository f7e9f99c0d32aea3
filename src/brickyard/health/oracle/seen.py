"""What a reader has seen of the sources by an instant: each row once, structs taken apart into their leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import polars as pl
import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.text import fingerprint
from brickyard.health.synthetic import ARRIVED, Shape, source

STATE = "_snapshot_at"
_NESTED = (pa.types.is_map, pa.types.is_list, pa.types.is_struct)


class Told(Protocol):
    """What an account tells: rows with the instant of their arrival, dated states, and what a reader sees when."""

    def arrivals(self, name: str) -> pa.Table:
        """Return every row of a source that only grows."""
        ...

    def snapshots(self, name: str) -> tuple[tuple[date, pa.Table], ...]:
        """Return the dated states of a source that is replaced in place."""
        ...

    def visible(self, name: str, at: datetime) -> pa.Table:
        """Return what a reader sees at an instant."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An account as it had been seen at the instants of *looks*, the last of which is now (UTC).

    *states* are the instants at which the states of sources without history were kept.
    """

    account: Told
    looks: tuple[datetime, ...]
    states: tuple[datetime, ...]
    _held: dict[str, pa.Table] = field(default_factory=dict)

    def rows(self, name: str) -> pa.Table:
        """Return every different row of a source that any look showed; a source that is replaced in place, dated.

        Columns are leaves, named by their path joined by two underscores; the dated states of a snapshot carry the
        look that first showed them, and a state that is the same as the one before it is not told again.
        """
        states = source(name).shape is Shape.SNAPSHOT
        return self.kept(name, lambda: self._states(name) if states else once(self._arrived(name)))

    def kept(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        """Return what has that name, made when it is first asked for."""
        if name not in self._held:
            self._held[name] = make()
        return self._held[name]

    def _arrived(self, name: str) -> pa.Table:
        if source(name).shape is Shape.LATEST:
            return pa.concat_tables([_flat(self.account.visible(name, look), name) for look in self.looks])
        table = self.account.arrivals(name)
        here = call_function(
            "less_equal", [table.column(ARRIVED), pa.scalar(self.looks[-1], table.column(ARRIVED).type)]
        )
        return _flat(table.filter(here), name)

    def _states(self, name: str) -> pa.Table:
        told: list[pa.Table] = []
        last: list[str] | None = None
        for look in self.states:
            shown = [table for day, table in self.account.snapshots(name) if day <= look.date()]
            state = once(_flat(shown[-1] if shown else source(name).schema().empty_table(), name))
            hashes = sorted(fingerprints(state))
            if hashes != last:
                told.append(state.append_column(STATE, pa.repeat(pa.scalar(look, _INSTANT), state.num_rows)))
                last = hashes
        return pa.concat_tables(told)


_INSTANT = pa.timestamp("us", "UTC")


def _flat(table: pa.Table, name: str) -> pa.Table:
    """Return the leaves of today's columns of a source; those that the table does not have yet are null."""
    leaves: list[tuple[str, pa.Array]] = []
    for column in source(name).schema():
        if column.name in table.schema.names:
            leaves += _leaves(column.name, table.column(column.name).combine_chunks(), column.type)
        else:
            leaves += _leaves(column.name, pa.nulls(table.num_rows, column.type), column.type)
    return pa.table(dict(leaves))


def _leaves(name: str, values: pa.Array, kind: pa.DataType) -> Iterator[tuple[str, pa.Array]]:
    if not pa.types.is_struct(kind):
        yield name, values
        return
    for inner in kind.fields:
        there = values.type.get_field_index(inner.name) >= 0
        array = (
            call_function("struct_field", [values], _field(inner.name)) if there else pa.nulls(len(values), inner.type)
        )
        yield from _leaves(f"{name}__{inner.name}", array, inner.type)


def _field(name: str):
    from pyarrow.compute import StructFieldOptions

    return StructFieldOptions(name)


def once(rows: pa.Table) -> pa.Table:
    """Return the rows without exact repeats; the order of a map's entries makes no difference."""
    plain = [name for name in rows.schema.names if not _is_nested(rows.schema.field(name).type)]
    frame = frame_of(rows, plain)
    alike = frame.group_by(plain).agg(pl.col(AT)).filter(pl.col(AT).list.len() > 1)
    dropped: set[int] = set()
    for group in alike[AT]:
        known: set[str] = set()
        for at in sorted(group):
            mark = fingerprint(leaves_of(rows, at))
            if mark in known:
                dropped.add(at)
            known.add(mark)
    return (
        rows.take(pa.array([at for at in range(rows.num_rows) if at not in dropped], pa.int64())) if dropped else rows
    )


AT = "_at"


def frame_of(rows: pa.Table, names: Iterable[str]) -> pl.DataFrame:
    """Return some columns as a frame, with the position of each row."""
    taken = rows.select(list(dict.fromkeys(names)))
    frame = pl.from_arrow(taken)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.int_range(rows.num_rows, dtype=pl.Int64).alias(AT))


def _is_nested(kind: pa.DataType) -> bool:
    return any(test(kind) for test in _NESTED)


def leaves_of(rows: pa.Table, at: int) -> list[tuple[object, pa.DataType]]:
    """Return the values of one row's leaves with their types, in the order in which the source describes them."""
    return [(rows.column(f.name)[at].as_py(), f.type) for f in rows.schema if f.name != STATE]


def fingerprints(rows: pa.Table) -> list[str]:
    """Return the fingerprint of each row."""
    return [fingerprint(leaves_of(rows, at)) for at in range(rows.num_rows)]
