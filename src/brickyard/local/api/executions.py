"""Statements on their way: submitted, waited for, cancelled, their results cut into chunks."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from brickyard.local.api.errors import ApiError, denied, missing
from brickyard.local.api.routes import JsonObject
from brickyard.local.api.tokens import Principal
from brickyard.local.api.warehouses import Warehouses

if TYPE_CHECKING:
    import pyarrow as pa

    from brickyard.local.sql.model import Origin, Parameter, Result, SqlSession

log = logging.getLogger(__name__)
INLINE_BYTES = 25 * 1024 * 1024
CHUNK_BYTES = 8 * 1024 * 1024
_KEPT = 500
_THREADS = 32


class Engine(Protocol):
    """What executes statements."""

    def execute(self, statement: str, session: SqlSession, parameters: Sequence[Parameter]) -> Result:
        """Run one statement, or raise SqlError."""

    def cancel(self, statement_id: str) -> None:
        """End the statement whose session's origin has this id; one that ended already is no error."""

    def release(self, session: SqlSession) -> None:
        """Forget the temporary views of a session."""


@dataclass(frozen=True, slots=True)
class Order:
    """A statement as it was asked for."""

    statement: str
    warehouse_id: str
    parameters: tuple[Parameter, ...]
    session: SqlSession
    format: str = "JSON_ARRAY"
    disposition: str = "INLINE"
    row_limit: int | None = None
    byte_limit: int | None = None
    wait_seconds: float = 10.0
    cancel_on_timeout: bool = False


@dataclass(slots=True)
class Execution:
    """One statement on its way; `done` is set once the state is final."""

    id: str
    order: Order
    principal: str
    state: str = "PENDING"
    error: JsonObject | None = None
    sql_state: str | None = None
    columns: tuple[JsonObject, ...] = ()
    pages: Pages | None = None
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def finish(self, state: str, error: JsonObject | None = None, sql_state: str | None = None) -> bool:
        """Take a final state, unless there is one already."""
        with self.lock:
            if self.done.is_set():
                return False
            self.state, self.error, self.sql_state = state, error, sql_state
            self.done.set()
            return True


@dataclass(frozen=True, slots=True)
class Page:
    """One chunk of a result."""

    index: int
    offset: int
    rows: int
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Pages:
    """A result cut into chunks."""

    pages: tuple[Page, ...]
    rows: int
    truncated: bool


class Statements:
    """The statements of a workspace, the last ones with their results.

    *origin* says on behalf of what a run's token acts.
    """

    def __init__(
        self, engine: Callable[[], Engine], warehouses: Warehouses, host: str, origin: Callable[[int], Origin]
    ) -> None:
        self.warehouses = warehouses
        self.host = host
        self.origin = origin
        self._engine = engine
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Execution] = OrderedDict()
        self.sessions: dict[str, SqlSession] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="statement")

    def close(self) -> None:
        """End what runs and take no more."""
        for execution in list(self._known.values()):
            self.cancel(execution)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, order: Order, principal: Principal) -> Execution:
        """Start a statement and wait for it as long as it was asked."""
        execution = Execution(str(uuid.uuid4()), order, principal.name)
        with self._lock:
            self._known[execution.id] = execution
            self._forget_old()
        self._pool.submit(self._run, execution)
        if not execution.done.wait(order.wait_seconds) and order.cancel_on_timeout:
            self.cancel(execution)
        return execution

    def find(self, statement_id: str, principal: Principal) -> Execution:
        """A statement of the principal (the owner sees all)."""
        execution = self._known.get(statement_id)
        if execution is None:
            raise missing(f"The statement {statement_id} was not found.")
        if execution.principal != principal.name and not principal.owner:
            raise denied(f"{principal.name} did not run the statement {statement_id}.")
        return execution

    def cancel(self, execution: Execution) -> None:
        """End a statement; one that is final stays as it is."""
        if execution.finish("CANCELED"):
            self._engine().cancel(execution.id)

    def forget(self, execution: Execution) -> None:
        """Drop a statement and its result."""
        self.cancel(execution)
        with self._lock:
            self._known.pop(execution.id, None)

    def end_session(self, session: SqlSession) -> None:
        """Close a session, in which temporary views lasted."""
        del self.sessions[session.id]
        self._engine().release(session)

    def signature(self, path: str, expires: int) -> str:
        """Sign a download link."""
        return hmac.new(self._key, f"{path}:{expires}".encode(), hashlib.sha256).hexdigest()

    def _forget_old(self) -> None:
        final = [key for key, e in self._known.items() if e.done.is_set()]
        for key in final[: max(len(self._known) - _KEPT, 0)]:
            del self._known[key]

    def _run(self, execution: Execution) -> None:
        from brickyard.local.sql.model import SqlError

        with execution.lock:
            if execution.done.is_set():
                return
            execution.state = "RUNNING"
        try:
            self._perform(execution)
        except SqlError as error:
            execution.finish("FAILED", {"error_code": "BAD_REQUEST", "message": str(error)}, error.sql_state)
        except ApiError as error:
            execution.finish("FAILED", {"error_code": error.error_code, "message": error.message})
        except Exception as error:  # the outermost frame of this thread: a lost error would leave the statement running
            log.exception("statement failed", extra={"statement_id": execution.id})
            execution.finish("FAILED", {"error_code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}"})

    def _perform(self, execution: Execution) -> None:
        order = execution.order
        origin = replace(order.session.origin, statement_id=execution.id, warehouse_id=order.warehouse_id)
        session = order.session.with_origin(origin)
        result = self._engine().execute(order.statement, session, order.parameters)
        order.session.catalog, order.session.schema, order.session.time_zone = (
            session.catalog,
            session.schema,
            session.time_zone,
        )
        execution.columns = tuple(map(column_info, result.columns))
        execution.pages = paged(result.table, order)
        execution.finish("SUCCEEDED")


def paged(table: pa.Table, order: Order) -> Pages:
    """Cut a result to its limits and into chunks; refuse one that is too large for its disposition."""
    total = table.num_rows
    if order.row_limit is not None:
        table = table.slice(0, order.row_limit)
    if order.byte_limit is not None:
        table = _within(table, order.byte_limit)
    if order.disposition == "INLINE" and table.nbytes > INLINE_BYTES:
        raise ApiError(
            400,
            "BAD_REQUEST",
            f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most "
            f"{INLINE_BYTES} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download "
            f"the full result.",
        )
    size = max(table.num_rows * CHUNK_BYTES // max(table.nbytes, 1), 1)
    cuts = (table.slice(start, size) for start in range(0, table.num_rows, size))
    pages = tuple(Page(i, i * size, cut.num_rows, cut) for i, cut in enumerate(cuts))
    return Pages(pages, table.num_rows, truncated=table.num_rows < total)


def _within(table: pa.Table, limit: int) -> pa.Table:
    if table.nbytes <= limit:
        return table
    low, high = 0, table.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if table.slice(0, middle).nbytes <= limit else (low, middle - 1)
    return table.slice(0, low)


def column_info(column: object) -> JsonObject:
    """A column of a result as the API describes it."""
    names = ("name", "type_name", "type_text", "position", "type_precision", "type_scale")
    return {name: value for name in names if (value := getattr(column, name)) is not None}
