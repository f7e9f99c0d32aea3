"""The workspace tree: folders, notebooks and files.

Contents stand on disk under their own names, so that a notebook's folder is a real folder; what they are (identifier,
type, language) stands in SQLite. The row is written last and removed first: a crash leaves no object that cannot be read.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from brickyard.local.api.errors import ApiError, exists, invalid, missing
from brickyard.local.files.paths import inside, normalize, parts_of

_SCHEMA = """
create table if not exists objects (
    object_id integer primary key autoincrement, path text not null unique, kind text not null, language text,
    format text, created_at integer not null, modified_at integer not null, size integer not null, created_by text not null
)"""
_SUFFIX = {"PYTHON": ".py", "SQL": ".sql", "SCALA": ".scala", "R": ".r"}
_COLUMNS = "object_id, path, kind, language, format, created_at, modified_at, size, created_by"


class Kind(StrEnum):
    """What stands at a path."""

    DIRECTORY = "DIRECTORY"
    NOTEBOOK = "NOTEBOOK"
    FILE = "FILE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the tree; times in milliseconds; `format` is SOURCE or JUPYTER for notebooks."""

    object_id: int
    path: str
    kind: Kind
    language: str | None
    format: str | None
    created_at: int
    modified_at: int
    size: int
    created_by: str

    @property
    def file_name(self) -> str:
        """The path with the extension that says what a notebook is written in."""
        if self.kind is not Kind.NOTEBOOK:
            return self.path
        return self.path + (".ipynb" if self.format == "JUPYTER" else _SUFFIX[self.language or "PYTHON"])


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be stored at a path."""

    data: bytes
    kind: Kind = Kind.FILE
    language: str | None = None
    format: str | None = None


class WorkspaceFiles:
    """The workspace tree under one folder."""

    def __init__(self, folder: Path, owner: str, now: Callable[[], float] = time.time) -> None:
        self.root = folder / "tree"
        self._staging = folder / "staging"
        shutil.rmtree(self._staging, ignore_errors=True)
        self.root.mkdir(parents=True, exist_ok=True)
        self._staging.mkdir()
        self._now = now
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "objects.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.execute(_SCHEMA)
        self._protected = {"/", "/Users", "/Shared", f"/Users/{owner}"}
        for path in sorted(self._protected):
            self.mkdirs(path, owner)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def status(self, path: str) -> Entry:
        """What stands at a path, or RESOURCE_DOES_NOT_EXIST."""
        entry = self.find(path)
        if entry is None:
            raise missing(f"Path ({workspace_path(path)}) doesn't exist.")
        return entry

    def find(self, path: str) -> Entry | None:
        """What stands at a path, None when nothing does."""
        rows = self._rows("where path = ?", workspace_path(path))
        return rows[0] if rows else None

    def by_id(self, object_id: int) -> Entry | None:
        """The object of an identifier."""
        rows = self._rows("where object_id = ?", object_id)
        return rows[0] if rows else None

    def children(self, path: str) -> list[Entry]:
        """The objects directly in a folder, or the object itself when it is none."""
        entry = self.status(path)
        if entry.kind is not Kind.DIRECTORY:
            return [entry]
        prefix = entry.path.rstrip("/") + "/"
        inside_it = self._rows("where path >= ? and path < ? order by path", prefix, prefix[:-1] + "0")
        return [e for e in inside_it if e.path != "/" and "/" not in e.path[len(prefix) :]]

    def read(self, path: str) -> bytes:
        """The content of a notebook or file."""
        entry = self.status(path)
        if entry.kind is Kind.DIRECTORY:
            raise invalid(f"Path ({entry.path}) is a folder.")
        with self._lock:
            return self.local_path(path).read_bytes()

    def local_path(self, path: str) -> Path:
        """The place on disk of a path of the tree."""
        return inside(self.root, workspace_path(path))

    def mkdirs(self, path: str, principal: str) -> Entry:
        """Make a folder and those above it; one that exists is left alone."""
        parts = parts_of(workspace_path(path))
        with self._lock:
            for depth in range(len(parts)):
                self._mkdir("/" + "/".join(parts[:depth]), principal)
            return self._mkdir("/" + "/".join(parts), principal)

    def write(self, path: str, content: Content, principal: str, *, overwrite: bool = False) -> Entry:
        """Store a notebook or file in an existing folder."""
        path = workspace_path(path)
        with self._lock:
            self._check_parent(path)
            old = self.find(path)
            if old:
                _check_overwrite(old, content, overwrite)
            staged = self._staging / secrets.token_hex(8)
            staged.write_bytes(content.data)
            staged.replace(self.local_path(path))
            return self._save(self._new(path, content, principal, old))

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove an object; a folder with something in it only when asked."""
        entry = self.status(path)
        if entry.path in self._protected:
            raise ApiError(400, "DIRECTORY_PROTECTED", f"Folder ({entry.path}) is protected.")
        with self._lock:
            if entry.kind is Kind.DIRECTORY and not recursive and self.children(path):
                raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({entry.path}) is not empty.")
            below = entry.path + "/"
            self._db.execute(
                "delete from objects where path = ? or (path >= ? and path < ?)", (entry.path, below, below[:-1] + "0")
            )
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        place = self.local_path(entry.path)
        if entry.kind is Kind.DIRECTORY:
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)

    def _mkdir(self, path: str, principal: str) -> Entry:
        old = self.find(path)
        if old and old.kind is not Kind.DIRECTORY:
            raise exists(f"Path ({path}) exists and is not a folder.")
        if old:
            return old
        self.local_path(path).mkdir(exist_ok=True)
        return self._save(self._new(path, Content(b"", Kind.DIRECTORY), principal, None))

    def _check_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0] or "/"
        above = self.find(parent)
        if above is None:
            raise missing(f"The parent folder ({parent}) does not exist.")
        if above.kind is not Kind.DIRECTORY or path == "/":
            raise invalid(f"Path ({parent}) is not a folder.")

    def _new(self, path: str, content: Content, principal: str, old: Entry | None) -> Entry:
        now = int(self._now() * 1000)
        row = Entry(0, path, content.kind, content.language, content.format, now, now, len(content.data), principal)
        return row if old is None else replace(row, object_id=old.object_id, created_at=old.created_at)

    def _save(self, entry: Entry) -> Entry:
        values = (entry.path, entry.kind.value, entry.language, entry.format, entry.created_at, entry.modified_at)
        cursor = self._db.execute(
            f"insert or replace into objects ({_COLUMNS}) values (?,?,?,?,?,?,?,?,?)",
            (entry.object_id or None, *values, entry.size, entry.created_by),
        )
        return replace(entry, object_id=cursor.lastrowid or 0)

    def _rows(self, condition: str, *values: object) -> list[Entry]:
        with self._lock:
            rows = self._db.execute(f"select {_COLUMNS} from objects {condition}", values).fetchall()
        return [Entry(r[0], r[1], Kind(r[2]), *r[3:]) for r in rows]


def workspace_path(path: str) -> str:
    """The normal form of a workspace path: `/Workspace/X` and `/X` are the same."""
    parts = parts_of(path)
    return normalize("/" + "/".join(parts[1:] if parts[:1] == ("Workspace",) else parts))


def _check_overwrite(old: Entry, content: Content, overwrite: bool) -> None:
    if not overwrite:
        raise exists(f"Path ({old.path}) already exists.")
    if old.kind is not content.kind:
        raise invalid(
            f"Cannot overwrite the asset at {old.path} due to type mismatch (asked: {content.kind}, actual: {old.kind})."
        )
