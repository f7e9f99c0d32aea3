"""The HTTP door of share: every route stands below `/` and below `/api`, as its clients know it."""

from __future__ import annotations

from fastapi import APIRouter

from brickyard.settings import Settings
from brickyard.share.api import catalogs, health, metrics, pipelines, recipients, schedules, shares, workflow
from brickyard.share.api.measures import measured

__all__ = ["measured", "routes"]

_PREFIXES = ("", "/api")
_DIRECT = (
    *(part.router for part in (health, catalogs, recipients, shares, pipelines, schedules, metrics)),
    schedules.of_pipelines,
)


def routes(settings: Settings) -> tuple[APIRouter, ...]:
    """Return the routes; without `enable_workflow` those of the workflow do not exist and nothing else changes."""
    workflows = (workflow.contract, workflow.router) if settings.enable_workflow else ()
    everything = APIRouter()
    for prefix in _PREFIXES:
        for part in (*_DIRECT, *workflows):
            everything.include_router(part, prefix=prefix)
    return (everything,)
