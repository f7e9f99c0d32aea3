"""Statements about the session: USE, SET, variables, EXECUTE IMMEDIATE."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from brickyard.dbsql.model import Reference
from brickyard.dbsql.rewrite import literal
from brickyard.local.catalog.model import CatalogError
from brickyard.local.sql.call import Call, catalog_error
from brickyard.local.sql.model import Result, SqlError, Variable, unsupported
from brickyard.local.sql.relations import literal_parts, schema_key
from brickyard.local.sql.types import of_arrow, text_of
from brickyard.notebooks.model import Span

_TIME_ZONE = "spark.sql.session.timeZone"
_SETTINGS = {"TIMEZONE": _TIME_ZONE}


def use_catalog(call: Call) -> Result:
    """USE CATALOG."""
    name = call.name()
    try:
        call.shop.store.catalog(name)
    except CatalogError as error:
        raise catalog_error(error) from error
    call.session.catalog, call.session.schema = name, "default"
    return call.done()


def use_schema(call: Call) -> Result:
    """USE [SCHEMA] name; a catalog of that name is taken when there is no such schema."""
    catalog, schema = schema_key(call.session, literal_parts(call.need("name", Reference)))
    try:
        call.shop.store.schema(catalog, schema)
    except CatalogError as error:
        raise catalog_error(error) from error
    call.session.catalog, call.session.schema = catalog, schema
    return call.done()


def set_time_zone(call: Call) -> Result:
    """SET TIME ZONE."""
    _set_time_zone(call, str(call.statement.arguments.get("value") or ""))
    return call.done()


def _set_time_zone(call: Call, text: str) -> None:
    name = text.strip().strip("'\"")
    if name.upper() == "LOCAL":
        name = "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"The value '{name}' in the config \"{_TIME_ZONE}\" is invalid: it is no time zone."
        raise SqlError("INVALID_CONF_VALUE.TIME_ZONE", message, "22022") from error
    call.session.time_zone = name


def set_value(call: Call) -> Result:
    """SET key = value, SET key, SET."""
    key = call.get("key", str)
    if key is None:
        return call.rows({"key": "string", "value": "string"}, sorted(_all(call).items()))
    key = _SETTINGS.get(key.upper(), key)
    if "value" not in call.statement.arguments:
        return call.rows({"key": "string", "value": "string"}, [(key, _all(call).get(key, "<undefined>"))])
    value = str(call.statement.arguments["value"]).strip().strip("'\"")
    if key == _TIME_ZONE:
        _set_time_zone(call, value)
    else:
        call.session.settings[key] = value
    return call.rows({"key": "string", "value": "string"}, [(key, value)])


def _all(call: Call) -> dict[str, str]:
    return {**call.session.settings, _TIME_ZONE: call.session.time_zone}


def reset(call: Call) -> Result:
    """RESET [key]."""
    key = call.get("key", str)
    if key is None:
        call.session.settings.clear()
        call.session.time_zone = "UTC"
    elif key == _TIME_ZONE:
        call.session.time_zone = "UTC"
    else:
        call.session.settings.pop(key, None)
    return call.done()


def declare(call: Call) -> Result:
    """DECLARE [OR REPLACE] [VARIABLE] name [type] [DEFAULT expression]."""
    name = call.need("name", str).rpartition(".")[2].lower()
    if name in call.session.variables and not call.has("replace"):
        raise SqlError("VARIABLE_ALREADY_EXISTS", f"Cannot create the variable `{name}`: it exists.", "42723")
    default, type_ = call.get("default", Span), call.get("type", str)
    if default is None and type_ is None:
        raise SqlError("PARSE_SYNTAX_ERROR", "A variable needs a type or a default.", "42601")
    expression = call.render_text(f"SELECT {default.slice(call.text)}") if default else "SELECT NULL"
    call.session.variables[name] = _value(call, expression, type_)
    return call.done()


def _value(call: Call, query: str, type_: str | None) -> Variable:
    cast = f"CAST(_c0 AS {type_})" if type_ else "_c0"
    rows = call.query(f"SELECT {cast} AS v FROM (\n{query}\n) AS _s(_c0)")
    if rows.num_rows > 1:
        raise SqlError("ROW_SUBQUERY_TOO_MANY_ROWS", "More than one row was returned for a variable.", "21000")
    text = type_ or text_of(of_arrow(rows.schema.field(0).type))
    value = rows.column(0)[0].as_py() if rows.num_rows else None
    if isinstance(value, list | dict | bytes):
        raise unsupported(f"A session variable of type {text}", "keep the value in a temporary view")
    return Variable(text, literal(value, text))


def set_variable(call: Call) -> Result:
    """SET VAR x = expression, SET VAR (x, y) = (query)."""
    names = [name.rpartition(".")[2].lower() for name in call.items("variables")]
    for name in names:
        if name not in call.session.variables:
            raise SqlError("UNRESOLVED_VARIABLE", f"Cannot resolve variable `{name}`.", "42883")
    query = call.get("query", Span)
    if query is not None:
        _set_from_row(call, names, call.query(call.render(query)))
        return call.done()
    values = call.statement.arguments.get("values")
    spans: Sequence[object] = values if isinstance(values, tuple) else ()
    for name, span in zip(names, spans, strict=True):
        assert isinstance(span, Span)
        expression = call.render_text(f"SELECT {_without_default(span.slice(call.text))}")
        call.session.variables[name] = _value(call, expression, call.session.variables[name].type_text)
    return call.done()


def _without_default(text: str) -> str:
    return "NULL" if text.strip().upper() == "DEFAULT" else text


def _set_from_row(call: Call, names: Sequence[str], rows: pa.Table) -> None:
    if rows.num_rows > 1:
        raise SqlError("ROW_SUBQUERY_TOO_MANY_ROWS", "More than one row was returned for variables.", "21000")
    for i, name in enumerate(names):
        type_ = call.session.variables[name].type_text
        value = rows.column(i)[0].as_py() if rows.num_rows else None
        call.session.variables[name] = Variable(type_, literal(value, type_))


def drop_variable(call: Call) -> Result:
    """DROP TEMPORARY VARIABLE."""
    name = call.need("name", str).rpartition(".")[2].lower()
    if call.session.variables.pop(name, None) is None and not call.has("if_exists"):
        raise SqlError("VARIABLE_NOT_FOUND", f"The variable `{name}` cannot be found.", "42883")
    return call.done()
