"""Statements about shares and recipients: each is asked of the REST face, so that both mean the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as quoted

from brickyard.dbsql.model import Reference
from brickyard.local.sql import securables, show
from brickyard.local.sql.call import Call
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import literal_parts, schema_key, table_key
from brickyard.notebooks.model import Span

_SHARES, _RECIPIENTS = "/api/2.1/unity-catalog/shares", "/api/2.1/unity-catalog/recipients"
_PATHS = {"SHARE": _SHARES, "RECIPIENT": _RECIPIENTS}
_NAME = r"(?:`(?:[^`]|``)+`|\w+)"
_FULL_NAME = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_KIND = r"TABLE|VIEW|MATERIALIZED\s+VIEW|STREAMING\s+TABLE|SCHEMA|VOLUME|FUNCTION|MODEL"
_CHANGE = re.compile(rf"(ADD|REMOVE)\s+(?:({_KIND})\s+)?({_FULL_NAME})", re.IGNORECASE)
_CONDITION = rf"\s*({_NAME})\s*(=|LIKE)\s*({_STRING}|-?[\w.]+|CURRENT_RECIPIENT\s*\(\s*(?:{_STRING})\s*\))\s*"
_PARTITION = re.compile(rf"\((?:{_CONDITION},)*{_CONDITION}\)", re.IGNORECASE)
_LISTED = {"name": "string", "created_at": "string", "created_by": "string", "comment": "string"}
_CONTENTS = {
    **dict.fromkeys(("name", "type", "shared_object", "added_at", "added_by", "comment", "partitions"), "string")
}
_GRANTED = {"actionType": "string", "objectType": "string", "objectKey": "string"}


def create(call: Call) -> Result:
    """CREATE SHARE and CREATE RECIPIENT."""
    what = call.verb.removeprefix("CREATE ")
    body: dict[str, object] = {"name": _name(call), "comment": call.get("comment", str) or ""}
    if what == "RECIPIENT":
        metastore = call.get("using_id", str)
        body["authentication_type"] = "DATABRICKS" if metastore else "TOKEN"
        body["data_recipient_global_metastore_id"] = metastore
        body["properties_kvpairs"] = {"properties": call.mapping("properties")}
    return _unless(call, "if_not_exists", "_ALREADY_EXISTS", lambda: _ask(call, "POST", _PATHS[what], body))


def drop(call: Call) -> Result:
    """DROP SHARE and DROP RECIPIENT."""
    path = f"{_PATHS[call.verb.removeprefix('DROP ')]}/{_quoted_name(call)}"
    return _unless(call, "if_exists", "_DOES_NOT_EXIST", lambda: _ask(call, "DELETE", path))


def alter(call: Call) -> Result:
    """ALTER SHARE and ALTER RECIPIENT: what is in it, owner, name, properties."""
    what = call.verb.removeprefix("ALTER ")
    path = f"{_PATHS[what]}/{_quoted_name(call)}"
    match what, call.get("action", str):
        case _, "SET OWNER":
            body: dict[str, object] = {"owner": call.need("owner", str)}
        case _, "RENAME TO":
            body = {"new_name": literal_parts(call.need("new_name", Reference))[-1]}
        case "SHARE", "ADD" | "REMOVE":
            body = {"updates": [_update(call, call.need("rest", Span).slice(call.text).strip().rstrip(";"))]}
        case _, action:
            raise unsupported(f"{call.verb} … {action}", "use the REST API of Databricks")
    _ask(call, "PATCH", path, body)
    return call.done()


def describe(call: Call) -> Result:
    """DESCRIBE SHARE and DESCRIBE RECIPIENT."""
    what = call.verb.removeprefix("DESCRIBE ")
    found = _ask(call, "GET", f"{_PATHS[what]}/{_quoted_name(call)}")
    if what == "SHARE":
        return call.rows(_LISTED, [_listed(found)])
    return call.rows({"info_name": "string", "info_value": "string"}, _recipient_rows(found))


def shown(call: Call) -> Result:
    """SHOW SHARES, RECIPIENTS, ALL IN SHARE, GRANTS ON SHARE, GRANTS TO RECIPIENT; the rest is the catalog's."""
    match call.get("what", str), call.get("on", str), call.get("recipient", str):
        case "SHARES", _, _:
            return _list(call, _SHARES, "shares")
        case "RECIPIENTS", _, _:
            return _list(call, _RECIPIENTS, "recipients")
        case "ALL IN SHARE", _, _:
            return _contents(call)
        case "GRANTS", "SHARE", _:
            found = _ask(call, "GET", f"{_SHARES}/{_quoted_name(call)}/permissions").get("privilege_assignments", [])
            rows = [(one["principal"], privilege, None, None) for one in found for privilege in one["privileges"]]
            return call.rows({"recipient": "string", **_GRANTED}, rows)
        case "GRANTS", None, str(recipient):
            path = f"{_RECIPIENTS}/{quoted(recipient, safe='')}/share-permissions"
            rows = [(one["share_name"], "SELECT", None, None) for one in _ask(call, "GET", path)["permissions_out"]]
            return call.rows({"share": "string", **_GRANTED}, rows)
        case _:
            return show.show(call)


def grant(call: Call) -> Result:
    """GRANT and REVOKE, on shares and on everything else."""
    if call.get("on", str) != "SHARE":
        return securables.grant(call)
    change = {"principal": call.need("principal", str), _GRANTING[call.verb]: list(call.items("privileges"))}
    body = {"changes": [change], "omit_permissions_list": True}
    _ask(call, "PATCH", f"{_SHARES}/{_quoted_name(call)}/permissions", body)
    return call.done()


_GRANTING = {"GRANT": "add", "REVOKE": "remove"}


# --- requests -----------------------------------------------------------------------------------------------------------


def _ask(call: Call, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    return call.shop.ask(call.session, method, path, body or {})


def _unless(call: Call, word: str, code: str, ask: Callable[[], object]) -> Result:
    try:
        ask()
    except SqlError as error:
        if not (call.has(word) and error.error_class.endswith(code)):
            raise
    return call.done()


def _name(call: Call) -> str:
    return ".".join(literal_parts(call.need("name", Reference)))


def _quoted_name(call: Call) -> str:
    return quoted(_name(call), safe="")


def _update(call: Call, text: str) -> dict[str, object]:
    """One change of a share's contents: `ADD TABLE a.b.c COMMENT '…' PARTITION (…) AS x.y WITH HISTORY`."""
    head = _CHANGE.match(text)
    if head is None:
        raise _syntax(text)
    kind = re.sub(r"\s+", "_", (head[2] or "TABLE").upper())
    described: dict[str, object] = {"name": ".".join(_full_name(call, kind, head[3])), "data_object_type": kind}
    at = head.end()
    while rest := text[at:].strip():
        taken, clause = _clause(kind, rest)
        described |= clause
        at = len(text) - len(rest) + taken
    return {"action": head[1].upper(), "data_object": described}


def _full_name(call: Call, kind: str, text: str) -> tuple[str, ...]:
    parts = _parts(text)
    return schema_key(call.session, parts) if kind == "SCHEMA" else table_key(call.session, parts)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(_unquoted(part) for part in re.findall(_NAME, text))


def _unquoted(text: str) -> str:
    return text[1:-1].replace("``", "`") if text.startswith("`") else text


def _clause(kind: str, text: str) -> tuple[int, dict[str, object]]:
    """How long the first clause of *text* is, and what it says of the object."""
    if found := re.match(rf"COMMENT\s+({_STRING})", text, re.IGNORECASE):
        return found.end(), {"comment": _literal(found[1])}
    if found := re.match(rf"AS\s+({_FULL_NAME})", text, re.IGNORECASE):
        alias = "shared_as" if kind.endswith(("TABLE", "VIEW")) else "string_shared_as"
        return found.end(), {alias: ".".join(_parts(found[1]))}
    if found := re.match(r"WITH\s+CHANGE\s+DATA\s+FEED(?:\s+START\s+VERSION\s+(\d+))?", text, re.IGNORECASE):
        started: dict[str, object] = {} if found[1] is None else {"start_version": int(found[1])}
        return found.end(), {"cdf_enabled": True, **started}
    if found := re.match(r"WITH(OUT)?\s+HISTORY", text, re.IGNORECASE):
        return found.end(), {"history_data_sharing_status": "DISABLED" if found[1] else "ENABLED"}
    if found := re.match(rf"PARTITION\s*({_PARTITION.pattern}(?:\s*,\s*{_PARTITION.pattern})*)", text, re.IGNORECASE):
        return found.end(), {"partitions": [_partition(one[0]) for one in _PARTITION.finditer(found[1])]}
    raise _syntax(text)


def _partition(text: str) -> dict[str, object]:
    found = re.finditer(_CONDITION, text, re.IGNORECASE)
    return {"values": [_condition(_unquoted(one[1]), one[2].upper(), one[3]) for one in found]}


def _condition(name: str, operator: str, value: str) -> dict[str, object]:
    condition: dict[str, object] = {"name": name, "op": "EQUAL" if operator == "=" else operator}
    if value.upper().startswith("CURRENT_RECIPIENT"):
        key = re.search(_STRING, value)
        return {**condition, "recipient_property_key": _literal(key[0]) if key else ""}
    return {**condition, "value": _literal(value)}


def _literal(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text[0] in "'\"" else text


def _syntax(text: str) -> SqlError:
    return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{text.split(None, 1)[0]}'.", "42601")


# --- answers ------------------------------------------------------------------------------------------------------------


def _list(call: Call, path: str, field: str) -> Result:
    found = _ask(call, "GET", path)[field]
    names = set(show.matching(call, (one["name"] for one in found)))
    return call.rows(_LISTED, [_listed(one) for one in found if one["name"] in names])


def _listed(one: Mapping[str, Any]) -> tuple[object, ...]:
    return one["name"], _time(one["created_at"]), one["created_by"], one.get("comment")


def _contents(call: Call) -> Result:
    path = f"{_SHARES}/{_quoted_name(call)}?include_shared_data=true"
    rows = [
        (
            one.get("shared_as") or one.get("string_shared_as"),
            one["data_object_type"],
            one["name"],
            _time(one["added_at"]),
            one["added_by"],
            one.get("comment"),
            ", ".join(_partition_text(partition) for partition in one.get("partitions", [])) or None,
        )
        for one in _ask(call, "GET", path)["objects"]
    ]
    return call.rows(_CONTENTS, rows)


def _partition_text(partition: Mapping[str, Any]) -> str:
    return f"({', '.join(map(_condition_text, partition['values']))})"


def _condition_text(condition: Mapping[str, Any]) -> str:
    key = condition.get("recipient_property_key")
    value = condition["value"] if key is None else f"CURRENT_RECIPIENT('{key}')"
    return f"{condition['name']} {'=' if condition['op'] == 'EQUAL' else condition['op']} {value}"


def _recipient_rows(one: Mapping[str, Any]) -> list[tuple[str, object]]:
    rows = [
        ("recipient_name", one["name"]),
        ("recipient_id", one["id"]),
        ("authentication_type", one["authentication_type"]),
        ("owner", one["owner"]),
        ("created_by", one["created_by"]),
        ("created_at", _time(one["created_at"])),
        ("updated_by", one["updated_by"]),
        ("updated_at", _time(one["updated_at"])),
        ("comment", one.get("comment")),
    ]
    rows += [(field, one[field]) for field in ("cloud", "region", "metastore_id") if field in one]
    for token in one.get("tokens", []):
        rows += [("active_token_id", token["id"]), ("active_token_expiration", _time(token["expiration_time"]))]
        rows += [("activation_link", token["activation_url"])] if "activation_url" in token else []
    return rows


def _time(milliseconds: int) -> str:
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    )
