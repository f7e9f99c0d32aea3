"""The states of access.workspaces_latest: one workspace appears, one is renamed, one fails, one vanishes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa

from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.world import World

_APPEARS, _RENAMED, _FAILS, _VANISHES = 0.2, 0.33, 0.5, 0.8


@lru_cache(maxsize=4)
def workspaces_latest(world: World) -> tuple[tuple[date, pa.Table], ...]:
    """Return the states of access.workspaces_latest by day."""
    days = sorted({world.period.first, *(world.period.day(share) for share in (_APPEARS, _RENAMED, _FAILS, _VANISHES))})
    schema = source("access.workspaces_latest").schema()
    return tuple((day, pa.Table.from_pylist(_rows(world, day), schema=schema)) for day in days)


def _rows(world: World, day: date) -> list[dict[str, Any]]:
    spaces = world.workspaces
    shown = [int(at) for at in (*spaces.home, *spaces.away) if _exists(world, int(at), day)]
    return [_row(world, at, day) for at in shown]


def _exists(world: World, at: int, day: date) -> bool:
    if at == world.workspaces.away[-1]:
        return day >= world.period.day(_APPEARS)
    return not (at == world.workspaces.home[-1] and day >= world.period.day(_VANISHES))


def _row(world: World, at: int, day: date) -> dict[str, Any]:
    spaces, number = world.workspaces, int(world.workspaces.number[at])
    renamed = at == spaces.home[1] and day >= world.period.day(_RENAMED)
    failed = at == spaces.away[0] and day >= world.period.day(_FAILS)
    return {
        "account_id": world.account_id,
        "workspace_id": str(number),
        "workspace_name": spaces.name[at] + ("-renamed" if renamed else ""),
        "workspace_url": f"https://dbc-{number % 16**8:08x}.synthetic.example",
        "create_time": created(world, at),
        "status": "FAILED" if failed else "RUNNING",
    }


def created(world: World, at: int) -> datetime:
    """Return when a workspace was created: long before the period, except the one that appears in it."""
    if at == world.workspaces.away[-1]:
        return datetime.combine(world.period.day(_APPEARS), time(8, 30), UTC) - timedelta(days=1)
    return datetime(2024, 1, 1, 9, tzinfo=UTC) + timedelta(days=7 * at)
