"""A folder of plain files behind paths of requests: volumes and DBFS."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from brickyard.local.api.errors import ApiError, exists, invalid, missing
from brickyard.local.files.paths import inside


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or folder: its path as the request names it, its size, its time in milliseconds."""

    path: str
    name: str
    is_directory: bool
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on disk; *shown* turns a path under it into the path that callers know."""

    root: Path
    shown: Callable[[str], str] = str

    def place(self, path: str) -> Path:
        """Where a path lies on disk."""
        return inside(self.root, path or "/")

    def info(self, path: str) -> FileInfo:
        """Describe what stands at a path, or NOT_FOUND."""
        return self._info(path.rstrip("/"), self._existing(path))

    def children(self, path: str) -> list[FileInfo]:
        """What is directly in a folder, by name."""
        place = self._existing(path)
        if not place.is_dir():
            raise invalid(f"{self.shown(path)} is not a directory.")
        base = path.rstrip("/")
        return [self._info(f"{base}/{child.name}", child) for child in sorted(place.iterdir())]

    def file(self, path: str) -> Path:
        """The place of an existing file."""
        place = self._existing(path)
        if place.is_dir():
            raise missing(f"{self.shown(path)} is a directory.", "NOT_FOUND")
        return place

    def write(self, path: str, data: bytes, *, overwrite: bool) -> None:
        """Write a file at once; folders above it are made."""
        place = self.place(path)
        if place.is_dir() or (place.exists() and not overwrite):
            raise ApiError(409, "ALREADY_EXISTS", f"{self.shown(path)} already exists.")
        self._make(place.parent, path)
        staged = place.with_name(f".{secrets.token_hex(8)}.part")
        staged.write_bytes(data)
        staged.replace(place)

    def mkdirs(self, path: str) -> None:
        """Make a folder and those above it."""
        self._make(self.place(path), path)

    def remove_file(self, path: str) -> None:
        """Remove a file."""
        self.file(path).unlink()

    def remove_folder(self, path: str, *, recursive: bool = False) -> None:
        """Remove a folder, an empty one unless asked."""
        place = self._existing(path)
        if not place.is_dir():
            raise invalid(f"{self.shown(path)} is not a directory.")
        if not recursive and any(place.iterdir()):
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"{self.shown(path)} is not empty.")
        shutil.rmtree(place)

    def move(self, source: str, to: str) -> None:
        """Move a file or folder to a path where nothing is."""
        origin, target = self._existing(source), self.place(to)
        if target.exists():
            raise exists(f"{self.shown(to)} already exists.")
        self._make(target.parent, to)
        origin.rename(target)

    def _make(self, place: Path, path: str) -> None:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ApiError(409, "ALREADY_EXISTS", f"{self.shown(path)}: a file stands in the way.") from error

    def _existing(self, path: str) -> Path:
        place = self.place(path)
        if not place.exists():
            raise missing(f"{self.shown(path)} does not exist.", "NOT_FOUND")
        return place

    def _info(self, path: str, place: Path) -> FileInfo:
        stat = place.stat()
        folder = place.is_dir()
        return FileInfo(
            self.shown(path), path.rpartition("/")[2], folder, 0 if folder else stat.st_size, int(stat.st_mtime * 1000)
        )
