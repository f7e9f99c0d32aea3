"""Events that a source tells once: which rows count, and what many of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, Mask, computed, day, known, where
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import newest


def events(
    seen: Seen,
    source: str,
    key: Sequence[str] = ("event_id",),
    time: str = "event_time",
    *,
    needed: Sequence[str] | None = None,
    good: Callable[[pa.Table], Mask] | None = None,
) -> pa.Table:
    """Return each good event of a source once, the latest told of each key; none without what is *needed*, the key."""
    rows = seen.rows(source)
    told = where(rows, known(rows, key if needed is None else needed), *([good(rows)] if good else []))
    return newest(told, list(key), [time])


def event_day(rows: pa.Table, time: str = "event_time", name: str = "event_date") -> Columns:
    """Return the UTC day of an event."""
    return {name: day(rows.column(time))}


def is_failed(status: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Tell where an HTTP status is an error; null where there is none."""
    return computed(pa.bool_(), lambda code: None if code is None else code >= 400, status)


def is_there(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Tell where there is a value."""
    return values.is_valid()
