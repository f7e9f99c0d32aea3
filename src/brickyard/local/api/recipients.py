"""Delta Sharing: recipients, their tokens and what they may read."""

from __future__ import annotations

import ipaddress
import re
import secrets
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from brickyard.local.api.errors import denied, invalid
from brickyard.local.api.paging import page
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_list,
    field_number,
    field_object,
    field_text,
)
from brickyard.local.api.shares import assignments, one_of
from brickyard.local.api.sharing import Sharing, milliseconds, rows_page, stamp_info
from brickyard.local.catalog.model import AlreadyExists, Invalid
from brickyard.local.sharing.model import AuthenticationType, Recipient, Token
from brickyard.local.sharing.store import is_live

router: Router[Sharing] = Router()
_RECIPIENTS = "/api/2.1/unity-catalog/recipients"
LIFETIME = timedelta(seconds=31_536_000)  # the longest that a token lives, and the metastore's default
MAX_ADDRESSES = 100
_MAX_MILLISECONDS = 253_402_300_799_000  # the year 9999
_MAX_SECONDS = 100 * 366 * 24 * 3600
_SHARING_ID = re.compile(r"(?P<cloud>aws|azure|gcp):(?P<region>[\w-]+):(?P<metastore>[0-9a-fA-F-]{36})")


@router.on("POST", _RECIPIENTS, operation="recipients.create")
def create_recipient(sharing: Sharing, call: Call) -> Answer:
    """Make a recipient; one of type TOKEN gets an activation link."""
    body = call.body()
    sharing.unity.check_create("CREATE RECIPIENT", (), call.principal)
    wanted = Recipient(
        id="",
        name=field_text(body, "name"),
        owner=field_text(body, "owner", call.principal.name),
        authentication_type=one_of(AuthenticationType, body, "authentication_type"),
        comment=field_text(body, "comment", "") or None,
        metastore=field_text(body, "data_recipient_global_metastore_id", "") or None,
        ip_addresses=_addresses(field_object(body, "ip_access_list")) or (),
        properties=_properties(field_object(body, "properties_kvpairs")) or {},
    )
    _check_consistent(wanted, body)
    with sharing.store.database.transaction():
        _check_metastore_is_new(sharing, wanted)
        if wanted.authentication_type is AuthenticationType.TOKEN:
            token = _new_token(sharing.store.now(), call.principal.name)
            wanted = replace(wanted, tokens=(_expiring(token, body, sharing.store.now()),))
        return recipient_info(sharing, sharing.store.add(wanted, by=call.principal.name))


@router.on("GET", _RECIPIENTS, operation="recipients.list")
def list_recipients(sharing: Sharing, call: Call) -> Answer:
    """List the recipients that the caller may use; `data_recipient_global_metastore_id` chooses among those of a page."""
    usable = sharing.usable(Recipient, call.principal)
    metastore = call.query.get("data_recipient_global_metastore_id")

    def render(recipient: Recipient) -> JsonObject | None:
        chosen = metastore in (None, "", recipient.metastore)
        return recipient_info(sharing, recipient) if chosen and usable(recipient) else None

    return rows_page(call, "recipients", sharing.store.recipients, render)


@router.on("GET", f"{_RECIPIENTS}/{{name}}", operation="recipients.get")
def get_recipient(sharing: Sharing, call: Call) -> Answer:
    """Describe a recipient."""
    return recipient_info(sharing, sharing.read(sharing.store.recipient(call.params["name"]), call.principal))


@router.on("PATCH", f"{_RECIPIENTS}/{{name}}", operation="recipients.update")
def update_recipient(sharing: Sharing, call: Call) -> Answer:
    """Change a recipient; properties replace the map, and only an explicit empty list clears the addresses."""
    body = call.body()
    with sharing.store.database.transaction():
        recipient = sharing.store.recipient(call.params["name"])
        sharing.check_admin_or_owner(recipient, call.principal)
        if body.get("new_name"):
            _check_may_rename(sharing, recipient, call)
        changed = _changed(sharing, recipient, body)
        return recipient_info(sharing, sharing.store.save(changed, by=call.principal.name))


@router.on("DELETE", f"{_RECIPIENTS}/{{name}}", operation="recipients.delete")
def delete_recipient(sharing: Sharing, call: Call) -> Answer:
    """Remove a recipient; its tokens and grants end."""
    with sharing.store.database.transaction():
        recipient = sharing.store.recipient(call.params["name"])
        sharing.check_owner(recipient, call.principal)
        sharing.store.remove(recipient)
    return {}


@router.on("POST", f"{_RECIPIENTS}/{{name}}/rotate-token", operation="recipients.rotate_token")
def rotate_token(sharing: Sharing, call: Call) -> Answer:
    """Make a new token and end the one in use after some seconds, at most those that it has left."""
    seconds = field_number(call.body(), "existing_token_expire_in_seconds")
    if seconds < 0:
        raise invalid("existing_token_expire_in_seconds must not be negative.")
    with sharing.store.database.transaction():
        recipient = sharing.store.recipient(call.params["name"])
        sharing.check_owner(recipient, call.principal)
        rotated = _rotated(recipient, seconds, sharing.store.now(), call.principal.name)
        return recipient_info(sharing, sharing.store.save(rotated, by=call.principal.name))


@router.on("GET", f"{_RECIPIENTS}/{{name}}/share-permissions", operation="recipients.share_permissions")
def recipient_permissions(sharing: Sharing, call: Call) -> Answer:
    """List the shares that a recipient may read."""
    recipient = sharing.read(sharing.store.recipient(call.params["name"]), call.principal)
    rows: list[JsonObject] = [
        {"share_name": share.name, "privilege_assignments": assignments([recipient.name])}
        for share in sharing.store.granted_heads(recipient.name)
    ]
    return page(call, "permissions_out", rows)


# --- what may be ---------------------------------------------------------------------------------------------------------


def _check_consistent(wanted: Recipient, body: JsonObject) -> None:
    if wanted.authentication_type is AuthenticationType.DATABRICKS:
        _check_databricks(wanted)
    elif wanted.metastore:
        raise invalid("data_recipient_global_metastore_id goes with the authentication type DATABRICKS only.")
    if body.get("expiration_time") and wanted.authentication_type is not AuthenticationType.TOKEN:
        raise invalid("expiration_time cannot be set for a recipient with non-TOKEN authentication type.")


def _check_databricks(wanted: Recipient) -> None:
    if not wanted.metastore:
        raise invalid("Missing required field: data_recipient_global_metastore_id")
    if not _SHARING_ID.fullmatch(wanted.metastore):
        raise invalid(f"Cannot resolve target shard of '{wanted.metastore}': it must be <cloud>:<region>:<uuid>.")
    if wanted.ip_addresses:
        raise invalid("An IP access list cannot be set for a recipient with authentication type DATABRICKS.")


def _check_metastore_is_new(sharing: Sharing, wanted: Recipient) -> None:
    """A metastore is one recipient, whatever the name."""
    other = sharing.store.recipient_of_metastore(wanted.metastore) if wanted.metastore else None
    if other is not None:
        raise AlreadyExists(
            "RECIPIENT_ALREADY_EXISTS",
            f"There is already a Recipient object '{other.name}' with the same sharing identifier "
            f"'{wanted.metastore}': it already exists.",
        )


def _check_may_rename(sharing: Sharing, recipient: Recipient, call: Call) -> None:
    sharing.check_owner(recipient, call.principal)
    if not call.principal.owner:
        raise denied(f"User {call.principal.name} must be a metastore admin to rename a recipient.")


def _changed(sharing: Sharing, recipient: Recipient, body: JsonObject) -> Recipient:
    for field, now in (
        ("authentication_type", recipient.authentication_type.value),
        ("data_recipient_global_metastore_id", recipient.metastore),
    ):
        if body.get(field) not in (None, now):
            raise invalid(f"{field} of a recipient cannot be updated.")
    addresses = _addresses(field_object(body, "ip_access_list"))
    properties = _properties(field_object(body, "properties_kvpairs"))
    changed = replace(
        recipient,
        name=field_text(body, "new_name", recipient.name),
        owner=field_text(body, "owner", recipient.owner),
        comment=(field_text(body, "comment", "") or None) if "comment" in body else recipient.comment,
        ip_addresses=recipient.ip_addresses if addresses is None else addresses,
        properties=recipient.properties if properties is None else properties,
        tokens=_reset(recipient, body, sharing.store.now()),
    )
    _check_consistent(changed, body)
    return changed


def _addresses(body: JsonObject) -> tuple[str, ...] | None:
    """The addresses and CIDR ranges sent, None when the list was left out."""
    if "allowed_ip_addresses" not in body:
        return None
    found = [str(address) for address in field_list(body, "allowed_ip_addresses")]
    if len(found) > MAX_ADDRESSES:
        raise invalid(f"An IP access list holds at most {MAX_ADDRESSES} addresses, {len(found)} were sent.")
    for address in found:
        _check_address(address)
    return tuple(dict.fromkeys(found))


def _check_address(address: str) -> None:
    try:
        ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise invalid(f"'{address}' is not an IP address or a CIDR range: {error}.") from error


def _properties(body: JsonObject) -> dict[str, str] | None:
    """The properties sent, None when the map was left out."""
    return {k: str(v) for k, v in field_object(body, "properties").items()} if "properties" in body else None


# --- tokens --------------------------------------------------------------------------------------------------------------


def _new_token(now: datetime, by: str) -> Token:
    return Token(
        id=str(uuid.uuid4()),
        activation=secrets.token_urlsafe(32),
        created_at=now,
        expires_at=now + LIFETIME,
        created_by=by,
        updated_at=now,
        updated_by=by,
    )


def _expiring(token: Token, body: JsonObject, now: datetime) -> Token:
    """The token with the end that the request asks for: in the future, and not beyond a year from its making."""
    wanted = field_number(body, "expiration_time", 0)
    if not wanted:
        return token
    if not now.timestamp() * 1000 < wanted <= _MAX_MILLISECONDS:
        raise invalid("expiration_time must be in the future, in milliseconds since the epoch.")
    end = datetime.fromtimestamp(wanted / 1000, UTC)
    if end > token.created_at + LIFETIME:
        raise invalid(f"A token lives at most {int(LIFETIME.total_seconds())} seconds from {token.created_at}.")
    return replace(token, expires_at=end, updated_at=now)


def _reset(recipient: Recipient, body: JsonObject, now: datetime) -> tuple[Token, ...]:
    """The tokens with a new end: the last one takes it, one that it replaces only when that comes sooner."""
    if not body.get("expiration_time") or not recipient.tokens:
        return recipient.tokens
    *older, last = recipient.tokens
    if not is_live(last, now):
        raise Invalid("INVALID_STATE", f"The token of recipient '{recipient.name}' has expired; rotate it.")
    renewed = _expiring(last, body, now)
    end = renewed.expires_at
    return (*(replace(t, expires_at=min(filter(None, (t.expires_at, end)))) for t in older), renewed)


def _rotated(recipient: Recipient, seconds: int, now: datetime, by: str) -> Recipient:
    if recipient.authentication_type is not AuthenticationType.TOKEN:
        raise invalid(f"Cannot rotate the token of recipient '{recipient.name}' with non-TOKEN authentication type.")
    live = [token for token in recipient.tokens if is_live(token, now)]
    active = [token for token in live if token.digest is not None]
    if len(active) > 1:
        raise Invalid("INVALID_STATE", f"There are already two activated tokens for recipient '{recipient.name}'.")
    end = now + timedelta(seconds=min(seconds, _MAX_SECONDS))
    if any(token.expires_at is not None and end > token.expires_at for token in live):
        raise invalid(f"Cannot extend the token expiration time of recipient '{recipient.name}', only shorten it.")
    ending = tuple(replace(token, expires_at=end, updated_at=now, updated_by=by) for token in active)
    return replace(recipient, tokens=(*ending, _new_token(now, by)))


# --- answers -------------------------------------------------------------------------------------------------------------


def recipient_info(sharing: Sharing, recipient: Recipient) -> JsonObject:
    """A recipient."""
    info: JsonObject = {
        **stamp_info(recipient),
        "id": recipient.id,
        "authentication_type": recipient.authentication_type.value,
        "activated": _is_activated(recipient),
    }
    if recipient.tokens:
        info |= _tokens_info(sharing, recipient.tokens)
    if recipient.ip_addresses:
        info["ip_access_list"] = {"allowed_ip_addresses": list(recipient.ip_addresses)}
    if recipient.properties:
        info["properties_kvpairs"] = {"properties": recipient.properties}
    if found := _SHARING_ID.fullmatch(recipient.metastore or ""):
        info["data_recipient_global_metastore_id"] = recipient.metastore
        info |= {"cloud": found["cloud"], "region": found["region"], "metastore_id": found["metastore"]}
    return info


def _is_activated(recipient: Recipient) -> bool:
    """Whether somebody can read: a token was downloaded, or no token is needed."""
    by_token = recipient.authentication_type is AuthenticationType.TOKEN
    return not by_token or any(token.digest is not None for token in recipient.tokens)


def _tokens_info(sharing: Sharing, tokens: tuple[Token, ...]) -> JsonObject:
    last = tokens[-1]
    info: JsonObject = {
        "tokens": [_token_info(sharing, token) for token in tokens],
        "expiration_time": milliseconds(last.expires_at),
    }
    return {**info, "activation_url": activation_url(sharing, last)} if last.digest is None else info


def _token_info(sharing: Sharing, token: Token) -> JsonObject:
    info: JsonObject = {
        "id": token.id,
        "created_at": milliseconds(token.created_at),
        "created_by": token.created_by,
        "expiration_time": milliseconds(token.expires_at),
        "updated_at": milliseconds(token.updated_at),
        "updated_by": token.updated_by,
    }
    return {**info, "activation_url": activation_url(sharing, token)} if token.digest is None else info


def activation_url(sharing: Sharing, token: Token) -> str:
    """The link that a person opens to download the profile file, once; it is said only until then."""
    return f"{sharing.host}/delta_sharing/retrieve_config.html?token={token.activation}"
