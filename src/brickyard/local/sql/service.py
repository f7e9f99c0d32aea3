"""SQL of the local workspace: every statement comes in here, and is told apart by its verb."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow

from brickyard.dbsql.model import Reference, Statement
from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.catalog.model import CatalogError
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.engines.model import Engine, EngineKey
from brickyard.local.engines.sail import SailEngine
from brickyard.local.sql import (
    altering,
    changefeed,
    describe,
    dml,
    maintain,
    securables,
    sessions,
    sharing,
    tables,
    views,
)
from brickyard.local.sql.call import Ask, Call, Workshop, ask_nobody, catalog_error
from brickyard.local.sql.expand import (
    Expander,
    bind,
    doubled_quotes,
    insert_first,
    known_columns,
    put_context,
    put_identifiers,
    put_variables,
    single,
    tokens_of,
)
from brickyard.local.sql.ledger import Ledger
from brickyard.local.sql.model import Parameter, Result, SqlError, SqlSession, unsupported
from brickyard.local.sql.places import Places
from brickyard.local.sql.relations import Uses, literal_parts
from brickyard.local.sql.types import result_of
from brickyard.local.system.columns import Namespace, column_rows
from brickyard.local.system.journal import Journal
from brickyard.local.system.model import Stamp
from brickyard.local.system.rows import Finished, audit_rows, history_row, lineage_rows, written_rows
from brickyard.local.system.tables import SystemTables
from brickyard.notebooks.model import Span

Handler = Callable[[Call], Result]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query that is ready for the engine: its SQL and the engine session where its temp views live."""

    sql: str
    key: EngineKey


@dataclass(slots=True)
class _Running:
    key: EngineKey
    tag: str
    cancelled: threading.Event = field(default_factory=threading.Event)


class SqlService:
    """Executes SQL for one workspace; safe to use from any thread."""

    def __init__(
        self,
        home: Path,
        store: CatalogStore,
        *,
        clock: Clock = system_clock,
        external: Sequence[Path] = (),
        ask: Ask = ask_nobody,
        journal: Journal | None = None,
        engine: Engine | None = None,
    ) -> None:
        places = Places(home, store, tuple(external))
        places.clear_scratch()
        engine = engine or SailEngine(home / "logs" / "engine.log")
        folder = home / "tables" / "system"
        self._owns_journal = journal is None
        journal = journal or Journal(folder, Stamp())
        self.shop = Workshop(store, places, engine, Ledger(store.database), journal, clock, ask)
        self._running: dict[str, _Running] = {}
        journal.open(SystemTables(store, folder))
        engine.warm()

    def warm(self) -> None:
        """Start the engine in the background."""
        self.shop.engine.warm()

    def close(self) -> None:
        """Write what is remembered and stop the engine; a journal that was given is its owner's to close."""
        try:
            if self._owns_journal:
                self.shop.journal.close()
        finally:
            self.shop.engine.close()

    def execute(self, statement: str, session: SqlSession, parameters: Sequence[Parameter] = ()) -> Result:
        """Run one statement and return its result, or raise SqlError."""
        work = _Work(self, statement, session)
        return work.recorded(lambda: work.execute(parameters))

    def prepare(self, statement: str, session: SqlSession, parameters: Sequence[Parameter] = ()) -> Result | Prepared:
        """Run one statement, unless it is a query: that comes back as SQL for the engine's session."""
        work = _Work(self, statement, session)
        return work.recorded(lambda: work.prepare(parameters))

    def cancel(self, statement_id: str) -> None:
        """End the statement whose session's origin has this id; one that ended already is no error."""
        running = self._running.get(statement_id)
        if running is not None:
            running.cancelled.set()
            self.shop.engine.cancel(running.key, running.tag)

    def release(self, session: SqlSession) -> None:
        """Forget the temp views of a session."""
        self.shop.engine.release(own_key(session))


def own_key(session: SqlSession) -> EngineKey:
    """The engine session that belongs to one SQL session alone."""
    return EngineKey(session.principal, session.time_zone, session.id)


def connection(service: SqlService, session: SqlSession) -> str:
    """The Spark Connect URL of the engine session that belongs to a SQL session."""
    return service.shop.engine.url(own_key(session))


class _Work:
    """One statement from its text to its traces."""

    def __init__(self, service: SqlService, text: str, session: SqlSession) -> None:
        self.service = service
        self.shop = service.shop
        self.text = text
        self.session = session
        self.id = session.origin.statement_id or str(uuid.uuid4())
        self.kind = text.split(None, 1)[0].upper() if text.strip() else ""
        self.uses = Uses()
        self.cancelled = threading.Event()

    def execute(self, parameters: Sequence[Parameter]) -> Result:
        """Run it."""
        call = self._call(parameters)
        return _HANDLERS[call.verb](call) if call.verb in _HANDLERS else self._query(call)

    def prepare(self, parameters: Sequence[Parameter]) -> Result | Prepared:
        """Run it, or say what the engine is to run."""
        call = self._call(parameters)
        if call.verb in _HANDLERS:
            return _HANDLERS[call.verb](call)
        sql, key = self._rendered(call), own_key(self.session)
        call.key = key
        if call.verb == "SELECT":
            return Prepared(call.checked(sql), key)
        self.shop.engine.ready(key)
        return Prepared(sql, key)

    def _query(self, call: Call) -> Result:
        rows = call.query(self._rendered(call))
        return result_of(_owned_up(rows, call) if call.verb == "EXPLAIN" else rows, call.verb)

    def _rendered(self, call: Call) -> str:
        if call.verb not in _QUERIES:
            raise _unknown(call)
        return call.render()

    # --- from text to a call ----------------------------------------------------------------------------------------

    def _call(self, parameters: Sequence[Parameter]) -> Call:
        text = insert_first(bind(self.text, parameters) if parameters else self.text)
        statement = self._parsed(text)
        self.kind = statement.verb
        if statement.verb not in _DEFINITIONS:
            text = doubled_quotes(text)
        if statement.markers and statement.verb != "SCRIPT":
            text = bind(text, parameters)
        text = self._expanded(text, statement)
        call = self._made(text, self._parsed(text))
        if call.verb == "EXECUTE IMMEDIATE":
            return self._immediate(call)
        return call

    def _parsed(self, text: str) -> Statement:
        return single(text, self.session.temp_views)

    def _made(self, text: str, statement: Statement) -> Call:
        key = self._key(statement)
        running = _Running(key, f"brickyard-{self.id}", self.cancelled)
        self.service._running[self.id] = running
        return Call(self.shop, self.session, text, statement, key, changefeed.changes, running.tag, self.uses)

    def _key(self, statement: Statement) -> EngineKey:
        if self.session.temp_views or statement.verb == "CREATE TEMP VIEW":
            return own_key(self.session)
        return EngineKey(self.session.principal, self.session.time_zone)

    def _expanded(self, text: str, statement: Statement) -> str:
        if any(r.whole for r in (*statement.references, *statement.namespaces)):
            call = self._made(text, statement)
            text = put_identifiers(text, statement, lambda sql: call.query(f"SELECT {sql}").column(0)[0].as_py())
            statement = self._parsed(text)
        if statement.verb in _DEFINITIONS:
            return text
        if self.session.variables and statement.verb not in ("DECLARE VARIABLE", "SET VARIABLE", "DROP VARIABLE"):
            text = put_variables(text, self.session, known_columns(self.shop.store, self.session, statement))
        if self.session.variables and statement.verb == "SET VARIABLE":
            text = _with_variables(text, statement, self.session)
        if statement.verb in _EXPANDED:
            text = put_context(text, self.session)
            return Expander(self.shop.store, self.session, self.uses).expand(text)
        return text

    def _immediate(self, call: Call) -> Call:
        if call.has("into"):
            raise unsupported("EXECUTE IMMEDIATE … INTO", "use SET VAR x = (query)")
        expression = call.need("statement", Span).slice(call.text)
        text = str(call.query(f"SELECT {expression}").column(0)[0].as_py())
        using = call.slice("using")
        parameters = self._using(call, using) if using else []
        inner = _Work(self.service, text, self.session)
        inner.uses = self.uses
        return inner._call(parameters)

    def _using(self, call: Call, text: str) -> list[Parameter]:
        rows = call.query(f"SELECT {text}")
        names = [name if f" {name}" in f" {text}" and " as " in text.lower() else "" for name in rows.column_names]
        result = result_of(rows)
        values = [column[0].as_py() for column in rows.columns]
        return [
            Parameter(n, None if v is None else str(v), c.type_text)
            for n, v, c in zip(names, values, result.columns, strict=True)
        ]

    # --- traces -----------------------------------------------------------------------------------------------------

    def recorded(self, run: Callable[[], R]) -> R:
        """Run and remember what happened for the system tables."""
        started = self.shop.clock()
        try:
            result = run()
        except CatalogError as error:
            refusal = catalog_error(error)
            self._record(started, error=str(refusal))
            raise refusal from error
        except Exception as error:  # whatever ends a statement is told before it goes on its way
            self._record(started, error=str(error))
            raise
        finally:
            self.service._running.pop(self.id, None)
        self._record(started, result)
        return result

    def _record(self, started: datetime, result: object = None, error: str | None = None) -> None:
        done = Finished(
            self.text,
            self.kind,
            self.session,
            self.uses,
            started,
            self.shop.clock(),
            self.id,
            error=error,
            canceled=self.cancelled.is_set(),
            prepared=isinstance(result, Prepared),
            rows=result.table.num_rows if isinstance(result, Result) else None,
            written=written_rows(result) if isinstance(result, Result) else None,
        )
        self.shop.journal.add("query.history", [history_row(done)])
        self.shop.journal.add("access.audit", audit_rows(done))
        if error is None:
            self.shop.journal.add("access.table_lineage", lineage_rows(done))
            if self.uses.target is not None:
                self.shop.journal.add_later("access.column_lineage", partial(column_rows, done, self._namespace()))

    def _namespace(self) -> Namespace:
        return Namespace(self.session.catalog, self.session.schema, frozenset(self.session.temp_views))


def _owned_up(plan: pyarrow.Table, call: Call) -> pyarrow.Table:
    """The engine's plan, headed by what was rewritten before the engine saw the statement."""
    if "QUALIFY" not in {token.word for token in tokens_of(call.text)}:
        return plan
    head = "== Rewritten by the workspace: QUALIFY ==\n"
    return pyarrow.table({plan.column_names[0]: [head + str(value) for value in plan.column(0).to_pylist()]})


def _with_variables(text: str, statement: Statement, session: SqlSession) -> str:
    """SET VAR x = x + 1: variables are values on the right of the first `=` only."""
    values = statement.arguments.get("values") or statement.arguments.get("query")
    spans = values if isinstance(values, tuple) else (values,)
    for span in sorted((s for s in spans if isinstance(s, Span)), key=lambda s: -s.start):
        text = text[: span.start] + put_variables(span.slice(text), session, frozenset()) + text[span.end :]
    return text


def _drop_view(call: Call) -> Result:
    reference = call.need("target", Reference)
    parts = literal_parts(reference)
    if len(parts) == 1 and parts[0].lower() in call.session.temp_views:
        return views.drop_temp_view(call, parts[0])
    return tables.drop_table(call)


def _clear(call: Call) -> Result:
    if [token.word for token in tokens_of(call.text)] != ["CLEAR", "CACHE"]:
        raise _unknown(call)
    return maintain.accept(call)


def _refuse_msck(call: Call) -> Result:
    raise unsupported(call.verb, "tables are Delta here, whose partitions need no repair")


def _refuse_script(call: Call) -> Result:
    raise unsupported("SQL scripting (BEGIN … END)", "run the statements one by one")


def _refuse_copy(call: Call) -> Result:
    raise unsupported("COPY INTO", "use INSERT INTO … SELECT * FROM format.`path`")


def _refuse_materialized(call: Call) -> Result:
    raise unsupported("CREATE MATERIALIZED VIEW", "use CREATE VIEW or CREATE TABLE … AS SELECT")


def _refuse_convert(call: Call) -> Result:
    raise unsupported("CONVERT TO DELTA", "use CREATE TABLE … AS SELECT * FROM parquet.`path`")


def _unknown(call: Call) -> SqlError:
    if call.statement.error:
        return SqlError("PARSE_SYNTAX_ERROR", call.statement.error, "42601")
    word = call.text[call.statement.span.start :].split(None, 1)[0]
    line, column = call.text.count("\n", 0, call.statement.span.start) + 1, 0
    return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{word}'. (line {line}, pos {column})", "42601")


_QUERIES = frozenset(("SELECT", "EXPLAIN", "DESCRIBE QUERY"))
_DEFINITIONS = frozenset(("CREATE VIEW", "ALTER VIEW", "CREATE FUNCTION"))
_EXPANDED = frozenset(
    (
        "SELECT",
        "EXPLAIN",
        "DESCRIBE QUERY",
        "INSERT",
        "INSERT OVERWRITE",
        "MERGE",
        "UPDATE",
        "DELETE",
        "CREATE TABLE",
        "CREATE TEMP VIEW",
        "DECLARE VARIABLE",
        "SET VARIABLE",
    )
)
_HANDLERS: dict[str, Handler] = {
    "INSERT": dml.insert,
    "INSERT OVERWRITE": dml.insert,
    "MERGE": dml.change_rows,
    "UPDATE": dml.change_rows,
    "DELETE": dml.change_rows,
    "TRUNCATE": dml.truncate,
    "CREATE TABLE": tables.create_table,
    "CLONE": tables.clone_table,
    "ALTER TABLE": altering.alter_table,
    "ALTER VIEW": altering.alter_table,
    "DROP TABLE": tables.drop_table,
    "DROP VIEW": _drop_view,
    "CREATE VIEW": views.create_view,
    "CREATE TEMP VIEW": views.create_temp_view,
    "CREATE FUNCTION": views.create_function,
    "DROP FUNCTION": views.drop_function,
    "CREATE CATALOG": securables.create_catalog,
    "CREATE SCHEMA": securables.create_schema,
    "CREATE VOLUME": securables.create_volume,
    "DROP CATALOG": securables.drop,
    "DROP SCHEMA": securables.drop,
    "DROP VOLUME": securables.drop,
    "ALTER CATALOG": securables.alter,
    "ALTER SCHEMA": securables.alter,
    "ALTER VOLUME": securables.alter,
    "COMMENT": securables.comment,
    "GRANT": sharing.grant,
    "REVOKE": sharing.grant,
    "CREATE SHARE": sharing.create,
    "CREATE RECIPIENT": sharing.create,
    "ALTER SHARE": sharing.alter,
    "ALTER RECIPIENT": sharing.alter,
    "DROP SHARE": sharing.drop,
    "DROP RECIPIENT": sharing.drop,
    "DESCRIBE SHARE": sharing.describe,
    "DESCRIBE RECIPIENT": sharing.describe,
    "SHOW": sharing.shown,
    "DESCRIBE TABLE": describe.describe_table,
    "DESCRIBE QUERY": describe.describe_query,
    "DESCRIBE HISTORY": describe.describe_history,
    "DESCRIBE DETAIL": describe.describe_detail,
    "DESCRIBE SCHEMA": describe.describe_schema,
    "DESCRIBE CATALOG": describe.describe_catalog,
    "DESCRIBE FUNCTION": describe.describe_function,
    "DESCRIBE VOLUME": describe.describe_volume,
    "OPTIMIZE": maintain.optimize,
    "VACUUM": maintain.vacuum,
    "RESTORE": maintain.restore,
    "ANALYZE": maintain.analyze,
    "CACHE": maintain.accept,
    "UNCACHE": maintain.accept,
    "CLEAR": _clear,
    "REFRESH": maintain.accept,
    "USE CATALOG": sessions.use_catalog,
    "USE SCHEMA": sessions.use_schema,
    "SET": sessions.set_value,
    "RESET": sessions.reset,
    "SET TIME ZONE": sessions.set_time_zone,
    "SET VARIABLE": sessions.set_variable,
    "DECLARE VARIABLE": sessions.declare,
    "DROP VARIABLE": sessions.drop_variable,
    "MSCK": _refuse_msck,
    "SCRIPT": _refuse_script,
    "COPY": _refuse_copy,
    "CONVERT": _refuse_convert,
    "CREATE MATERIALIZED VIEW": _refuse_materialized,
}
