"""Unity Catalog: privileges on objects, given, taken, inherited."""

from __future__ import annotations

from brickyard.local.api.errors import denied, invalid
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_list, field_objects, field_text
from brickyard.local.api.tokens import Principal
from brickyard.local.api.unity import Unity
from brickyard.local.catalog.model import Grant, Kind

router: Router[Unity] = Router()
_UC = "/api/2.1/unity-catalog"
_KINDS = {kind.value.lower(): kind for kind in Kind}


@router.on("GET", f"{_UC}/permissions/{{securable_type}}/{{full_name}}", operation="grants.get")
def get_grants(unity: Unity, call: Call) -> Answer:
    """List the privileges given on exactly this object."""
    kind, name = _securable(unity, call)
    return {"privilege_assignments": _assignments(_chosen(call, unity.store.grants(kind, name)))}


@router.on("PATCH", f"{_UC}/permissions/{{securable_type}}/{{full_name}}", operation="grants.update")
def update_grants(unity: Unity, call: Call) -> Answer:
    """Give and take privileges; what is taken goes first."""
    kind, name = _securable(unity, call)
    _check_manages(unity, kind, name, call.principal)
    for change in field_objects(call.body(), "changes"):
        principal = field_text(change, "principal")
        unity.store.revoke(kind, name, principal, _privileges(change, "remove"))
        unity.store.grant(kind, name, principal, _privileges(change, "add"))
    return {"privilege_assignments": _assignments(unity.store.grants(kind, name))}


@router.on("GET", f"{_UC}/effective-permissions/{{securable_type}}/{{full_name}}", operation="grants.get_effective")
def get_effective_grants(unity: Unity, call: Call) -> Answer:
    """List the privileges given on the object and above it."""
    kind, name = _securable(unity, call)
    found: dict[str, list[JsonObject]] = {}
    for grant in _chosen(call, unity.store.effective_grants(kind, name)):
        found.setdefault(grant.principal, []).append(_effective(grant, kind))
    return {"privilege_assignments": [{"principal": who, "privileges": held} for who, held in found.items()]}


def _effective(grant: Grant, kind: Kind) -> JsonObject:
    privilege: JsonObject = {"privilege": grant.privilege.replace(" ", "_")}
    if grant.kind is kind:
        return privilege
    return {**privilege, "inherited_from_type": grant.kind.value, "inherited_from_name": grant.full_name}


def _securable(unity: Unity, call: Call) -> tuple[Kind, tuple[str, ...]]:
    kind = _KINDS.get(call.params["securable_type"].lower())
    if kind is None:
        raise invalid(f"{call.params['securable_type']} is not a securable type of the local workspace.")
    name = () if kind is Kind.METASTORE else tuple(call.params["full_name"].split("."))
    unity.store.securable_id(kind, name)
    return kind, name


def _check_manages(unity: Unity, kind: Kind, name: tuple[str, ...], principal: Principal) -> None:
    owners = unity.owners_above(name) | {_owner(unity, kind, name)}
    if not (principal.owner or principal.name in owners):
        raise denied(f"User {principal.name} does not have MANAGE on '{'.'.join(name)}'.")


def _owner(unity: Unity, kind: Kind, name: tuple[str, ...]) -> str:
    match kind, *name:
        case Kind.TABLE, catalog, schema, table:
            return unity.store.table(catalog, schema, table).owner
        case Kind.FUNCTION, catalog, schema, function:
            return unity.store.function(catalog, schema, function).owner
        case Kind.VOLUME, catalog, schema, volume:
            return unity.store.volume(catalog, schema, volume).owner
        case _:
            return unity.store.owner


def _chosen(call: Call, grants: list[Grant]) -> list[Grant]:
    principal = call.query.get("principal")
    return [g for g in grants if principal in (None, "", g.principal)]


def _assignments(grants: list[Grant]) -> list[JsonObject]:
    found: dict[str, list[str]] = {}
    for grant in grants:
        found.setdefault(grant.principal, []).append(grant.privilege.replace(" ", "_"))
    return [{"principal": principal, "privileges": held} for principal, held in found.items()]


def _privileges(change: JsonObject, name: str) -> list[str]:
    return [str(privilege).upper().replace("_", " ") for privilege in field_list(change, name)]
