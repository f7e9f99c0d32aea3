"""Slices of runs: those that count, their lengths, and the runs put together from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, computed, day, forward, known, minus, seconds, where
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import newest

_START, _END = "period_start_time", "period_end_time"
_NEVER = datetime(1, 1, 1, tzinfo=UTC)  # sorts before every instant
_INSTANT = pa.timestamp("us", "UTC")


def slices(seen: Seen, source: str, run: Sequence[str]) -> pa.Table:
    """Return each slice once, by run and begin; none without these, none that ends before it begins."""
    return seen.kept(f"slices of {source}", lambda: _slices(seen.rows(source), [*run, _START]))


def _slices(rows: pa.Table, key: list[str]) -> pa.Table:
    return newest(where(rows, known(rows, key), forward(rows, _START, _END)), key, [_END])


def lengths(start: pa.Array | pa.ChunkedArray, end: pa.Array | pa.ChunkedArray) -> Columns:
    """Return lengths in seconds, begin and end each cut to the whole second, and in minutes."""
    length = minus(seconds(end), seconds(start))
    minutes = computed(pa.float64(), lambda each: None if each is None else each / 60, length)
    return {"run_duration_seconds": length, "run_duration_minutes": minutes}


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs: the last slice of each, which tells the outcome, and what its slices say together."""

    last: pa.Table
    start: pa.Array
    end: pa.Array
    many: pa.Array

    def columns(self) -> Columns:
        """Return the columns that every run has: its begin, end, day and number of slices."""
        return {
            "run_start_time": self.start,
            "run_end_time": self.end,
            "run_date": day(self.start),
            "slice_count": self.many,
        }


def runs(rows: pa.Table, run: Sequence[str]) -> Runs:
    """Put runs together; the last slice is the one that ends last (without an end: first), then begins last."""
    starts, ends = rows.column(_START).to_pylist(), rows.column(_END).to_pylist()
    groups: dict[tuple[Any, ...], list[int]] = {}
    for at, whose in enumerate(zip(*(rows.column(name).to_pylist() for name in run), strict=True)):
        groups.setdefault(whose, []).append(at)
    order = [(_NEVER if end is None else end, start) for start, end in zip(starts, ends, strict=True)]
    last = [max(each, key=order.__getitem__) for each in groups.values()]
    return Runs(
        rows.take(pa.array(last, pa.int64())),
        pa.array([min(starts[at] for at in each) for each in groups.values()], _INSTANT),
        pa.array([ends[at] for at in last], _INSTANT),
        pa.array([len(each) for each in groups.values()], pa.int32()),
    )


def outcome(result: pa.Array | pa.ChunkedArray, good: str) -> Columns:
    """Return the result of a run, whether it is known, and whether it is the good one."""
    return {
        "result_state": result,
        "is_final": computed(pa.bool_(), lambda state: state is not None, result),
        "is_success": computed(pa.bool_(), lambda state: None if state is None else state == good, result),
    }
