"""What is remembered between runs, and what a look at the sources found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Sql = Callable[
    [str], Sequence[Mapping[str, Any]]
]  # runs one statement, returns its rows: a warehouse or a Spark session


Event = tuple[str, str, str, str | None, str | None]  # source, leaf, kind, before, after


class Presence(StrEnum):
    """Whether a source can be read; EMPTIED: it can, but shows no rows where its last state had some."""

    PRESENT = "PRESENT"
    ABSENT = "ABSENT"
    DENIED = "DENIED"
    EMPTIED = "EMPTIED"

    @property
    def readable(self) -> bool:
        """Whether its columns are seen."""
        return self in (Presence.PRESENT, Presence.EMPTIED)

    @property
    def code(self) -> str:
        """The code of what is found; KeyError for a source that is simply there."""
        return _CODES[self]


_CODES = {
    Presence.ABSENT: "source-absent",
    Presence.DENIED: "source-denied",
    Presence.EMPTIED: "source-emptied",
}


class DriftKind(StrEnum):
    """How a source's columns differ from what was known of them."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    WIDENED = "WIDENED"
    NARROWED = "NARROWED"
    CHANGED = "CHANGED"
    RENAMED = "RENAMED"
    EMPTIED = "EMPTIED"

    @property
    def fails(self) -> bool:
        """Whether it needs a decision: data could be lost or misread. Of what is emptied the last state stays."""
        return self not in (DriftKind.ADDED, DriftKind.WIDENED, DriftKind.EMPTIED)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: the leaf, what it was and what it is (types; for RENAMED the names, for EMPTIED the rows).

    *accepted*: goes on as it is.
    """

    source: str
    leaf: str
    kind: DriftKind
    before: str | None
    after: str | None
    accepted: bool = False

    @property
    def fails(self) -> bool:
        """Whether the source cannot be copied until somebody accepts it."""
        return self.kind.fails and not self.accepted

    @property
    def event(self) -> Event:
        """What of it is remembered, once."""
        return (self.source, self.leaf, str(self.kind), self.before, self.after)

    def __str__(self) -> str:
        return f"{self.source}.{self.leaf} {self.kind.lower()}: {self.before or '-'} -> {self.after or '-'}"


@dataclass(frozen=True, slots=True)
class Looked:
    """A source as it was found: its leaves with their types, or why it cannot be read and what to do."""

    source: str
    presence: Presence
    leaves: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How far a gold table has taken a source: the last run whose rows it holds, under which contract."""

    last: int
    contract: str


@dataclass(frozen=True, slots=True)
class State:
    """The number of the last run, the last run that wrote each bronze table, how far gold is, how sources were last seen.

    `reconciled`: of each gold table, the last run that compared it with bronze; `unproven` are those that a later run
    merged, and died before it compared. `drifted`: the differences of sources that are remembered.
    """

    last_run: int = 0
    source_catalog: str | None = None
    bronze: Mapping[str, int] = field(default_factory=dict)
    gold: Mapping[tuple[str, str], Done] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    schemas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    reconciled: Mapping[str, int] = field(default_factory=dict)
    presences: Mapping[str, str] = field(default_factory=dict)
    unproven: frozenset[str] = frozenset()
    drifted: frozenset[Event] = frozenset()


@dataclass(frozen=True, slots=True)
class Now:
    """The run that works: its number, id, and the time that it takes for now (UTC)."""

    run: int
    run_id: str
    at: datetime
