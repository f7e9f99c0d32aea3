"""Periods of the timeline tables: a run is told in slices that end at full hours (UTC); the last one says how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from brickyard.local.system.model import Row, at_ms

_HOUR = timedelta(hours=1)
_HOUR_MS = 3_600_000


def slices(start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Cut a period at the full hours inside it; one without length is one slice."""
    cuts = [start, *_hours_within(start, end), end]
    return tuple(pairwise(cuts))


def _hours_within(start: datetime, end: datetime) -> Iterator[datetime]:
    hour = start.replace(minute=0, second=0, microsecond=0) + _HOUR
    while hour < end:
        yield hour
        hour += _HOUR


@dataclass(frozen=True, slots=True)
class Period:
    """What is to be told of a run, in ms since the epoch; *last* when it ended then."""

    start: int
    end: int
    last: bool = True


def full_hour(milliseconds: int) -> int:
    """The full hour before a time, in ms since the epoch."""
    return milliseconds - milliseconds % _HOUR_MS


def timeline_rows(period: Period, always: Row, at_end: Row) -> Iterator[Row]:
    """A row for each slice; what is known at the end only, such as the result, stands in the last."""
    periods = slices(at_ms(period.start), at_ms(period.end))
    for place, (begin, until) in enumerate(periods, 1):
        known = {**always, **at_end} if period.last and place == len(periods) else always
        yield {**known, "period_start_time": begin, "period_end_time": until}
