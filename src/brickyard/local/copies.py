"""A workspace is its folder: copy it, put a copy back, or start anew. The workspace must be stopped."""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from brickyard.kernel.errors import Conflict, NotFound

ADDRESS = ("address.json", "token")  # where and how callers find the workspace: kept by restore and reset
_PRIVATE = ("lock", "address.json")  # belong to one running server
_MARK = "workspace.json"
_PLACES = (("securables", "document"), ("commit_authors", "path"), ("commit_intents", "path"))


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder's lock: one user at a time; the system lets go of it when the process dies."""
    with (home / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another process serves the local workspace in {home}",
                code="workspace-served",
                remedy="stop it, or use another folder",
            ) from error
        yield


def snapshot(home: Path, copy: Path) -> None:
    """Copy the workspace in *home* to the new folder *copy*."""
    _check(home)
    if copy.exists():
        raise Conflict(f"{copy} exists already", remedy="name a new folder")
    with locked(home):
        shutil.copytree(home, copy, ignore=lambda folder, names: _PRIVATE if Path(folder) == home else ())


def restore(copy: Path, home: Path) -> None:
    """Make *home* what it was when *copy* was taken; its address and token stay."""
    _check(copy)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(home):
        _empty(home)
        for entry in copy.iterdir():
            target = home / entry.name
            if entry.name in _PRIVATE or target.exists():
                continue
            shutil.copytree(entry, target) if entry.is_dir() else shutil.copy2(entry, target)


def reset(home: Path) -> None:
    """Remove everything from a workspace but its address and token.

    A client that remembers what it once uploaded (a bundle's `.databricks` folder) must forget it too.
    """
    _check(home)
    with locked(home):
        _empty(home)


def relocate(catalog: Path, old: Path, new: Path) -> None:
    """Correct the places that a catalog names, after its workspace moved from folder *old* to *new*."""
    if old == new or not catalog.exists():
        return
    before, after = (json.dumps(str(folder) + "/", ensure_ascii=False)[1:-1] for folder in (old, new))
    with closing(sqlite3.connect(catalog)) as database, database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        for table, column in _PLACES:
            if table in tables:
                database.execute(f"update {table} set {column} = replace({column}, ?, ?)", (before, after))


def _empty(home: Path) -> None:
    for entry in home.iterdir():
        if entry.name in ADDRESS or entry.name == "lock":
            continue
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _check(home: Path) -> None:
    if not (home / _MARK).is_file():
        raise NotFound(f"there is no local workspace in {home}")
