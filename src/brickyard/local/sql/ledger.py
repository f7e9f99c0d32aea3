"""Who made which version, for commits that the engine writes without saying it: an intent before, the truth after."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from brickyard.local.catalog.database import Database
from brickyard.local.sql.delta import bounds, log
from brickyard.local.sql.delta.log import Author
from brickyard.local.sql.model import Origin

_SCHEMA = """
CREATE TABLE IF NOT EXISTS commit_intents (id TEXT PRIMARY KEY, path TEXT NOT NULL, base INTEGER NOT NULL, author TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commit_authors (
  path TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL, PRIMARY KEY (path, version)
);
"""


@dataclass(slots=True)
class Written:
    """The versions that a write turned out to have made."""

    versions: tuple[int, ...] = ()


class Ledger:
    """The side table of authors, and one lock per table so that a version has one author."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._locks: dict[Path, threading.RLock] = {}
        database.create(_SCHEMA)
        self._reconcile()

    def lock(self, path: Path) -> threading.RLock:
        """The lock that a writer of this table holds."""
        with self._guard:
            return self._locks.setdefault(path, threading.RLock())

    @contextmanager
    def authored(self, path: Path, author: Author) -> Iterator[Written]:
        """Name the author of the versions that the block makes."""
        written = Written()
        with self.lock(path):
            intent = self._intend(path, author)
            try:
                yield written
            finally:
                written.versions = self._settle(intent)

    def _intend(self, path: Path, author: Author) -> str:
        intent = uuid.uuid4().hex
        values = (intent, str(path), log.latest_version(path), json.dumps(asdict(author)))
        self._database.execute("INSERT INTO commit_intents VALUES (?, ?, ?, ?)", values)
        return intent

    def _settle(self, intent: str) -> tuple[int, ...]:
        with self._database.transaction():
            row = self._database.row("SELECT path, base, author FROM commit_intents WHERE id = ?", (intent,))
            assert row is not None
            made = tuple(_versions_since(Path(row["path"]), row["base"]))
            for version in made:
                values = (row["path"], version, row["author"])
                self._database.execute("INSERT OR IGNORE INTO commit_authors VALUES (?, ?, ?)", values)
            self._database.execute("DELETE FROM commit_intents WHERE id = ?", (intent,))
            bounds.mend(Path(row["path"]), made)
        return made

    def _reconcile(self) -> None:
        for row in self._database.rows("SELECT id FROM commit_intents"):
            self._settle(row["id"])

    def author(self, path: Path, version: int) -> Author | None:
        """Who made a version, None when the log itself says it or nobody knows."""
        values = (str(path), version)
        row = self._database.row("SELECT author FROM commit_authors WHERE path = ? AND version = ?", values)
        return None if row is None else _author(json.loads(row["author"]))


def _versions_since(path: Path, base: int) -> Iterator[int]:
    if log.is_table(path):
        yield from range(base + 1, log.latest_version(path) + 1)


def _author(row: dict[str, Any]) -> Author:
    return Author(row["user"], Origin(**row["origin"]))
