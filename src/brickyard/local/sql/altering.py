"""ALTER TABLE and ALTER VIEW: every change of a table is one metadata commit of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from brickyard.dbsql.model import Reference
from brickyard.kernel.names import quote
from brickyard.local.catalog.model import CatalogError, Kind, Table, TableType
from brickyard.local.sql.call import Call, catalog_error
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
    table_key,
)
from brickyard.local.sql.tables import CLUSTERING, declared_columns, field_of, sync
from brickyard.local.sql.views import redefine


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
    added = [field_of(call, c) for c in declared_columns(call, "columns")]
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
    found = re.fullmatch(r"(?is)\s*`?(\w+)`?\s+CHECK\s*\((.*)\)\s*", call.slice("rest") or "")
    if found is None:
        return  # PRIMARY KEY and FOREIGN KEY are information only, as on Databricks
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
