"""Views as recipients read them: their rows are kept as a Delta table, made anew when what the view reads has changed."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import quote
from brickyard.local.api.errors import ApiError
from brickyard.local.api.tokens import write_private
from brickyard.local.catalog.model import Table
from brickyard.local.catalog.store import INFORMATION_SCHEMA, SYSTEM, CatalogStore
from brickyard.local.sharing.files import LIFETIME
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Author, Change
from brickyard.local.sql.delta.write import Layout
from brickyard.local.sql.expand import Expander, single, tokens_of
from brickyard.local.sql.model import SqlError, SqlSession
from brickyard.local.sql.relations import Uses
from brickyard.local.sql.types import field_of_arrow

Query = Callable[[str, SqlSession], pa.Table]
_AUTHOR = Author("Delta Sharing")
_VOLATILE = frozenset(
    {"CURRENT_DATE", "CURRENT_TIMESTAMP", "NOW", "RAND", "RANDN", "UUID", "UNIX_TIMESTAMP", "LOCALTIMESTAMP", "CURDATE"}
)


@dataclass(frozen=True, slots=True)
class Views:
    """The kept rows of shared views, in *folder*; *query* runs SQL."""

    folder: Path
    catalog: CatalogStore
    query: Query
    _locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def table(self, view: Table, owner: str, recipient: Mapping[str, str]) -> Path:
        """The folder of a Delta table with the rows that the view has now, read with the rights of the share's *owner*.

        *recipient* are the properties that `current_recipient` tells; recipients for whom they make no difference share
        the table. Raises ApiError 400 with the engine's words when the view cannot be read.
        """
        session = SqlSession(owner, admin=owner == self.catalog.owner, recipient=recipient)
        try:
            return self._current(view, session, Expander(self.catalog, session, Uses()).expand(_select(view)))
        except SqlError as error:
            raise ApiError(400, "INVALID_STATE", f"The view cannot be read: {error}") from error

    def _current(self, view: Table, session: SqlSession, text: str) -> Path:
        key = hashlib.sha256("\n".join((view.full_name, session.principal, text)).encode()).hexdigest()[:32]
        path, mark = self.folder / key, self.folder / f"{key}.json"
        with self._locks[key]:
            now = self._state(text)
            if not mark.exists() or json.loads(mark.read_text()) != now:
                self._write(path, view, session)
                write_private(mark, json.dumps(now))
        return path

    def _state(self, text: str) -> list[str]:
        """What the rows depend on; never twice the same when that cannot be told."""
        names = _tables(text)
        return [str(uuid.uuid4())] if names is None else [_version(self.catalog.table(*name)) for name in names]

    def _write(self, path: Path, view: Table, session: SqlSession) -> None:
        rows = self.query(_select(view), session)
        fields = [{**field_of_arrow(column), "nullable": True} for column in rows.schema]
        change = Change("REFRESH", {"view": view.full_name})
        store = write.replace if log.is_table(path) else write.create
        store(path, _AUTHOR, change, Layout(fields, comment=view.comment), rows)
        _forget_old_files(path)


def _select(view: Table) -> str:
    return f"SELECT * FROM {'.'.join(map(quote, view.key))}"


def _forget_old_files(path: Path) -> None:
    """Remove files of older versions to which no link leads any more."""
    kept = {unquote(file["path"]) for file in log.snapshot(path).files}
    oldest = time.time() - 2 * LIFETIME.total_seconds()
    for file in path.glob("*.parquet"):
        if file.name not in kept and file.stat().st_mtime < oldest:
            file.unlink()


def _tables(text: str) -> list[tuple[str, str, str]] | None:
    """The tables that an expanded query reads; None when it depends on something else as well."""
    if {token.word for token in tokens_of(text)} & _VOLATILE:
        return None
    found = []
    for reference in single(text).references:
        parts = reference.literal
        if parts is None or len(parts) != 3 or reference.kind is Kind.PATH or reference.in_string:
            return None
        catalog, schema, name = parts
        if catalog.lower() == SYSTEM or schema.lower() == INFORMATION_SCHEMA:
            return None
        found.append((catalog, schema, name))
    return found


def _version(table: Table) -> str:
    """A table and its newest version; of one that is not Delta, an answer that never comes twice."""
    path = Path(table.storage_location or "")
    return f"{table.full_name} {path} {log.latest_version(path) if log.is_table(path) else uuid.uuid4()}"
