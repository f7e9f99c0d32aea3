"""How a notebook's kernel runs SQL: the server does the statement, or says what the kernel's own session is to run.

The kernel's Spark Connect session and the server's client of it are one session of the engine, so that temp views,
DataFrames and SQL see each other.
"""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from brickyard.local.api.routes import Call, JsonObject, Router, field_list, field_objects, field_text
from brickyard.local.api.tokens import Principal
from brickyard.local.sql.model import Origin, Parameter, Result, SqlError, SqlSession

if TYPE_CHECKING:  # the service imports the engine's libraries, which only a statement needs
    from brickyard.local.sql.service import Prepared, SqlService

_MAX_SESSIONS = 256


@dataclass(slots=True)
class KernelSql:
    """The SQL sessions of kernels; *origin* says on behalf of what a run's token acts,
    *owner* is the principal whom no grant stops."""

    service: Callable[[], SqlService]
    origin: Callable[[int], Origin]
    owner: str
    sessions: OrderedDict[tuple[str, str], SqlSession] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def session(self, principal: Principal, session_id: str) -> SqlSession:
        """The session of this id, made when it is first named."""
        with self.lock:
            key = (principal.name, session_id)
            if key not in self.sessions:
                self.sessions[key] = SqlSession(principal.name, admin=principal.name == self.owner, id=session_id)
            self.sessions.move_to_end(key)
            while len(self.sessions) > _MAX_SESSIONS:
                self.sessions.popitem(last=False)
            session = self.sessions[key]
        if principal.run is not None:
            session.origin = self.origin(principal.run)
        return session


router: Router[KernelSql] = Router()


@router.on("POST", "/api/local/sql/session", operation="local.sql_session")
def session(kernels: KernelSql, call: Call) -> JsonObject:
    """Tell where the engine session of a SQL session is."""
    from brickyard.local.sql.service import connection

    opened = kernels.session(call.principal, field_text(call.body(), "session_id"))
    return {"url": connection(kernels.service(), opened)}


@router.on("POST", "/api/local/sql/prepare", operation="local.sql_prepare")
def prepare(kernels: KernelSql, call: Call) -> JsonObject:
    """Run a statement, or answer with the engine's SQL when it is a query."""
    body = call.body()
    opened = kernels.session(call.principal, field_text(body, "session_id"))
    opened.temp_views |= {str(name).lower() for name in field_list(body, "temp_views")}
    parameters = tuple(map(_parameter, field_objects(body, "parameters")))
    try:
        done = kernels.service().prepare(field_text(body, "statement"), opened, parameters)
    except SqlError as error:
        return _refusal(error)
    return _result(done) if isinstance(done, Result) else _query(done)


@router.on("POST", "/api/local/sql/locate", operation="local.sql_locate")
def locate(kernels: KernelSql, call: Call) -> JsonObject:
    """Tell which file of this machine a path of `spark.read` or `df.write` means."""
    try:
        return {"path": str(kernels.service().shop.places.locate(field_text(call.body(), "path")))}
    except SqlError as error:
        return _refusal(error)


def _refusal(error: SqlError) -> JsonObject:
    return {"kind": "error", "error_class": error.error_class, "sql_state": error.sql_state, "message": str(error)}


def _parameter(body: Mapping[str, object]) -> Parameter:
    value = body.get("value")
    name, type_ = str(body.get("name") or ""), str(body.get("type") or "STRING")
    return Parameter(name, None if value is None else str(value), type_)


def _query(prepared: Prepared) -> JsonObject:
    return {"kind": "query", "sql": prepared.sql}


def _result(result: Result) -> JsonObject:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, result.table.schema) as writer:
        writer.write_table(result.table)
    return {"kind": "result", "arrow": base64.b64encode(sink.getvalue().to_pybytes()).decode()}
