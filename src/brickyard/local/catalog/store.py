"""Reads and writes the catalog: names fold to lower case, foreign catalogs mirror others, nothing dangles."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.catalog.codec import decode, encode
from brickyard.local.catalog.database import Database
from brickyard.local.catalog.model import (
    AlreadyExists,
    Catalog,
    CatalogError,
    CatalogType,
    DoesNotExist,
    Function,
    Grant,
    Invalid,
    Kind,
    NotEmpty,
    PermissionDenied,
    Schema,
    Securable,
    Table,
    Tag,
    Volume,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS securables (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, catalog TEXT NOT NULL, schema TEXT NOT NULL, name TEXT NOT NULL,
  document TEXT NOT NULL, UNIQUE (kind, catalog, schema, name)
);
CREATE TABLE IF NOT EXISTS grants (
  securable TEXT NOT NULL, principal TEXT NOT NULL, privilege TEXT NOT NULL, PRIMARY KEY (securable, principal, privilege)
);
CREATE TABLE IF NOT EXISTS tags (
  securable TEXT NOT NULL, column_name TEXT NOT NULL DEFAULT '', name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (securable, column_name, name)
);
"""
HIVE = "hive_metastore"
SYSTEM = "system"
SYSTEM_USER = "System user"
INFORMATION_SCHEMA = "information_schema"
METASTORE_ID = "metastore"
_CLASSES: dict[Kind, type] = {
    Kind.CATALOG: Catalog,
    Kind.SCHEMA: Schema,
    Kind.TABLE: Table,
    Kind.FUNCTION: Function,
    Kind.VOLUME: Volume,
}
_KINDS = {class_: kind for kind, class_ in _CLASSES.items()}
S = TypeVar("S", Catalog, Schema, Table, Function, Volume)


def kind_of(securable: Securable) -> Kind:
    """The securable type of a catalog object."""
    return _KINDS[type(securable)]


class CatalogStore:
    """The catalog of one workspace; safe to use from any thread.

    Every lookup raises DoesNotExist with Unity Catalog's code (`TABLE_DOES_NOT_EXIST`, …).
    """

    def __init__(self, path: Path, *, owner: str, clock: Clock = system_clock) -> None:
        self.database = Database(path)
        self.owner = owner
        self._clock = clock
        self.database.create(_SCHEMA)
        self._ensure_defaults()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    # --- catalogs ---------------------------------------------------------------------------------------------------

    def catalog(self, name: str) -> Catalog:
        """Return one catalog."""
        return self._get(Catalog, (name,))

    def catalogs(self) -> list[Catalog]:
        """All catalogs by name."""
        return self._list(Catalog, "1 = 1", ())

    # --- schemas ----------------------------------------------------------------------------------------------------

    def schema(self, catalog: str, name: str) -> Schema:
        """Return one schema, seen through the catalog asked for."""
        source = self.source(catalog)
        return replace(self._get(Schema, (source.name, name)), catalog=self._shown(source, catalog))

    def schemas(self, catalog: str) -> list[Schema]:
        """The schemas of a catalog by name."""
        source = self.source(catalog)
        found = self._list(Schema, "catalog = ?", (source.name,))
        return [replace(schema, catalog=self._shown(source, catalog)) for schema in found]

    # --- tables and views -------------------------------------------------------------------------------------------

    def table(self, catalog: str, schema: str, name: str) -> Table:
        """Return one table or view, seen through the catalog asked for."""
        source = self.source(catalog)
        self._get(Schema, (source.name, schema))
        return self._seen(self._get(Table, (source.name, schema, name)), source, catalog)

    def tables(self, catalog: str, schema: str) -> list[Table]:
        """The tables and views of a schema by name."""
        source = self.source(catalog)
        parent = self._get(Schema, (source.name, schema))
        found = self._list(Table, "catalog = ? AND schema = ?", parent.key)
        return [self._seen(table, source, catalog) for table in found]

    def _seen(self, table: Table, source: Catalog, catalog: str) -> Table:
        shown = self._shown(source, catalog)
        return table if shown == table.catalog else replace(table, catalog=shown, read_only=True)

    # --- functions and volumes --------------------------------------------------------------------------------------

    def function(self, catalog: str, schema: str, name: str) -> Function:
        """Return one function."""
        source = self.source(catalog)
        self._get(Schema, (source.name, schema))
        return replace(self._get(Function, (source.name, schema, name)), catalog=self._shown(source, catalog))

    def functions(self, catalog: str, schema: str) -> list[Function]:
        """The functions of a schema by name."""
        source = self.source(catalog)
        parent = self._get(Schema, (source.name, schema))
        found = self._list(Function, "catalog = ? AND schema = ?", parent.key)
        return [replace(function, catalog=self._shown(source, catalog)) for function in found]

    def volume(self, catalog: str, schema: str, name: str) -> Volume:
        """Return one volume."""
        self.schema(catalog, schema)
        return self._get(Volume, (catalog, schema, name))

    def volumes(self, catalog: str, schema: str) -> list[Volume]:
        """The volumes of a schema by name."""
        parent = self.schema(catalog, schema)
        return self._list(Volume, "catalog = ? AND schema = ?", parent.key)

    def everything(self, class_: type[S]) -> list[S]:
        """Every object of one sort, in all catalogs that hold it themselves."""
        return self._list(class_, "1 = 1", ())

    # --- writing ----------------------------------------------------------------------------------------------------

    def add(self, securable: S, *, by: str) -> S:
        """Store a new object, or raise AlreadyExists; parents must exist and be writable."""
        kind = kind_of(securable)
        with self.database.transaction():
            self._check_parent(securable, by)
            stamped = self._stamped(_folded(securable), by)
            if self._find(type(stamped), stamped.key) is not None:
                raise _already_exists(kind, stamped.key)
            self._insert(stamped)
            if isinstance(stamped, Catalog) and stamped.catalog_type is CatalogType.MANAGED:
                self.add(Schema(catalog=stamped.name, name="default"), by=by)
                self.add(Schema(catalog=stamped.name, name=INFORMATION_SCHEMA, owner=SYSTEM_USER), by=SYSTEM_USER)
        return stamped

    def save(self, securable: S, *, by: str) -> S:
        """Write an object back under its id; the name may be new (a rename), the parent may not."""
        kind = kind_of(securable)
        with self.database.transaction():
            folded = replace(_folded(securable), updated_at=self._clock(), updated_by=by)
            other = self._find(type(folded), folded.key)
            if other is not None and other.id != folded.id:
                raise _already_exists(kind, folded.key)
            self._check_writable(folded, by)
            self._rename_children(folded)
            catalog, schema, name = _columns(folded.key)
            changed = self.database.execute(
                "UPDATE securables SET catalog = ?, schema = ?, name = ?, document = ? WHERE id = ?",
                (catalog, schema, name, encode(folded), folded.id),
            )
            if not changed:
                raise _does_not_exist(kind, folded.key)
        return folded

    def remove(self, securable: Securable, *, cascade: bool = False) -> list[Securable]:
        """Delete an object and return everything deleted; raise NotEmpty when it has children and not *cascade*."""
        with self.database.transaction():
            self._check_writable(securable)
            children = self._children(securable)
            if not cascade and any(not _is_empty_default(self, child) for child in children):
                raise _not_empty(kind_of(securable), securable.key)
            removed = [gone for child in children for gone in self.remove(child, cascade=True)]
            self._delete(securable)
        return [*removed, securable]

    def _delete(self, securable: Securable) -> None:
        for statement in (
            "DELETE FROM grants WHERE securable = ?",
            "DELETE FROM tags WHERE securable = ?",
            "DELETE FROM securables WHERE id = ?",
        ):
            self.database.execute(statement, (securable.id,))

    def _insert(self, securable: Securable) -> None:
        self.database.execute(
            "INSERT INTO securables VALUES (?, ?, ?, ?, ?, ?)",
            (securable.id, kind_of(securable), *_columns(securable.key), encode(securable)),
        )

    def _children(self, securable: Securable) -> list[Securable]:
        match securable:
            case Catalog(name=name):
                return list(self._list(Schema, "catalog = ?", (name,)))
            case Schema(catalog=catalog, name=name):
                where, key = "catalog = ? AND schema = ?", (catalog, name)
                return [
                    *self._list(Table, where, key),
                    *self._list(Function, where, key),
                    *self._list(Volume, where, key),
                ]
            case _:
                return []

    def _rename_children(self, securable: Securable) -> None:
        row = self.database.row("SELECT kind, catalog, schema, name FROM securables WHERE id = ?", (securable.id,))
        if row is None:
            return
        match securable, row["kind"]:
            case Catalog(name=name), Kind.CATALOG if row["catalog"] != name:
                self._move_children(Catalog(name=row["catalog"]), "catalog", name)
            case Schema(catalog=catalog, name=name), Kind.SCHEMA if row["schema"] != name:
                self._move_children(Schema(catalog=catalog, name=row["schema"]), "schema", name)

    def _move_children(self, parent: Securable, part: str, name: str) -> None:
        for child in self._children(parent):
            self._move_children(child, part, name)
            moved: Securable = _renamed(child, {part: name})
            self.database.execute(
                "UPDATE securables SET catalog = ?, schema = ?, name = ?, document = ? WHERE id = ?",
                (*_columns(moved.key), encode(moved), moved.id),
            )

    # --- grants and tags --------------------------------------------------------------------------------------------

    def grant(self, kind: Kind, full_name: Sequence[str], principal: str, privileges: Iterable[str]) -> None:
        """Give privileges; giving one twice changes nothing."""
        securable = self.securable_id(kind, full_name)
        with self.database.transaction():
            for privilege in privileges:
                values = (securable, principal, privilege.upper())
                self.database.execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?)", values)

    def revoke(self, kind: Kind, full_name: Sequence[str], principal: str, privileges: Iterable[str]) -> None:
        """Take privileges away; `ALL PRIVILEGES` takes them all."""
        securable = self.securable_id(kind, full_name)
        with self.database.transaction():
            for privilege in privileges:
                statement = "DELETE FROM grants WHERE securable = ? AND principal = ?"
                if privilege.upper().replace("_", " ") == "ALL PRIVILEGES":
                    self.database.execute(statement, (securable, principal))
                else:
                    values = (securable, principal, privilege.upper())
                    self.database.execute(f"{statement} AND privilege = ?", values)

    def grants(self, kind: Kind, full_name: Sequence[str]) -> list[Grant]:
        """The privileges given on exactly this object."""
        rows = self.database.rows(
            "SELECT principal, privilege FROM grants WHERE securable = ? ORDER BY principal, privilege",
            (self.securable_id(kind, full_name),),
        )
        name = ".".join(full_name).lower()
        return [Grant(kind, name, row["principal"], row["privilege"]) for row in rows]

    def effective_grants(self, kind: Kind, full_name: Sequence[str]) -> list[Grant]:
        """The privileges on the object and on everything above it."""
        own = self.grants(kind, full_name)
        if kind is Kind.METASTORE:
            return own
        above = tuple(full_name)[:-1]
        return own + self.effective_grants((Kind.METASTORE, Kind.CATALOG, Kind.SCHEMA)[len(above)], above)

    def set_tags(self, kind: Kind, full_name: Sequence[str], tags: dict[str, str], column: str = "") -> None:
        """Set tags on an object or on one of its columns."""
        securable = self.securable_id(kind, full_name)
        with self.database.transaction():
            for name, value in tags.items():
                values = (securable, column, name, value)
                self.database.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", values)

    def unset_tags(self, kind: Kind, full_name: Sequence[str], names: Iterable[str], column: str = "") -> None:
        """Remove tags; absent ones are no error."""
        securable = self.securable_id(kind, full_name)
        with self.database.transaction():
            for name in names:
                values = (securable, column, name)
                self.database.execute("DELETE FROM tags WHERE securable = ? AND column_name = ? AND name = ?", values)

    def tags(self, kind: Kind, full_name: Sequence[str]) -> list[Tag]:
        """The tags of an object and of its columns."""
        rows = self.database.rows(
            "SELECT name, value, column_name FROM tags WHERE securable = ? ORDER BY column_name, name",
            (self.securable_id(kind, full_name),),
        )
        return [Tag(row["name"], row["value"], row["column_name"] or None) for row in rows]

    def securable_id(self, kind: Kind, full_name: Sequence[str]) -> str:
        """The id under which grants and tags of an object are kept."""
        match kind, *full_name:
            case Kind.METASTORE, *_:
                return METASTORE_ID
            case Kind.CATALOG, name:
                return self.catalog(name).id
            case Kind.SCHEMA, catalog, name:
                return self.schema(catalog, name).id
            case Kind.TABLE, catalog, schema, name:
                return self.table(catalog, schema, name).id
            case Kind.FUNCTION, catalog, schema, name:
                return self.function(catalog, schema, name).id
            case Kind.VOLUME, catalog, schema, name:
                return self.volume(catalog, schema, name).id
        raise Invalid("INVALID_PARAMETER_VALUE", f"'{'.'.join(full_name)}' does not name a {kind.lower()}.")

    # --- below ------------------------------------------------------------------------------------------------------

    def source(self, catalog: str) -> Catalog:
        """The catalog that holds the objects shown under *catalog*: itself, or what a foreign one mirrors."""
        found = self.catalog(catalog)
        return self.catalog(found.mirror) if found.mirror else found

    @staticmethod
    def _shown(source: Catalog, catalog: str) -> str:
        return source.name if source.name == catalog.lower() else catalog.lower()

    def _find(self, class_: type[S], key: Sequence[str]) -> S | None:
        row = self.database.row(
            "SELECT document FROM securables WHERE kind = ? AND catalog = ? AND schema = ? AND name = ?",
            (_KINDS[class_], *_columns([part.lower() for part in key])),
        )
        return None if row is None else decode(class_, row["document"])

    def _get(self, class_: type[S], key: Sequence[str]) -> S:
        found = self._find(class_, key)
        if found is None:
            raise _does_not_exist(_KINDS[class_], key)
        return found

    def _list(self, class_: type[S], where: str, values: Sequence[str]) -> list[S]:
        rows = self.database.rows(
            f"SELECT document FROM securables WHERE kind = ? AND {where} ORDER BY catalog, schema, name",
            (_KINDS[class_], *(value.lower() for value in values)),
        )
        return [decode(class_, row["document"]) for row in rows]

    def _check_parent(self, securable: Securable, by: str) -> None:
        if isinstance(securable, Catalog):
            return
        self._check_writable(securable, by)
        if not isinstance(securable, Schema):
            self.schema(securable.catalog, securable.schema)

    def _check_writable(self, securable: Securable, by: str = "") -> None:
        if isinstance(securable, Catalog):
            return
        kind = self.catalog(securable.catalog).catalog_type
        if kind is CatalogType.FOREIGN:
            raise PermissionDenied("PERMISSION_DENIED", f"Catalog '{securable.catalog}' is foreign and read only.")
        if kind is CatalogType.SYSTEM and by != SYSTEM_USER:
            raise PermissionDenied("PERMISSION_DENIED", "Catalog 'system' is written by the workspace only.")

    def _stamped(self, securable: S, by: str) -> S:
        now = self._clock().astimezone(UTC)
        return replace(
            securable,
            id=securable.id or str(uuid.uuid4()),
            owner=securable.owner or by,
            created_at=securable.created_at or now,
            created_by=securable.created_by or by,
            updated_at=now,
            updated_by=by,
        )

    def _ensure_defaults(self) -> None:
        defaults = (
            (Catalog(name=HIVE, catalog_type=CatalogType.INTERNAL), ("default",)),
            (Catalog(name="main"), ()),
            (
                Catalog(name=SYSTEM, catalog_type=CatalogType.SYSTEM),
                ("access", "query", "lakeflow", INFORMATION_SCHEMA),
            ),
        )
        with self.database.transaction():
            for catalog, schemas in defaults:
                if self._find(Catalog, catalog.key) is None:
                    self.add(catalog, by=self.owner)
                    for schema in schemas:
                        by = SYSTEM_USER if catalog.name == SYSTEM else self.owner
                        self.add(Schema(catalog=catalog.name, name=schema), by=by)


def _folded(securable: S) -> S:
    parts = {
        part: getattr(securable, part).lower() for part in ("catalog", "schema", "name") if hasattr(securable, part)
    }
    for part in parts.values():
        _check_name(part)
    return _renamed(securable, parts)


def _renamed(securable: Any, parts: Mapping[str, str]) -> Any:
    return replace(securable, **parts)


def _check_name(name: str) -> None:
    if not name or len(name) > 255 or any(ord(c) < 33 or c in "./\x7f" for c in name):
        raise Invalid("INVALID_PARAMETER_VALUE", f"'{name}' is not a valid name.")


def _columns(key: Sequence[str]) -> tuple[str, str, str]:
    catalog, schema, name = (*key, "", "")[:3]
    return catalog, schema, name


def _is_empty_default(store: CatalogStore, child: Securable) -> bool:
    return isinstance(child, Schema) and child.name in ("default", INFORMATION_SCHEMA) and not store._children(child)


def _does_not_exist(kind: Kind, key: Sequence[str]) -> CatalogError:
    return DoesNotExist(f"{kind}_DOES_NOT_EXIST", f"{kind.capitalize()} '{'.'.join(key)}' does not exist.")


def _already_exists(kind: Kind, key: Sequence[str]) -> CatalogError:
    return AlreadyExists(f"{kind}_ALREADY_EXISTS", f"{kind.capitalize()} '{'.'.join(key)}' already exists.")


def _not_empty(kind: Kind, key: Sequence[str]) -> CatalogError:
    return NotEmpty(f"{kind}_NOT_EMPTY", f"{kind.capitalize()} '{'.'.join(key)}' is not empty.")
