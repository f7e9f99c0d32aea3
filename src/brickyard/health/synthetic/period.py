"""The days an account covers, cut into spans small enough to hold, and local clocks over them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from brickyard.health.synthetic.draw import DAY, HOUR, SECOND, Ints

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_ROWS_A_DAY = 1_200  # of the largest source at scale 1
_SPAN_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC days from *first* on."""

    first: date
    days: int

    @property
    def start(self) -> int:
        """Return the first instant, in microseconds since 1970."""
        return midnight(self.first)

    @property
    def stop(self) -> int:
        """Return the instant after the last, in microseconds since 1970."""
        return self.start + self.days * DAY

    def day(self, share: float) -> date:
        """Return the day that lies this share (0 to 1) into the period."""
        return self.first + timedelta(days=int(self.days * share))

    def days_from(self) -> Ints:
        """Return the midnight of each day."""
        return self.start + np.arange(self.days, dtype=np.int64) * DAY

    def spans(self, scale: float) -> tuple[Period, ...]:
        """Cut into consecutive parts in which no source has much more than a million rows."""
        step = max(1, int(_SPAN_ROWS / (_ROWS_A_DAY * scale)))
        starts = range(0, self.days, step)
        return tuple(Period(self.first + timedelta(days=at), min(step, self.days - at)) for at in starts)

    def holds(self, moment: int) -> bool:
        """Return whether an instant lies inside."""
        return self.start <= moment < self.stop


def midnight(day: date) -> int:
    """Return the start of a UTC day in microseconds since 1970."""
    return microseconds(datetime.combine(day, time(), UTC))


def microseconds(moment: datetime) -> int:
    """Return an aware instant in microseconds since 1970, exactly."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(instant: int) -> datetime:
    """Return microseconds since 1970 as an aware instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(instant))


@cache
def clock_offsets(period: Period) -> Ints:
    """Return what local clocks are ahead of UTC, in microseconds, by zone, day and local hour."""
    table = np.zeros((len(ZONES), period.days, 24), dtype=np.int64)
    for zone, name in enumerate(ZONES):
        for day in range(period.days):
            for hour in range(24):
                table[zone, day, hour] = _offset(name, period.first + timedelta(days=day), hour)
    return table


def clock_changes(period: Period) -> Ints:
    """Return the instants at which a local clock is put forward or back."""
    ahead = clock_offsets(period)
    zone, day, hour = np.nonzero(np.diff(ahead, axis=2))
    after = ahead[zone, day, hour + 1]
    return np.unique(period.days_from()[day] + (hour + 1) * HOUR - after)


def _offset(zone: str, day: date, hour: int) -> int:
    local = datetime.combine(day, time(hour), ZoneInfo(zone))
    ahead = local.utcoffset()
    return 0 if ahead is None else int(ahead.total_seconds()) * SECOND


def pieces(start: Ints, stop: Ints, *, aligned: bool) -> tuple[Ints, Ints, Ints]:
    """Cut intervals into hours of the clock (*aligned*) or of their own; return owner, starts and stops."""
    base = start // HOUR * HOUR if aligned else start
    count = np.maximum(1, -((base - stop) // HOUR))
    owner = np.repeat(np.arange(len(start), dtype=np.int64), count)
    ordinal = np.arange(len(owner), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    begins = np.maximum(start[owner], base[owner] + ordinal * HOUR)
    ends = np.minimum(stop[owner], base[owner] + (ordinal + 1) * HOUR)
    return owner, begins, ends
