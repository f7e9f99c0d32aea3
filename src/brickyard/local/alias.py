"""A plain name for a folder whose own path the engine cannot read (spaces, letters outside of ASCII)."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from brickyard.kernel.errors import SpecInvalid

_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")
_LINKED = re.compile(r"[\w /._~+@=,()&'#-]+")  # what writes Delta logs follows the link and stumbles over `%`, `[`, `:`


def plain(home: Path) -> Path:
    """The folder itself when its path is plain, else a symbolic link to it in a folder of the user's own."""
    if _PLAIN.fullmatch(str(home)):
        return home
    for folder in _candidates() if _LINKED.fullmatch(str(home)) else ():
        if _PLAIN.fullmatch(str(folder)):
            return _link(folder, home)
    raise SpecInvalid(
        f"the engine cannot read the path {home}",
        remedy="choose a folder whose path has only letters, digits, spaces and . _ - ~",
    )


def _candidates() -> Iterator[Path]:
    cache = os.environ.get("XDG_CACHE_HOME")
    yield Path(cache) / "brickyard" if cache else Path.home() / ".cache" / "brickyard"
    yield Path(tempfile.gettempdir()) / f"brickyard-{os.getuid()}"


def _link(folder: Path, home: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise SpecInvalid(f"{folder} belongs to another user", remedy="choose a folder with a plain path")
    link = folder / hashlib.sha256(str(home).encode()).hexdigest()[:16]
    if not link.is_symlink() or os.readlink(link) != str(home):
        fresh = folder / f".{secrets.token_hex(8)}"
        fresh.symlink_to(home)
        fresh.replace(link)
    return link
