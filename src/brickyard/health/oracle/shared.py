"""The truth of the domain shared: the calendar, and the workspaces with their history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.columns import copied, table
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import HISTORY, from_states

_FIRST, _LAST = date(2015, 1, 1), date(2040, 12, 31)
_FISCAL = 2  # the month in which a fiscal year begins; it is named by the year it ends in
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


_DAYS: dict[str, tuple[pa.DataType, Callable[[date], Any]]] = {
    "date": (pa.date32(), lambda day: day),
    "date_key": (pa.int32(), lambda day: int(f"{day:%Y%m%d}")),
    "year": (pa.int32(), lambda day: day.year),
    "quarter": (pa.int32(), lambda day: (day.month + 2) // 3),
    "month": (pa.int32(), lambda day: day.month),
    "month_start": (pa.date32(), lambda day: day.replace(day=1)),
    "month_end": (pa.date32(), _month_end),
    "is_month_end": (pa.bool_(), lambda day: day == _month_end(day)),
    "iso_week": (pa.int32(), lambda day: day.isocalendar().week),
    "weekday": (pa.int32(), lambda day: day.isoweekday()),
    "weekday_name": (pa.string(), lambda day: _WEEKDAYS[day.weekday()]),
    "is_weekend": (pa.bool_(), lambda day: day.weekday() > 4),
    "day_of_year": (pa.int32(), lambda day: day.timetuple().tm_yday),
    "fiscal_year": (pa.int32(), lambda day: day.year + (day.month >= _FISCAL)),
    "fiscal_quarter": (pa.int32(), lambda day: (day.month - _FISCAL) % 12 // 3 + 1),
}


def dim_date(_: Seen) -> pa.Table:
    """Return every day from 2015 to 2040."""
    days = [_FIRST + timedelta(days=at) for at in range((_LAST - _FIRST).days + 1)]
    return table({name: pa.array([tell(day) for day in days], kind) for name, (kind, tell) in _DAYS.items()})


def dim_workspace(seen: Seen) -> pa.Table:
    """Return the versions of workspaces as the dated states of the source show them."""
    told = from_states(seen.rows("access.workspaces_latest"), ["account_id", "workspace_id"])
    taken = copied(told, "account_id workspace_id workspace_name workspace_url create_time status")
    return table(taken, {name: told.column(name) for name in HISTORY})


TABLES: dict[str, Callable[[Seen], pa.Table]] = {"shared.dim_date": dim_date, "shared.dim_workspace": dim_workspace}
