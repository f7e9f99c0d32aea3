"""Events that a source tells once: which rows count, and what many of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, computed, day, where
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import newest


def _anything(_: dict[str, Any]) -> bool:
    return True


def events(
    seen: Seen,
    source: str,
    key: Sequence[str] = ("event_id",),
    time: str = "event_time",
    *,
    needed: Sequence[str] | None = None,
    good: Callable[[dict[str, Any]], bool] = _anything,
    read: Sequence[str] = (),
) -> pa.Table:
    """Return each event of a source once, the latest told of each key; none without the *needed* columns (the key).

    *good* judges a row by the columns that it is said to *read*.
    """
    rows = seen.rows(source)
    judged = rows.select(list(dict.fromkeys([*(key if needed is None else needed), *read]))).to_pylist()
    told = [None not in (row[name] for name in (key if needed is None else needed)) and good(row) for row in judged]
    return newest(where(rows, told), list(key), [time])


def event_day(rows: pa.Table, time: str = "event_time", name: str = "event_date") -> Columns:
    """Return the UTC day of an event."""
    return {name: day(rows.column(time))}


def is_failed(status: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Tell where an HTTP status is an error; null where there is none."""
    return computed(pa.bool_(), lambda code: None if code is None else code >= 400, status)


def forward(begin: str, end: str) -> Callable[[dict[str, Any]], bool]:
    """Return how to tell rows that do not end before they begin; nothing is said against a row without either."""
    return lambda row: row[begin] is None or row[end] is None or row[end] >= row[begin]


def is_there(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Tell where there is a value."""
    return values.is_valid()
