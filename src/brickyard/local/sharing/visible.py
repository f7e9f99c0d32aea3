"""What a share shows: the schemas and tables under the names that a recipient sees, live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brickyard.local.api.errors import ApiError
from brickyard.local.catalog.model import DoesNotExist, Table
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sharing.model import ObjectType, Share, SharedObject
from brickyard.local.sharing.shareable import TABLE_LIKE
from brickyard.local.sharing.store import exposed_name


@dataclass(frozen=True, slots=True)
class SharedTable:
    """A table under the name that a recipient sees; `source` is its full name in the catalog."""

    share: Share
    schema: str
    name: str
    source: tuple[str, str, str]
    entry: SharedObject

    @property
    def key(self) -> tuple[str, str]:
        """The name by which tables are told apart."""
        return self.schema.lower(), self.name.lower()

    @property
    def full_name(self) -> str:
        """`share.schema.table`."""
        return f"{self.share.name}.{self.schema}.{self.name}"


def tables(share: Share, catalog: CatalogStore) -> list[SharedTable]:
    """All tables of a share in order of their names; what was added by itself wins over what its schema brings."""
    found: dict[tuple[str, str], SharedTable] = {}
    for table in (*_single(share), *_of_schemas(share, catalog)):
        found.setdefault(table.key, table)
    return [found[key] for key in sorted(found)]


def schemas(share: Share, catalog: CatalogStore) -> list[str]:
    """The names of the schemas of a share, in order; a schema without a table is one as well."""
    names = [table.schema for table in tables(share, catalog)]
    names += [exposed_name(entry) for entry in share.objects if entry.object_type is ObjectType.SCHEMA]
    return sorted({name.lower(): name for name in reversed(names)}.values(), key=str.lower)


def find(share: Share, catalog: CatalogStore, schema: str, name: str) -> SharedTable:
    """The table of this name, or raise ApiError 404."""
    wanted = schema.lower(), name.lower()
    for table in (*_single(share), *_of_schemas(share, catalog)):
        if table.key == wanted:
            return table
    raise not_found(f"Table '{share.name}.{schema}.{name}'")


def catalog_table(table: SharedTable, catalog: CatalogStore) -> Table:
    """The catalog's table behind a shared one, or raise ApiError 404 when it is gone."""
    try:
        return catalog.table(*table.source)
    except DoesNotExist as error:
        raise not_found(f"The table behind '{table.full_name}'") from error


def not_found(what: str) -> ApiError:
    """The refusal of a name that means nothing."""
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist.")


def _single(share: Share) -> Iterator[SharedTable]:
    for entry in share.objects:
        if entry.object_type in TABLE_LIKE:
            schema, _, name = exposed_name(entry).partition(".")
            yield SharedTable(share, schema, name, _key(entry.name), entry)


def _of_schemas(share: Share, catalog: CatalogStore) -> Iterator[SharedTable]:
    for entry in share.objects:
        if entry.object_type is ObjectType.SCHEMA:
            for table in _children(entry, catalog):
                yield SharedTable(
                    share, exposed_name(entry), table.name, (table.catalog, table.schema, table.name), entry
                )


def _children(entry: SharedObject, catalog: CatalogStore) -> list[Table]:
    source, _, schema = entry.name.partition(".")
    try:
        return catalog.tables(source, schema)
    except DoesNotExist:  # the schema was dropped: the share shows none of its tables
        return []


def _key(name: str) -> tuple[str, str, str]:
    catalog, schema, table = name.split(".", 2)
    return catalog, schema, table
