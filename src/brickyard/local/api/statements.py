"""SQL statement execution: submit, wait, poll, fetch by chunk, cancel; every value is text, a failed statement is an answer."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from brickyard.local.api.errors import denied, invalid, missing
from brickyard.local.api.executions import Execution, Order, Page, Pages, Statements
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_number,
    field_objects,
    field_text,
)
from brickyard.local.api.tokens import Principal

if TYPE_CHECKING:
    import pyarrow as pa

    from brickyard.local.sql.model import Parameter, SqlSession

LINK_SECONDS = 900
_DRIVERS = ("databricks-sdk-", "pydatabrickssqlconnector", "databrickssql")
_FORMATS = ("JSON_ARRAY", "ARROW_STREAM", "CSV")
_DISPOSITIONS = ("INLINE", "EXTERNAL_LINKS", "INLINE_OR_EXTERNAL_LINKS")
_SECONDS = re.compile(r"(\d{1,3})s")
router: Router[Statements] = Router()


@router.on("POST", "/api/2.0/sql/statements", "/api/2.0/sql/statements/", operation="statements.execute")
def execute(statements: Statements, call: Call) -> Answer:
    """Run a statement and answer after `wait_timeout` at the latest."""
    return _answer(statements, statements.submit(_order(statements, call), call.principal))


@router.on("GET", "/api/2.0/sql/statements/{statement_id}", operation="statements.get")
def get(statements: Statements, call: Call) -> Answer:
    """Tell where a statement stands, with the first chunk of its result."""
    return _answer(statements, statements.find(call.params["statement_id"], call.principal))


@router.on(
    "GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", operation="statements.get_chunk"
)
def get_chunk(statements: Statements, call: Call) -> Answer:
    """Give one chunk of a result."""
    execution = statements.find(call.params["statement_id"], call.principal)
    return _chunk(statements, execution, _page(execution, call.params["chunk_index"]))


@router.on("POST", "/api/2.0/sql/statements/{statement_id}/cancel", operation="statements.cancel")
def cancel(statements: Statements, call: Call) -> Answer:
    """End a statement."""
    statements.cancel(statements.find(call.params["statement_id"], call.principal))
    return {}


@router.on("DELETE", "/api/2.0/sql/statements/{statement_id}", operation="statements.close")
def close(statements: Statements, call: Call) -> Answer:
    """Drop a statement and its result."""
    statements.forget(statements.find(call.params["statement_id"], call.principal))
    return {}


@router.on("GET", "/api/local/results/{statement_id}/{chunk_index}", operation="local.download", anonymous=True)
def download(statements: Statements, call: Call) -> Answer:
    """Give the bytes behind a signed link; clients send no token there, the link itself is the proof and it ends."""
    expires = call.number("expires", 0)
    signature = statements.signature(call.path, expires)
    if expires < time.time() or not hmac.compare_digest(signature.encode(), call.text("signature", "").encode()):
        raise denied("The link is not valid or has ended.")
    execution = statements.find(call.params["statement_id"], Principal("", owner=True))
    page = _page(execution, call.params["chunk_index"])
    return Response(_bytes(execution.order.format, page.table), media_type="application/octet-stream")


@router.on("POST", "/api/2.0/sql/sessions", "/api/2.0/sql/sessions/", operation="statements.create_session")
def create_session(statements: Statements, call: Call) -> Answer:
    """Open a session, in which USE, SET and temporary views last."""
    body = call.body()
    statements.warehouses.usable(field_text(body, "warehouse_id"))
    session = _session(call.principal, body)
    statements.sessions[session.id] = session
    return {"session_id": session.id}


@router.on("DELETE", "/api/2.0/sql/sessions/{session_id}", operation="statements.delete_session")
def delete_session(statements: Statements, call: Call) -> Answer:
    """Close a session."""
    statements.end_session(_own_session(statements, call.principal, call.params["session_id"]))
    return {}


def _order(statements: Statements, call: Call) -> Order:
    body = call.body()
    session = _session_of(statements, call.principal, body)
    if call.principal.run is not None:
        session.origin = statements.origin(call.principal.run)
    application, driver = _client(call.headers.get("user-agent", ""))
    session.origin = replace(session.origin, client_application=application, client_driver=driver)
    warehouse_id = field_text(
        body, "warehouse_id", statements.warehouses.default_id if body.get("session_id") else None
    )
    statements.warehouses.usable(warehouse_id)
    wait = _wait_seconds(field_text(body, "wait_timeout", "10s"))
    return Order(
        statement=field_text(body, "statement"),
        warehouse_id=warehouse_id,
        parameters=tuple(map(_parameter, field_objects(body, "parameters"))),
        session=session,
        format=_one_of(body, "format", _FORMATS),
        disposition=_disposition(body),
        row_limit=_limit(body, "row_limit"),
        byte_limit=_limit(body, "byte_limit"),
        wait_seconds=wait,
        cancel_on_timeout=bool(wait) and field_text(body, "on_wait_timeout", "CONTINUE") == "CANCEL",
    )


def _client(user_agent: str) -> tuple[str | None, str | None]:
    """The application and the driver that a user agent names: its first product, and the Databricks library in it."""
    products = [word for word in user_agent.split() if "/" in word]
    known = [product for product in products if not product.startswith("unknown/")]
    driver = next((product for product in products if product.lower().startswith(_DRIVERS)), None)
    return (known[0] if known else None), driver


def _disposition(body: JsonObject) -> str:
    disposition = _one_of(body, "disposition", _DISPOSITIONS)
    format_ = _one_of(body, "format", _FORMATS)
    if disposition == "INLINE" and format_ != "JSON_ARRAY":
        raise invalid(f"The format {format_} is not supported with disposition INLINE; use EXTERNAL_LINKS.")
    return disposition


def _one_of(body: JsonObject, name: str, allowed: Sequence[str]) -> str:
    value = field_text(body, name, allowed[0])
    if value not in allowed:
        raise invalid(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def _limit(body: JsonObject, name: str) -> int | None:
    if body.get(name) is None:
        return None
    limit = field_number(body, name)
    if limit < 1:
        raise invalid(f"{name} must be greater than zero.")
    return limit


def _wait_seconds(text: str) -> float:
    found = _SECONDS.fullmatch(text)
    seconds = int(found[1]) if found else -1
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid("wait_timeout must be 0 seconds or between 5 and 50 seconds, written like `30s`.")
    return float(seconds)


def _parameter(body: JsonObject) -> Parameter:
    from brickyard.local.sql.model import Parameter

    value = body.get("value")
    if value is not None and not isinstance(value, str):
        raise invalid("The value of a parameter must be a string.")
    return Parameter(field_text(body, "name", "") or "", value, field_text(body, "type", "STRING"))


def _session_of(statements: Statements, principal: Principal, body: JsonObject) -> SqlSession:
    session_id = body.get("session_id")
    if session_id:
        return _own_session(statements, principal, str(session_id))
    return _session(principal, body)


def _own_session(statements: Statements, principal: Principal, session_id: str) -> SqlSession:
    session = statements.sessions.get(session_id)
    if session is None or session.principal != principal.name:
        raise missing(f"The session {session_id} was not found.")
    return session


def _session(principal: Principal, body: JsonObject) -> SqlSession:
    from brickyard.local.sql.model import SqlSession

    session = SqlSession(principal.name, admin=principal.owner)
    return replace(
        session,
        catalog=field_text(body, "catalog", session.catalog),
        schema=field_text(body, "schema", session.schema),
    )


def _answer(statements: Statements, execution: Execution) -> JsonObject:
    status: JsonObject = {"state": execution.state}
    if execution.error:
        status["error"] = execution.error
    if execution.sql_state:
        status["sql_state"] = execution.sql_state
    answer: JsonObject = {"statement_id": execution.id, "status": status}
    pages = execution.pages
    if execution.state == "SUCCEEDED" and pages is not None:
        answer["manifest"] = _manifest(execution, pages)
        answer["result"] = _chunk(statements, execution, pages.pages[0]) if pages.pages else {}
    return answer


def _manifest(execution: Execution, pages: Pages) -> JsonObject:
    schema: JsonObject = {"column_count": len(execution.columns)}
    if execution.columns:
        schema["columns"] = list(execution.columns)
    manifest: JsonObject = {
        "format": execution.order.format,
        "schema": schema,
        "total_row_count": pages.rows,
        "total_chunk_count": len(pages.pages),
        "truncated": pages.truncated,
    }
    if pages.pages:
        manifest["chunks"] = [
            {"chunk_index": p.index, "row_offset": p.offset, "row_count": p.rows} for p in pages.pages
        ]
    return manifest


def _page(execution: Execution, index: str) -> Page:
    pages = execution.pages.pages if execution.pages and execution.state == "SUCCEEDED" else ()
    if not index.isdecimal() or int(index) >= len(pages):
        raise invalid(f"The statement has no result chunk {index}.")
    return pages[int(index)]


def _chunk(statements: Statements, execution: Execution, page: Page) -> JsonObject:
    chunk: JsonObject = {"chunk_index": page.index, "row_offset": page.offset, "row_count": page.rows}
    pages = execution.pages.pages if execution.pages else ()
    if page.index + 1 < len(pages):
        chunk["next_chunk_index"] = page.index + 1
        chunk["next_chunk_internal_link"] = f"/api/2.0/sql/statements/{execution.id}/result/chunks/{page.index + 1}"
    match execution.order.disposition, execution.order.format:
        case "INLINE", _:
            from brickyard.local.api.cells import rows_of

            return {**chunk, "data_array": rows_of(page.table)}
        case "INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM":
            return {**chunk, "attachment": base64.b64encode(_bytes("ARROW_STREAM", page.table)).decode()}
        case _:
            return {"external_links": [{**chunk, **_link(statements, execution, page)}]}


def _link(statements: Statements, execution: Execution, page: Page) -> JsonObject:
    path = f"/api/local/results/{execution.id}/{page.index}"
    expires = int(time.time()) + LINK_SECONDS
    return {
        "external_link": f"{statements.host}{path}?expires={expires}&signature={statements.signature(path, expires)}",
        "expiration": datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
        "byte_count": len(_bytes(execution.order.format, page.table)),
    }


def _bytes(format_: str, table: pa.Table) -> bytes:
    from brickyard.local.api.cells import rows_of

    if format_ == "ARROW_STREAM":
        return _arrow(table)
    rows = rows_of(table)
    if format_ == "CSV":
        return _csv(table.column_names, rows)
    return json.dumps(rows, ensure_ascii=False).encode()


def _arrow(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _csv(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()
