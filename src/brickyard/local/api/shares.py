"""Delta Sharing: shares, what is in them and who may read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from brickyard.local.api.errors import ApiError, denied, invalid
from brickyard.local.api.paging import page
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_list,
    field_number,
    field_object,
    field_objects,
    field_text,
)
from brickyard.local.api.sharing import Sharing, milliseconds, rows_page, stamp_info
from brickyard.local.api.tokens import Principal
from brickyard.local.catalog.model import CatalogError
from brickyard.local.sharing.edits import Action, Edit, edited
from brickyard.local.sharing.model import ObjectType, PartitionValue, Share, SharedObject
from brickyard.local.sharing.shareable import TABLE_LIKE, Shareable
from brickyard.local.sharing.store import exposed_name

router: Router[Sharing] = Router()
_SHARES = "/api/2.1/unity-catalog/shares"
_WITH_VERSIONS = TABLE_LIKE - {ObjectType.VIEW} | {ObjectType.SCHEMA}
E = TypeVar("E", bound=StrEnum)


@router.on("POST", _SHARES, operation="shares.create")
def create_share(sharing: Sharing, call: Call) -> Answer:
    """Make an empty share."""
    body = call.body()
    sharing.unity.check_create("CREATE SHARE", (), call.principal)
    share = Share(
        id="",
        name=field_text(body, "name"),
        owner="",
        comment=_text(body, "comment"),
        storage_root=_text(body, "storage_root"),
    )
    return share_info(sharing.store.add(share, by=call.principal.name))


@router.on("GET", _SHARES, operation="shares.list_shares")
def list_shares(sharing: Sharing, call: Call) -> Answer:
    """List the shares that the caller may use, without their objects."""
    usable = sharing.usable(Share, call.principal)

    def render(share: Share) -> JsonObject | None:
        return share_info(share) if usable(share) else None

    return rows_page(call, "shares", sharing.store.heads, render)


@router.on("GET", f"{_SHARES}/{{name}}", operation="shares.get")
def get_share(sharing: Sharing, call: Call) -> Answer:
    """Describe a share, with its objects when `include_shared_data`."""
    name = call.params["name"]
    if not call.flag("include_shared_data"):
        return share_info(sharing.read(sharing.store.head(name), call.principal))
    return _whole(sharing, sharing.read(sharing.store.share(name), call.principal))


@router.on("PATCH", f"{_SHARES}/{{name}}", operation="shares.update")
def update_share(sharing: Sharing, call: Call) -> Answer:
    """Add, remove and update objects, and change name, owner, comment or storage root: all of it or nothing."""
    body = call.body()
    with sharing.store.database.transaction():
        share = sharing.store.share(call.params["name"])
        _check_change(sharing, share, body, call.principal)
        changed = _with_fields(share, body)
        edits = [_edit(update) for update in field_objects(body, "updates")]
        if edits:
            by, at = call.principal.name, sharing.store.now()
            changed = edited(changed, edits, sharing.shareable(changed), by=by, at=at)
        return _whole(sharing, sharing.store.save(changed, by=call.principal.name))


@router.on("DELETE", f"{_SHARES}/{{name}}", operation="shares.delete")
def delete_share(sharing: Sharing, call: Call) -> Answer:
    """Remove a share; nobody can read through it any more."""
    with sharing.store.database.transaction():
        share = sharing.store.head(call.params["name"])
        sharing.check_owner(share, call.principal)
        sharing.store.remove(share)
    return {}


@router.on("GET", f"{_SHARES}/{{name}}/permissions", operation="shares.share_permissions")
def share_permissions(sharing: Sharing, call: Call) -> Answer:
    """List the recipients that may read a share."""
    share = sharing.read(sharing.store.head(call.params["name"]), call.principal)
    return page(call, "privilege_assignments", _assignments(sharing, share))


@router.on("PATCH", f"{_SHARES}/{{name}}/permissions", operation="shares.update_permissions")
def update_permissions(sharing: Sharing, call: Call) -> Answer:
    """Let recipients read a share or no longer: all changes or none."""
    body = call.body()
    with sharing.store.database.transaction():
        share = sharing.store.head(call.params["name"])
        _check_grants(sharing, share, call.principal)
        for change in field_objects(body, "changes"):
            _change_grants(sharing, share, change, call.principal)
        return {} if body.get("omit_permissions_list") else {"privilege_assignments": _assignments(sharing, share)}


# --- what may be changed ------------------------------------------------------------------------------------------------


def _check_change(sharing: Sharing, share: Share, body: JsonObject, principal: Principal) -> None:
    """Refuse a caller: an admin who is not the owner may only make somebody the owner."""
    if not (principal.owner and set(body) - {"name"} <= {"owner"}):
        sharing.check_owner(share, principal)
    if body.get("new_name"):
        sharing.unity.check_create("CREATE SHARE", (), principal)
    notebooks = any(one.object_type is ObjectType.NOTEBOOK_FILE for one in share.objects)
    if notebooks and body.get("storage_root") not in (None, share.storage_root):
        raise invalid("storage_root cannot be updated while there are notebook files in the share.")


def _check_grants(sharing: Sharing, share: Share, principal: Principal) -> None:
    granting = sharing.holds("USE SHARE", principal) and sharing.holds("SET SHARE PERMISSION", principal)
    if not granting and not sharing.owns(share, principal):
        raise denied(f"User is not an owner of Share '{share.name}'.")


def _change_grants(sharing: Sharing, share: Share, change: JsonObject, principal: Principal) -> None:
    recipient = sharing.store.recipient(field_text(change, "principal"))
    add, remove = (_privileges(change, field) for field in ("add", "remove"))
    if remove:
        sharing.store.revoke(share.name, recipient.name)
    if add:
        sharing.check_owner(recipient, principal)
        sharing.store.grant(share.name, recipient.name)


def _privileges(change: JsonObject, field: str) -> list[str]:
    named = [str(privilege).upper() for privilege in field_list(change, field)]
    if wrong := sorted(set(named) - {"SELECT"}):
        raise invalid(f"Privilege {', '.join(wrong)} is not applicable to a share; it is SELECT.")
    return named


def _with_fields(share: Share, body: JsonObject) -> Share:
    return replace(
        share,
        name=field_text(body, "new_name", share.name),
        owner=field_text(body, "owner", share.owner),
        comment=_text(body, "comment") if "comment" in body else share.comment,
        storage_root=field_text(body, "storage_root", share.storage_root or "") or None,
    )


# --- requests -----------------------------------------------------------------------------------------------------------


def _edit(update: JsonObject) -> Edit:
    described = field_object(update, "data_object")
    start = field_number(described, "start_version") if described.get("start_version") is not None else None
    return Edit(
        action=one_of(Action, update, "action"),
        wanted=_shared_object(described),
        start_version=start,
        typed="data_object_type" in described,
    )


def _shared_object(body: JsonObject) -> SharedObject:
    return SharedObject(
        name=field_text(body, "name"),
        object_type=one_of(ObjectType, body, "data_object_type", ObjectType.TABLE),
        comment=_text(body, "comment"),
        shared_as=_as_sent(body, "shared_as"),
        string_shared_as=_as_sent(body, "string_shared_as"),
        cdf_enabled=body.get("cdf_enabled") is True,
        history=field_text(body, "history_data_sharing_status", "DISABLED") == "ENABLED",
        partitions=tuple(_partition(partition) for partition in field_objects(body, "partitions")),
        content=_text(body, "content"),
    )


def _partition(body: JsonObject) -> tuple[PartitionValue, ...]:
    return tuple(
        PartitionValue(
            name=field_text(value, "name"),
            op=field_text(value, "op", "EQUAL"),
            value=_as_sent(value, "value"),
            recipient_property_key=_as_sent(value, "recipient_property_key"),
        )
        for value in field_objects(body, "values")
    )


def one_of(words: type[E], body: JsonObject, field: str, default: E | None = None) -> E:
    """A field that is one of a list of words, or INVALID_PARAMETER_VALUE."""
    text = field_text(body, field, default)
    if text not in list(words):
        raise invalid(f"{field} must be one of {', '.join(words)}, not '{text}'.")
    return words(text)


def _text(body: JsonObject, name: str) -> str | None:
    return field_text(body, name, "") or None


def _as_sent(body: JsonObject, name: str) -> str | None:
    """A text that was sent, the empty one included."""
    return None if body.get(name) is None else field_text(body, name, "")


# --- answers ------------------------------------------------------------------------------------------------------------


def share_info(share: Share) -> JsonObject:
    """A share without its objects."""
    info = stamp_info(share)
    return {**info, "storage_root": share.storage_root} if share.storage_root else info


def _whole(sharing: Sharing, share: Share) -> JsonObject:
    """A share with its objects, whose status says whether the share's owner may still read them."""
    denied_ones = _unreadable(sharing, share)
    return {**share_info(share), "objects": [_object_info(one, one.name in denied_ones) for one in share.objects]}


def _unreadable(sharing: Sharing, share: Share) -> set[str]:
    if sharing.is_admin(share.owner):
        return set()
    shareable = sharing.shareable(share)
    return {one.name for one in share.objects if not _readable(shareable, one)}


def _readable(shareable: Shareable, one: SharedObject) -> bool:
    try:
        shareable.check_source(one)
    except (ApiError, CatalogError):
        return False
    return True


def _object_info(one: SharedObject, unreadable: bool) -> JsonObject:
    """An object as the server keeps it: with the names and the flags that the request left out."""
    info: JsonObject = {
        "name": one.name,
        "data_object_type": one.object_type.value,
        "added_at": milliseconds(one.added_at),
        "added_by": one.added_by,
        "status": "PERMISSION_DENIED" if unreadable else "ACTIVE",
        "shared_as" if one.object_type in TABLE_LIKE else "string_shared_as": exposed_name(one),
    }
    if one.object_type in _WITH_VERSIONS:
        info["history_data_sharing_status"] = "ENABLED" if one.history else "DISABLED"
        info["cdf_enabled"] = one.cdf_enabled or one.history
    if one.object_type in _WITH_VERSIONS - {ObjectType.SCHEMA, ObjectType.FOREIGN_TABLE}:
        info["start_version"] = one.start_version
    if one.partitions:
        info["partitions"] = [{"values": [_condition_info(v) for v in partition]} for partition in one.partitions]
    return {**info, "comment": one.comment} if one.comment else info


def _condition_info(condition: PartitionValue) -> JsonObject:
    info: JsonObject = {"name": condition.name, "op": condition.op}
    if condition.recipient_property_key is not None:
        return {**info, "recipient_property_key": condition.recipient_property_key}
    return {**info, "value": condition.value}


def _assignments(sharing: Sharing, share: Share) -> list[JsonObject]:
    return assignments(sharing.store.readers(share.name))


def assignments(recipients: Iterable[str]) -> list[JsonObject]:
    """Who may read, as permissions are written."""
    return [{"principal": name, "privileges": ["SELECT"]} for name in recipients]
