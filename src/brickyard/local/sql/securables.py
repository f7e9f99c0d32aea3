"""Statements about catalogs, schemas, volumes, comments and grants."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from brickyard.dbsql.model import Reference
from brickyard.local.catalog.model import (
    Catalog,
    CatalogError,
    CatalogType,
    Kind,
    Schema,
    Securable,
    Table,
    TableType,
    Volume,
    VolumeType,
)
from brickyard.local.sql.altering import commit_layout
from brickyard.local.sql.call import Call, catalog_error
from brickyard.local.sql.delta import log
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
    schema_key,
    table_key,
)
from brickyard.local.sql.tables import check_parent, sync


def create_catalog(call: Call) -> Result:
    """CREATE [FOREIGN] CATALOG."""
    _need_admin(call, "CREATE CATALOG", "the metastore")
    kind = CatalogType.FOREIGN if call.has("foreign") else CatalogType.MANAGED
    catalog = Catalog(
        name=call.name(),
        catalog_type=kind,
        comment=call.get("comment", str),
        options=call.mapping("options"),
        properties=call.mapping("properties"),
    )
    return _add(call, catalog)


def create_schema(call: Call) -> Result:
    """CREATE SCHEMA."""
    catalog, name = call.schema_name()
    _need_catalog(call, catalog, "CREATE SCHEMA")
    properties = call.mapping("properties")
    return _add(call, Schema(catalog=catalog, name=name, comment=call.get("comment", str), properties=properties))


def create_volume(call: Call) -> Result:
    """CREATE [EXTERNAL] VOLUME."""
    catalog, schema, name = table_key(call.session, literal_parts(call.need("name", Reference)))
    check_parent(call, catalog, schema, "CREATE VOLUME")
    location = call.get("location", Reference)
    kind = VolumeType.MANAGED if location is None else VolumeType.EXTERNAL
    places = call.shop.places
    folder = places.new_volume() if location is None else call.place(location)
    folder.mkdir(parents=True, exist_ok=True)
    volume = Volume(
        catalog=catalog,
        schema=schema,
        name=name,
        volume_type=kind,
        storage_location=str(folder),
        comment=call.get("comment", str),
    )
    return _add(call, volume)


def _add(call: Call, securable: Any) -> Result:
    try:
        call.shop.store.add(securable, by=call.session.principal)
    except CatalogError as error:
        if call.has("if_not_exists") and error.code.endswith("_ALREADY_EXISTS"):
            return call.done()
        raise catalog_error(error) from error
    return call.done()


def drop(call: Call) -> Result:
    """DROP CATALOG, SCHEMA or VOLUME; the data of what goes with them moves to the trash."""
    try:
        securable = _find(call, call.verb.removeprefix("DROP "))
        _need_owner(call, securable)
        _check_droppable(securable)
        removed = call.shop.store.remove(securable, cascade=call.statement.arguments.get("cascade") is True)
    except CatalogError as error:
        if call.has("if_exists") and error.code.endswith("_DOES_NOT_EXIST"):
            return call.done()
        raise catalog_error(error) from error
    for gone in removed:
        _discard(call, gone)
    return call.done()


def _check_droppable(securable: Any) -> None:
    if isinstance(securable, Catalog) and securable.catalog_type in (CatalogType.INTERNAL, CatalogType.SYSTEM):
        raise SqlError("PERMISSION_DENIED", f"Catalog `{securable.name}` cannot be dropped.", "42501")


def _discard(call: Call, securable: Securable) -> None:
    match securable:
        case Table(table_type=TableType.MANAGED, storage_location=str(location)):
            call.shop.places.discard(Path(location))
        case Volume(volume_type=VolumeType.MANAGED, storage_location=location):
            call.shop.places.discard(Path(location))


def _find(call: Call, what: str) -> Any:
    store = call.shop.store
    parts = literal_parts(call.need("name", Reference))
    match what:
        case "CATALOG":
            return store.catalog(".".join(parts))
        case "SCHEMA":
            return store.schema(*schema_key(call.session, parts))
        case "VOLUME":
            return store.volume(*table_key(call.session, parts))
    raise unsupported(f"{call.verb}", "it belongs to a part of Databricks that the local workspace does not have")


def alter(call: Call) -> Result:
    """ALTER CATALOG, SCHEMA or VOLUME: owner, properties, tags, name."""
    what = call.verb.removeprefix("ALTER ")
    try:
        securable = _find(call, what)
        _need_owner(call, securable)
        _alter(call, Kind(what), securable)
    except CatalogError as error:
        raise catalog_error(error) from error
    return call.done()


def _alter(call: Call, kind: Kind, securable: Any) -> None:
    store, by, properties = call.shop.store, call.session.principal, call.mapping("properties")
    match call.get("action", str):
        case "SET OWNER":
            store.save(replace(securable, owner=call.need("owner", str)), by=by)
        case "SET TAGS":
            store.set_tags(kind, securable.key, properties)
        case "UNSET TAGS":
            store.unset_tags(kind, securable.key, properties)
        case "SET DBPROPERTIES" | "SET TBLPROPERTIES":
            store.save(replace(securable, properties={**securable.properties, **properties}), by=by)
        case "RENAME TO":
            name = literal_parts(call.need("new_name", Reference))[-1]
            store.save(replace(securable, name=name), by=by)
        case action:
            raise unsupported(f"{call.verb} … {action}", "drop it and create it anew")


# --- COMMENT ON -----------------------------------------------------------------------------------------------------


def comment(call: Call) -> Result:
    """COMMENT ON TABLE, COLUMN, SCHEMA, CATALOG or VOLUME."""
    text = call.get("comment", str)
    on = call.get("on", str) or "TABLE"
    if on in ("TABLE", "VIEW", "COLUMN"):
        _comment_table(call, text, on)
        return call.done()
    try:
        argument = "name" if on in ("CATALOG", "SCHEMA") else "target"
        securable = _find_as(call, on, argument)
        _need_owner(call, securable)
        call.shop.store.save(replace(securable, comment=text), by=call.session.principal)
    except CatalogError as error:
        raise catalog_error(error) from error
    return call.done()


def _find_as(call: Call, what: str, argument: str) -> Any:
    parts = literal_parts(call.need(argument, Reference))
    store = call.shop.store
    match what:
        case "CATALOG":
            return store.catalog(".".join(parts))
        case "SCHEMA":
            return store.schema(*schema_key(call.session, parts))
        case "FUNCTION":
            return store.function(*table_key(call.session, parts))
    return store.volume(*table_key(call.session, parts))


def _comment_table(call: Call, text: str | None, on: str) -> None:
    table = find_table(call.shop.store, call.session, literal_parts(call.need("target", Reference)))
    check_writable(table)
    check_privilege(call.shop.store, call.session, table, "MODIFY")
    column = call.get("column", str) if on == "COLUMN" else None
    if table.table_type is TableType.VIEW:
        _comment_view(call, table, text, column)
        return
    before = log.snapshot(data_path(table))
    fields = [_commented(f, text) if column and f["name"].lower() == column.lower() else f for f in before.fields]
    described = text if column is None else before.metadata.get("description")
    layout = Layout(fields, before.partition_columns, before.configuration, described)
    what = "CHANGE COLUMN" if column else "SET TBLPROPERTIES"
    change = Change(what, {"column" if column else "properties": json.dumps({"comment": text})})
    with call.shop.ledger.lock(before.path):
        commit_layout(call, before, change, layout)
    sync(call, table)


def _comment_view(call: Call, view: Table, text: str | None, column: str | None) -> None:
    columns = tuple(
        replace(c, comment=text) if column and c.name.lower() == column.lower() else c for c in view.columns
    )
    changed = replace(view, columns=columns, comment=view.comment if column else text)
    call.shop.store.save(changed, by=call.session.principal)


def _commented(field: Any, text: str | None) -> Any:
    return {**field, "metadata": {**field["metadata"], "comment": text}}


# --- grants ---------------------------------------------------------------------------------------------------------


def grant(call: Call) -> Result:
    """GRANT and REVOKE."""
    kind, name, securable = securable_of(call)
    if securable is None:
        _need_admin(call, call.verb, "the metastore")
    else:
        _need_owner(call, securable)
    change = call.shop.store.grant if call.verb == "GRANT" else call.shop.store.revoke
    change(kind, name, call.need("principal", str), [_privilege(p) for p in call.items("privileges")])
    return call.done()


def _privilege(text: str) -> str:
    return text.replace("_", " ").removesuffix(" PRIVILEGE") if text != "ALL" else "ALL PRIVILEGES"


def securable_of(call: Call) -> tuple[Kind, tuple[str, ...], Any]:
    """What GRANT, REVOKE and SHOW GRANTS are about."""
    on = call.get("on", str) or "TABLE"
    try:
        if on == "METASTORE":
            return Kind.METASTORE, (), None
        if on in ("TABLE", "VIEW"):
            table = find_table(call.shop.store, call.session, literal_parts(call.need("target", Reference)))
            return Kind.TABLE, table.key, table
        if on not in ("CATALOG", "SCHEMA", "FUNCTION", "VOLUME"):
            raise unsupported(f"{call.verb} ON {on}", "grant on a catalog, schema, table, function or volume")
        argument = "name" if call.get("name", Reference) else "target"
        securable = _find_as(call, on, argument)
        return Kind(on), securable.key, securable
    except CatalogError as error:
        raise catalog_error(error) from error


def _need_owner(call: Call, securable: Any) -> None:
    store, me = call.shop.store, call.session.principal
    owners = {securable.owner, store.catalog(securable.key[0]).owner}
    if not call.session.admin and me not in owners:
        raise missing_privilege("MANAGE", ".".join(securable.key))


def _need_admin(call: Call, privilege: str, name: str) -> None:
    grants = call.shop.store.grants(Kind.METASTORE, ())
    allowed = any(g.principal == call.session.principal and g.privilege == privilege for g in grants)
    if not call.session.admin and not allowed:
        raise missing_privilege(privilege, name)


def _need_catalog(call: Call, name: str, privilege: str) -> None:
    try:
        catalog = call.shop.store.catalog(name)
    except CatalogError as error:
        raise catalog_error(error) from error
    if call.session.admin or catalog.owner == call.session.principal:
        return
    given = {
        g.privilege
        for g in call.shop.store.effective_grants(Kind.CATALOG, (name,))
        if g.principal == call.session.principal
    }
    if not given & {privilege, "ALL PRIVILEGES"}:
        raise missing_privilege(privilege, name)
