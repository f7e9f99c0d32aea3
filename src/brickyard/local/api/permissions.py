"""Permissions on workspace objects (jobs, warehouses, notebooks, clusters …): kept and answered, not enforced."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.local.api.documents import Documents
from brickyard.local.api.errors import invalid
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_objects, field_text

_LEVELS: dict[str, tuple[str, ...]] = {
    "jobs": ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"),
    "warehouses": ("CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"),
    "clusters": ("CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"),
    "notebooks": ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"),
    "directories": ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"),
    "files": ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"),
}
_SYNONYMS = {"directories": {"CAN_VIEW": "CAN_READ"}, "notebooks": {"CAN_VIEW": "CAN_READ"}}
_PRINCIPALS = ("user_name", "group_name", "service_principal_name")


@dataclass(frozen=True, slots=True)
class Permissions:
    """The access control lists, by `type/id`."""

    rows: Documents
    owner: str

    def answer(self, kind: str, object_id: str) -> JsonObject:
        """The list of an object: what was set, and the administrators' inherited right."""
        row = self.rows.get(f"{kind}/{object_id}") or {"entries": {_key("user_name", self.owner): _highest(kind)}}
        entries = row["entries"]
        assert isinstance(entries, dict)
        acl = [_entry(key, level, inherited=False) for key, level in entries.items()]
        acl.append(_entry(_key("group_name", "admins"), "CAN_MANAGE", inherited=True))
        return {"object_id": f"/{kind}/{object_id}", "object_type": kind.removesuffix("s"), "access_control_list": acl}

    def change(self, kind: str, object_id: str, entries: dict[str, str], *, replace: bool) -> None:
        """Set the list of an object, or add to it."""
        with self.rows.changing() as rows:
            old = rows.get(f"{kind}/{object_id}", {}).get("entries")
            kept = old if isinstance(old, dict) and not replace else {}
            rows[f"{kind}/{object_id}"] = {"entries": {**kept, **entries}}


router: Router[Permissions] = Router()
_PATH = "/api/2.0/permissions/{object_type}/{object_id}"


@router.on("GET", _PATH, operation="permissions.get")
def get(permissions: Permissions, call: Call) -> Answer:
    """Give the access control list of an object."""
    return permissions.answer(_kind(call), call.params["object_id"])


@router.on("PUT", _PATH, operation="permissions.set")
def set_(permissions: Permissions, call: Call) -> Answer:
    """Replace the access control list of an object."""
    permissions.change(_kind(call), call.params["object_id"], _entries(call), replace=True)
    return permissions.answer(_kind(call), call.params["object_id"])


@router.on("PATCH", _PATH, operation="permissions.update")
def update(permissions: Permissions, call: Call) -> Answer:
    """Add to the access control list of an object."""
    permissions.change(_kind(call), call.params["object_id"], _entries(call), replace=False)
    return permissions.answer(_kind(call), call.params["object_id"])


@router.on("GET", _PATH + "/permissionLevels", operation="permissions.get_permission_levels")
def levels(permissions: Permissions, call: Call) -> Answer:
    """List the levels that an object of this type knows."""
    return {"permission_levels": [{"permission_level": x, "description": x} for x in _LEVELS[_kind(call)]]}


def _kind(call: Call) -> str:
    kind = call.params["object_type"]
    if kind not in _LEVELS:
        raise invalid(f"The local workspace keeps no permissions of {kind}; it does for {', '.join(_LEVELS)}.")
    return kind


def _entries(call: Call) -> dict[str, str]:
    kind = _kind(call)
    found = {}
    for entry in field_objects(call.body(), "access_control_list"):
        level = field_text(entry, "permission_level")
        level = _SYNONYMS.get(kind, {}).get(level, level)
        named = [name for name in _PRINCIPALS if entry.get(name)]
        if level not in _LEVELS[kind] or len(named) != 1:
            raise invalid(f"An entry names one principal and one of {', '.join(_LEVELS[kind])}.")
        found[_key(named[0], field_text(entry, named[0]))] = level
    return found


def _highest(kind: str) -> str:
    return _LEVELS[kind][-1]


def _key(attribute: str, name: str) -> str:
    return f"{attribute}={name}"


def _entry(key: str, level: str, *, inherited: bool) -> JsonObject:
    attribute, _, name = key.partition("=")
    return {
        attribute: name,
        "display_name": name,
        "all_permissions": [{"permission_level": level, "inherited": inherited}],
    }
