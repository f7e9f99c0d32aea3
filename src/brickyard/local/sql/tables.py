"""Statements that make, change and drop tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
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
from brickyard.local.sql.delta.write import Layout
from brickyard.local.sql.model import Result, SqlError, unsupported
from brickyard.local.sql.relations import (
    check_privilege,
    check_writable,
    data_path,
    find_table,
    literal_parts,
    missing_privilege,
    table_key,
)
from brickyard.local.sql.types import columns_of, field_of_arrow, loosened, type_of_text
from brickyard.notebooks.model import Span

CLUSTERING = "clusteringColumns"


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
        return call.shop.places.locate(literal_parts(location)[-1])
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
    found = [*_columns(call, "columns")]
    known = {c.name.lower() for c in found}
    return [*found, *(c for c in _columns(call, "partition_columns") if c.name.lower() not in known)]


def _columns(call: Call, argument: str) -> list[Declared]:
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
    """Write what the log says of a table into the catalog."""
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
    from brickyard.local.sql.render import milliseconds

    version, timestamp = call.statement.arguments.get("version"), call.statement.arguments.get("timestamp")
    if version is not None:
        return int(str(version))
    return None if timestamp is None else log.version_at(path, milliseconds(str(timestamp)))


# --- ALTER TABLE ----------------------------------------------------------------------------------------------------


def alter_table(call: Call) -> Result:
    """ALTER TABLE and ALTER VIEW."""
    parts = literal_parts(call.need("target", Reference))
    table = find_table(call.shop.store, call.session, parts)
    check_writable(table)
    check_privilege(call.shop.store, call.session, table, "MANAGE")
    action = call.get("action", str) or ""
    handler = _ACTIONS.get(action)
    if handler is None:
        raise unsupported(f"ALTER TABLE … {action}", "make the table anew with CREATE OR REPLACE TABLE")
    handler(call, table)
    return call.done()


def _metadata_commit(
    call: Call,
    table: Table,
    change: Change,
    *,
    fields: Sequence[Any] | None = None,
    configuration: dict[str, str] | None = None,
) -> None:
    path = data_path(table)
    with call.shop.ledger.lock(path):
        before = log.snapshot(path)
        layout = Layout(
            fields if fields is not None else before.fields,
            before.partition_columns,
            configuration if configuration is not None else before.configuration,
            before.metadata.get("description"),
        )
        commit_layout(call, before, change, layout)
    sync(call, table)


def commit_layout(call: Call, before: log.Snapshot, change: Change, layout: Layout) -> None:
    """Commit a new schema or new properties."""
    mapped = (layout.configuration or {}).get("delta.columnMapping.mode", "none") != "none"
    plain = {k: v for k, v in (layout.configuration or {}).items() if not k.startswith("delta.columnMapping")}
    needed, metadata = write.layout_actions(
        before.path, replace(layout, fields=[_unmapped(f) for f in layout.fields], configuration=plain)
    )
    metadata |= {
        "id": before.metadata["id"],
        "configuration": dict(layout.configuration or {}),
        "schemaString": layout.schema_string,
    }
    protocol = write.highest_protocol(before.protocol, needed)
    if mapped:
        protocol = write.highest_protocol(protocol, {"minReaderVersion": 2, "minWriterVersion": 5})
        if protocol["minReaderVersion"] >= 3:
            protocol["readerFeatures"] = sorted({*protocol.get("readerFeatures", ()), "columnMapping"})
    actions = [{"metaData": metadata}]
    if protocol != before.protocol:
        actions.insert(0, {"protocol": protocol})
    log.commit(before.path, before.version + 1, call.author, change, actions)


def _unmapped(field: Any) -> Any:
    kept = {k: v for k, v in field["metadata"].items() if not k.startswith("delta.columnMapping")}
    return {**field, "metadata": kept}


def _add_columns(call: Call, table: Table) -> None:
    before = log.snapshot(data_path(table))
    known = {f["name"].lower() for f in before.fields}
    added = [field_of(call, c) for c in _columns(call, "columns")]
    for field in added:
        if field["name"].lower() in known and not call.has("if_not_exists"):
            raise SqlError(
                "FIELD_ALREADY_EXISTS", f"Cannot add column, because `{field['name']}` already exists.", "42710"
            )
        if not field["nullable"]:
            raise SqlError(
                "DELTA_ADD_NOT_NULL_COLUMN", f"The added column `{field['name']}` must be nullable.", "42601"
            )
    added = [f for f in added if f["name"].lower() not in known]
    configuration = before.configuration
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        added, configuration = _numbered(added, configuration)
    columns = json.dumps([{"column": {"name": f["name"], "type": f["type"]}} for f in added])
    _metadata_commit(
        call,
        table,
        Change("ADD COLUMNS", {"columns": columns}),
        fields=[*before.fields, *added],
        configuration=configuration,
    )


def _numbered(fields: Sequence[Any], configuration: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
    """Give new columns of a mapped table their ids and names in the files."""
    highest = int(configuration.get("delta.columnMapping.maxColumnId", "0"))
    numbered = [
        {
            **field,
            "metadata": {
                **field["metadata"],
                "delta.columnMapping.id": highest + i,
                "delta.columnMapping.physicalName": f"col-{highest + i}-{field['name']}",
            },
        }
        for i, field in enumerate(fields, 1)
    ]
    return numbered, {**configuration, "delta.columnMapping.maxColumnId": str(highest + len(fields))}


def _mapped(before: log.Snapshot) -> tuple[list[Any], dict[str, str]]:
    """The schema and properties under column mapping, turned on when it is not."""
    configuration = before.configuration
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        return before.fields, configuration
    if before.partition_columns:
        raise unsupported(
            "Renaming or dropping a column of a partitioned table", "make the table anew with CREATE OR REPLACE"
        )
    fields = [
        {
            **field,
            "metadata": {
                **field["metadata"],
                "delta.columnMapping.id": i,
                "delta.columnMapping.physicalName": field["name"],
            },
        }
        for i, field in enumerate(before.fields, 1)
    ]
    added = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": str(len(fields))}
    return fields, {**configuration, **added}


def _position(fields: Sequence[Any], name: str) -> int:
    for i, field in enumerate(fields):
        if field["name"].lower() == name.strip("`").lower():
            return i
    raise SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", f"A column with name `{name}` cannot be resolved.", "42703")


def _rename_column(call: Call, table: Table) -> None:
    before = log.snapshot(data_path(table))
    fields, configuration = _mapped(before)
    old, new = call.items("names")[0], call.need("new_name", str).strip("`")
    at = _position(fields, old)
    renamed = [*fields[:at], {**fields[at], "name": new}, *fields[at + 1 :]]
    write.check_names([f["name"] for f in renamed])
    change = Change("RENAME COLUMN", {"oldColumnPath": old, "newColumnPath": new})
    _metadata_commit(call, table, change, fields=renamed, configuration=configuration)


def _drop_columns(call: Call, table: Table) -> None:
    before = log.snapshot(data_path(table))
    fields, configuration = _mapped(before)
    for name in call.items("names"):
        at = _position(fields, name)
        fields = [*fields[:at], *fields[at + 1 :]]
    change = Change("DROP COLUMNS", {"columns": json.dumps(list(call.items("names")))})
    _metadata_commit(call, table, change, fields=fields, configuration=configuration)


def _alter_column(call: Call, table: Table) -> None:
    before = log.snapshot(data_path(table))
    at = _position(before.fields, call.items("names")[0])
    comment = call.get("comment", str)
    text = (call.slice("change") or "").upper().split()
    field = before.fields[at]
    if comment is not None:
        changed = {**field, "metadata": {**field["metadata"], "comment": comment}}
    elif text[:3] == ["DROP", "NOT", "NULL"]:
        changed = {**field, "nullable": True}
    else:
        raise unsupported(
            "ALTER COLUMN other than COMMENT and DROP NOT NULL", "use CREATE OR REPLACE TABLE … AS SELECT"
        )
    fields = [*before.fields[:at], changed, *before.fields[at + 1 :]]
    _metadata_commit(call, table, Change("CHANGE COLUMN", {"column": json.dumps(changed)}), fields=fields)


def _set_properties(call: Call, table: Table) -> None:
    properties = call.mapping("properties")
    if table.table_type is TableType.VIEW:
        call.shop.store.save(replace(table, properties={**table.properties, **properties}), by=call.session.principal)
        return
    before = log.snapshot(data_path(table)).configuration
    change = Change("SET TBLPROPERTIES", {"properties": json.dumps(properties, separators=(",", ":"))})
    if properties.get("delta.columnMapping.mode", "none") != before.get("delta.columnMapping.mode", "none"):
        fields, configuration = _mapped(log.snapshot(data_path(table)))
        _metadata_commit(call, table, change, fields=fields, configuration={**configuration, **properties})
        return
    _metadata_commit(call, table, change, configuration={**before, **properties})


def _unset_properties(call: Call, table: Table) -> None:
    names = list(call.mapping("properties"))
    if table.table_type is TableType.VIEW:
        left = {k: v for k, v in table.properties.items() if k not in names}
        call.shop.store.save(replace(table, properties=left), by=call.session.principal)
        return
    before = log.snapshot(data_path(table)).configuration
    left = {k: v for k, v in before.items() if k not in names}
    change = Change(
        "UNSET TBLPROPERTIES", {"properties": json.dumps(names), "ifExists": str(call.has("if_exists")).lower()}
    )
    _metadata_commit(call, table, change, configuration=left)


def _set_tags(call: Call, table: Table) -> None:
    call.shop.store.set_tags(Kind.TABLE, table.key, call.mapping("properties"))


def _unset_tags(call: Call, table: Table) -> None:
    call.shop.store.unset_tags(Kind.TABLE, table.key, call.mapping("properties"))


def _set_owner(call: Call, table: Table) -> None:
    call.shop.store.save(replace(table, owner=call.need("owner", str)), by=call.session.principal)


def _rename(call: Call, table: Table) -> None:
    parts = literal_parts(call.need("new_name", Reference))
    catalog, schema, name = (table.catalog, table.schema, *parts) if len(parts) == 1 else table_key(call.session, parts)
    if (catalog, schema) != (table.catalog, table.schema):
        raise unsupported("Renaming a table into another schema", "use DEEP CLONE")
    try:
        call.shop.store.save(replace(table, name=name), by=call.session.principal)
    except CatalogError as error:
        raise catalog_error(error) from error


def _add_constraint(call: Call, table: Table) -> None:
    import re

    found = re.fullmatch(r"(?is)\s*`?(\w+)`?\s+CHECK\s*\((.*)\)\s*", call.slice("rest") or "")
    if found is None:
        return  # PRIMARY KEY and FOREIGN KEY are information only, as on Databricks
    from brickyard.kernel.names import quote

    path = data_path(table)
    broken = call.query(f"SELECT 1 FROM delta.{quote(str(path))} WHERE NOT ({found[2]}) LIMIT 1")
    if broken.num_rows:
        raise SqlError(
            "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", f"Rows of the table violate the new constraint {found[2]}.", "23512"
        )
    before = log.snapshot(path).configuration
    change = Change("ADD CONSTRAINT", {"name": found[1], "expr": found[2]})
    _metadata_commit(call, table, change, configuration={**before, f"delta.constraints.{found[1].lower()}": found[2]})


def _drop_constraint(call: Call, table: Table) -> None:
    name = (call.slice("rest") or "").split()[-1].strip("`").lower()
    before = log.snapshot(data_path(table)).configuration
    left = {k: v for k, v in before.items() if k != f"delta.constraints.{name}"}
    _metadata_commit(call, table, Change("DROP CONSTRAINT", {"name": name}), configuration=left)


def _cluster_by(call: Call, table: Table) -> None:
    names = [n for n in call.items("names") if n.upper() != "NONE"]
    properties = {**table.properties, CLUSTERING: json.dumps(names)}
    call.shop.store.save(replace(table, properties=properties), by=call.session.principal)


def _alter_view_query(call: Call, table: Table) -> None:
    from brickyard.local.sql.views import redefine

    redefine(call, table)


_ACTIONS = {
    "ADD COLUMNS": _add_columns,
    "RENAME COLUMN": _rename_column,
    "DROP COLUMNS": _drop_columns,
    "ALTER COLUMN": _alter_column,
    "SET TBLPROPERTIES": _set_properties,
    "UNSET TBLPROPERTIES": _unset_properties,
    "SET TAGS": _set_tags,
    "UNSET TAGS": _unset_tags,
    "SET OWNER": _set_owner,
    "RENAME TO": _rename,
    "ADD CONSTRAINT": _add_constraint,
    "DROP CONSTRAINT": _drop_constraint,
    "CLUSTER BY": _cluster_by,
    "AS": _alter_view_query,
}
