"""Recipients: made, changed, or made anew, with their addresses, properties, policies and the life of their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from brickyard.share.model.current import OidcPolicy, RecipientState
from brickyard.share.model.pack import OidcSpec, RecipientSpec, RecipientType
from brickyard.share.model.steps import (
    AddPolicy,
    ChangeRecipient,
    CreateRecipient,
    DeleteRecipient,
    Grant,
    Loss,
    Refusal,
    RemovePolicy,
)
from brickyard.share.plan import addresses, lifetimes
from brickyard.share.plan.anew import must_be_anew
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage, listed
from brickyard.share.plan.claims import policy_name
from brickyard.share.plan.ownership import taking

_RESERVED = ("databricks.", "brickyard.")


def recipients(case: Case) -> Iterator[Item]:
    """Yield what the declared recipients need."""
    for spec in sorted(case.pack.recipient, key=lambda r: r.name.lower()):
        yield from _reserved(spec)
        state = case.current.recipients.get(spec.name.lower())
        yield from _new(case, spec) if state is None else _present(case, spec, state)


def _reserved(spec: RecipientSpec) -> Iterator[Item]:
    for key in sorted(spec.properties):
        if key.lower().startswith(_RESERVED):
            yield Refusal(
                f"the property {key} of {spec.name} is reserved",
                where=f"recipient {spec.name}",
                remedy="choose another key",
                code="share-property-reserved",
            )


# ── a new one ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _new(case: Case, spec: RecipientSpec) -> Iterator[Item]:
    yield Do(Stage.RECIPIENT, _creation(case, spec))
    yield from _limit(spec.name, _declared_addresses(spec))
    if spec.oidc:
        yield Do(Stage.POLICY, AddPolicy(spec.name, _policy(spec.oidc)))


def _creation(case: Case, spec: RecipientSpec) -> CreateRecipient:
    ends = lifetimes.access_ends(spec)
    token = spec.type is RecipientType.D2O
    return CreateRecipient(
        name=spec.name,
        type=spec.type,
        comment=spec.description,
        metastore=spec.recipient_databricks_org or None,
        ip_addresses=tuple(sorted(_declared_addresses(spec))),
        properties=dict(sorted(spec.properties.items())),
        expires_in_days=spec.token_expiry or None if token else None,
        expires_at=ends if token and ends is not None and ends > case.now else None,
    )


def _declared_addresses(spec: RecipientSpec) -> frozenset[str]:
    added = addresses.canonicals((*spec.recipient_ips, *spec.recipient_ips_to_add))
    return added - addresses.canonicals(spec.recipient_ips_to_remove)


def _policy(spec: OidcSpec) -> OidcPolicy:
    return OidcPolicy(spec.issuer, spec.subject_claim, spec.subject, tuple(sorted(spec.audiences)))


# ── one that is there ────────────────────────────────────────────────────────────────────────────────────────────────


def _present(case: Case, spec: RecipientSpec, state: RecipientState) -> Iterator[Item]:
    yield from taking(case, "recipient", state.name, owner=state.owner, mark=state.mark)
    reason = must_be_anew(spec, state)
    if reason is None:
        yield from _change(case, spec, state)
        yield from _policies(case, spec, state)
    elif case.replace:
        yield from _anew(case, spec, state, reason)
    else:
        yield Refusal(
            f"the recipient {state.name} cannot be changed: {reason}",
            where=f"recipient {spec.name}",
            remedy="name another recipient, or ask to replace this one, which ends its access until it is set up again",
            code="share-needs-replacing",
        )


def _anew(case: Case, spec: RecipientSpec, state: RecipientState, reason: str) -> Iterator[Item]:
    """Delete and make: the only change that takes away before it gives, and therefore the last."""
    yield Do(Stage.ANEW, DeleteRecipient(state.name, state))
    yield Do(Stage.ANEW, _creation(case, spec))
    if spec.oidc:
        yield Do(Stage.ANEW, AddPolicy(spec.name, _policy(spec.oidc)))
    for share in _read_by(case, spec, state):
        yield Do(Stage.ANEW, Grant(share, (spec.name,)))
    yield Loss(
        what=f"the recipient {state.name} is made anew because {reason}: its tokens end,"
        " and so do its rights to read that no share pack declares",
        who=(state.name,),
        irreversible=True,
    )


def _read_by(case: Case, spec: RecipientSpec, state: RecipientState) -> list[str]:
    """The shares beyond those declared in which other packs let the recipient read; the declared see to it themselves."""
    if lifetimes.access_ended(spec, case.now):
        return []
    declared = {share.name.lower() for share in case.pack.share}
    folded = state.name.lower()
    shares = (s for name, s in case.current.shares.items() if name not in declared)
    return sorted(s.name for s in shares if folded in {r.lower() for r in s.readers} & case.theirs("reader", s.name))


def _change(case: Case, spec: RecipientSpec, state: RecipientState) -> Iterator[Item]:
    networks = _wanted_addresses(case, spec, state)
    properties = _wanted_properties(case, spec, state)
    ends = _wanted_end(case, spec, state)
    present = addresses.canonicals(state.ip_addresses)
    change = ChangeRecipient(
        name=state.name,
        comment=spec.description if spec.description not in ("", state.comment) else None,
        ip_addresses=None if networks == present else tuple(sorted(networks)),
        properties=None if properties == dict(state.properties) else properties,
        expires_at=ends,
        before=state,
    )
    if (change.comment, change.ip_addresses, change.properties, change.expires_at) != (None, None, None, None):
        yield Do(Stage.RECIPIENT, change)
    yield from _limit(state.name, networks)
    yield from _kept(case, spec, state)
    yield from addresses.losses(state.name, present, networks)
    yield from _property_losses(case, state, properties)
    yield from _end_losses(case, spec, state, ends)


def _wanted_addresses(case: Case, spec: RecipientSpec, state: RecipientState) -> frozenset[str]:
    """The networks after the change: what is declared and added, and what nobody asks to remove."""
    present = addresses.canonicals(state.ip_addresses)
    declared = addresses.canonicals(spec.recipient_ips)
    theirs = addresses.canonicals(case.theirs("address", state.name))
    added = addresses.canonicals(spec.recipient_ips_to_add)
    kept = present
    if case.exact and (declared or "recipient_ips" in spec.model_fields_set):
        kept = present & theirs
    elif declared:
        kept = present - (addresses.canonicals(case.mine("address", state.name)) - theirs)
    removed = addresses.canonicals(spec.recipient_ips_to_remove) - theirs
    return (kept | declared | added) - removed


def _limit(name: str, networks: frozenset[str]) -> Iterator[Item]:
    if len(networks) > addresses.MOST:
        yield Refusal(
            f"{name} would have {len(networks)} addresses; Databricks takes {addresses.MOST}",
            where=f"recipient {name}",
            remedy="join neighbouring addresses to networks (CIDR)",
            code="share-limit",
        )


def _kept(case: Case, spec: RecipientSpec, state: RecipientState) -> Iterator[Item]:
    theirs = addresses.canonicals(case.theirs("address", state.name))
    asked = addresses.canonicals(spec.recipient_ips_to_remove) & theirs & addresses.canonicals(state.ip_addresses)
    if asked:
        yield Mind(f"{state.name} keeps {listed(asked)}: another share pack has added it.")


def _wanted_properties(case: Case, spec: RecipientSpec, state: RecipientState) -> Mapping[str, str]:
    """The properties after the change; an empty field leaves them alone."""
    if not spec.properties:
        return dict(state.properties)
    kept = {key: value for key, value in state.properties.items() if _keeps(case, state.name, key)}
    return dict(sorted({**kept, **spec.properties}.items()))


def _keeps(case: Case, name: str, key: str) -> bool:
    folded = key.lower()
    if folded in case.theirs("property", name) or folded.startswith(_RESERVED):
        return True
    return not case.exact and folded not in case.mine("property", name)


def _property_losses(case: Case, state: RecipientState, wanted: Mapping[str, str]) -> Iterator[Item]:
    gone = state.properties.keys() - wanted.keys()
    if gone:
        yield Loss(what=f"{state.name} loses {listed(gone)} and the rows shared by it", who=(state.name,))
    theirs = case.theirs("property", state.name)
    for key in sorted(state.properties.keys() & wanted.keys()):
        if key.lower() in theirs and state.properties[key] != wanted[key]:
            yield Mind(f"The property {key} of {state.name} was set by another share pack and is changed.")


def _wanted_end(case: Case, spec: RecipientSpec, state: RecipientState) -> datetime | None:
    """When the newest token is to end, when that differs by more than a minute and is not over."""
    token = lifetimes.newest(state.tokens) if state.type is RecipientType.D2O else None
    ends = lifetimes.token_ends(spec, token) if token else None
    if token is None or ends is None or ends <= case.now:
        return None
    same = token.expires_at is not None and abs(token.expires_at - ends) <= lifetimes.TOLERANCE
    return None if same else ends


def _end_losses(case: Case, spec: RecipientSpec, state: RecipientState, ends: datetime | None) -> Iterator[Item]:
    token = lifetimes.newest(state.tokens) if state.type is RecipientType.D2O else None
    if token is None:
        return
    if ends is not None and (token.expires_at is None or ends < token.expires_at):
        yield Loss(what=f"the token of {state.name} ends earlier, on {ends:%Y-%m-%d %H:%M} UTC", who=(state.name,))
    due = lifetimes.token_ends(spec, token) if spec.token_expiry else None
    if due is not None and due <= case.now and (token.expires_at is None or token.expires_at > case.now):
        yield Mind(
            f"The token of {state.name} is older than its token_expiry of {spec.token_expiry} days and lives on:"
            " rotate it."
        )


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _policies(case: Case, spec: RecipientSpec, state: RecipientState) -> Iterator[Item]:
    if spec.oidc is None:
        return
    wanted = _policy(spec.oidc)
    if wanted not in map(_plain, state.policies):
        yield Do(Stage.POLICY, AddPolicy(state.name, wanted))
    for policy in sorted(state.policies, key=policy_name):
        other = policy_name(policy)
        if _plain(policy) == wanted or other in case.theirs("policy", state.name):
            continue
        if case.exact or other in case.mine("policy", state.name):
            yield Do(Stage.NO_POLICY, RemovePolicy(state.name, policy))
            yield Loss(
                what=f"{policy.subject} of {policy.issuer} can no longer read as {state.name}", who=(state.name,)
            )


def _plain(policy: OidcPolicy) -> OidcPolicy:
    return replace(policy, id=None, audiences=tuple(sorted(policy.audiences)))
