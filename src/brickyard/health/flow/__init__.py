"""The story of health: look, plan, then copy, merge and reconcile; and what is told of it. READ THIS FIRST."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from brickyard.health import apply as doing
from brickyard.health import observe, store
from brickyard.health.apply import Work
from brickyard.health.model import source as sources
from brickyard.health.model.source import Source
from brickyard.health.model.state import Now, Presence, Sql, State
from brickyard.health.model.steps import CreateSchema, CreateTable, Plan, Skip, Step
from brickyard.health.plan import Seen, bronze, made, plan
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import BrickyardError, GuardRefused, NotFound

log = structlog.get_logger(__name__)
OnStep = Callable[[Step, str, str], None]  # the step, "begun" | "done" | "failed" | "skipped", what it did


@dataclass(frozen=True, slots=True)
class Door:
    """What a run may touch: an engine that runs SQL, the places, and what time it is taken to be (UTC)."""

    sql: Sql
    places: Places
    at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tables a run takes, and how: all of them when nothing is named."""

    only: frozenset[str] = frozenset()
    full: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what was done, what failed and what was skipped, each with its words."""

    run: int
    done: tuple[tuple[Step, str], ...] = ()
    failed: tuple[tuple[Step, BrickyardError], ...] = ()
    skipped: tuple[Skip, ...] = field(default=())

    @property
    def status(self) -> str:
        """SUCCEEDED, or PARTLY when something failed."""
        return "PARTLY" if self.failed else "SUCCEEDED"


def init(door: Door, gold: Gold | None = None, on_step: OnStep | None = None) -> Plan:
    """Make the schemas, tables and views that are not there; never replaces one."""
    gold = gold or compile_all()
    _need_catalog(door)
    seen = Seen(observe.tables(door.sql, door.places.catalog), State())
    steps = made(gold, door.places, seen)
    work = Work(door.sql, door.places, gold, _described(gold), Now(0, "init", door.at))
    for step in steps.steps:
        _tell(on_step, step, "done", doing.apply(work, step))
    store.make_lease(door.sql, door.places)
    return steps


def _need_catalog(door: Door) -> None:
    door.sql(f"CREATE CATALOG IF NOT EXISTS `{door.places.catalog}`")


def _described(gold: Gold) -> dict[str, Shape]:
    return {s.name: Shape(s, {}) for s in _sources(gold)}


def _sources(gold: Gold, only: Collection[str] = ()) -> list[Source]:
    found = {t.source.name: t.source for t in gold if t.source and (not only or t.table in only)}
    return [found[name] for name in sorted(found)]


def preview(door: Door, choice: Choice = Choice(), gold: Gold | None = None) -> Plan:
    """Return what a run would do now; reads only."""
    gold = gold or compile_all()
    return _planned(door, choice, gold)[0]


def _planned(door: Door, choice: Choice, gold: Gold) -> tuple[Plan, Seen]:
    unknown = sorted(choice.only - {table.table for table in gold})
    if unknown:
        raise NotFound(f"no such gold table: {', '.join(unknown)}", code="health-no-table")
    seen = _look(door, choice, gold)
    return plan(gold, door.places, seen, only=choice.only, full=choice.full, failed=choice.failed), seen


def _look(door: Door, choice: Choice, gold: Gold) -> Seen:
    existing = observe.tables(door.sql, door.places.catalog)
    state = store.state(door.sql, door.places, gold) if "ops.lease" in existing else State()
    _same_catalog(door, state)
    wanted = _sources(gold, choice.only)
    looked = observe.look(door.sql, door.places, [source.name for source in wanted])
    shapes = {
        source.name: observe.shape(looked[source.name])
        if looked[source.name].presence is Presence.PRESENT
        else Shape(source, {})
        for source in _sources(gold)
        if source.name in looked
    }
    drifts = {
        name: bronze.drifts(shape.source, shape.live, state.schemas.get(name))
        for name, shape in shapes.items()
        if looked[name].presence is Presence.PRESENT
    }
    readable = [
        source
        for source in wanted
        if looked[source.name].presence is Presence.PRESENT and not any(d.kind.fails for d in drifts[source.name])
    ]
    copied = [source for source in readable if f"bronze.{source.bronze}" in existing]
    newest = observe.newest(door.sql, door.places, copied, door.at)
    since = {s.name: newest[s.name] - bronze.overlap(s) for s in copied if s.name in newest and not choice.full}
    known = {source.name for source in copied}
    fresh = {
        s.name: observe.fresh(door.sql, door.places, shapes[s.name], since.get(s.name))
        if s.name in known
        else observe.rows(door.sql, door.places, s)
        for s in readable
    }
    return Seen(existing, state, looked, shapes, drifts, fresh, since)


def _same_catalog(door: Door, state: State) -> None:
    if state.source_catalog and state.source_catalog != door.places.source_catalog:
        raise GuardRefused(
            f"{door.places.catalog} was built from catalog {state.source_catalog}, not {door.places.source_catalog}",
            code="health-other-source",
            remedy="give --catalog another gold catalog, or the same --source-catalog",
        )


def run(door: Door, choice: Choice = Choice(), gold: Gold | None = None, on_step: OnStep | None = None) -> Outcome:
    """Bring gold up to date: one run at a time, each table by itself, so that one that fails holds up no other."""
    gold = gold or compile_all()
    steps, seen = _planned(door, choice, gold)
    if not steps.steps or all(isinstance(step, Skip) for step in steps.steps):
        return Outcome(seen.state.last_run, skipped=tuple(s for s in steps.steps if isinstance(s, Skip)))
    _first(door, steps, gold)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    store.take_lease(door.sql, door.places, holder, door.at)
    now = Now(seen.state.last_run + 1, holder, door.at)
    work = Work(door.sql, door.places, gold, {**_described(gold), **seen.shapes}, now)
    store.begin(door.sql, door.places, now)
    store.looked(door.sql, door.places, _news(seen), now)
    store.drifted(door.sql, door.places, [d for found in seen.drifts.values() for d in found], now)
    outcome = _perform(work, steps, on_step)
    store.end(door.sql, door.places, now, outcome.status, door.at)
    store.drop_lease(door.sql, door.places, holder)
    return outcome


def _news(seen: Seen) -> list:
    """The sources that are otherwise than last remembered."""
    from dataclasses import replace

    found = []
    for name, one in seen.looked.items():
        live = seen.shapes[name].live if one.presence is Presence.PRESENT else {}
        if dict(live) != dict(seen.state.schemas.get(name, {})):
            found.append(replace(one, leaves=live))
    return found


def _first(door: Door, steps: Plan, gold: Gold) -> None:
    """The tables of our own records come before the lease that stands in one of them."""
    own = [s for s in steps.steps if isinstance(s, CreateSchema) or (isinstance(s, CreateTable) and s.layer == "ops")]
    if not own:
        return
    _need_catalog(door)
    work = Work(door.sql, door.places, gold, {}, Now(0, "init", door.at))
    for step in own:
        doing.apply(work, step)
    store.make_lease(door.sql, door.places)


def _perform(work: Work, steps: Plan, on_step: OnStep | None) -> Outcome:
    done: list[tuple[Step, str]] = []
    failed: list[tuple[Step, BrickyardError]] = []
    broken: set[str] = set()
    for step in steps.steps:
        if isinstance(step, Skip):
            _tell(on_step, step, "skipped", step.reason)
            continue
        if _name(step) in broken:
            continue
        _tell(on_step, step, "begun", "")
        try:
            told = doing.apply(work, step)
        except BrickyardError as error:
            broken |= {_name(step), *_hang_on(work.gold, step)}
            failed.append((step, error))
            store.failed(work.sql, work.places, _name(step), error.error_code, error.message, work.now)
            _tell(on_step, step, "failed", error.message)
            continue
        done.append((step, told))
        _tell(on_step, step, "done", told)
    skipped = tuple(step for step in steps.steps if isinstance(step, Skip))
    return Outcome(work.now.run, tuple(done), tuple(failed), skipped)


def _name(step: Step) -> str:
    return getattr(step, "table", "") or getattr(step, "source", "") or getattr(step, "schema", "")


def _hang_on(gold: Gold, step: Step) -> Sequence[str]:
    """The tables that cannot run when a source was not copied."""
    source = getattr(step, "source", None)
    return [table.table for table in gold if source and table.source and table.source.name == source]


def _tell(on_step: OnStep | None, step: Step, what: str, told: str) -> None:
    if on_step:
        on_step(step, what, told)


def described(name: str) -> Source:
    """Return the description of a source."""
    return sources.load(name)
