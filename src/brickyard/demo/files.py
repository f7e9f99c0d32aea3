"""The files of the demonstration: loaders, notebooks, the rule pack."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable

from brickyard.kernel.assets import asset, read_text


def text_of(*path: str) -> str:
    """The text of an asset."""
    return read_text("demo", *path)


def notebooks() -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each legacy notebook, those in subfolders included."""
    return _walk(asset("demo", "notebooks"), "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith(".pyc"):
            yield prefix + entry.name, entry.read_bytes()
