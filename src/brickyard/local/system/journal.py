"""Rows for the system tables on their way: in memory for seconds, in a file while SQL is not up, then in Delta tables.

A client that only wants REST must not wait for the libraries that write tables, so this module needs none of them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from brickyard.local.sql.model import SqlError
from brickyard.local.system.model import Row, Stamp

log = logging.getLogger(__name__)
_SECONDS = 5.0
Source = Callable[[], Iterable[Row]]


class Tables(Protocol):
    """Where rows end."""

    def append(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Add rows to a table, made when missing; raises SqlError."""

    def put(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Have a table hold these rows and no others; raises SqlError."""

    def complete(self) -> None:
        """Make the tables that nobody has written."""


class Journal:
    """Collects rows of system tables, safe to use from any thread; what is not written when the process is killed is lost."""

    def __init__(self, folder: Path, stamp: Stamp) -> None:
        self._file = folder / "waiting.jsonl"
        self._stamp = stamp
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._sources: dict[str, list[Source]] = defaultdict(list)
        self._states: dict[str, Source] = {}
        self._tables: Tables | None = None
        self._tick: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._periodically, name="system-tables", daemon=True)

    def start(self, tick: Callable[[], None] = lambda: None) -> None:
        """Begin to write every few seconds, after *tick* had its turn."""
        self._tick = tick
        self._thread.start()

    def open(self, tables: Tables) -> None:
        """Write into tables from now on, first what waited for them; what they do not take now is tried again."""
        with self._writing:
            self._tables = tables
            for name, rows in _waiting(self._file).items():
                with self._lock:
                    self._sources[name].insert(0, rows.copy)
                self._quietly(partial(self._flush, name))
            self._file.unlink(missing_ok=True)

    def add(self, name: str, rows: Iterable[Row]) -> None:
        """Remember rows of a table such as `query.history`."""
        listed = list(rows)
        if listed:
            self.add_later(name, lambda: listed)

    def add_later(self, name: str, rows: Source) -> None:
        """Remember rows whose making nobody should wait for."""
        with self._lock:
            self._sources[name].append(rows)

    def put(self, name: str, rows: Source) -> None:
        """Remember what a table that is replaced in place is to hold; it is asked for when SQL is up."""
        with self._lock:
            self._states[name] = rows

    def flush(self, name: str | None = None) -> None:
        """Write what is remembered for one table or for all; raises SqlError, and then forgets nothing."""
        with self._writing:
            for one in [name] if name else [*self._sources, *self._states]:
                self._flush(one)

    def rest(self) -> None:
        """Write no more by itself."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Write the rest and stop."""
        self.rest()
        self._quietly(self.flush)
        self._tables = None

    def _periodically(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._quietly(self._tick)
            self._quietly(self.flush)
            if self._tables is not None:
                self._quietly(self._tables.complete)

    def _quietly(self, write: Callable[[], None]) -> None:
        try:
            with self._writing:
                write()
        except (SqlError, OSError) as error:
            log.warning("system rows were not written: %s", error)
        except Exception:  # the outermost frame of the thread: one row that cannot be made must not end the writing
            log.exception("system rows were not written")

    def _flush(self, name: str) -> None:
        with self._lock:
            sources = self._sources.pop(name, [])
        rows = [self._stamp.on(row) for source in sources for row in source()]
        try:
            self._write(name, rows)
        except (SqlError, OSError):
            with self._lock:
                self._sources[name] = [lambda: rows, *self._sources[name]]
            raise

    def _write(self, name: str, rows: list[Row]) -> None:
        if self._tables is None:
            if rows:
                _keep(self._file, name, rows)
            return
        if name in self._states:
            self._tables.put(name, [self._stamp.on(row) for row in self._states[name]()])
            self._states.pop(name, None)
        self._tables.append(name, rows)


def _keep(file: Path, name: str, rows: Sequence[Row]) -> None:
    """Append rows to the file, each on a line with its table and the columns that are times and dates."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8", newline="\n") as opened:
        opened.writelines(json.dumps([name, *_plain(row)]) + "\n" for row in rows)


def _plain(row: Row) -> tuple[Row, list[str], list[str]]:
    times = [name for name, value in row.items() if isinstance(value, datetime)]
    dates = [name for name, value in row.items() if isinstance(value, date) and name not in times]
    return {n: v.isoformat() if isinstance(v, date) else v for n, v in row.items()}, times, dates


def _waiting(file: Path) -> dict[str, list[Row]]:
    """The rows of the file by table; a last line that a killed process cut is passed over."""
    found: dict[str, list[Row]] = defaultdict(list)
    for line in file.read_text(encoding="utf-8").split("\n") if file.exists() else ():
        with suppress(json.JSONDecodeError):
            name, row, times, dates = json.loads(line)
            row |= {column: datetime.fromisoformat(row[column]) for column in times}
            row |= {column: date.fromisoformat(row[column]) for column in dates}
            found[name].append(row)
    return found
