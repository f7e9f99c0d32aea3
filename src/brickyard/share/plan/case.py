"""What every rule of a plan looks at, and the things a rule may say: do this, mind this, this is lost, this forbids it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property

from brickyard.share.model.current import Claim, Current
from brickyard.share.model.pack import Mode, SharePack
from brickyard.share.model.steps import Loss, Refusal, Step


class Stage(IntEnum):
    """When a step is done: what adds, then what takes away and can be undone, then what cannot; at last what is made anew."""

    RECIPIENT = 0
    POLICY = 1
    SHARE = 2
    CHANGE_FEED = 3
    OBJECTS = 4
    GRANT = 5
    SCHEMA = 6
    LIBRARY = 7
    PIPELINE = 8
    SCHEDULE = 9
    REVOKE = 10
    NO_POLICY = 11
    NO_OBJECTS = 12
    NO_SCHEDULE = 13
    NO_PIPELINE = 14
    NO_SHARE = 15
    NO_RECIPIENT = 16
    NEW_TOKEN = 17
    ANEW = 18


@dataclass(frozen=True, slots=True)
class Do:
    """A step and when it is due."""

    stage: Stage
    step: Step


@dataclass(frozen=True, slots=True)
class Mind:
    """A warning."""

    text: str


Item = Do | Mind | Loss | Refusal
Names = Mapping[tuple[str, str], frozenset[str]]  # (kind, parent) -> names


@dataclass(frozen=True)
class Case:
    """A pack, the present, the time, and what the sender allows."""

    pack: SharePack
    current: Current
    now: datetime
    adopt: bool = False
    replace: bool = False

    @property
    def exact(self) -> bool:
        """Tell whether what others have added is to go."""
        return self.pack.metadata.mode is Mode.EXACT

    @cached_property
    def claims(self) -> Names:
        """What this pack has made."""
        return _by_parent(self.current.claims)

    @cached_property
    def others(self) -> Names:
        """What other packs have made."""
        return _by_parent(self.current.others)

    @cached_property
    def known(self) -> frozenset[tuple[str, str]]:
        """The (kind, name) of all that any pack has made, by our records and claims."""
        current = self.current
        return frozenset((c.kind, c.name) for c in (*current.recorded, *current.claims, *current.others))

    def mine(self, kind: str, parent: str = "") -> frozenset[str]:
        """The folded names of a kind that this pack has made."""
        return self.claims.get((kind, parent.lower()), frozenset())

    def theirs(self, kind: str, parent: str = "") -> frozenset[str]:
        """The folded names of a kind that other packs have made."""
        return self.others.get((kind, parent.lower()), frozenset())

    def parents(self, kind: str) -> frozenset[str]:
        """The shares or recipients in which this pack has made something of a kind."""
        return frozenset(parent for k, parent in self.claims if k == kind)


def _by_parent(claims: Iterable[Claim]) -> Names:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for claim in claims:
        found[claim.kind, claim.parent].add(claim.name)
    return {key: frozenset(names) for key, names in found.items()}


def listed(names: Iterable[str], most: int = 10) -> str:
    """Return names for a sentence, the first *most* of them in order."""
    ordered = sorted(names)
    rest = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {rest} more" if rest > 0 else "")


def numbered(count: int, noun: str) -> str:
    """Return `1 table` or `3 tables`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def nearest(name: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the up to three names that are written most like *name*."""
    from difflib import get_close_matches

    yield from get_close_matches(name.lower(), sorted(names), n=3)


def meant(name: str, names: Iterable[str]) -> str | None:
    """Return a remedy that offers the nearest names, or None when none is near."""
    near = list(nearest(name, names))
    return f"did you mean {' or '.join(near)}?" if near else None
