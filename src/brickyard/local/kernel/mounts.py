"""Python's own file functions for `/dbfs/…`, `/Volumes/…` and `/Workspace/…`: there are no such mounts on a laptop.

The functions of `os`, `io` and `open` are wrapped once, in the kernel's process only; what libraries open below Python
(Arrow's own file system, a started program) does not see these paths.
"""

from __future__ import annotations

import builtins
import functools
import io
import os
from collections.abc import Callable
from types import ModuleType

from brickyard.local.kernel.places import Places

_ONE_PATH = (
    "access", "chmod", "listdir", "lstat", "mkdir", "open", "remove", "rmdir", "scandir", "stat", "truncate", "unlink",
    "utime",
)  # fmt: skip
_TWO_PATHS = ("link", "rename", "replace", "symlink")


def mount(places: Places) -> None:
    """Make the mapped paths work for Python code of this process."""
    opened = _wrapped(builtins.open, places, 1)
    _put(builtins, "open", opened)
    _put(io, "open", opened)
    for names, count in ((_ONE_PATH, 1), (_TWO_PATHS, 2)):
        for name in names:
            _put(os, name, _wrapped(getattr(os, name), places, count))


def _put(module: ModuleType, name: str, function: Callable[..., object]) -> None:
    setattr(module, name, function)


def _wrapped(function: Callable[..., object], places: Places, paths: int) -> Callable[..., object]:
    @functools.wraps(function)
    def mapped(*args: object, **options: object) -> object:
        return function(*(_mapped(a, places) for a in args[:paths]), *args[paths:], **options)

    return mapped


def _mapped(path: object, places: Places) -> object:
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and text.startswith(("/dbfs", "/Volumes", "/Workspace")):
            return places.mounted(text) or path
    return path
