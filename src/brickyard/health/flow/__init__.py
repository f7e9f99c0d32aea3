"""The story of health: look, plan, then copy, merge and reconcile, one run at a time. READ THIS FIRST."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brickyard.health import apply as doing
from brickyard.health import observe, store
from brickyard.health.apply import Work
from brickyard.health.flow import leasing, looking
from brickyard.health.flow.recording import begun, recorded, subject, tried
from brickyard.health.flow.terms import Choice, Door, Hold, OnStep, Outcome, Phase
from brickyard.health.model.state import Now, State
from brickyard.health.model.steps import CreateSchema, CreateTable, Plan, Skip, Step
from brickyard.health.plan import Seen, made
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.kernel.errors import BrickyardError
from brickyard.kernel.names import quote

__all__ = ["Choice", "Door", "Hold", "OnStep", "Outcome", "Phase", "init", "preview", "run"]

_EVERYTHING = Choice()
_INIT = 0  # the run number of `init`, whose steps leave no rows


def init(door: Door, gold: Gold | None = None, on_step: OnStep | None = None) -> Plan:
    """Make the schemas, tables and views that are not there; never replaces one."""
    gold = gold or compile_all()
    steps = made(gold, door.places, Seen(observe.tables(door.sql, door.places.catalog), State()))
    _make(door, steps.steps, gold, on_step)
    return steps


def preview(door: Door, choice: Choice = _EVERYTHING, gold: Gold | None = None) -> Plan:
    """Return what a run would do now; reads only."""
    return looking.planned(door, choice, gold or compile_all())[0]


def run(
    door: Door,
    choice: Choice = _EVERYTHING,
    gold: Gold | None = None,
    on_step: OnStep | None = None,
    hold: Hold | None = None,
) -> Outcome:
    """Bring gold up to date: one run at a time, each table by itself, so that one that fails holds up no other.

    Nothing new, and no source found otherwise than before, writes nothing. Raises Conflict while another run is at work,
    GuardRefused for a gold catalog of another source, NotFound for an unknown table; what a table fails with is in the
    outcome.
    """
    gold = gold or compile_all()
    steps, seen, grown = looking.planned(door, choice, gold)
    if all(isinstance(step, Skip) for step in steps.steps) and not looking.news(seen) and not looking.events(seen):
        if seen.state.last_run:
            leasing.bury(door, hold)
        return Outcome(seen.state.last_run, skipped=_skips(steps))
    if own := _own(steps):
        _make(door, own, grown)
    with leasing.held(door, hold) as lease:
        now = begun(lease.sql, door.places, lease.holder, door.at)
        with recorded(lease.sql, door.places, now) as ending:
            if now.run > seen.state.last_run + 1 and hold is None:  # another run came between the look and the lease
                steps, seen, grown = looking.planned(door, choice, gold)
            work = Work(lease.sql, door.places, grown, {**_described(grown), **seen.shapes}, now)
            _remember(work, seen)
            outcome = _perform(work, steps, on_step)
            ending.status = outcome.status
    return outcome


def _remember(work: Work, seen: Seen) -> None:
    """Remember how the sources are, and their drift, each difference once."""
    store.looked(work.sql, work.places, looking.news(seen), work.now)
    store.drifted(work.sql, work.places, looking.events(seen), work.now)


def _described(gold: Gold) -> dict[str, Shape]:
    return {source.name: Shape(source, {}) for source in looking.sources_of(gold)}


def _skips(steps: Plan) -> tuple[Skip, ...]:
    return tuple(step for step in steps.steps if isinstance(step, Skip))


def _own(steps: Plan) -> tuple[Step, ...]:
    """The steps that make the tables of our own records, which the run itself and its lease stand in."""
    return tuple(
        s for s in steps.steps if isinstance(s, CreateSchema) or (isinstance(s, CreateTable) and s.layer == "ops")
    )


def _make(door: Door, steps: Iterable[Step], gold: Gold, on_step: OnStep | None = None) -> None:
    """Make the catalog and what steps make in it, and put the lease where it is kept; doing it again changes nothing."""
    door.sql(f"CREATE CATALOG IF NOT EXISTS {quote(door.places.catalog)}")
    work = Work(door.sql, door.places, gold, _described(gold), Now(_INIT, "init", door.at))
    for step in steps:
        _tell(on_step, step, "done", doing.apply(work, step))
    store.make_lease(door.sql, door.places)


def _perform(work: Work, steps: Plan, on_step: OnStep | None) -> Outcome:
    done: list[tuple[Step, str]] = []
    failed: list[tuple[Step, BrickyardError]] = []
    broken: set[str] = set()
    for step in steps.steps:
        if isinstance(step, Skip):
            _tell(on_step, step, "skipped", step.reason)
        elif subject(step) not in broken:
            _tell(on_step, step, "begun", "")
            told = tried(work, step)
            if isinstance(told, BrickyardError):
                broken |= {subject(step), *_hang_on(work.gold, step)}
                failed.append((step, told))
                _tell(on_step, step, "failed", told.message)
            else:
                done.append((step, told))
                _tell(on_step, step, "done", told)
    return Outcome(work.now.run, tuple(done), tuple(failed), _skips(steps))


def _hang_on(gold: Gold, step: Step) -> Sequence[str]:
    """The tables that cannot run when a source was not copied."""
    source = getattr(step, "source", None)
    return [table.table for table in gold if source and table.source and table.source.name == source]


def _tell(on_step: OnStep | None, step: Step, what: str, told: str) -> None:
    if on_step:
        on_step(step, what, told)
