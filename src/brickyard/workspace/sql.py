"""SQL statements on a warehouse: execute, wait, page, cancel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError, Interrupted, NotFound, WorkspaceDown, WorkspaceRefused
from brickyard.workspace.refusals import forbidden, translated
from brickyard.workspace.rows import Column, Rows, read_values

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sql import StatementParameterListItem, StatementResponse

Progress = Callable[[str, str], None]  # statement id, state

_READ = re.compile(r"\s*\(*\s*(?:select|show|describe|desc|explain|values)\b", re.IGNORECASE)
_ERROR_CLASS = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
_ABSENT = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "ROUTINE_NOT_FOUND", "NO_SUCH_CATALOG")
_FORBIDDEN = ("INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "UNAUTHORIZED_ACCESS", "INSUFFICIENT_PRIVILEGES")
_RETRY_SECONDS = 30.0
_READ_WAIT = "5s"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0
_LONGER = 1.1  # each pause than the one before: an end is noticed within a tenth of the time that it took


def run_sql(
    client: WorkspaceClient,
    statement: str,
    parameters: Mapping[str, Any] | None = None,
    warehouse_id: str | None = None,
    on_progress: Progress | None = None,
    *,
    catalog: str | None = None,
    schema: str | None = None,
) -> Rows:
    """Run one statement, wait for its end and return all of its rows.

    *parameters* are Python values for `:name` markers. Without *warehouse_id* a running warehouse is used, or any. A
    statement that reads is sent again after a lost reply, one that writes never. On Ctrl-C or a stop it is cancelled.
    Raises NotFound, WorkspaceRefused with the error class as `databricks_code`, Unauthorized or WorkspaceDown.
    """
    what = "run " + _shortened(statement)
    with translated(what):
        warehouse = warehouse_id or pick_warehouse(client)
        response = _execute(client, statement, parameters or {}, warehouse, catalog, schema)
        response = _finish(client, response, on_progress)
        _refuse_failure(what, response)
        return _rows(client, response)


def pick_warehouse(client: WorkspaceClient) -> str:
    """Return the id of a running warehouse, else of any; NotFound when there is none."""
    from databricks.sdk.service.sql import State

    with translated("list the warehouses"):
        found = sorted(client.warehouses.list(), key=lambda w: (w.state != State.RUNNING, w.name or ""))
    usable = [w.id for w in found if w.id]
    if not usable:
        raise NotFound(
            "the workspace has no SQL warehouse", code="no-warehouse", remedy="make one, or give --warehouse"
        )
    return usable[0]


def _execute(
    client: WorkspaceClient,
    statement: str,
    parameters: Mapping[str, Any],
    warehouse: str,
    catalog: str | None,
    schema: str | None,
) -> StatementResponse:
    """Send the statement; a write comes back at once, so that its id is known and it can be cancelled."""
    from brickyard.workspace.transport import again

    reads = bool(_READ.match(statement))

    def send() -> StatementResponse:
        return client.statement_execution.execute_statement(
            statement,
            warehouse,
            parameters=[_parameter(name, value) for name, value in parameters.items()] or None,
            wait_timeout=_READ_WAIT if reads else "0s",
            catalog=catalog,
            schema=schema,
        )

    return again(send, _RETRY_SECONDS, sent_once=not reads)


def _finish(client: WorkspaceClient, response: StatementResponse, on_progress: Progress | None) -> StatementResponse:
    statement_id = response.statement_id or ""
    pause = _FIRST_PAUSE
    try:
        while (state := _state(response)) in ("PENDING", "RUNNING"):
            if on_progress:
                on_progress(statement_id, state)
            stop.pause(pause)
            pause = min(_LONGEST_PAUSE, pause * _LONGER)
            response = _look(client, statement_id)
    except (KeyboardInterrupt, Interrupted):
        client.statement_execution.cancel_execution(statement_id)
        raise
    return response


def _look(client: WorkspaceClient, statement_id: str) -> StatementResponse:
    """Ask how far a statement is; one that the workspace has forgotten may or may not have been done."""
    from databricks.sdk.errors import NotFound as Unknown

    try:
        return client.statement_execution.get_statement(statement_id)
    except Unknown as error:
        raise WorkspaceDown(
            f"the workspace does not know the statement {statement_id} any more", remedy="run it again"
        ) from error


def await_statement(client: WorkspaceClient, statement_id: str) -> None:
    """Wait until a statement that another process has sent is over, however it ends, or known no more."""
    with translated(f"look at statement {statement_id}"), suppress(WorkspaceDown):
        _finish(client, _look(client, statement_id), None)


def _state(response: StatementResponse) -> str:
    state = response.status.state if response.status else None
    return state.value if state else ""


def _refuse_failure(what: str, response: StatementResponse) -> None:
    if _state(response) != "SUCCEEDED":
        raise _failure(what, response)


def _failure(what: str, response: StatementResponse) -> BrickyardError:
    error = response.status.error if response.status else None
    words = error.message if error and error.message else f"the statement ended as {_state(response)}"
    message = f"{what}: {words}"
    found = _ERROR_CLASS.search(words)
    error_class = found[1] if found else error.error_code.value if error and error.error_code else None
    name = (error_class or "").partition(".")[0]
    if name in _FORBIDDEN:
        return forbidden(message, error_class)
    if name in _ABSENT:
        return NotFound(message)
    return WorkspaceRefused(message, status=400, databricks_code=error_class, code="statement-failed")


def _rows(client: WorkspaceClient, response: StatementResponse) -> Rows:
    manifest = response.manifest
    found = manifest.schema.columns if manifest and manifest.schema and manifest.schema.columns else []
    columns = tuple(
        Column(c.name or "", c.type_text or (c.type_name.value if c.type_name else "STRING")) for c in found
    )
    texts = [row for chunk in _chunks(client, response) for row in chunk]
    return Rows(columns, read_values(columns, texts), response.statement_id or "")


def _chunks(client: WorkspaceClient, response: StatementResponse) -> Iterator[list[list[str]]]:
    chunk = response.result
    while chunk is not None:
        yield chunk.data_array or []
        if chunk.next_chunk_index is None:
            return
        chunk = client.statement_execution.get_statement_result_chunk_n(
            response.statement_id or "", chunk.next_chunk_index
        )


def _parameter(name: str, value: Any) -> StatementParameterListItem:
    from databricks.sdk.service.sql import StatementParameterListItem

    kind, text = _typed(value)
    return StatementParameterListItem(name=name, type=kind, value=text)


def _typed(value: Any) -> tuple[str, str | None]:
    """Return the SQL type and the text of a Python value."""
    match value:
        case None:
            return "STRING", None
        case bool():
            return "BOOLEAN", str(value).lower()
        case int():
            return "BIGINT", str(value)
        case float():
            return "DOUBLE", repr(value)
        case Decimal():
            return _decimal_type(value), format(value, "f")
        case datetime():
            return ("TIMESTAMP" if value.tzinfo else "TIMESTAMP_NTZ"), value.isoformat()
        case date():
            return "DATE", value.isoformat()
        case _:
            return "STRING", str(value)


def _decimal_type(value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    return f"DECIMAL({max(len(digits), scale) + max(0, int(exponent))},{scale})"


def _shortened(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= 80 else line[:77] + "…"
