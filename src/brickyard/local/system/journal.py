"""Rows for the system tables: kept in memory, written when somebody reads them, every few seconds and at the end."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from ruamel.yaml import YAML

from brickyard.local.catalog.model import DoesNotExist, Table
from brickyard.local.catalog.store import SYSTEM, CatalogStore
from brickyard.local.sql.delta import log as delta_log
from brickyard.local.sql.delta import write
from brickyard.local.sql.delta.log import Author, Change
from brickyard.local.sql.delta.write import Layout
from brickyard.local.sql.model import SqlError
from brickyard.local.sql.types import columns_of, to_arrow, type_of_text

log = logging.getLogger(__name__)
_ASSETS = Path(__file__).parent / "assets"
_AUTHOR = Author("System user")
_SECONDS = 5.0
_COMPACT_EVERY = 50
Row = Mapping[str, object]


class Journal:
    """Collects rows of system tables and appends them to their Delta tables."""

    def __init__(self, store: CatalogStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._fields = {name: _fields(name) for name in names()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._periodically, name="system-tables", daemon=True)

    def start(self) -> None:
        """Make missing tables and begin to write every few seconds."""
        for name in self._fields:
            self._ensure(name)
        self._thread.start()

    def add(self, name: str, rows: Sequence[Row]) -> None:
        """Remember rows of a table such as `query.history`."""
        if rows:
            with self._lock:
                self._rows[name] += rows

    def flush(self) -> None:
        """Write everything that is remembered."""
        with self._writing:
            with self._lock:
                waiting, self._rows = self._rows, defaultdict(list)
            for name, rows in waiting.items():
                self._write(name, rows)

    def close(self) -> None:
        """Write the rest and stop."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def _periodically(self) -> None:
        while not self._ended.wait(_SECONDS):
            try:
                self.flush()
            except SqlError as error:
                log.warning("system rows were not written: %s", error)

    def _write(self, name: str, rows: list[Row]) -> None:
        fields = self._fields[name]
        schema = pa.schema([pa.field(f["name"], to_arrow(f["type"])) for f in fields])
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        change = Change("WRITE", {"mode": "Append"}, blind_append=True)
        version = write.append(self._path(name), _AUTHOR, change, table)
        if version % _COMPACT_EVERY == 0:
            DeltaTable(self._path(name)).optimize.compact()

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _ensure(self, name: str) -> None:
        path, fields = self._path(name), self._fields[name]
        if not delta_log.is_table(path):
            write.create(path, _AUTHOR, Change("CREATE TABLE"), Layout(fields), None)
        schema, _, table = name.partition(".")
        try:
            self._store.table(SYSTEM, schema, table)
        except DoesNotExist:
            row = Table(
                catalog=SYSTEM, schema=schema, name=table, columns=columns_of(fields), storage_location=str(path)
            )
            self._store.add(row, by=self._store.owner)


def names() -> list[str]:
    """The system tables that are written: `schema.table`."""
    return sorted(file.stem for file in _ASSETS.glob("*.yaml"))


def _fields(name: str) -> list[Any]:
    columns = YAML(typ="safe").load((_ASSETS / f"{name}.yaml").read_text())["columns"]
    return [
        {"name": c["name"], "type": type_of_text(c["type"]), "nullable": True, "metadata": {"comment": c["comment"]}}
        for c in columns
    ]
