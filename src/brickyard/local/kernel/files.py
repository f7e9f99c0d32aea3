"""`dbutils.fs` over the files of this workspace."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from brickyard.local.kernel.control import NotServed
from brickyard.local.kernel.places import Places

HEAD_BYTES = 65536


class FileInfo(NamedTuple):
    """One entry of a listing; `modificationTime` in ms since the epoch."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - Databricks' spelling

    def isDir(self) -> bool:  # noqa: N802 - Databricks' spelling
        """Whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802 - Databricks' spelling
        """Whether it is a file."""
        return not self.isDir()


@dataclass(frozen=True, slots=True)
class FileSystem:
    """`dbutils.fs`: ls, cp, mv, rm, mkdirs, put, head."""

    places: Places
    show: Callable[[object], None]

    def ls(self, path: str) -> list[FileInfo]:
        """List a folder, or the file itself."""
        place = self._existing(path)
        entries = sorted(place.iterdir()) if place.is_dir() else [place]
        parent = _shown(path) if place.is_dir() else _shown(path).rpartition("/")[0]
        return [_info(parent, entry) for entry in entries]

    def cp(self, source: str, to: str, recurse: bool = False) -> bool:
        """Copy a file, or a folder when *recurse*."""
        origin, target = self._existing(source), self.places.local(to)
        if origin.is_dir() and not recurse:
            raise IsADirectoryError(f"{source} is a folder: pass recurse=True")
        if origin.is_dir():
            shutil.copytree(origin, target, dirs_exist_ok=True)
            return True
        target = target / origin.name if target.is_dir() else target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)
        return True

    def mv(self, source: str, to: str, recurse: bool = False) -> bool:
        """Move a file, or a folder when *recurse*."""
        origin = self._existing(source)
        self.cp(source, to, recurse)
        _remove(origin)
        return True

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Remove a file, or a folder with what is in it when *recurse*; False when nothing is there."""
        place = self.places.local(path)
        if not place.exists():
            return False
        if place.is_dir() and not recurse and any(place.iterdir()):
            raise OSError(f"{path} is not empty: pass recurse=True")
        _remove(place)
        return True

    def mkdirs(self, path: str) -> bool:
        """Make a folder and those above it."""
        self.places.local(path).mkdir(parents=True, exist_ok=True)
        return True

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Write a text file."""
        place = self.places.local(path)
        if place.exists() and not overwrite:
            raise FileExistsError(f"{path} exists: pass overwrite=True")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(contents, encoding="utf-8", newline="")
        return True

    def head(self, path: str, maxBytes: int = HEAD_BYTES) -> str:  # noqa: N803 - Databricks' spelling
        """The beginning of a file as text."""
        with self._existing(path).open("rb") as stream:
            return stream.read(maxBytes).decode("utf-8", "replace")

    def command(self, words: list[str]) -> None:
        """Do a `%fs` line."""
        verb, *rest = words or ["ls"]
        recurse = any(word in ("-r", "--recurse") for word in rest)
        paths = [word for word in rest if not word.startswith("-")]
        match verb, paths:
            case "ls", [path]:
                self.show([_row(info) for info in self.ls(path)])
            case "ls", []:
                self.show([_row(info) for info in self.ls("dbfs:/")])
            case "head", [path]:
                self.show(self.head(path))
            case "cp" | "mv", [source, to]:
                self.show((self.cp if verb == "cp" else self.mv)(source, to, recurse))
            case "rm", [path]:
                self.show(self.rm(path, recurse))
            case "mkdirs", [path]:
                self.show(self.mkdirs(path))
            case _:
                raise NotServed(f"%fs {' '.join(words)}: use ls, cp, mv, rm, mkdirs or head")

    def _existing(self, path: str) -> Path:
        place = self.places.local(path)
        if not place.exists():
            raise FileNotFoundError(f"No such file or directory: {_shown(path)}")
        return place


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()


def _shown(path: str) -> str:
    known = path if ":" in path.split("/")[0] or path.startswith("/Volumes/") else "dbfs:/" + path.lstrip("/")
    return known.rstrip("/") or known


def _info(parent: str, entry: Path) -> FileInfo:
    status = entry.stat()
    name = entry.name + ("/" if entry.is_dir() else "")
    size = 0 if entry.is_dir() else status.st_size
    return FileInfo(f"{parent.rstrip('/')}/{name}", name, size, status.st_mtime_ns // 1_000_000)


def _row(info: FileInfo) -> dict[str, object]:
    return dict(info._asdict())
