"""Statements that make, change and drop tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import pyarrow as pa

from brickyard.dbsql.model import Column as Declared
from brickyard.dbsql.model import Kind as RefKind
from brickyard.dbsql.model import Reference
from brickyard.local.catalog.model import CatalogError, CatalogType, DoesNotExist, Kind, Table, TableType
from brickyard.local.sql import clone
from brickyard.local.sql.call import Call, Target, catalog_error
from brickyard.local.sql.delta import log, write
from brickyard.local.sql.delta.log import Change
from brickyard.local.sql.delta.travel import milliseconds
from brickyard.local.sql.delta.write import Layout
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import (
    check_privilege,
    check_writable,
    data_path,
    find_table,
    literal_parts,
    missing_privilege,
)
from brickyard.local.sql.types import columns_of, field_of_arrow, loosened, type_of_text
from brickyard.notebooks.model import Span

CLUSTERING = "clusteringColumns"


def with_others(create: Callable[[Call], Result]) -> Callable[[Call], Result]:
    """Make something that does not mind what is there, although somebody else makes it at the same time.

    Who comes second finds it there when it looks again, and leaves or replaces it as the statement says.
    """

    @wraps(create)
    def created(call: Call) -> Result:
        try:
            return create(call)
        except SqlError as error:
            minds = not call.has("if_not_exists") and not call.has("replace")
            if minds or not error.error_class.endswith("_ALREADY_EXISTS"):
                raise
            return create(call)

    return created


@with_others
def create_table(call: Call) -> Result:
    """CREATE [OR REPLACE] TABLE, with columns, AS SELECT or LIKE."""
    _check_supported(call)
    if call.need("target", Reference).kind is RefKind.PATH:
        return _create_at_path(call)
    existing = existing_table(call)
    if existing is not None and not call.has("replace"):
        return _already_there(call, existing)
    path = _place(call, existing)
    rows, layout = _content(call)
    with call.shop.ledger.lock(path):
        change = _create_change(call, layout, rows)
        if log.is_table(path):
            _replace_or_adopt(call, path, existing, change, layout, rows)
        else:
            write.create(path, call.author, change, layout, rows)
    table = register(call, path, existing, _extra(call))
    call.uses.target = Target(table, path).use
    count = rows.num_rows if rows is not None else 0
    return call.counts(num_affected_rows=count, num_inserted_rows=count) if call.has("query") else call.done()


def _create_at_path(call: Call) -> Result:
    """CREATE TABLE delta.`path`: a table that only its path names."""
    target = call.target()
    is_there = log.is_table(target.path)
    if is_there and not call.has("replace"):
        if call.has("if_not_exists"):
            return call.done()
        raise SqlError("DELTA_PATH_EXISTS", f"{target.name} already exists.", "42K04")
    rows, layout = _content(call)
    with call.shop.ledger.lock(target.path):
        make = write.replace if is_there else write.create
        make(target.path, call.author, _create_change(call, layout, rows), layout, rows)
    call.uses.target = target.use
    count = rows.num_rows if rows is not None else 0
    return call.counts(num_affected_rows=count, num_inserted_rows=count) if call.has("query") else call.done()


def _check_supported(call: Call) -> None:
    if call.text[call.statement.span.start :].upper().startswith("REPLACE"):
        raise unsupported("REPLACE TABLE", "use CREATE OR REPLACE TABLE")
    format_ = (call.get("using", str) or "DELTA").upper()
    if format_ != "DELTA":
        raise unsupported(f"CREATE TABLE … USING {format_}", "leave USING away, tables are Delta here")
    if call.has("temporary"):
        raise unsupported("CREATE TEMPORARY TABLE", "use CREATE TEMPORARY VIEW")
    if any(c.generated for c in _declared(call)):
        raise unsupported("A generated or identity column", "compute the value in the query")


def _already_there(call: Call, existing: Table) -> Result:
    if call.has("if_not_exists"):
        return call.done()
    raise SqlError(
        "TABLE_OR_VIEW_ALREADY_EXISTS",
        f"Cannot create table or view `{existing.schema}`.`{existing.name}` because it already exists.",
        "42P07",
    )


def existing_table(call: Call) -> Table | None:
    """The table that the statement would replace; raises SqlError when it may not be."""
    catalog, schema, name = call.table_name()
    check_parent(call, catalog, schema, "CREATE TABLE")
    try:
        table = call.shop.store.table(catalog, schema, name)
    except DoesNotExist:
        return None
    check_writable(table)
    if call.has("replace"):
        check_privilege(call.shop.store, call.session, table, "MANAGE")
    return table


def check_parent(call: Call, catalog: str, schema: str, privilege: str) -> None:
    """Raise SqlError unless the principal may make things in the schema."""
    store = call.shop.store
    try:
        parent = store.schema(catalog, schema)
        above = store.catalog(catalog)
    except CatalogError as error:
        raise catalog_error(error) from error
    if above.catalog_type is CatalogType.FOREIGN:
        raise SqlError("PERMISSION_DENIED", f"Catalog `{catalog}` is foreign and read only.", "42501")
    if call.session.admin or call.session.principal in (parent.owner, above.owner):
        return
    given = {
        g.privilege.replace("_", " ")
        for g in store.effective_grants(Kind.SCHEMA, (catalog, schema))
        if g.principal in (call.session.principal, "account users")
    }
    if not given & {privilege, "ALL PRIVILEGES", "CREATE"}:
        raise missing_privilege(privilege, f"{catalog}.{schema}")


def _place(call: Call, existing: Table | None) -> Path:
    location = call.get("location", Reference)
    if location is not None:
        return call.place(location)
    return data_path(existing) if existing is not None else call.shop.places.new_table()


def _replace_or_adopt(
    call: Call, path: Path, existing: Table | None, change: Change, layout: Layout, rows: pa.Table | None
) -> None:
    """A table that lies at a LOCATION already is adopted as it is, unless it is to be replaced."""
    if existing is None and not layout.fields:
        return
    if existing is None and not call.has("replace"):
        raise SqlError("DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION", f"A table lies at {path} already.", "42601")
    write.replace(path, call.author, change, layout, rows)


def _content(call: Call) -> tuple[pa.Table | None, Layout]:
    if call.has("like"):
        return None, _like(call)
    query = call.get("query", Span)
    rows = call.query(call.render(query)) if query else None
    fields = _fields_of_rows(rows) if rows is not None else _declared_fields(call)
    partitions = _named(fields, call.items("partitioned_by"))
    write.check_names([f["name"] for f in fields])
    return rows, Layout(fields, partitions, call.mapping("properties"), call.get("comment", str))


def _like(call: Call) -> Layout:
    source = call.source(argument="like").snapshot()
    return Layout(source.fields, source.partition_columns, {**source.configuration, **call.mapping("properties")})


def _fields_of_rows(rows: pa.Table) -> list[Any]:
    fields = [field_of_arrow(field) for field in rows.schema]
    return [{**field, "type": loosened(field["type"]), "nullable": True} for field in fields]


def _declared(call: Call) -> list[Declared]:
    found = [*declared_columns(call, "columns")]
    known = {c.name.lower() for c in found}
    return [*found, *(c for c in declared_columns(call, "partition_columns") if c.name.lower() not in known)]


def declared_columns(call: Call, argument: str) -> list[Declared]:
    value = call.statement.arguments.get(argument)
    return [c for c in value if isinstance(c, Declared)] if isinstance(value, tuple) else []


def _declared_fields(call: Call) -> list[Any]:
    return [field_of(call, column) for column in _declared(call)]


def field_of(call: Call, column: Declared) -> Any:
    """Delta's field JSON of a declared column."""
    metadata: dict[str, object] = {}
    if column.comment:
        metadata["comment"] = column.comment
    if column.default is not None:
        metadata["CURRENT_DEFAULT"] = column.default.slice(call.text)
    type_ = type_of_text(column.type or "string")
    return {"name": column.name, "type": type_, "nullable": column.nullable, "metadata": metadata}


def _named(fields: Sequence[Any], names: Sequence[str]) -> tuple[str, ...]:
    known = {field["name"].lower(): field["name"] for field in fields}
    for name in names:
        if name.lower() not in known:
            raise SqlError("COLUMN_NOT_FOUND", f"The partition column `{name}` cannot be found.", "42703")
    return tuple(known[name.lower()] for name in names)


def _create_change(call: Call, layout: Layout, rows: pa.Table | None) -> Change:
    words = "CREATE OR REPLACE TABLE" if call.has("replace") else "CREATE TABLE"
    operation = f"{words} AS SELECT" if rows is not None else words
    parameters = {
        "isManaged": str(not call.has("location")).lower(),
        "description": layout.comment or "",
        "partitionBy": json.dumps(list(layout.partition_columns), separators=(",", ":")),
        "clusterBy": json.dumps(list(call.items("cluster_by")), separators=(",", ":")),
        "properties": json.dumps(dict(layout.configuration or {}), separators=(",", ":")),
        "statsOnLoad": "false",
    }
    return Change(operation, parameters, blind_append=rows is not None)


def _extra(call: Call) -> dict[str, str]:
    names = call.items("cluster_by")
    return {CLUSTERING: json.dumps(list(names))} if names else {}


def register(call: Call, path: Path, existing: Table | None, extra: dict[str, str] | None = None) -> Table:
    """Write what the log says of a table into the catalog; files of a new one that the catalog refuses go."""
    catalog, schema, name = call.table_name()
    kind = TableType.EXTERNAL if call.has("location") else existing.table_type if existing else TableType.MANAGED
    wanted = existing or Table(catalog=catalog, schema=schema, name=name)
    table = replace(wanted, table_type=kind, storage_location=str(path), view_definition=None)
    described = replace(described_by_log(table), properties={**log.snapshot(path).configuration, **(extra or {})})
    try:
        if existing is None:
            return call.shop.store.add(described, by=call.session.principal)
        return call.shop.store.save(described, by=call.session.principal)
    except CatalogError as error:
        if existing is None and not call.has("location"):
            shutil.rmtree(path)
        raise catalog_error(error) from error


def described_by_log(table: Table) -> Table:
    """The table with columns, partitions, comment and properties as its log has them."""
    state = log.snapshot(data_path(table))
    kept = {k: v for k, v in table.properties.items() if k == CLUSTERING}
    return replace(
        table,
        columns=columns_of(state.fields),
        partition_columns=state.partition_columns,
        comment=state.metadata.get("description"),
        properties={**state.configuration, **kept},
    )


def sync(call: Call, table: Table | None) -> None:
    """Bring the catalog up to date with a table's log."""
    if table is not None:
        call.shop.store.save(described_by_log(table), by=call.session.principal)


def drop_table(call: Call) -> Result:
    """DROP TABLE and DROP VIEW; a managed table's data goes to the trash."""
    parts = literal_parts(call.need("target", Reference))
    try:
        table = find_table(call.shop.store, call.session, parts)
    except SqlError:
        if call.has("if_exists"):
            return call.done()
        raise
    is_view = table.table_type is TableType.VIEW
    if is_view != (call.verb == "DROP VIEW"):
        wanted = "VIEW" if call.verb == "DROP VIEW" else "TABLE"
        message = f"`{table.full_name}` is a {'view' if is_view else 'table'}, not a {wanted.lower()}."
        raise SqlError(f"WRONG_COMMAND_FOR_OBJECT_TYPE.{wanted}", message, "42809")
    check_writable(table)
    check_privilege(call.shop.store, call.session, table, "MANAGE")
    call.shop.store.remove(table)
    if table.table_type is TableType.MANAGED and table.storage_location:
        call.shop.places.discard(Path(table.storage_location))
    return call.done()


# --- CLONE ----------------------------------------------------------------------------------------------------------


@with_others
def clone_table(call: Call) -> Result:
    """CREATE [OR REPLACE] TABLE … DEEP|SHALLOW CLONE source [VERSION AS OF n]."""
    existing = existing_table(call)
    if existing is not None and not call.has("replace"):
        return _already_there(call, existing)
    source = call.source(argument="source")
    path = _place(call, existing)
    shallow = call.get("depth", str) == "SHALLOW"
    version = _clone_version(call, source.path)
    with call.shop.ledger.lock(path):
        state = source.snapshot(version)
        metrics = clone.clone(
            state, source.name, path, call.author, shallow=shallow, properties=call.mapping("properties")
        )
    table = register(call, path, existing)
    call.uses.sources.append(source.use)
    call.uses.target = Target(table, path).use
    names = ("source_table_size", "source_num_of_files", "num_removed_files")
    more = ("num_copied_files", "removed_files_size", "copied_files_size")
    return call.rows(dict.fromkeys((*names, *more), "bigint"), [[metrics[name] for name in clone.METRICS]])


def _clone_version(call: Call, path: Path) -> int | None:
    version, timestamp = call.statement.arguments.get("version"), call.statement.arguments.get("timestamp")
    if version is not None:
        return int(str(version))
    return None if timestamp is None else log.version_at(path, milliseconds(str(timestamp)))
