"""Reads recipients, with their tokens' ages, addresses, properties and policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from brickyard.kernel.errors import WorkspaceRefused
from brickyard.share.model.current import OidcPolicy, RecipientState, TokenState
from brickyard.share.model.pack import RecipientType
from brickyard.share.model.probes import is_probe
from brickyard.share.observe.asking import found, together
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sharing import FederationPolicy, RecipientInfo, RecipientTokenInfo

MARK = "brickyard.pack"
_THEIRS = "databricks."  # properties that Databricks itself keeps
ABSENT = ("RECIPIENT_DOES_NOT_EXIST",)
_TYPES = {"DATABRICKS": RecipientType.D2D, "TOKEN": RecipientType.D2O, "OIDC_FEDERATION": RecipientType.OIDC}


def recipient(client: WorkspaceClient, name: str) -> RecipientState | None:
    """Return a recipient, or None when there is none of this name."""
    info = found(f"read the recipient {name}", lambda: client.recipients.get(name), absent=ABSENT)
    return None if info is None else _with_policies(client, state(info))


def recipients(client: WorkspaceClient, names: Iterable[str]) -> dict[str, RecipientState]:
    """Return those of some recipients that exist, by folded name."""
    seen = together(lambda name: recipient(client, name), sorted(names))
    return {one.name.lower(): one for one in seen if one is not None}


def every(client: WorkspaceClient) -> dict[str, RecipientState]:
    """Return all recipients of the metastore that we may see, by folded name, without policies and probes."""
    with translated("list the recipients"):
        listed = [(info.name or "", info) for info in client.recipients.list()]
    return {name.lower(): state(info) for name, info in listed if name and not is_probe(name)}


def every_name(client: WorkspaceClient) -> list[str]:
    """Return the folded names of all recipients of the metastore that we may see."""
    with translated("list the recipients"):
        return sorted(info.name.lower() for info in client.recipients.list() if info.name)


def state(info: RecipientInfo) -> RecipientState:
    """Return a recipient as Databricks describes it, our mark and its own properties aside."""
    properties = dict(info.properties_kvpairs.properties) if info.properties_kvpairs else {}
    addresses = info.ip_access_list.allowed_ip_addresses if info.ip_access_list else None
    return RecipientState(
        name=info.name or "",
        type=_type(info),
        owner=info.owner or "",
        comment=info.comment or "",
        metastore=info.data_recipient_global_metastore_id,
        ip_addresses=tuple(sorted(addresses or ())),
        properties=_public(properties),
        tokens=tuple(_token(token, info) for token in info.tokens or ()),
        activated=bool(info.activated),
        mark=properties.get(MARK),
        id=info.id,
    )


def _type(info: RecipientInfo) -> RecipientType:
    said = info.authentication_type.value if info.authentication_type else ""
    if said not in _TYPES:
        raise WorkspaceRefused(
            f"the recipient {info.name} has the authentication type {said or 'unknown'}, which share packs cannot describe",
            code="share-recipient-type-unknown",
            remedy="name another recipient in the pack",
        )
    return _TYPES[said]


def _public(properties: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in sorted(properties.items()) if k != MARK and not k.startswith(_THEIRS)}


def _token(token: RecipientTokenInfo, info: RecipientInfo) -> TokenState:
    return TokenState(
        id=token.id or "",
        created_at=moment(token.created_at) or moment(info.created_at) or datetime.fromtimestamp(0, UTC),
        expires_at=moment(token.expiration_time),
        activated=not token.activation_url,
    )


def moment(milliseconds: int | None) -> datetime | None:
    """Return a time that Databricks gives in milliseconds since the epoch."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _with_policies(client: WorkspaceClient, seen: RecipientState) -> RecipientState:
    if seen.type is not RecipientType.OIDC:
        return seen
    with translated(f"list the policies of the recipient {seen.name}"):
        policies = [_policy(one) for one in client.recipient_federation_policies.list(seen.name)]
    return replace(seen, policies=tuple(sorted((p for p in policies if p is not None), key=lambda p: p.id or "")))


def _policy(policy: FederationPolicy) -> OidcPolicy | None:
    oidc = policy.oidc_policy
    if oidc is None:
        return None
    return OidcPolicy(
        oidc.issuer, oidc.subject_claim, oidc.subject, tuple(sorted(oidc.audiences or ())), policy.name or policy.id
    )
