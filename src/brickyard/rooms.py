"""The rooms of the house, by name: the one list that the web service, the worker and the command line mount."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

    from brickyard.context import Context
    from brickyard.kernel.measure import Measure
    from brickyard.settings import Settings

ROOMS = ("migrate", "share", "health")


def load(part: str) -> list[ModuleType]:
    """Import `brickyard.<room>.<part>` of every room that has it: its `api`, `cli`, `tasks` or `tables`."""
    return [import_module(name) for room in ROOMS if find_spec(name := f"brickyard.{room}.{part}")]


def routers(settings: Settings) -> list[APIRouter]:
    """Return what the rooms answer over HTTP under these settings."""
    return [router for door in load("api") for router in door.routes(settings)]


def measured(context: Context) -> list[Measure]:
    """Return what the rooms tell whoever watches the service."""
    return [measure for door in load("api") for measure in door.measured(context)]
