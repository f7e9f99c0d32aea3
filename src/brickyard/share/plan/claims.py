"""What a step makes this pack answerable for, and what it takes from the record."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.current import Claim, OidcPolicy, SharedObject
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeObjects,
    ChangeRecipient,
    CreatePipeline,
    CreateRecipient,
    CreateSchedule,
    CreateShare,
    DeletePipeline,
    DeleteRecipient,
    DeleteSchedule,
    DeleteShare,
    Grant,
    RemovePolicy,
    Revoke,
    Step,
)

_OF_RECIPIENT = ("address", "property", "policy")
_OF_SHARE = ("object", "reader")


def claims_after(claims: frozenset[Claim], step: Step) -> frozenset[Claim]:
    """Return the claims of a pack after a step of it is done."""
    return (claims - _ended(claims, step)) | frozenset(_made(step))


def _made(step: Step) -> Iterator[Claim]:
    match step:
        case CreateRecipient():
            yield from _recipient(step)
        case ChangeRecipient():
            yield from _new(step)
        case AddPolicy(recipient, policy):
            yield _claim("policy", recipient, policy_name(policy))
        case CreateShare(name):
            yield _claim("share", "", name)
        case ChangeObjects(share=share, add=add):
            yield from (_claim("object", share, object_name(one)) for one in add)
        case Grant(share, recipients):
            yield from (_claim("reader", share, name) for name in recipients)
        case CreatePipeline(settings, share):
            yield _claim("pipeline", share, settings.name)
        case CreateSchedule(settings, share):
            yield _claim("schedule", share, settings.name)


def _ended(claims: frozenset[Claim], step: Step) -> frozenset[Claim]:
    match step:
        case ChangeRecipient():
            return frozenset(_gone(step))
        case RemovePolicy(recipient, policy):
            return frozenset({_claim("policy", recipient, policy_name(policy))})
        case DeleteRecipient(name):
            return frozenset(c for c in claims if _of_recipient(c, name.lower()))
        case DeleteShare(name):
            return frozenset(c for c in claims if _of_share(c, name.lower()))
        case ChangeObjects(share=share, remove=remove):
            return frozenset(_claim("object", share, object_name(one)) for one in remove)
        case Revoke(share, recipients):
            return frozenset(_claim("reader", share, name) for name in recipients)
        case DeletePipeline(before):
            return _called(claims, "pipeline", before.settings.name)
        case DeleteSchedule(before):
            return _called(claims, "schedule", before.settings.name)
    return frozenset()


def object_name(one: SharedObject) -> str:
    """Return the name of an object in a claim: with its alias where it has one."""
    return f"{one.name} as {one.shared_as}".lower() if one.shared_as else one.name.lower()


def policy_name(policy: OidcPolicy) -> str:
    """Return the name of a policy in a claim: all that it says."""
    return " ".join((policy.issuer, policy.subject_claim, policy.subject, *sorted(policy.audiences))).lower()


def _claim(kind: str, parent: str, name: str) -> Claim:
    return Claim(kind, parent.lower(), name.lower())


def _recipient(step: CreateRecipient) -> Iterator[Claim]:
    yield _claim("recipient", "", step.name)
    yield from (_claim("address", step.name, address) for address in step.ip_addresses)
    yield from (_claim("property", step.name, key) for key in step.properties)


def _new(step: ChangeRecipient) -> Iterator[Claim]:
    before = step.before
    for address in step.ip_addresses or ():
        if address not in before.ip_addresses:
            yield _claim("address", step.name, address)
    for key in step.properties or {}:
        if key not in before.properties:
            yield _claim("property", step.name, key)


def _gone(step: ChangeRecipient) -> Iterator[Claim]:
    before = step.before
    if step.ip_addresses is not None:
        yield from (_claim("address", step.name, a) for a in before.ip_addresses if a not in step.ip_addresses)
    if step.properties is not None:
        yield from (_claim("property", step.name, key) for key in before.properties if key not in step.properties)


def _of_recipient(claim: Claim, name: str) -> bool:
    named = claim.kind in ("recipient", "reader") and claim.name == name
    return named or (claim.kind in _OF_RECIPIENT and claim.parent == name)


def _of_share(claim: Claim, name: str) -> bool:
    itself = claim.kind == "share" and claim.name == name
    return itself or (claim.kind in _OF_SHARE and claim.parent == name)


def _called(claims: frozenset[Claim], kind: str, name: str) -> frozenset[Claim]:
    return frozenset(c for c in claims if c.kind == kind and c.name == name.lower())
