"""Unity Catalog: the metastore, catalogs, schemas, volumes, and who may see and change what."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from brickyard.kernel.names import quote
from brickyard.local.api import unity_info as info
from brickyard.local.api.errors import denied, invalid, missing
from brickyard.local.api.paging import page
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_object,
    field_text,
)
from brickyard.local.api.tokens import Principal
from brickyard.local.catalog.model import Catalog, CatalogType, Grant, Kind, Schema, Securable, Volume
from brickyard.local.catalog.store import SYSTEM, CatalogStore, kind_of

if TYPE_CHECKING:
    from brickyard.local.sql.model import Result

S = TypeVar("S", bound=Securable)
RunSql = Callable[[str, Principal], "Result"]
_EVERYBODY = frozenset({"account users", "users"})
_CONTAINERS = (Kind.METASTORE, Kind.CATALOG, Kind.SCHEMA)
_ONLY_THROUGH = ("USE_CATALOG", "USE_SCHEMA")  # they open the way to an object and show nothing of it


def metastore_id(workspace_id: int) -> str:
    """The identifier of the metastore of a workspace."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"metastore-{workspace_id}"))


@dataclass(frozen=True, slots=True)
class Unity:
    """The catalog as REST serves it; what touches files is done by the SQL of the workspace."""

    store: CatalogStore
    run_sql: RunSql
    workspace_id: int
    fill_system: Callable[[], object] = lambda: None  # catalog `system` has its tables once SQL is up

    @property
    def metastore_id(self) -> str:
        """The identifier of the metastore."""
        return metastore_id(self.workspace_id)

    def filled(self, catalog: str) -> str:
        """The name of a catalog that has all its tables."""
        if catalog.lower() == SYSTEM:
            self.fill_system()
        return catalog

    def visible(self, rows: Iterable[S], principal: Principal) -> list[S]:
        """The objects that a principal may know of."""
        return [row for row in rows if self._may_see(row, principal)]

    def seen(self, row: S, principal: Principal) -> S:
        """The object, or PERMISSION_DENIED."""
        if not self._may_see(row, principal):
            raise denied(f"User {principal.name} does not have any privilege on '{'.'.join(row.key)}'.")
        return row

    def owned(self, row: S, principal: Principal) -> S:
        """The object, for those who may change it: its owner, an owner above it, the metastore's."""
        if not (principal.owner or principal.name in self.owners_above(row.key) | {row.owner}):
            raise denied(f"User {principal.name} is not an owner of '{'.'.join(row.key)}'.")
        return row

    def check_create(self, privilege: str, parent: tuple[str, ...], principal: Principal) -> None:
        """Refuse a principal who may not make things in *parent*."""
        if principal.owner or principal.name in self.owners_above(parent):
            return
        kind = (Kind.METASTORE, Kind.CATALOG, Kind.SCHEMA)[len(parent)]
        held = {g.privilege.replace("_", " ") for g in self._held(kind, parent, principal)}
        if not held & {privilege, "ALL PRIVILEGES"}:
            raise denied(f"User {principal.name} does not have {privilege} on '{'.'.join(parent) or 'the metastore'}'.")

    def check_use(self, row: Securable, privilege: str, principal: Principal) -> None:
        """Refuse a principal who lacks a privilege on an object."""
        if principal.owner or principal.name in self.owners_above(row.key) | {row.owner}:
            return
        held = {g.privilege.replace("_", " ") for g in self._held(kind_of(row), row.key, principal)}
        if not held & {privilege, "ALL PRIVILEGES"}:
            raise denied(f"User {principal.name} does not have {privilege} on '{'.'.join(row.key)}'.")

    def _may_see(self, row: Securable, principal: Principal) -> bool:
        if principal.owner or row.owner == principal.name or principal.name in self.owners_above(row.key):
            return True
        kind = kind_of(row)
        held = {grant.privilege.replace(" ", "_") for grant in self._held(kind, row.key, principal)}
        return bool(held if kind in _CONTAINERS else held.difference(_ONLY_THROUGH))

    def _held(self, kind: Kind, key: tuple[str, ...], principal: Principal) -> list[Grant]:
        names = _EVERYBODY | {principal.name}
        return [g for g in self.store.effective_grants(kind, key) if g.principal in names]

    def owners_above(self, key: tuple[str, ...]) -> set[str]:
        """The owners of the catalog and schema that an object is in (or is)."""
        found: list[Securable] = []
        if key:
            found.append(self.store.catalog(key[0]))
        if len(key) > 1:
            found.append(self.store.schema(key[0], key[1]))
        return {row.owner for row in found}


router: Router[Unity] = Router()
_UC = "/api/2.1/unity-catalog"


# --- the metastore ------------------------------------------------------------------------------------------------------


@router.on("GET", f"{_UC}/metastore_summary", operation="metastores.summary")
def metastore_summary(unity: Unity, call: Call) -> Answer:
    """Describe the metastore."""
    return _metastore(unity)


@router.on("GET", f"{_UC}/metastores", operation="metastores.list")
def metastores(unity: Unity, call: Call) -> Answer:
    """List the one metastore."""
    return {"metastores": [_metastore(unity)]}


@router.on("GET", f"{_UC}/current-metastore-assignment", operation="metastores.current")
def metastore_assignment(unity: Unity, call: Call) -> Answer:
    """Tell which metastore the workspace has."""
    return {
        "metastore_id": unity.metastore_id,
        "workspace_id": unity.workspace_id,
        "default_catalog_name": "hive_metastore",
    }


@router.on("GET", f"{_UC}/connections", operation="connections.list")
def connections(unity: Unity, call: Call) -> Answer:
    """List no connections: a foreign catalog mirrors another catalog of this workspace instead."""
    return {"connections": []}


def _metastore(unity: Unity) -> JsonObject:
    return {
        "metastore_id": unity.metastore_id,
        "name": "local",
        "cloud": "azure",
        "region": "local",
        "global_metastore_id": f"azure:local:{unity.metastore_id}",
        "owner": unity.store.owner,
        "privilege_model_version": "1.0",
        "delta_sharing_scope": "INTERNAL_AND_EXTERNAL",
        "delta_sharing_organization_name": "local",
        "delta_sharing_recipient_token_lifetime_in_seconds": 31_536_000,
    }


# --- catalogs -----------------------------------------------------------------------------------------------------------


@router.on("GET", f"{_UC}/catalogs", operation="catalogs.list")
def list_catalogs(unity: Unity, call: Call) -> Answer:
    """List the catalogs that the caller may see."""
    rows = unity.visible(unity.store.catalogs(), call.principal)
    return page(call, "catalogs", [info.catalog_info(row, unity.metastore_id) for row in rows])


@router.on("POST", f"{_UC}/catalogs", operation="catalogs.create")
def create_catalog(unity: Unity, call: Call) -> Answer:
    """Make a catalog; the option `mirror` makes a foreign one that shows another catalog, read only."""
    body = call.body()
    unity.check_create("CREATE CATALOG", (), call.principal)
    options = _texts(body, "options")
    if body.get("connection_name") and "mirror" not in options:
        raise invalid(
            "A foreign catalog of the local workspace names the catalog that it shows in the option `mirror`."
        )
    if mirrored := options.get("mirror"):
        unity.store.catalog(mirrored)
    catalog = Catalog(
        name=field_text(body, "name"),
        catalog_type=CatalogType.FOREIGN if mirrored else CatalogType.MANAGED,
        options=options,
        comment=_comment(body),
        properties=_texts(body, "properties"),
    )
    return info.catalog_info(unity.store.add(catalog, by=call.principal.name), unity.metastore_id)


@router.on("GET", f"{_UC}/catalogs/{{name}}", operation="catalogs.get")
def get_catalog(unity: Unity, call: Call) -> Answer:
    """Describe a catalog."""
    row = unity.seen(unity.store.catalog(call.params["name"]), call.principal)
    return info.catalog_info(row, unity.metastore_id)


@router.on("PATCH", f"{_UC}/catalogs/{{name}}", operation="catalogs.update")
def update_catalog(unity: Unity, call: Call) -> Answer:
    """Change a catalog's name, owner, comment or properties."""
    row = unity.owned(unity.store.catalog(call.params["name"]), call.principal)
    saved = unity.store.save(_changed(row, call.body()), by=call.principal.name)
    return info.catalog_info(saved, unity.metastore_id)


@router.on("DELETE", f"{_UC}/catalogs/{{name}}", operation="catalogs.delete")
def delete_catalog(unity: Unity, call: Call) -> Answer:
    """Remove a catalog, with what is in it when `force`."""
    row = unity.owned(unity.store.catalog(call.params["name"]), call.principal)
    unity.run_sql(f"DROP CATALOG {quote(row.name)}{_cascade(call)}", call.principal)
    return {}


# --- schemas ------------------------------------------------------------------------------------------------------------


@router.on("GET", f"{_UC}/schemas", operation="schemas.list")
def list_schemas(unity: Unity, call: Call) -> Answer:
    """List the schemas of a catalog that the caller may see."""
    rows = unity.visible(unity.store.schemas(unity.filled(call.text("catalog_name"))), call.principal)
    return page(call, "schemas", [_schema(unity, row) for row in rows])


@router.on("POST", f"{_UC}/schemas", operation="schemas.create")
def create_schema(unity: Unity, call: Call) -> Answer:
    """Make a schema."""
    body = call.body()
    catalog = unity.store.catalog(field_text(body, "catalog_name"))
    unity.check_create("CREATE SCHEMA", catalog.key, call.principal)
    schema = Schema(
        catalog=catalog.name,
        name=field_text(body, "name"),
        comment=_comment(body),
        properties=_texts(body, "properties"),
    )
    return _schema(unity, unity.store.add(schema, by=call.principal.name))


@router.on("GET", f"{_UC}/schemas/{{full_name}}", operation="schemas.get")
def get_schema(unity: Unity, call: Call) -> Answer:
    """Describe a schema."""
    return _schema(unity, unity.seen(_find_schema(unity, call), call.principal))


@router.on("PATCH", f"{_UC}/schemas/{{full_name}}", operation="schemas.update")
def update_schema(unity: Unity, call: Call) -> Answer:
    """Change a schema's name, owner, comment or properties."""
    row = unity.owned(_find_schema(unity, call), call.principal)
    return _schema(unity, unity.store.save(_changed(row, call.body()), by=call.principal.name))


@router.on("DELETE", f"{_UC}/schemas/{{full_name}}", operation="schemas.delete")
def delete_schema(unity: Unity, call: Call) -> Answer:
    """Remove a schema, with what is in it when `force`."""
    row = unity.owned(_find_schema(unity, call), call.principal)
    unity.run_sql(f"DROP SCHEMA {quoted(row.key)}{_cascade(call)}", call.principal)
    return {}


def _schema(unity: Unity, row: Schema) -> JsonObject:
    return info.schema_info(row, unity.metastore_id, unity.store.catalog(row.catalog).catalog_type.value)


def _find_schema(unity: Unity, call: Call) -> Schema:
    catalog, name = name_parts(call.params["full_name"], 2)
    return unity.store.schema(unity.filled(catalog), name)


# --- volumes ------------------------------------------------------------------------------------------------------------


@router.on("GET", f"{_UC}/volumes", operation="volumes.list")
def list_volumes(unity: Unity, call: Call) -> Answer:
    """List the volumes of a schema that the caller may see."""
    rows = unity.visible(unity.store.volumes(call.text("catalog_name"), call.text("schema_name")), call.principal)
    return page(call, "volumes", [info.volume_info(row, unity.metastore_id) for row in rows])


@router.on("POST", f"{_UC}/volumes", operation="volumes.create")
def create_volume(unity: Unity, call: Call) -> Answer:
    """Make a volume."""
    body = call.body()
    key = tuple(field_text(body, name) for name in ("catalog_name", "schema_name", "name"))
    external = field_text(body, "volume_type", "MANAGED") == "EXTERNAL"
    statement = f"CREATE {'EXTERNAL ' if external else ''}VOLUME {quoted(key)}"
    if external:
        statement += f" LOCATION {literal(field_text(body, 'storage_location'))}"
    if body.get("comment"):
        statement += f" COMMENT {literal(field_text(body, 'comment'))}"
    unity.run_sql(statement, call.principal)
    return info.volume_info(unity.store.volume(*key), unity.metastore_id)


@router.on("GET", f"{_UC}/volumes/{{name}}", operation="volumes.read")
def read_volume(unity: Unity, call: Call) -> Answer:
    """Describe a volume."""
    return info.volume_info(unity.seen(_find_volume(unity, call), call.principal), unity.metastore_id)


@router.on("PATCH", f"{_UC}/volumes/{{name}}", operation="volumes.update")
def update_volume(unity: Unity, call: Call) -> Answer:
    """Change a volume's name, owner or comment."""
    row = unity.owned(_find_volume(unity, call), call.principal)
    saved = unity.store.save(_changed(row, call.body()), by=call.principal.name)
    return info.volume_info(saved, unity.metastore_id)


@router.on("DELETE", f"{_UC}/volumes/{{name}}", operation="volumes.delete")
def delete_volume(unity: Unity, call: Call) -> Answer:
    """Remove a volume."""
    row = unity.owned(_find_volume(unity, call), call.principal)
    unity.run_sql(f"DROP VOLUME {quoted(row.key)}", call.principal)
    return {}


def _find_volume(unity: Unity, call: Call) -> Volume:
    catalog, schema, name = name_parts(call.params["name"], 3)
    return unity.store.volume(catalog, schema, name)


# --- shared -------------------------------------------------------------------------------------------------------------


def name_parts(full_name: str, count: int) -> tuple[str, ...]:
    """The parts of a dotted name as Unity Catalog writes it, or an error that says that there is no such thing."""
    parts = tuple(full_name.split("."))
    if len(parts) != count or not all(parts):
        raise missing(f"'{full_name}' does not name an object of {count} levels.")
    return parts


def quoted(key: Iterable[str]) -> str:
    """A name for SQL text."""
    return ".".join(map(quote, key))


def literal(text: str) -> str:
    """A string for SQL text."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _cascade(call: Call) -> str:
    return " CASCADE" if call.flag("force") else " RESTRICT"


def _comment(body: JsonObject) -> str | None:
    return field_text(body, "comment", "") or None


def _texts(body: JsonObject, name: str) -> dict[str, str]:
    return {key: str(value) for key, value in field_object(body, name).items()}


def _changed(row: S, body: JsonObject) -> S:
    changes: dict[str, object] = {}
    if body.get("new_name"):
        changes["name"] = field_text(body, "new_name")
    if body.get("owner"):
        changes["owner"] = field_text(body, "owner")
    if "comment" in body:
        changes["comment"] = _comment(body)
    if "properties" in body:
        changes["properties"] = _texts(body, "properties")
    return replace(row, **changes)
