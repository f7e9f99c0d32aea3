"""The steps of a run: what would be made, copied, merged and compared, in order, and why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from brickyard.health.model.source import Capture


class Phase(StrEnum):
    """Which half of a run is done: copying to bronze, or merging what bronze holds; both by default."""

    ALL = "all"
    BRONZE = "bronze"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class CreateSchema:
    """Make a schema of the gold catalog."""

    schema: str


@dataclass(frozen=True, slots=True)
class CreateTable:
    """Make a table that is not there: `layer` is ops, bronze or gold."""

    layer: str
    table: str


@dataclass(frozen=True, slots=True)
class CreateView:
    """Make or renew a view beside a gold table."""

    view: str
    table: str


@dataclass(frozen=True, slots=True)
class AlterTable:
    """Add nullable columns (name, type) to a table; nothing is ever dropped or retyped."""

    layer: str
    table: str
    add: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CopyBronze:
    """Copy what is new in a source, or its present state; `since`: an ISO time, None for everything; `rows`: how many."""

    source: str
    capture: Capture
    since: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Merge:
    """Bring a gold table up to date with bronze rows of the runs after `first`; `full`: every row is judged again."""

    table: str
    first: int
    reason: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class LookUpAgain:
    """Look up again in `other`, for the rows of a table that rows changed after run `first` can concern."""

    table: str
    other: str
    first: int


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Make the prices of a table anew from the kept discounts and the list prices of `other`, made last by run `first`."""

    table: str
    other: str
    first: int


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare a table with bronze, by the days that its merge touched.

    *since*: the run up to which it was compared before, so that only later rows of bronze are measured; 0 measures all.
    *late*: an earlier run merged, and died before it compared.
    """

    table: str
    since: int = 0
    late: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A table that gets nothing new, and why: its source is missing, denied or drifted."""

    table: str
    code: str
    reason: str
    remedy: str


Step = (
    CreateSchema
    | CreateTable
    | CreateView
    | AlterTable
    | CopyBronze
    | Merge
    | LookUpAgain
    | Negotiate
    | Reconcile
    | Skip
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, in order."""

    steps: tuple[Step, ...]

    @property
    def hash(self) -> str:
        """Names the plan; equal plans have equal hashes."""
        plain = json.dumps([[type(step).__name__, asdict(step)] for step in self.steps], sort_keys=True, default=str)
        return hashlib.sha256(plain.encode()).hexdigest()[:12]

    def of(self, *kinds: type) -> tuple[Step, ...]:
        """Return the steps of these kinds."""
        return tuple(step for step in self.steps if isinstance(step, kinds))
