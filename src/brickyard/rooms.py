"""The rooms of the house, by name: the one list that the web service, the worker and the command line mount."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

ROOMS = ("migrate",)


def load(part: str) -> list[ModuleType]:
    """Import `brickyard.<room>.<part>` of every room, for example its `api`, `cli`, `tasks` or `tables`."""
    return [import_module(f"brickyard.{room}.{part}") for room in ROOMS]
