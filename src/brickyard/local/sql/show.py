"""SHOW statements."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable

from brickyard.dbsql.model import Kind as Named
from brickyard.dbsql.model import Reference
from brickyard.kernel.names import quote, quote_if_needed
from brickyard.local.catalog.model import CatalogError, Kind, Table, TableType
from brickyard.local.catalog.store import INFORMATION_SCHEMA
from brickyard.local.sql.call import Call, catalog_error
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import check_privilege, find_table, literal_parts, schema_key
from brickyard.local.sql.securables import securable_of
from brickyard.local.sql.tables import CLUSTERING
from brickyard.local.sql.types import result_of

_GRANTS = {"Principal": "string", "ActionType": "string", "ObjectType": "string", "ObjectKey": "string"}


def show(call: Call) -> Result:
    """SHOW anything."""
    what = call.get("what", str) or ""
    handler = _HANDLERS.get(what)
    if handler is None:
        raise unsupported(f"SHOW {what}", "query information_schema")
    try:
        return handler(call)
    except CatalogError as error:
        raise catalog_error(error) from error


def matching(call: Call, names: Iterable[str], argument: str = "like") -> list[str]:
    """Filter by LIKE, where `*` stands for anything and `|` for or."""
    pattern = call.get(argument, str)
    if pattern is None:
        return list(names)
    choices = pattern.lower().replace("%", "*").split("|")
    return [n for n in names if any(fnmatch.fnmatchcase(n.lower(), choice.strip()) for choice in choices)]


def _catalogs(call: Call) -> Result:
    names = matching(call, (c.name for c in call.shop.store.catalogs()))
    return call.rows({"catalog": "string"}, [[name] for name in names])


def _schemas(call: Call) -> Result:
    reference = call.get("name", Reference)
    catalog = ".".join(literal_parts(reference)) if reference else call.session.catalog
    names = matching(call, (s.name for s in call.shop.store.schemas(catalog)))
    return call.rows({"databaseName": "string"}, [[name] for name in names])


def _listed(call: Call) -> list[Table]:
    tables = [t for catalog, schema in _places(call) for t in call.shop.store.tables(catalog, schema)]
    wanted = set(matching(call, (t.name for t in tables)))
    return [t for t in tables if t.name in wanted]


def _places(call: Call) -> list[tuple[str, str]]:
    """The schemas that are listed: one, or all of `IN CATALOG` that its SCHEMA LIKE leaves."""
    reference = call.get("name", Reference)
    if reference is not None and reference.kind is Named.CATALOG:
        catalog = ".".join(literal_parts(reference))
        names = (s.name for s in call.shop.store.schemas(catalog))
        return [(catalog, name) for name in matching(call, names, "schema_like") if name != INFORMATION_SCHEMA]
    catalog, schema = call.schema_name()
    if schema == INFORMATION_SCHEMA:
        call.shop.store.schema(catalog, schema)
    return [(catalog, schema)]


def _tables(call: Call) -> Result:
    rows = [(t.key[1], t.name, False) for t in _listed(call)]
    rows += [("", name, True) for name in matching(call, sorted(call.session.temp_views))]
    return call.rows({"database": "string", "tableName": "string", "isTemporary": "boolean"}, rows)


def _views(call: Call) -> Result:
    rows = [(t.key[1], t.name, False, False) for t in _listed(call) if t.table_type is TableType.VIEW]
    rows += [("", name, True, False) for name in matching(call, sorted(call.session.temp_views))]
    columns = {"namespace": "string", "viewName": "string", "isTemporary": "boolean", "isMaterialized": "boolean"}
    return call.rows(columns, rows)


def _functions(call: Call) -> Result:
    catalog, schema = call.schema_name()
    functions = call.shop.store.functions(catalog, schema)
    wanted = set(matching(call, (f.name for f in functions)))
    return call.rows({"function": "string"}, [[f.full_name] for f in functions if f.name in wanted])


def _volumes(call: Call) -> Result:
    catalog, schema = call.schema_name()
    names = matching(call, (v.name for v in call.shop.store.volumes(catalog, schema)))
    return call.rows({"database": "string", "volume_name": "string"}, [[schema, name] for name in names])


def _readable(call: Call) -> Table:
    parts = literal_parts(call.need("target", Reference))
    namespace = call.get("name", Reference)
    if namespace is not None and len(parts) == 1:
        parts = (*schema_key(call.session, literal_parts(namespace)), *parts)
    table = find_table(call.shop.store, call.session, parts)
    check_privilege(call.shop.store, call.session, table, "SELECT")
    return table


def _columns(call: Call) -> Result:
    return call.rows({"col_name": "string"}, [[c.name] for c in _readable(call).columns])


def _properties(call: Call) -> Result:
    table = _readable(call)
    shown = {k: v for k, v in sorted(table.properties.items()) if k != CLUSTERING}
    key = call.get("key", str)
    if key is not None:
        missing = f"Table {table.full_name} does not have property: {key}"
        shown = {key: shown.get(key, missing)}
    return call.rows({"key": "string", "value": "string"}, shown.items())


def _partitions(call: Call) -> Result:
    table = _readable(call)
    if not table.partition_columns:
        raise SqlError(
            "INVALID_PARTITION_OPERATION.PARTITION_SCHEMA_IS_EMPTY", f"`{table.full_name}` has no partitions.", "42601"
        )
    names = ", ".join(quote(c) for c in table.partition_columns)
    location = quote(table.storage_location or "")
    rows = call.query(f"SELECT DISTINCT {names} FROM delta.{location} ORDER BY {names}")
    return result_of(rows, call.verb)


def _grants(call: Call) -> Result:
    kind, name, _ = securable_of(call)
    found = (
        call.shop.store.grants(kind, name) if kind is Kind.METASTORE else call.shop.store.effective_grants(kind, name)
    )
    principal = call.get("principal", str)
    rows = [(g.principal, g.privilege, g.kind.value, g.full_name) for g in found if principal in (None, g.principal)]
    return call.rows(_GRANTS, rows)


def _create_table(call: Call) -> Result:
    table = _readable(call)
    text = _view_text(table) if table.table_type is TableType.VIEW else _table_text(table)
    return call.rows({"createtab_stmt": "string"}, [[text]])


def _view_text(table: Table) -> str:
    name = ".".join(map(quote_if_needed, table.key))
    columns = ",\n  ".join(quote_if_needed(c.name) for c in table.columns)
    return f"CREATE VIEW {name} (\n  {columns})\nAS {table.view_definition}"


def _table_text(table: Table) -> str:
    columns = ",\n  ".join(
        f"{quote_if_needed(c.name)} {c.type_text.upper()}{'' if c.nullable else ' NOT NULL'}"
        + (f" COMMENT {_string(c.comment)}" if c.comment else "")
        for c in table.columns
    )
    lines = [f"CREATE TABLE {'.'.join(map(quote_if_needed, table.key))} (\n  {columns})", "USING delta"]
    if table.partition_columns:
        lines.append(f"PARTITIONED BY ({', '.join(map(quote_if_needed, table.partition_columns))})")
    if clustering := json.loads(table.properties.get(CLUSTERING, "[]")):
        lines.append(f"CLUSTER BY ({', '.join(map(quote_if_needed, clustering))})")
    if table.comment:
        lines.append(f"COMMENT {_string(table.comment)}")
    if table.table_type is TableType.EXTERNAL:
        lines.append(f"LOCATION {_string(table.storage_location or '')}")
    shown = {k: v for k, v in sorted(table.properties.items()) if k != CLUSTERING}
    if shown:
        lines.append(
            "TBLPROPERTIES (\n  " + ",\n  ".join(f"{_string(k)} = {_string(v)}" for k, v in shown.items()) + ")"
        )
    return "\n".join(lines)


def _string(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_HANDLERS: dict[str, Callable[[Call], Result]] = {
    "CATALOGS": _catalogs,
    "SCHEMAS": _schemas,
    "TABLES": _tables,
    "VIEWS": _views,
    "FUNCTIONS": _functions,
    "USER FUNCTIONS": _functions,
    "VOLUMES": _volumes,
    "COLUMNS": _columns,
    "TBLPROPERTIES": _properties,
    "PARTITIONS": _partitions,
    "GRANTS": _grants,
    "CREATE TABLE": _create_table,
    "CREATE VIEW": _create_table,
}
