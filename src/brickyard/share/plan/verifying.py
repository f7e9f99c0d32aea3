"""What a verification tries: who reads alike, which tables they must get, and what was taken away and must be refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from brickyard.share.model.current import ObjectKind, RecipientState, SharedObject, ShareState
from brickyard.share.model.pack import RecipientType, SharePack, ShareSpec
from brickyard.share.model.runs import Checked, Verdict
from brickyard.share.model.steps import (
    ChangeObjects,
    CreateRecipient,
    DeleteRecipient,
    DeleteShare,
    Grant,
    Revoke,
    Step,
)
from brickyard.share.plan.lifetimes import access_ended
from brickyard.share.plan.shapes import TABLE_LIKE, default_alias, exposed

EVERY = "*"  # instead of a table: all of a share
_OWN = "databricks."  # properties that Databricks gives each recipient, which a probe has its own of

Recipients = Mapping[str, RecipientState]
Shares = Mapping[str, ShareState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Recipients with a token that get the same: the same shares under the same properties.

    *guarded* are those of them that may read from a list of addresses only.
    """

    recipients: tuple[str, ...]
    shares: tuple[str, ...]
    properties: tuple[tuple[str, str], ...] = ()
    guarded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the readers of a share must get: *tables* by the names they see, all of *schemas*.

    *feeds* are those tables whose changes they get too, *beyond* says why for each object that a probe cannot read,
    *missing* are declared and not in the share.
    """

    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    feeds: frozenset[str] = frozenset()
    beyond: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What applied steps have taken away and none has given back: (share, table) and (share, recipient), folded."""

    tables: frozenset[tuple[str, str]] = frozenset()
    readers: frozenset[tuple[str, str]] = frozenset()


def wanted(pack: SharePack, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return who is to read what, (share, recipient); those whose access has ended are not among them."""
    ended = {spec.name.lower() for spec in pack.recipient if access_ended(spec, now)}
    pairs = {
        (share.name.lower(), name.lower()): (share.name, name)
        for share in pack.share
        for name in (*share.recipients, *share.recipients_to_add)
        if name.lower() not in ended
    }
    return tuple(pairs[key] for key in sorted(pairs))


def audiences(pairs: Iterable[tuple[str, str]], recipients: Recipients, shares: Shares) -> tuple[Audience, ...]:
    """Group the recipients with a token, which have what they are to have, by what they get."""
    granted: defaultdict[str, list[str]] = defaultdict(list)
    for share, name in pairs:
        if _why_not(share, name, recipients, shares) is None:
            granted[name.lower()].append(shares[share.lower()].name)
    alike: defaultdict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], list[RecipientState]] = defaultdict(list)
    for name, read in sorted(granted.items()):
        state = recipients[name]
        alike[tuple(read), tuple(sorted(state.properties.items()))].append(state)
    return tuple(_audience(read, properties, same) for (read, properties), same in alike.items())


def _audience(read: tuple[str, ...], properties: tuple[tuple[str, str], ...], same: list[RecipientState]) -> Audience:
    return Audience(
        recipients=tuple(state.name for state in same),
        shares=read,
        properties=properties,
        guarded=tuple(state.name for state in same if state.ip_addresses),
    )


def unread(pairs: Iterable[tuple[str, str]], recipients: Recipients, shares: Shares) -> Iterator[Checked]:
    """Yield what can be said of the other recipients without reading."""
    for share, name in pairs:
        why = _why_not(share, name, recipients, shares)
        if why is not None:
            verdict, message = why
            expected = verdict is Verdict.NOT_ASSESSED
            yield Checked(share=share, table=EVERY, recipient=name, verdict=verdict, expected=expected, message=message)


def _why_not(share: str, name: str, recipients: Recipients, shares: Shares) -> tuple[Verdict, str] | None:
    state, opened = recipients.get(name.lower()), shares.get(share.lower())
    if state is None:
        return Verdict.FAILED, "the recipient does not exist"
    if opened is None:
        return Verdict.FAILED, "the share does not exist"
    if name.lower() not in {reader.lower() for reader in opened.readers}:
        return Verdict.FAILED, "the recipient has no right to read the share"
    if state.type is RecipientType.D2D:
        return Verdict.NOT_ASSESSED, "reads from a Databricks of its own, which nobody here can sign in to"
    if state.type is RecipientType.OIDC:
        return Verdict.NOT_ASSESSED, "signs in with an identity of its own, which nobody here has"
    return None


# ── what must be there ───────────────────────────────────────────────────────────────────────────────────────────────


def expected(state: ShareState, spec: ShareSpec) -> Expected:
    """Return what the readers of a share must get: what is in it, and what the pack declares."""
    readable = [one for one in state.objects if one.kind in TABLE_LIKE and not _by_own_property(one)]
    shown = {exposed(one): one for one in readable}
    there = {exposed(one) for one in state.objects}
    schemas = {exposed(one) for one in state.objects if one.kind is ObjectKind.SCHEMA}
    return Expected(
        tables=tuple(sorted(shown)),
        schemas=tuple(sorted(schemas)),
        feeds=frozenset(name for name, one in shown.items() if _has_feed(one)),
        beyond=tuple(sorted(_beyond(state.objects))),
        missing=tuple(sorted(n for n in _declared(spec) if n not in there and n.partition(".")[0] not in schemas)),
    )


def _declared(spec: ShareSpec) -> set[str]:
    """The folded names that recipients are to see."""
    assets = (*spec.share_assets, *spec.share_assets_to_add)
    return {
        (one.shared_as or default_alias(ObjectKind.TABLE, one.name)).lower() for one in assets if "/" not in one.name
    }


def _has_feed(one: SharedObject) -> bool:
    return (one.cdf or one.history) and one.kind in (ObjectKind.TABLE, ObjectKind.STREAMING_TABLE)


def _by_own_property(one: SharedObject) -> bool:
    return any((value.recipient_property_key or "").startswith(_OWN) for part in one.partitions for value in part)


def _beyond(objects: Iterable[SharedObject]) -> Iterator[tuple[str, str]]:
    for one in objects:
        if one.kind in TABLE_LIKE:
            if _by_own_property(one):
                yield exposed(one), "its rows depend on a property that Databricks gives each recipient"
        elif one.kind is not ObjectKind.SCHEMA:
            yield exposed(one), f"the open protocol reads tables only, this is a {one.kind.value.lower()}"


# ── what must be gone ────────────────────────────────────────────────────────────────────────────────────────────────


def taken(steps: Iterable[Step]) -> Taken:
    """Return what *steps*, the oldest first, have taken away and not given back."""
    tables: set[tuple[str, str]] = set()
    readers: set[tuple[str, str]] = set()
    for step in steps:
        match step:
            case ChangeObjects():
                tables |= {(step.share.lower(), exposed(one)) for one in step.remove if one.kind in TABLE_LIKE}
                tables -= {(step.share.lower(), exposed(one)) for one in step.add}
            case CreateRecipient(name=name):
                readers.discard((EVERY, name.lower()))
            case Grant(share, names):
                readers -= {(share.lower(), name.lower()) for name in names}
            case Revoke(share, names):
                readers |= {(share.lower(), name.lower()) for name in names}
            case DeleteShare(name, before):
                tables |= {(name.lower(), exposed(one)) for one in before.objects if one.kind in TABLE_LIKE}
                readers |= {(name.lower(), reader.lower()) for reader in before.readers}
            case DeleteRecipient(name):
                readers |= {(EVERY, name.lower())}
    return Taken(frozenset(tables), frozenset(readers))
