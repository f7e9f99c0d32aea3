"""The words of the flow: the door it works through, what is chosen, how a run ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from brickyard.health.model.state import Sql
from brickyard.health.model.steps import Phase, Skip, Step
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import BrickyardError

OnStep = Callable[[Step, str, str], None]  # the step, "begun" | "done" | "failed" | "skipped", what it did


@dataclass(frozen=True, slots=True)
class Door:
    """What a run may touch: an engine that runs SQL, the places, and what time it is taken to be (UTC)."""

    sql: Sql
    places: Places
    at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tables a run takes, and how: all of them when nothing is named.

    `accept` names sources whose drift is accepted: a removed or renamed column is NULL from then on.
    """

    only: frozenset[str] = frozenset()
    full: bool = False
    failed: bool = False
    accept: frozenset[str] = frozenset()
    phase: Phase = Phase.ALL


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds the lease while a run works; the tasks of one job hold it together and the last one lets go."""

    holder: str
    release: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what was done, what failed and what was skipped, each with its words."""

    run: int
    done: tuple[tuple[Step, str], ...] = ()
    failed: tuple[tuple[Step, BrickyardError], ...] = ()
    skipped: tuple[Skip, ...] = ()

    @property
    def status(self) -> str:
        """SUCCEEDED, or PARTLY when something failed."""
        return "PARTLY" if self.failed else "SUCCEEDED"
