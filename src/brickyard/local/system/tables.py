"""The system tables themselves: catalog rows that stand from the start, Delta tables that are made when first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from ruamel.yaml import YAML

from brickyard.local.catalog.model import DoesNotExist, Schema, Table
from brickyard.local.catalog.store import SYSTEM, SYSTEM_USER, CatalogStore
from brickyard.local.sql.delta import log as delta_log
from brickyard.local.sql.delta import write
from brickyard.local.sql.delta.log import Author, Change
from brickyard.local.sql.delta.write import Layout
from brickyard.local.sql.types import columns_of, to_arrow, type_of_text

_ASSETS = Path(__file__).parent / "assets"
_AUTHOR = Author(SYSTEM_USER)
_COMPACT_EVERY = 50


class SystemTables:
    """The Delta tables of catalog `system`, each in the folder of its name."""

    def __init__(self, store: CatalogStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        with store.database.transaction():
            for name in names():
                self._register(name)

    def append(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Add rows to a table, made when missing; raises SqlError."""
        path = self._ready(name)
        if rows:
            change = Change("WRITE", {"mode": "Append"}, blind_append=True)
            version = write.append(path, _AUTHOR, change, _arrow(name, rows))
            if version % _COMPACT_EVERY == 0:
                DeltaTable(path).optimize.compact()

    def put(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Have a table hold these rows and no others; nothing is written when it does; raises SqlError."""
        path, wanted = self._ready(name), _arrow(name, rows)
        there = pa.table(DeltaTable(path).to_pyarrow_table())
        if there.to_pylist() != wanted.to_pylist():
            before = delta_log.snapshot(path)
            write.rewrite(before, _AUTHOR, Change("WRITE", {"mode": "Overwrite"}), before.files, wanted)

    def complete(self) -> None:
        """Make the tables that nobody has written."""
        for name in names():
            self._ready(name)

    def _ready(self, name: str) -> Path:
        path = self._folder / name
        if not delta_log.is_table(path):
            write.create(path, _AUTHOR, Change("CREATE TABLE"), Layout(fields_of(name)), None)
        return path

    def _register(self, name: str) -> None:
        schema, _, table = name.partition(".")
        try:
            self._store.table(SYSTEM, schema, table)
        except DoesNotExist:
            self._ensure_schema(schema)
            columns, location = columns_of(fields_of(name)), str(self._folder / name)
            row = Table(
                catalog=SYSTEM,
                schema=schema,
                name=table,
                columns=columns,
                comment=_document(name)["description"],
                storage_location=location,
            )
            self._store.add(row, by=SYSTEM_USER)

    def _ensure_schema(self, schema: str) -> None:
        try:
            self._store.schema(SYSTEM, schema)
        except DoesNotExist:
            self._store.add(Schema(catalog=SYSTEM, name=schema), by=SYSTEM_USER)


@cache
def names() -> tuple[str, ...]:
    """The system tables that are there: `schema.table`."""
    return tuple(sorted(file.stem for file in _ASSETS.glob("*.yaml")))


@cache
def fields_of(name: str) -> tuple[Any, ...]:
    """The fields of a table as Delta's JSON."""
    return tuple(
        {"name": c["name"], "type": type_of_text(c["type"]), "nullable": True, "metadata": {"comment": c["comment"]}}
        for c in _document(name)["columns"]
    )


@cache
def _document(name: str) -> Any:
    return YAML(typ="safe").load((_ASSETS / f"{name}.yaml").read_text(encoding="utf-8"))


def _arrow(name: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    schema = pa.schema([pa.field(f["name"], to_arrow(f["type"])) for f in fields_of(name)])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
