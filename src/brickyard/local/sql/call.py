"""One statement on its way: the session, the text with everything expanded, and the doors it may use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from brickyard.dbsql.model import Kind, Reference, Statement
from brickyard.kernel.clock import Clock
from brickyard.local.catalog.model import CatalogError, Table
from brickyard.local.catalog.store import SYSTEM, CatalogStore
from brickyard.local.engines.model import Engine, EngineKey
from brickyard.local.sql import lateral
from brickyard.local.sql.delta.log import Author, Snapshot, snapshot
from brickyard.local.sql.engine_errors import translated
from brickyard.local.sql.information import information
from brickyard.local.sql.ledger import Ledger
from brickyard.local.sql.model import Result, SqlError, SqlSession, unsupported
from brickyard.local.sql.places import Places
from brickyard.local.sql.relations import (
    Use,
    Uses,
    check_path,
    check_privilege,
    check_writable,
    data_path,
    find_table,
    literal_parts,
    schema_key,
    table_key,
)
from brickyard.local.sql.render import Renderer, path_parts
from brickyard.local.sql.types import rows_result
from brickyard.local.system.journal import Journal
from brickyard.notebooks.model import Span

T = TypeVar("T")
R = TypeVar("R")


class Ask(Protocol):
    """How statements about shares and recipients are asked of the REST face; raises SqlError."""

    def __call__(
        self, session: SqlSession, method: str, path: str, body: Mapping[str, object]
    ) -> dict[str, Any]:  # JSON
        """The answer."""
        ...


def ask_nobody(session: SqlSession, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    """Refuse statements about shares where there is no REST face."""
    raise unsupported("Delta Sharing", "run the statement on a whole workspace")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What statements work with; one per workspace."""

    store: CatalogStore
    places: Places
    engine: Engine
    ledger: Ledger
    journal: Journal
    clock: Clock
    ask: Ask = ask_nobody


@dataclass(slots=True)
class Call:
    """One statement whose parameters, IDENTIFIERs, views and functions are already expanded."""

    shop: Workshop
    session: SqlSession
    text: str
    statement: Statement
    key: EngineKey
    changes: Callable[[Table, Sequence[str]], pa.Table]
    tag: str | None = None
    uses: Uses = field(default_factory=Uses)

    @property
    def verb(self) -> str:
        """The statement's verb."""
        return self.statement.verb

    @property
    def author(self) -> Author:
        """Who runs it."""
        return Author(self.session.principal, self.session.origin)

    # --- arguments --------------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the statement says this."""
        return bool(self.statement.arguments.get(name))

    def get(self, name: str, class_: type[T]) -> T | None:
        """An argument of the statement, None when it does not say it."""
        value = self.statement.arguments.get(name)
        return value if isinstance(value, class_) else None

    def need(self, name: str, class_: type[T]) -> T:
        """An argument that must be there, or raise SqlError."""
        value = self.get(name, class_)
        if value is None:
            raise SqlError(
                "PARSE_SYNTAX_ERROR", f"The {self.verb} statement is incomplete: {name} is missing.", "42601"
            )
        return value

    def items(self, name: str) -> tuple[str, ...]:
        """A list of names."""
        value = self.statement.arguments.get(name)
        return tuple(map(str, value)) if isinstance(value, tuple) else ()

    def mapping(self, name: str) -> dict[str, str]:
        """A list of properties."""
        value = self.statement.arguments.get(name)
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

    def slice(self, name: str) -> str | None:
        """The text of a part of the statement."""
        span = self.get(name, Span)
        return None if span is None else span.slice(self.text)

    # --- names ------------------------------------------------------------------------------------------------------

    def table_name(self, argument: str = "target") -> tuple[str, str, str]:
        """The full name that an argument means."""
        return table_key(self.session, literal_parts(self.need(argument, Reference)))

    def schema_name(self, argument: str = "name") -> tuple[str, str]:
        """The catalog and schema that an argument means, the session's own when it is not said."""
        reference = self.get(argument, Reference)
        if reference is None:
            return self.session.catalog, self.session.schema
        return schema_key(self.session, literal_parts(reference))

    def name(self, argument: str = "name") -> str:
        """A name of one part."""
        return ".".join(literal_parts(self.need(argument, Reference))).lower()

    def target(self, privilege: str = "MODIFY", argument: str = "target") -> Target:
        """The table that the statement writes, or raise SqlError when it may not be written."""
        reference = self.need(argument, Reference)
        if reference.kind is Kind.PATH:
            return self._at_path(reference, privilege)
        table = find_table(self.shop.store, self.session, literal_parts(reference))
        check_writable(table)
        check_privilege(self.shop.store, self.session, table, privilege)
        return Target(table, data_path(table))

    def source(self, privilege: str = "SELECT", argument: str = "target") -> Target:
        """A table that the statement reads whole."""
        reference = self.need(argument, Reference)
        if reference.kind is Kind.PATH:
            return self._at_path(reference, privilege)
        table = find_table(self.shop.store, self.session, literal_parts(reference))
        check_privilege(self.shop.store, self.session, table, privilege)
        if table.catalog == SYSTEM:
            self.shop.journal.flush(f"{table.schema}.{table.name}")
        return Target(table, data_path(table))

    def place(self, reference: Reference, privilege: str = "MODIFY") -> Path:
        """The folder that a path means, or raise SqlError when the principal may not use it so."""
        path = self.shop.places.locate(path_parts(reference)[1])
        check_path(self.shop.store, self.session, path, privilege)
        return path

    def _at_path(self, reference: Reference, privilege: str) -> Target:
        return Target(None, self.place(reference, privilege))

    # --- the engine -------------------------------------------------------------------------------------------------

    def query(self, sql: str) -> pa.Table:
        """Run engine SQL and return its rows, or raise SqlError in Databricks' words."""
        return self._spelled(sql, lambda spelled: self.shop.engine.query(self.key, spelled, tag=self.tag))

    def save(self, sql: str, folder: Path) -> None:
        """Run engine SQL and leave its rows as Parquet files in a folder that is not there yet, or raise SqlError."""
        self._spelled(sql, lambda spelled: self.shop.engine.save(self.key, spelled, folder, tag=self.tag))

    def checked(self, sql: str) -> str:
        """The SQL as another client of the session can run it; raises what running it would."""

        def check(spelled: str) -> str:
            self.shop.engine.check(self.key, spelled, tag=self.tag)
            return spelled

        return self._spelled(sql, check)

    def _spelled(self, sql: str, run: Callable[[str], R]) -> R:
        """Run SQL, once more without an alias where the engine stumbles over it."""
        try:
            with translated(self.text):
                return run(sql)
        except SqlError as error:
            spelled = _without_alias(sql, error)
            if spelled is None:
                raise
        return self._spelled(spelled, run)

    def render(self, part: Span | None = None) -> str:
        """Engine SQL for the statement or a part of it."""
        return self.renderer().render(self.text, part)

    def render_text(self, text: str) -> str:
        """Engine SQL for a text made from the statement's parts."""
        return self.renderer().render(text)

    def renderer(self) -> Renderer:
        """What turns names into paths."""
        return Renderer(
            store=self.shop.store,
            places=self.shop.places,
            session=self.session,
            uses=self.uses,
            describe=partial(information, self.shop.store),
            changes=self.changes,
            flush=self.shop.journal.flush,
            probe=lambda sql: self.query(sql).column_names,
            moment=self._moment,
            whole_spark=self.shop.engine.whole_spark,
        )

    def _moment(self, expression: str) -> int | None:
        found = self.query(f"SELECT CAST({expression} AS TIMESTAMP)").column(0)[0].as_py()
        return None if found is None else int(found.timestamp() * 1000)

    # --- results ----------------------------------------------------------------------------------------------------

    def done(self) -> Result:
        """A result without columns."""
        return Result((), pa.table({}), self.verb)

    def rows(self, columns: dict[str, str], rows: Iterable[Iterable[object]]) -> Result:
        """A result of the server's own."""
        return rows_result(columns, rows, self.verb)

    def changed(self, metrics: Mapping[str, int]) -> Result:
        """The row of counts that UPDATE, DELETE or MERGE returns."""
        if self.verb == "UPDATE":
            return self.counts(num_affected_rows=metrics.get("numUpdatedRows", 0))
        if self.verb == "DELETE":
            return self.counts(num_affected_rows=metrics.get("numDeletedRows", 0))
        updated, deleted, inserted = (metrics.get(f"numTargetRows{w}", 0) for w in ("Updated", "Deleted", "Inserted"))
        return self.counts(
            num_affected_rows=updated + deleted + inserted,
            num_updated_rows=updated,
            num_deleted_rows=deleted,
            num_inserted_rows=inserted,
        )

    def counts(self, **counts: int) -> Result:
        """How many rows a statement touched."""
        return self.rows(dict.fromkeys(counts, "bigint"), [counts.values()])


def _without_alias(sql: str, error: SqlError) -> str | None:
    """The SQL with the unresolved name spelled out, when it is an alias of the same SELECT list."""
    found = re.search(r"name `([^`]+)` cannot be resolved", error.message)
    is_column = error.error_class.startswith("UNRESOLVED_COLUMN")
    return lateral.spelled_out(sql, found[1]) if is_column and found else None


@dataclass(frozen=True, slots=True)
class Target:
    """A Delta table: the catalog's row where it has one, and its folder."""

    table: Table | None
    path: Path

    @property
    def use(self) -> Use:
        """The table as lineage sees it."""
        return Use(self.table, None if self.table else self.path)

    @property
    def name(self) -> str:
        """How messages name it."""
        return self.table.full_name if self.table else f"delta.`{self.path}`"

    def snapshot(self, version: int | None = None) -> Snapshot:
        """A version of it."""
        return snapshot(self.path, version)


def catalog_error(error: CatalogError) -> SqlError:
    """A refusal of the catalog, as SQL words it."""
    classes = {
        "CATALOG_DOES_NOT_EXIST": ("CATALOG_NOT_FOUND", "42704"),
        "SCHEMA_DOES_NOT_EXIST": ("SCHEMA_NOT_FOUND", "42704"),
        "TABLE_DOES_NOT_EXIST": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        "FUNCTION_DOES_NOT_EXIST": ("ROUTINE_NOT_FOUND", "42883"),
        "VOLUME_DOES_NOT_EXIST": ("VOLUME_NOT_FOUND", "42704"),
        "CATALOG_ALREADY_EXISTS": ("CATALOG_ALREADY_EXISTS", "42710"),
        "SCHEMA_ALREADY_EXISTS": ("SCHEMA_ALREADY_EXISTS", "42P06"),
        "TABLE_ALREADY_EXISTS": ("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
        "FUNCTION_ALREADY_EXISTS": ("ROUTINE_ALREADY_EXISTS", "42723"),
        "VOLUME_ALREADY_EXISTS": ("VOLUME_ALREADY_EXISTS", "42710"),
        "SCHEMA_NOT_EMPTY": ("SCHEMA_NOT_EMPTY", "2BP01"),
        "CATALOG_NOT_EMPTY": ("CATALOG_NOT_EMPTY", "2BP01"),
        "PERMISSION_DENIED": ("PERMISSION_DENIED", "42501"),
    }
    error_class, state = classes.get(error.code, (error.code, "42000"))
    return SqlError(error_class, error.message, state)
