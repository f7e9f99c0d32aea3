"""The open Delta Sharing protocol: what recipients list and read with their own bearer tokens, and with links to files."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps

from starlette.responses import FileResponse, Response

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.routes import Answer, Call, JsonObject, Router
from brickyard.local.sharing import server as sharing
from brickyard.local.sharing import visible
from brickyard.local.sharing.access import admit, granted_share
from brickyard.local.sharing.audit import Event, row
from brickyard.local.sharing.changes import Bounds
from brickyard.local.sharing.model import Share
from brickyard.local.sharing.ndjson import text
from brickyard.local.sharing.server import Hints, Opened, Reader, Server
from brickyard.local.sharing.visible import SharedTable

PREFIX = "/api/2.0/delta-sharing/metastores/{metastore}"
_SHARE = f"{PREFIX}/shares/{{share}}"
_TABLE = f"{_SHARE}/schemas/{{schema}}/tables/{{table}}"
_JSON = "application/json; charset=utf-8"
_LINES = "application/x-ndjson; charset=utf-8"
_PAGE = 500
Asked = Callable[[Server, Reader, Call, Event], Answer]


def envelope(error: ApiError) -> JsonObject:
    """A refusal in the words of the open protocol."""
    return {"errorCode": error.error_code, "message": error.message}


router: Router[Server] = Router(envelope)


def _on(method: str, path: str, operation: str, action: str) -> Callable[[Asked], Asked]:
    """Register a function that answers a recipient; *action* is the name of the event in the audit log."""

    def register(function: Asked) -> Asked:
        @wraps(function)
        def handle(server: Server, call: Call) -> Answer:
            event = Event(action, call.peer, call.headers.get("user-agent", ""), params=_named(call))
            return _audited(server, event, lambda: function(server, _reader(server, call, event), call, event))

        router.on(method, path, operation=f"delta_sharing.{operation}", anonymous=True)(handle)
        return function

    return register


def _audited(server: Server, event: Event, answer: Callable[[], Answer]) -> Answer:
    try:
        found = answer()
    except ApiError as error:
        server.audit(row(event, server.clock(), error.status, error.message))
        raise
    server.audit(row(event, server.clock(), 200, None))
    return found


def _named(call: Call) -> dict[str, str]:
    words = {"share": "share", "schema": "schema", "table": "name", "metastore": "metastore_id"}
    return {word: call.params[name] for name, word in words.items() if name in call.params}


def _reader(server: Server, call: Call, event: Event) -> Reader:
    recipient = admit(server.directory, call.headers.get("authorization", ""), event)
    if call.params["metastore"] != server.metastore:
        raise visible.not_found(f"Metastore '{call.params['metastore']}'")
    return Reader(recipient, call.headers, call.host + PREFIX.format(metastore=server.metastore) + "/files")


# --- what there is ----------------------------------------------------------------------------------------------------


@_on("GET", f"{PREFIX}/shares", "list_shares", "deltaSharingListShares")
def list_shares(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List the shares of a recipient."""
    shares = server.directory.granted_heads(reader.recipient.name)
    return _page(call, {share.name.lower(): _share(share) for share in shares})


@_on("GET", _SHARE, "get_share", "deltaSharingGetShare")
def get_share(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """Describe a share."""
    return _json({"share": _share(_granted(server, reader, call))})


@_on("GET", f"{_SHARE}/schemas", "list_schemas", "deltaSharingListSchemas")
def list_schemas(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List the schemas of a share."""
    share = _granted(server, reader, call)
    names = visible.schemas(share, server.catalog)
    return _page(call, {name.lower(): {"name": name, "share": share.name} for name in names})


@_on("GET", f"{_SHARE}/schemas/{{schema}}/tables", "list_tables", "deltaSharingListTables")
def list_tables(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List the tables of a schema of a share."""
    share, wanted = _granted(server, reader, call), call.params["schema"].lower()
    if wanted not in {name.lower() for name in visible.schemas(share, server.catalog)}:
        raise visible.not_found(f"Schema '{share.name}.{call.params['schema']}'")
    return _tables(call, [table for table in visible.tables(share, server.catalog) if table.key[0] == wanted])


@_on("GET", f"{_SHARE}/all-tables", "list_all_tables", "deltaSharingListAllTables")
def list_all_tables(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List all tables of a share."""
    return _tables(call, visible.tables(_granted(server, reader, call), server.catalog))


def _granted(server: Server, reader: Reader, call: Call) -> Share:
    return granted_share(server.directory, reader.recipient, call.params["share"])


def _share(share: Share) -> JsonObject:
    return {"name": share.name, "id": share.id}


def _tables(call: Call, tables: Sequence[SharedTable]) -> Response:
    return _page(call, {f"{schema}\n{name}": _table(t) for t in tables for schema, name in [t.key]})


def _table(table: SharedTable) -> JsonObject:
    return {"name": table.name, "schema": table.schema, "share": table.share.name, "shareId": table.share.id}


def _page(call: Call, rows: Mapping[str, JsonObject]) -> Response:
    """One page of a list; the token names the last row, so what comes and goes meanwhile shifts nothing."""
    size, after = call.number("maxResults", _PAGE), _after(call.query.get("pageToken", ""))
    if size < 0:
        raise invalid("maxResults must not be negative.")
    rest = [key for key in sorted(rows) if after is None or key > after]
    keys = rest[: min(size, _PAGE)]
    answer: JsonObject = {"items": [rows[key] for key in keys]}
    if len(keys) < len(rest):
        answer["nextPageToken"] = _token(keys[-1] if keys else after or "")
    return _json(answer)


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(f"after:{key}".encode()).decode()


def _after(token: str) -> str | None:
    if not token:
        return None
    try:
        word, _, key = base64.b64decode(token.encode(), b"-_", validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError) as error:
        raise invalid("pageToken is not one that this server gave.") from error
    if word != "after":
        raise invalid("pageToken is not one that this server gave.")
    return key


# --- tables -----------------------------------------------------------------------------------------------------------


@_on("GET", f"{_TABLE}/version", "table_version", "deltaSharingGetTableVersion")
def table_version(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """Tell the version of a table, now or from a time on."""
    version = sharing.table_version(_opened(server, reader, call), call.query.get("startingTimestamp"))
    return Response(headers={"Delta-Table-Version": str(version)})


@_on("GET", f"{_TABLE}/metadata", "table_metadata", "deltaSharingGetTableMetadata")
def table_metadata(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """Tell the protocol and metadata of a table."""
    opened = _opened(server, reader, call)
    wanted = sharing.wanted_version(opened, _version(call.query.get("version")), call.query.get("timestamp"))
    return _lines(sharing.metadata(server, reader, opened, wanted), event)


@_on("POST", f"{_TABLE}/query", "query_table", "deltaSharingQueriedTable")
def query_table(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List the files of a table, or with startingVersion those that were added and removed since."""
    opened, body = _opened(server, reader, call), call.body()
    version, starting = _number(body, "version"), _number(body, "startingVersion")
    if starting is not None:
        return _since(server, reader, opened, body, event)
    wanted = sharing.wanted_version(opened, version, _text(body, "timestamp"))
    return _lines(sharing.query(server, reader, opened, wanted, _hints(body)), event)


def _since(server: Server, reader: Reader, opened: Opened, body: JsonObject, event: Event) -> Response:
    if body.get("version") is not None or body.get("timestamp") is not None:
        raise invalid("Only one of startingVersion, version and timestamp can be given.")
    opened.check_history("Reading from a version on")
    bounds = Bounds(starting_version=_number(body, "startingVersion"), ending_version=_number(body, "endingVersion"))
    return _lines(sharing.table_changes(server, reader, opened, bounds, feed=False, metadata=True), event)


@_on("GET", f"{_TABLE}/changes", "table_changes", "deltaSharingQueriedTableChanges")
def table_changes(server: Server, reader: Reader, call: Call, event: Event) -> Answer:
    """List the files of a table's change feed."""
    opened = _opened(server, reader, call)
    opened.check_history("Reading changes", feed=True)
    bounds = Bounds(
        starting_version=_version(call.query.get("startingVersion")),
        starting_timestamp=call.query.get("startingTimestamp"),
        ending_version=_version(call.query.get("endingVersion")),
        ending_timestamp=call.query.get("endingTimestamp"),
    )
    historical = call.flag("includeHistoricalMetadata")
    return _lines(sharing.table_changes(server, reader, opened, bounds, feed=True, metadata=historical), event)


def _opened(server: Server, reader: Reader, call: Call) -> Opened:
    return server.open(reader, call.params["share"], call.params["schema"], call.params["table"])


def _hints(body: JsonObject) -> Hints:
    """The hints of a body; what is not of the expected kind is no hint."""
    sql, json_ = body.get("predicateHints"), body.get("jsonPredicateHints")
    conditions = [one for one in sql if isinstance(one, str)] if isinstance(sql, list) else []
    return Hints(conditions, json_ if isinstance(json_, str) else None, _number(body, "limitHint"))


def _number(body: JsonObject, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(f"{name} must be a whole number that is not negative.")
    return value


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a string.")
    return value


def _version(text_: str | None) -> int | None:
    if text_ is None:
        return None
    if not (text_.isascii() and text_.isdigit() and len(text_) < 19):
        raise invalid(f"A version must be a whole number that is not negative, not {text_!r}.")
    return int(text_)


def _lines(answer: sharing.Answer, event: Event) -> Response:
    event.result.update(answer.result)
    headers = {"Delta-Table-Version": str(answer.version), **answer.headers}
    return Response(text(answer.lines), headers=headers, media_type=_LINES)


def _json(body: JsonObject) -> Response:
    """One line of ASCII: clients read the first line of an answer."""
    return Response(json.dumps(body).encode(), media_type=_JSON)


# --- files ------------------------------------------------------------------------------------------------------------


@router.on("GET", f"{PREFIX}/files/{{place}}", operation="delta_sharing.file", anonymous=True)
def file(server: Server, call: Call) -> Answer:
    """Send a data file, or the range of it that was asked for; the signature of the link is the proof."""
    path = server.links.open(call.params["place"], call.query, server.clock())
    return FileResponse(path, media_type="application/octet-stream")
