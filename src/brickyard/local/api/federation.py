"""Delta Sharing: which tokens of an identity provider speak for a recipient."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from brickyard.local.api.errors import exists, invalid, missing
from brickyard.local.api.paging import page
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_list, field_object, field_text
from brickyard.local.api.sharing import Sharing
from brickyard.local.sharing.model import AuthenticationType, FederationPolicy, Recipient

router: Router[Sharing] = Router()
_POLICIES = "/api/2.0/data-sharing/recipients/{recipient_name}/federation-policies"
_SUBJECT_CLAIMS = ("oid", "azp", "groups", "sub")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}")
MAX_POLICIES = 20


@router.on("POST", _POLICIES, operation="recipient_federation_policies.create")
def create_policy(sharing: Sharing, call: Call) -> Answer:
    """Add a policy to a recipient of type OIDC_FEDERATION."""
    with sharing.store.database.transaction():
        recipient = _owned(sharing, call)
        if recipient.authentication_type is not AuthenticationType.OIDC_FEDERATION:
            raise invalid(f"Recipient '{recipient.name}' is not of authentication type OIDC_FEDERATION.")
        policy = _policy(call.body(), sharing.store.now())
        if any(other.name == policy.name for other in recipient.policies):
            raise exists(f"Federation policy '{policy.name}' already exists.")
        if len(recipient.policies) >= MAX_POLICIES:
            raise invalid(f"A recipient has at most {MAX_POLICIES} federation policies.")
        _save(sharing, call, recipient, (*recipient.policies, policy))
    return policy_info(policy)


@router.on("GET", _POLICIES, operation="recipient_federation_policies.list")
def list_policies(sharing: Sharing, call: Call) -> Answer:
    """List the policies of a recipient."""
    return page(call, "policies", [policy_info(policy) for policy in _read(sharing, call).policies])


@router.on("GET", f"{_POLICIES}/{{name}}", operation="recipient_federation_policies.get_federation_policy")
def get_policy(sharing: Sharing, call: Call) -> Answer:
    """Describe a policy."""
    return policy_info(_named(_read(sharing, call), call))


@router.on("DELETE", f"{_POLICIES}/{{name}}", operation="recipient_federation_policies.delete")
def delete_policy(sharing: Sharing, call: Call) -> Answer:
    """Remove a policy."""
    with sharing.store.database.transaction():
        recipient = _owned(sharing, call)
        gone = _named(recipient, call)
        _save(sharing, call, recipient, tuple(policy for policy in recipient.policies if policy is not gone))
    return {}


def _policy(body: JsonObject, now: datetime) -> FederationPolicy:
    oidc = field_object(body, "oidc_policy")
    issuer, claim = field_text(oidc, "issuer"), field_text(oidc, "subject_claim")
    if urlsplit(issuer).scheme != "https":
        raise invalid(f"issuer must be an https address, not '{issuer}'.")
    if claim not in _SUBJECT_CLAIMS:
        raise invalid(f"subject_claim must be one of {', '.join(_SUBJECT_CLAIMS)}, not '{claim}'.")
    id_ = str(uuid.uuid4())
    name = field_text(body, "name", id_)
    if not _NAME.fullmatch(name):
        raise invalid(f"'{name}' is not a valid policy name: lower case letters, digits, - and _.")
    return FederationPolicy(
        id=id_,
        name=name,
        issuer=issuer,
        subject_claim=claim,
        subject=field_text(oidc, "subject"),
        audiences=tuple(str(audience) for audience in field_list(oidc, "audiences")),
        comment=field_text(body, "comment", "") or None,
        created_at=now,
        updated_at=now,
    )


def _owned(sharing: Sharing, call: Call) -> Recipient:
    recipient = sharing.store.recipient(call.params["recipient_name"])
    sharing.check_owner(recipient, call.principal)
    return recipient


def _read(sharing: Sharing, call: Call) -> Recipient:
    return sharing.read(sharing.store.recipient(call.params["recipient_name"]), call.principal)


def _named(recipient: Recipient, call: Call) -> FederationPolicy:
    found = next((policy for policy in recipient.policies if policy.name == call.params["name"]), None)
    if found is None:
        raise missing(f"Federation policy '{call.params['name']}' does not exist.")
    return found


def _save(sharing: Sharing, call: Call, recipient: Recipient, policies: tuple[FederationPolicy, ...]) -> None:
    sharing.store.save(replace(recipient, policies=policies), by=call.principal.name)


def policy_info(policy: FederationPolicy) -> JsonObject:
    """A policy."""
    oidc: JsonObject = {
        "issuer": policy.issuer,
        "subject_claim": policy.subject_claim,
        "subject": policy.subject,
        "audiences": list(policy.audiences),
    }
    info: JsonObject = {"id": policy.id, "name": policy.name, "oidc_policy": oidc}
    if policy.created_at and policy.updated_at:
        info |= {"create_time": policy.created_at.isoformat(), "update_time": policy.updated_at.isoformat()}
    return {**info, "comment": policy.comment} if policy.comment else info
