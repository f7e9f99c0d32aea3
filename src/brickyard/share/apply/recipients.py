"""Recipients: made, changed, given policies and new tokens, removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from brickyard.share.apply.hands import MARK, Hands, Result
from brickyard.share.model.current import OidcPolicy
from brickyard.share.model.pack import RecipientType
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeRecipient,
    CreateRecipient,
    DeleteRecipient,
    RemovePolicy,
    RotateToken,
)
from brickyard.share.observe.asking import found
from brickyard.share.observe.recipients import recipient as observed
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk.service.sharing import RecipientInfo

_PATH = "/api/2.1/unity-catalog/recipients"
_TYPES = {RecipientType.D2D: "DATABRICKS", RecipientType.D2O: "TOKEN", RecipientType.OIDC: "OIDC_FEDERATION"}
_TOLERANCE = timedelta(minutes=1)  # between the end that was asked for and the one that is


def create(hands: Hands, step: CreateRecipient) -> Result:
    """Make a recipient, its first token's end with it."""
    body: dict[str, Any] = {
        "name": step.name,
        "authentication_type": _TYPES[step.type],
        "comment": step.comment,
        "properties_kvpairs": {"properties": {**step.properties, MARK: hands.mark}},
    }
    if step.metastore:
        body["data_recipient_global_metastore_id"] = step.metastore
    if step.ip_addresses:
        body["ip_access_list"] = {"allowed_ip_addresses": list(step.ip_addresses)}
    if ends := _first_end(step, hands.clock()):
        body["expiration_time"] = _milliseconds(ends)
    with translated(f"create recipient {step.name}"):
        hands.client.api_client.do("POST", _PATH, body=body)
    return _made(hands, step.name)


def look_created(hands: Hands, step: CreateRecipient) -> Result | None:
    """Return the recipient that an earlier try has made: it carries our mark and is of the type that was wanted."""
    there = observed(hands.client, step.name)
    return _made(hands, step.name) if there and there.mark == hands.mark and there.type is step.type else None


def change(hands: Hands, step: ChangeRecipient) -> Result:
    """Change what is not None; properties that others have set meanwhile stay."""
    body: dict[str, Any] = {}
    if step.comment is not None:
        body["comment"] = step.comment
    if step.ip_addresses is not None:  # the SDK drops an empty list, which opens the recipient to all addresses
        body["ip_access_list"] = {"allowed_ip_addresses": list(step.ip_addresses)}
    if step.expires_at is not None:
        body["expiration_time"] = _milliseconds(step.expires_at)
    if step.properties is not None:
        body["properties_kvpairs"] = {"properties": _properties(hands, step, step.properties)}
    with translated(f"change recipient {step.name}"):
        hands.client.api_client.do("PATCH", f"{_PATH}/{quote(step.name, safe='')}", body=body)
    return {}


def look_changed(hands: Hands, step: ChangeRecipient) -> Result | None:
    """Tell whether a recipient is as the change wants it."""
    there = observed(hands.client, step.name)
    if there is None:
        return None
    ends = max((token.expires_at for token in there.tokens if token.expires_at), default=None)
    same = (
        step.comment in (None, there.comment)
        and (step.ip_addresses is None or sorted(step.ip_addresses) == sorted(there.ip_addresses))
        and (step.properties is None or dict(step.properties) == dict(there.properties))
        and (step.expires_at is None or (ends is not None and abs(ends - step.expires_at) <= _TOLERANCE))
    )
    return {} if same else None


def add_policy(hands: Hands, step: AddPolicy) -> Result:
    """Add a federation policy."""
    from databricks.sdk.service.sharing import FederationPolicy, OidcFederationPolicy

    oidc = OidcFederationPolicy(
        issuer=step.policy.issuer,
        subject_claim=step.policy.subject_claim,
        subject=step.policy.subject,
        audiences=list(step.policy.audiences) or None,
    )
    with translated(f"add a policy to recipient {step.recipient}"):
        made = hands.client.recipient_federation_policies.create(step.recipient, FederationPolicy(oidc_policy=oidc))
    return {"policy": made.name or made.id}


def look_policy(hands: Hands, step: AddPolicy) -> Result | None:
    """Return the policy that says the same."""
    there = _policy(hands, step.recipient, step.policy)
    return {"policy": there} if there else None


def remove_policy(hands: Hands, step: RemovePolicy) -> Result:
    """Remove the federation policy that says the same."""
    there = _policy(hands, step.recipient, step.policy)
    if there:
        with translated(f"remove a policy of recipient {step.recipient}"):
            hands.client.recipient_federation_policies.delete(step.recipient, there)
    return {}


def look_no_policy(hands: Hands, step: RemovePolicy) -> Result | None:
    """Tell whether no policy says the same."""
    return None if _policy(hands, step.recipient, step.policy) else {}


def rotate(hands: Hands, step: RotateToken) -> Result:
    """Issue a new token; the old one lives on for the overlap."""
    with translated(f"rotate the token of recipient {step.recipient}"):
        info = hands.client.recipients.rotate_token(step.recipient, step.overlap_seconds)
    return _rotated(hands, info)


def look_rotated(hands: Hands, step: RotateToken) -> Result | None:
    """Return the rotation when the newest token is not the one that was to be replaced."""
    info = _info(hands, step.recipient)
    newest = _newest(info) if info else None
    return _rotated(hands, info) if info and newest and newest != step.token else None


def delete(hands: Hands, step: DeleteRecipient) -> Result:
    """Remove a recipient; its tokens end."""
    with translated(f"delete recipient {step.name}"):
        hands.client.recipients.delete(step.name)
    return {}


def look_deleted(hands: Hands, step: DeleteRecipient) -> Result | None:
    """Tell whether a recipient is gone."""
    return {} if observed(hands.client, step.name) is None else None


def _first_end(step: CreateRecipient, now: datetime) -> datetime | None:
    by_age = now + timedelta(days=step.expires_in_days) if step.expires_in_days else None
    return min((end for end in (by_age, step.expires_at) if end), default=None)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _info(hands: Hands, name: str) -> RecipientInfo | None:
    return found(f"read the recipient {name}", lambda: hands.client.recipients.get(name))


def _made(hands: Hands, name: str) -> Result:
    """Read a recipient that was just made; the link is in what Databricks says of it until it is used."""
    info = _info(hands, name)
    if info is None:
        return {}
    _seal(hands, info)
    return {"owner": info.owner}


def _rotated(hands: Hands, info: RecipientInfo) -> Result:
    _seal(hands, info)
    return {"token": _newest(info)}


def _newest(info: RecipientInfo) -> str | None:
    token = max(info.tokens or (), key=lambda one: one.created_at or 0, default=None)
    return token.id if token else None


def _seal(hands: Hands, info: RecipientInfo) -> None:
    """Hand over the links that nobody has used yet, the newest last."""
    for token in sorted(info.tokens or (), key=lambda one: one.created_at or 0):
        if token.activation_url:
            hands.seal(info.name or "", token.id or "", token.activation_url)


def _properties(hands: Hands, step: ChangeRecipient, wanted: Mapping[str, str]) -> dict[str, str]:
    """What the recipient has now, less what the plan saw, with what is wanted; a mark that is there stays."""
    info = _info(hands, step.name)
    now = dict(info.properties_kvpairs.properties) if info and info.properties_kvpairs else {}
    kept = {key: value for key, value in now.items() if key not in step.before.properties}
    return {MARK: hands.mark, **kept, **wanted}


def _policy(hands: Hands, recipient: str, wanted: OidcPolicy) -> str | None:
    there = observed(hands.client, recipient)
    same = (p.id for p in there.policies if _says(p) == _says(wanted)) if there else iter(())
    return next(same, None)


def _says(policy: OidcPolicy) -> tuple[str, str, str, tuple[str, ...]]:
    return policy.issuer, policy.subject_claim, policy.subject, tuple(sorted(policy.audiences))
