"""An engine in one child process, started when first needed and again when it died, spoken to by Spark Connect."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from brickyard.local.engines.model import EngineCancelled, EngineDied, EngineFailed, EngineKey, is_query
from brickyard.local.engines.pyspark_import import outside_doctests

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.connect.session import SparkSession

_MAX_SESSIONS = 64
_ANY_LENGTH = [("grpc.max_receive_message_length", -1)]  # the client's own limit is 128 MiB a batch of rows


@dataclass(frozen=True, slots=True)
class Child:
    """The engine's process and where it answers; *token* is what it asks of its clients, if anything."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    token: str | None = None

    @property
    def address(self) -> str:
        """Its Spark Connect URL, without a session."""
        return f"sc://{self.host}:{self.port}"


class ConnectEngine(ABC):
    """Owns the child process and one Spark Connect session per EngineKey; safe to use from any thread."""

    name: str
    whole_spark: bool

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._child: Child | None = None
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._warming: threading.Thread | None = None
        self._closed = False
        self._cancelled: set[str] = set()

    def warm(self) -> None:
        """Start the child and import the client in the background, so that the first query need not wait for either."""
        with self._lock:
            if self._warming is None and not self._closed:
                self._warming = threading.Thread(target=self._warm, name="engine-warm-up", daemon=True)
                self._warming.start()

    def _warm(self) -> None:
        try:
            self.query(EngineKey("warm-up", "UTC"), "SELECT 1")
        except EngineFailed:
            return  # the first real statement meets the same trouble and reports it

    def address(self) -> str:
        """The Spark Connect URL of the running child (`sc://127.0.0.1:PORT`), started if need be."""
        return self._running().address

    def url(self, key: EngineKey) -> str:
        """The connection string of a session, for a client that shares it."""
        return _url(self._running(), key)

    def pid(self) -> int | None:
        """The process id of the child, when one runs."""
        with self._lock:
            return self._child.process.pid if self._child is not None and self._lives() else None

    def query(self, key: EngineKey, sql: str, *, tag: str | None = None) -> pa.Table:
        """Run one statement and return its rows; *tag* names it for `cancel`."""
        with self._running_statement(key, tag) as session:
            return _rows(_frame(session, sql))

    def check(self, key: EngineKey, sql: str, *, tag: str | None = None) -> None:
        """Resolve a query, or raise what it would fail with before it reads a row."""
        with self._running_statement(key, tag) as session:
            _ = _unrun(session, sql).schema

    def save(self, key: EngineKey, sql: str, folder: Path, *, tag: str | None = None) -> None:
        """Run a query and leave its rows as Parquet files in a folder; without rows there may be no folder."""
        with self._running_statement(key, tag) as session:
            _write(session, sql, folder)

    @contextmanager
    def _running_statement(self, key: EngineKey, tag: str | None) -> Iterator[SparkSession]:
        session = self._session(key)
        try:
            with self._translated(), _tagged(session, tag):
                yield session
        except EngineFailed as error:
            if tag is not None and tag in self._cancelled:
                raise EngineCancelled(error.kind, "the statement was cancelled") from error
            raise
        finally:
            self._cancelled.discard(tag or "")

    def ready(self, key: EngineKey) -> None:
        """Make sure that a session exists and is in its time zone, for a client that shares it."""
        self._session(key)

    def cancel(self, key: EngineKey, tag: str) -> None:
        """Interrupt the statements of a session that run under *tag*."""
        session = self._session(key)
        self._cancelled.add(tag)
        with self._translated():
            session.interruptTag(tag)

    def release(self, key: EngineKey) -> None:
        """Forget a session and everything in it."""
        with self._lock:
            held = self._sessions.pop(key.identity, None)
        if held is not None:
            _stop(held.spark)

    def close(self) -> None:
        """Stop the child."""
        with self._lock:
            self._closed = True
            self._forget_child()

    # --- the child --------------------------------------------------------------------------------------------------

    @abstractmethod
    def _launch(self, log: Path) -> Child:
        """Start the child and wait until it answers; raise EngineDied or EngineUnavailable when it does not."""

    def _running(self) -> Child:
        with self._lock:
            if self._closed:
                raise EngineDied("Closed", "the SQL engine has been stopped")
            if not self._lives():
                self._forget_child()
                self._log.parent.mkdir(parents=True, exist_ok=True)
                self._child = self._launch(self._log)
            assert self._child is not None
            return self._child

    def _lives(self) -> bool:
        return self._child is not None and self._child.process.poll() is None

    def _forget_child(self) -> None:
        self._sessions.clear()
        child, self._child = self._child, None
        if child is not None:
            end(child.process)

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _session(self, key: EngineKey) -> SparkSession:
        with self._lock:
            child = self._running()
            held = self._sessions.get(key.identity)
            if held is None:
                held = self._sessions[key.identity] = self._opened(child, key)
            elif held.time_zone != key.time_zone:
                self._set_time_zone(held, key.time_zone)
            self._sessions.move_to_end(key.identity)
            surplus = [self._sessions.popitem(last=False)[1] for _ in range(len(self._sessions) - _MAX_SESSIONS)]
        for old in surplus:
            _stop(old.spark)
        return held.spark

    def _opened(self, child: Child, key: EngineKey) -> _Session:
        with self._translated():
            held = _Session(connect(_url(child, key)), "")
        self._set_time_zone(held, key.time_zone)
        return held

    def _set_time_zone(self, held: _Session, time_zone: str) -> None:
        with self._translated():
            held.spark.conf.set("spark.sql.session.timeZone", time_zone)
        held.time_zone = time_zone

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import grpc
        from pyspark.errors import PySparkException

        try:
            yield
        except PySparkException as error:
            raise self._failure(type(error).__name__, _without_traces(str(error))) from error
        except grpc.RpcError as error:
            raise self._failure(type(error).__name__, str(error)) from error

    def _failure(self, kind: str, message: str) -> EngineFailed:
        with self._lock:
            is_gone = not self._lives() or "StatusCode.UNAVAILABLE" in message
            if is_gone:
                self._forget_child()
        if is_gone:
            return EngineDied(kind, "the SQL engine stopped while the statement ran; send it again")
        return EngineFailed(kind, message)


@dataclass(slots=True)
class _Session:
    spark: SparkSession
    time_zone: str


def start(command: list[str], log: Path, environment: Mapping[str, str], folder: Path | None = None) -> Child | None:
    """Start an engine that says its host and port in a line of JSON; None when it ended before it said so."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        end(process)
        return None
    said = json.loads(line)
    return Child(process, said["host"], said["port"], said.get("token"))


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child; its own children end with its pipes."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.kill()
    process.wait()


def connect(url: str) -> SparkSession:
    """Open a Spark Connect session; clients with one URL share one session."""
    with outside_doctests():
        from pyspark.logger import PySparkLogger
        from pyspark.sql.connect.client import DefaultChannelBuilder
        from pyspark.sql.connect.session import SparkSession

    from brickyard.local.engines.retries import Never

    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel("CRITICAL")  # prints each refusal that it raises
    session = SparkSession(connection=DefaultChannelBuilder(url, _ANY_LENGTH))
    session.client.set_retry_policies([Never()])
    return session


def _url(child: Child, key: EngineKey) -> str:
    token = f";token={child.token}" if child.token else ""
    return f"{child.address}/;user_id={quote(key.user, safe='@.')};session_id={key.identity}{token}"


def _without_traces(message: str) -> str:
    """The message without Java's stack and without Spark's plan, which follow it."""
    message = message.partition("\n\nJVM stacktrace:")[0]
    return re.sub(r"(; line \d+ pos \d+);\n'.*", r"\1", message, flags=re.DOTALL).strip()


def _frame(session: SparkSession, sql: str) -> Any:
    """A statement ready to give its rows: a query is not run yet, anything else is, as `SparkSession.sql` does it."""
    return _unrun(session, sql) if is_query(sql) else session.sql(sql)


def _unrun(session: SparkSession, sql: str) -> Any:
    """A query that the engine has not seen, which saves one of two calls."""
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.plan import SQL

    return DataFrame(SQL(sql), session)


def _rows(frame: Any) -> pa.Table:
    """The rows of a query; as `toArrow`, which refuses a NULL struct whose fields the engine calls not null."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    from brickyard.local.arrow import nullable

    table, sent = frame._to_table()
    announced = frame.schema if sent is None or _has_decimals(table.schema) else sent
    schema = to_arrow_schema(announced, error_on_duplicated_field_names_in_struct=True, timezone="UTC")
    try:
        return table.cast(nullable(schema))
    except pa.ArrowInvalid:  # the engine announced a narrower type than that of the rows it sent
        return table.cast(nullable(table.schema))


def _has_decimals(schema: pa.Schema) -> bool:
    """Whether the engine must be asked for the types: where it simplifies an expression, decimals lose their scale."""
    return any("decimal" in str(type_) for type_ in schema.types)


def _write(session: SparkSession, sql: str, folder: Path) -> None:
    """Have the engine write rows; as `DataFrameWriter`, which notebooks in this very process may have made their own."""
    from pyspark.sql.connect.plan import WriteOperation

    frame = _frame(session, sql)
    writing = WriteOperation(frame._plan)
    writing.source, writing.path, writing.mode = "parquet", str(folder), "error"
    session.client.execute_command(writing.command(session.client), writing.observations)


def _stop(session: SparkSession) -> None:
    import grpc
    from pyspark.errors import PySparkException

    try:
        session.client.release_session()
    except (PySparkException, grpc.RpcError):
        return  # the engine that held it is gone, and the session with it


@contextmanager
def _tagged(session: SparkSession, tag: str | None) -> Iterator[None]:
    if tag is None:
        yield
        return
    session.addTag(tag)
    try:
        yield
    finally:
        session.removeTag(tag)
