"""The HTTP door of health: tables, KPIs, reconciliation and lineage, beside the health of the service itself."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from brickyard.context import Context
from brickyard.health.api import tables
from brickyard.kernel.measure import Measure
from brickyard.settings import Settings

__all__ = ["measured", "routes"]


def routes(_settings: Settings) -> tuple[APIRouter, ...]:
    """Return the routes of health; no setting takes one away."""
    return (tables.router,)


def measured(_context: Context) -> Iterable[Measure]:
    """Return what is worth watching of health: nothing that would ask a warehouse at every look."""
    return ()
