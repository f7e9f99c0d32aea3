"""The one place where a path of a request becomes a path of this machine."""

from __future__ import annotations

from pathlib import Path

from brickyard.local.api.errors import ApiError, invalid

_MAX_PART = 255
_MAX_PATH = 4096


def parts_of(path: str) -> tuple[str, ...]:
    """Split an absolute workspace path that was decoded once, or refuse it.

    Refused: relative paths, `.` and `..`, NUL and other control characters, backslashes, parts too long to store.
    """
    if not path.startswith("/"):
        raise invalid(f"Path ({_shown(path)}) should start with '/'.")
    parts = tuple(p for p in path.split("/") if p)
    if len(path.encode("utf-8", "surrogatepass")) > _MAX_PATH or not all(map(_allowed, parts)):
        raise invalid(f"Path ({_shown(path)}) is not valid.")
    return parts


def normalize(path: str) -> str:
    """The path with single slashes and none at the end."""
    return "/" + "/".join(parts_of(path))


def inside(root: Path, path: str) -> Path:
    """The place of *path* under *root*; refuse one that a symbolic link leads out of it."""
    real = root.resolve()
    target = real.joinpath(*parts_of(path))
    try:
        landed = target.resolve()
    except (OSError, RuntimeError) as error:
        raise invalid(f"Path ({_shown(path)}) is not valid.") from error
    if landed != real and real not in landed.parents:
        raise ApiError(403, "PERMISSION_DENIED", f"Path ({_shown(path)}) leads out of the workspace.")
    return target


def _allowed(part: str) -> bool:
    if part in {".", ".."} or "\\" in part or any(ord(c) < 32 or ord(c) == 127 for c in part):
        return False
    try:
        return len(part.encode()) <= _MAX_PART
    except UnicodeEncodeError:
        return False


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path[:200])
