"""From a name in SQL to the thing it means: the catalog's table, a path, or one of the server's own tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brickyard.dbsql.model import Reference
from brickyard.local.catalog.model import CatalogType, DoesNotExist, Function, Grant, Table, TableType, Volume
from brickyard.local.catalog.model import Kind as SecurableKind
from brickyard.local.catalog.store import INFORMATION_SCHEMA, SYSTEM, CatalogStore
from brickyard.local.sql.model import SqlError, SqlSession

Key = tuple[str, str, str]
_ALL = frozenset(("ALL PRIVILEGES", "ALL_PRIVILEGES", "MANAGE", "OWN"))


@dataclass(frozen=True, slots=True)
class Use:
    """A table that a statement reads or writes; *direct* False when only a view's text names it."""

    table: Table | None
    path: Path | None = None
    direct: bool = True


@dataclass(slots=True)
class Uses:
    """What a statement reads and writes, for lineage."""

    sources: list[Use] = field(default_factory=list)
    target: Use | None = None


def table_key(session: SqlSession, parts: Sequence[str]) -> Key:
    """The full name that one, two or three parts mean in a session, in lower case."""
    full = (session.catalog, session.schema, *parts)[-3:] if len(parts) < 3 else tuple(parts)
    if len(parts) == 2:
        full = (session.catalog, *parts)
    if len(full) != 3:
        raise SqlError("REQUIRES_SINGLE_PART_NAMESPACE", f"`{'.'.join(parts)}` has too many parts.", "42K05")
    catalog, schema, name = (part.lower() for part in full)
    return catalog, schema, name


def schema_key(session: SqlSession, parts: Sequence[str]) -> tuple[str, str]:
    """The catalog and schema that one or two parts mean."""
    catalog, schema = (session.catalog, *parts)[-2:]
    return catalog.lower(), schema.lower()


def literal_parts(reference: Reference) -> tuple[str, ...]:
    """The parts of a name that the text holds; raises SqlError for one that it does not."""
    parts = reference.literal
    if parts is None:
        raise SqlError("PARSE_SYNTAX_ERROR", "A name in the statement is not a name.", "42601")
    return parts


def is_information_schema(key: Key) -> bool:
    """Whether the name is one of the views that describe a catalog."""
    return key[1] == INFORMATION_SCHEMA


def find_table(store: CatalogStore, session: SqlSession, parts: Sequence[str]) -> Table:
    """The table or view of this name, or raise `TABLE_OR_VIEW_NOT_FOUND`."""
    try:
        return store.table(*table_key(session, parts))
    except DoesNotExist as error:
        raise not_found(parts) from error


def not_found(parts: Sequence[str]) -> SqlError:
    """The refusal of a name that means no table."""
    name = ".".join(f"`{part}`" for part in parts)
    return SqlError(
        "TABLE_OR_VIEW_NOT_FOUND",
        f"The table or view {name} cannot be found. Verify the spelling and correctness of the schema and catalog.",
        "42P01",
    )


def find_function(store: CatalogStore, session: SqlSession, parts: Sequence[str]) -> Function | None:
    """The function of this name, None when there is none."""
    try:
        return store.function(*table_key(session, parts))
    except DoesNotExist:
        return None


def data_path(table: Table) -> Path:
    """The folder of a table's data; raises SqlError for a view."""
    if table.table_type is TableType.VIEW or table.storage_location is None:
        raise SqlError("EXPECT_TABLE_NOT_VIEW", f"`{table.full_name}` is a view; a table is needed here.", "42809")
    return Path(table.storage_location)


def check_writable(table: Table) -> None:
    """Raise SqlError for a table seen through a foreign catalog, and for a system table."""
    if table.read_only:
        raise SqlError("PERMISSION_DENIED", f"Catalog `{table.catalog}` is foreign and read only.", "42501")
    if table.catalog == SYSTEM:
        raise SqlError(
            "PERMISSION_DENIED", "The tables of catalog `system` are written by the workspace only.", "42501"
        )


def check_privilege(store: CatalogStore, session: SqlSession, securable: Table | Function, privilege: str) -> None:
    """Raise SqlError unless the session's principal may do this; owners and the workspace's admin may do anything."""
    if session.admin or securable.owner == session.principal:
        return
    kind = SecurableKind.TABLE if isinstance(securable, Table) else SecurableKind.FUNCTION
    grants = store.effective_grants(kind, securable.key)
    owners = {store.catalog(securable.catalog).owner, store.schema(securable.catalog, securable.schema).owner}
    if session.principal in owners or (securable.catalog == SYSTEM and privilege == "SELECT"):
        return
    for needed, kinds in _needed(store, securable, privilege):
        if not any(_allows(grant, session.principal, needed) and grant.kind in kinds for grant in grants):
            raise missing_privilege(needed, securable.full_name)


def check_path(store: CatalogStore, session: SqlSession, path: Path, privilege: str) -> None:
    """Raise SqlError when a path leads to data that a table or a volume guards and the principal may not see."""
    if session.admin:
        return
    for table in store.everything(Table):
        if table.storage_location and path.is_relative_to(table.storage_location):
            check_privilege(store, session, table, privilege)
    for volume in store.everything(Volume):
        if path.is_relative_to(volume.storage_location):
            _check_volume(store, session, volume, "READ VOLUME" if privilege == "SELECT" else "WRITE VOLUME")


def _check_volume(store: CatalogStore, session: SqlSession, volume: Volume, privilege: str) -> None:
    grants = store.effective_grants(SecurableKind.VOLUME, volume.key)
    if volume.owner != session.principal and not any(_allows(g, session.principal, privilege) for g in grants):
        raise missing_privilege(privilege, volume.full_name)


def missing_privilege(privilege: str, name: str) -> SqlError:
    """The refusal for want of a privilege."""
    return SqlError(
        "INSUFFICIENT_PERMISSIONS",
        f"Insufficient privileges: User does not have {privilege} on '{name}'.",
        "42501",
    )


def _needed(
    store: CatalogStore, securable: Table | Function, privilege: str
) -> list[tuple[str, tuple[SecurableKind, ...]]]:
    above = (SecurableKind.METASTORE, SecurableKind.CATALOG)
    own = (SecurableKind.TABLE, SecurableKind.FUNCTION, SecurableKind.SCHEMA, *above)
    needed: list[tuple[str, tuple[SecurableKind, ...]]] = [(privilege, own)]
    if store.catalog(securable.catalog).catalog_type is CatalogType.INTERNAL:
        return needed
    return [("USE CATALOG", above), ("USE SCHEMA", (SecurableKind.SCHEMA, *above)), *needed]


def _allows(grant: Grant, principal: str, privilege: str) -> bool:
    is_theirs = grant.principal in (principal, "account users", "users")
    given = grant.privilege.replace("_", " ")
    is_old_usage = given == "USAGE" and privilege.startswith("USE ")
    return is_theirs and (given == privilege or given in _ALL or is_old_usage)
