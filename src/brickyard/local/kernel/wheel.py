"""Runs the entry point of a wheel: by the metadata of its distribution, else the function of that name in the package."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib import metadata
from types import ModuleType
from typing import Any

from brickyard.local.kernel.control import NotServed


def find(package: str, entry_point: str) -> Callable[[], object]:
    """The function to call; raises ImportError in Databricks' words when the package is not there."""
    named = _named(package, entry_point)
    if named is not None:
        function: Any = named.load()
        return function
    module = _module(package)
    function = getattr(module, entry_point, None)
    if not callable(function):
        raise NotServed(
            f"The wheel {package} has no entry point {entry_point}, and its package no function of that name."
        )
    return function


def _named(package: str, entry_point: str) -> metadata.EntryPoint | None:
    try:
        points = metadata.distribution(package).entry_points
    except metadata.PackageNotFoundError:
        return None
    # several groups may use one name: scripts are what people mean
    order = ("console_scripts", "packages", "gui_scripts")
    named = sorted(points.select(name=entry_point), key=lambda p: order.index(p.group) if p.group in order else 9)
    return named[0] if named else None


def _module(package: str) -> ModuleType:
    for name in dict.fromkeys((package, package.replace("-", "_"), *_tops(package))):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise ImportError(
        f"Python wheel with name {package} could not be found. Please check the driver logs for more details"
    )


def _tops(package: str) -> Sequence[str]:
    try:
        text = metadata.distribution(package).read_text("top_level.txt")
    except metadata.PackageNotFoundError:
        return ()
    return (text or "").split()
