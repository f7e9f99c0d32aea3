"""information_schema: the catalog's own description of itself, one view at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pyarrow as pa

from brickyard.local.catalog.model import Catalog, CatalogType, Kind, Schema, Table, TableType
from brickyard.local.catalog.store import SYSTEM, CatalogStore
from brickyard.local.sql.relations import not_found
from brickyard.local.sql.types import rows_result

Row = tuple[object, ...]
_STAMPS = {"created": "timestamp", "created_by": "string", "last_altered": "timestamp", "last_altered_by": "string"}


def information(store: CatalogStore, catalog: str, view: str) -> pa.Table:
    """The rows of a view of a catalog's information schema; of all catalogs for `system`."""
    if view not in _VIEWS:
        raise not_found((catalog, "information_schema", view))
    columns, rows = _VIEWS[view]
    catalogs = store.catalogs() if catalog == SYSTEM else [store.catalog(catalog)]
    found = [row for one in catalogs for row in rows(store, one)]
    return rows_result(columns, found, "SELECT").table


def _stamps(thing: Catalog | Schema | Table) -> tuple[datetime | None, str, datetime | None, str]:
    return thing.created_at, thing.created_by, thing.updated_at, thing.updated_by


def _catalogs(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    yield catalog.name, catalog.owner, catalog.comment, *_stamps(catalog)


def _schemata(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for schema in store.schemas(catalog.name):
        yield catalog.name, schema.name, schema.owner, schema.comment, *_stamps(schema)


def _all_tables(store: CatalogStore, catalog: Catalog) -> Iterator[Table]:
    for schema in store.schemas(catalog.name):
        yield from store.tables(catalog.name, schema.name)


def _tables(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for t in _all_tables(store, catalog):
        type_ = (
            "FOREIGN"
            if catalog.catalog_type is CatalogType.FOREIGN and t.table_type is not TableType.VIEW
            else t.shown_type
        )
        is_view = t.table_type is TableType.VIEW
        format_ = "VIEW" if is_view else t.data_source_format
        head = (t.catalog, t.schema, t.name, type_, "NO" if is_view else "YES", "NONE", t.owner, t.comment)
        yield *head, *_stamps(t), format_, t.storage_location


def _columns(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for t in _all_tables(store, catalog):
        for c in t.columns:
            partition = t.partition_columns.index(c.name) + 1 if c.name in t.partition_columns else None
            nullable = "YES" if c.nullable else "NO"
            yield (
                *(t.catalog, t.schema, t.name, c.name, c.position + 1, nullable),
                *(c.type_text, c.type_name, c.comment, partition),
            )


def _views(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for t in _all_tables(store, catalog):
        if t.table_type is TableType.VIEW:
            yield t.catalog, t.schema, t.name, t.view_definition, "NONE", "NO", "NO"


def _routines(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for schema in store.schemas(catalog.name):
        for f in store.functions(catalog.name, schema.name):
            name = (f.catalog, f.schema, f.name)
            yield (
                *(*name, *name, f.owner, "FUNCTION", f.return_type, "SQL", f.body),
                *("YES" if f.deterministic else "NO", f.comment, f.created_at, f.created_by),
            )


def _volumes(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    if catalog.catalog_type is CatalogType.FOREIGN:
        return
    for schema in store.schemas(catalog.name):
        for v in store.volumes(catalog.name, schema.name):
            head = (v.catalog, v.schema, v.name, v.volume_type.value, v.owner, v.comment, v.storage_location)
            yield *head, v.created_at, v.created_by


def _privileges(store: CatalogStore, name: tuple[str, ...]) -> Iterator[Row]:
    """What is given on the object of that name, and on what is above it."""
    for depth, kind in enumerate((Kind.CATALOG, Kind.SCHEMA, Kind.TABLE)[: len(name)], 1):
        inherited = "NONE" if depth == len(name) else kind.value
        for grant in store.grants(kind, name[:depth]):
            yield grant.principal, *name, grant.privilege, "NO", inherited


def _catalog_privileges(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    yield from _privileges(store, (catalog.name,))


def _schema_privileges(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for schema in store.schemas(catalog.name):
        yield from _privileges(store, (catalog.name, schema.name))


def _table_privileges(store: CatalogStore, catalog: Catalog) -> Iterator[Row]:
    for table in _all_tables(store, catalog):
        yield from _privileges(store, (table.catalog, table.schema, table.name))


def _strings(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "string")


_GIVEN = _strings("privilege_type", "is_grantable", "inherited_from")
_TABLE = _strings("table_catalog", "table_schema", "table_name")
_VIEWS: dict[str, tuple[dict[str, str], Callable[[CatalogStore, Catalog], Iterator[Row]]]] = {
    "catalogs": ({**_strings("catalog_name", "catalog_owner", "comment"), **_STAMPS}, _catalogs),
    "schemata": ({**_strings("catalog_name", "schema_name", "schema_owner", "comment"), **_STAMPS}, _schemata),
    "tables": (
        {
            **_TABLE,
            **_strings("table_type", "is_insertable_into", "commit_action", "table_owner", "comment"),
            **_STAMPS,
            **_strings("data_source_format", "storage_path"),
        },
        _tables,
    ),
    "columns": (
        {
            **_TABLE,
            "column_name": "string",
            "ordinal_position": "int",
            **_strings("is_nullable", "full_data_type", "data_type", "comment"),
            "partition_index": "int",
        },
        _columns,
    ),
    "views": ({**_TABLE, **_strings("view_definition", "check_option", "is_updatable", "is_insertable_into")}, _views),
    "routines": (
        {
            **_strings("specific_catalog", "specific_schema", "specific_name"),
            **_strings("routine_catalog", "routine_schema", "routine_name", "routine_owner", "routine_type"),
            **_strings("data_type", "routine_body", "routine_definition", "is_deterministic", "comment"),
            "created": "timestamp",
            "created_by": "string",
        },
        _routines,
    ),
    "catalog_privileges": ({**_strings("grantee", "catalog_name"), **_GIVEN}, _catalog_privileges),
    "schema_privileges": ({**_strings("grantee", "catalog_name", "schema_name"), **_GIVEN}, _schema_privileges),
    "table_privileges": ({"grantee": "string", **_TABLE, **_GIVEN}, _table_privileges),
    "volumes": (
        {
            **_strings("volume_catalog", "volume_schema", "volume_name", "volume_type", "volume_owner", "comment"),
            "storage_location": "string",
            "created": "timestamp",
            "created_by": "string",
        },
        _volumes,
    ),
}
