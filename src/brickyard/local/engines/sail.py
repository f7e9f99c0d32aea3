"""Sail as the engine: one child process, started when first needed and again when it died, spoken to by Spark Connect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from brickyard.local.engines.model import EngineCancelled, EngineDied, EngineFailed, EngineKey
from brickyard.local.engines.pyspark_import import outside_doctests

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.connect.session import SparkSession

_MAX_SESSIONS = 64


class SailEngine:
    """Owns the child process and one Spark Connect session per EngineKey; safe to use from any thread."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._address: tuple[str, int] | None = None
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
        host, port = self._running()
        return f"sc://{host}:{port}"

    def pid(self) -> int | None:
        """The process id of the child, when one runs."""
        with self._lock:
            return self._child.pid if self._child is not None and self._child.poll() is None else None

    def query(self, key: EngineKey, sql: str, *, tag: str | None = None) -> pa.Table:
        """Run one statement and return its rows; *tag* names it for `cancel`."""
        session = self._session(key)
        try:
            with self._translated(), _tagged(session, tag):
                return _rows(session.sql(sql))
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

    def _running(self) -> tuple[str, int]:
        with self._lock:
            if self._closed:
                raise EngineDied("Closed", "the SQL engine has been stopped")
            if self._address is None or self._child is None or self._child.poll() is not None:
                self._forget_child()
                self._start()
            assert self._address is not None
            return self._address

    def _start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "brickyard.local.engines.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "RUST_LOG": os.environ.get("RUST_LOG", "error")},
                start_new_session=True,
            )
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise EngineDied("NoEngine", f"the SQL engine did not start; see {self._log}")
        address = json.loads(line)
        self._child, self._address = child, (address["host"], address["port"])

    def _forget_child(self) -> None:
        self._sessions.clear()
        child, self._child, self._address = self._child, None, None
        if child is not None:
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()
            child.kill()
            child.wait()

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _session(self, key: EngineKey) -> SparkSession:
        with self._lock:
            address = self.address()
            held = self._sessions.get(key.identity)
            if held is None:
                held = self._sessions[key.identity] = self._opened(address, key)
            elif held.time_zone != key.time_zone:
                self._set_time_zone(held, key.time_zone)
            self._sessions.move_to_end(key.identity)
            surplus = [self._sessions.popitem(last=False)[1] for _ in range(len(self._sessions) - _MAX_SESSIONS)]
        for old in surplus:
            _stop(old.spark)
        return held.spark

    def _opened(self, address: str, key: EngineKey) -> _Session:
        with self._translated():
            held = _Session(connect(address, key), "")
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
            raise self._failure(type(error).__name__, str(error)) from error
        except grpc.RpcError as error:
            raise self._failure(type(error).__name__, str(error)) from error

    def _failure(self, kind: str, message: str) -> EngineFailed:
        with self._lock:
            is_gone = self._child is None or self._child.poll() is not None or "StatusCode.UNAVAILABLE" in message
            if is_gone:
                self._forget_child()
        if is_gone:
            return EngineDied(kind, "the SQL engine stopped while the statement ran; send it again")
        return EngineFailed(kind, message)


@dataclass(slots=True)
class _Session:
    spark: SparkSession
    time_zone: str


def connect(address: str, key: EngineKey) -> SparkSession:
    """Open a Spark Connect session of an engine at *address*; clients with one key share one session."""
    with outside_doctests():
        from pyspark.sql.connect.session import SparkSession

    from brickyard.local.engines.retries import Never

    session = SparkSession(connection=url(address, key))
    session.client.set_retry_policies([Never()])
    return session


def url(address: str, key: EngineKey) -> str:
    """The connection string of a session."""
    return f"{address}/;user_id={quote(key.user, safe='@.')};session_id={key.identity}"


def _rows(frame: Any) -> pa.Table:
    """The rows of a query; as `toArrow`, which refuses a NULL struct whose fields the engine calls not null."""
    from pyspark.sql.pandas.types import to_arrow_schema

    schema = to_arrow_schema(frame.schema, error_on_duplicated_field_names_in_struct=True, timezone="UTC")
    table, _ = frame._to_table()
    return table.cast(nullable(schema))


def nullable(schema: pa.Schema) -> pa.Schema:
    """The schema with every field, also those in structs, lists and maps, allowed to be NULL."""
    import pyarrow as pa

    return pa.schema([_nullable(field) for field in schema])


def _nullable(field: pa.Field) -> pa.Field:
    return field.with_nullable(True).with_type(_nullable_type(field.type))


def _nullable_type(type_: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_struct(type_):
        return pa.struct([_nullable(field) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(_nullable(type_.value_field))
    if pa.types.is_map(type_):
        return pa.map_(type_.key_field, _nullable(type_.item_field))
    return type_


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
