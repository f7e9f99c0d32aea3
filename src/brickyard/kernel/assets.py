"""Files that ship inside the wheel, read the same way from a checkout and from an installation."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

_ROOT = "brickyard"


def asset(package: str, *path: str) -> Traversable:
    """Return the file or folder `assets/<path>` of one of our packages, such as `migrate`."""
    return files(_ROOT).joinpath(package, "assets", *path)


def read_text(package: str, *path: str) -> str:
    """Read the text of one asset."""
    return asset(package, *path).read_text(encoding="utf-8")


def packages_with(name: str) -> Iterator[str]:
    """Yield, in order, our packages whose assets hold a file of this name."""
    folders = sorted(entry.name for entry in files(_ROOT).iterdir() if entry.is_dir())
    return (folder for folder in folders if asset(folder, name).is_file())
