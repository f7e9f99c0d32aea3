"""Looking before a run: what stands in gold, how the sources are, what in them is new, and the plan that follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from brickyard.health import observe, store
from brickyard.health.flow.terms import Choice, Door, Phase
from brickyard.health.model.source import Source
from brickyard.health.model.state import Drift, Looked, Presence, State
from brickyard.health.model.steps import Plan
from brickyard.health.observe import Fresh
from brickyard.health.plan import Seen, Tables, bronze, plan
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold
from brickyard.health.plan.extras import with_extras
from brickyard.kernel.errors import GuardRefused, NotFound


def planned(door: Door, choice: Choice, gold: Gold) -> tuple[Plan, Seen, Gold]:
    """Return the plan, what it was made from, and the tables with the columns that sources have come to have."""
    unknown = sorted(choice.only - {table.table for table in gold})
    if unknown:
        raise NotFound(f"no such gold table: {', '.join(unknown)}", code="health-no-table")
    seen = look(door, choice, gold)
    grown = with_extras(gold, seen.shapes)
    steps = plan(grown, door.places, seen, only=choice.only, full=choice.full, failed=choice.failed, phase=choice.phase)
    return steps, seen, grown


def look(door: Door, choice: Choice, gold: Gold) -> Seen:
    """Look at everything that a plan depends on; reads only."""
    existing = observe.tables(door.sql, door.places.catalog)
    state = State()
    if all(f"ops.{name}" in existing for name in store.READ):
        state = store.state(door.sql, door.places, bronze_in(existing), looked_up_in(gold, existing))
    _same_catalog(door, state)
    wanted = sources_of(gold, choice.only)
    looked = observe.look(door.sql, door.places, [source.name for source in wanted])
    shapes = {source.name: _shape(source, looked[source.name], existing) for source in wanted}
    drifts = {source.name: _drifts(shapes[source.name], looked[source.name], state, choice) for source in wanted}
    readable = [s for s in wanted if looked[s.name].presence is Presence.PRESENT and not _breaks(drifts[s.name])]
    seen = Seen(existing, state, looked, shapes, drifts)
    if choice.phase is Phase.GOLD:
        return seen
    return _with_news(door, seen, readable, choice)


def sources_of(gold: Gold, only: Collection[str] = ()) -> list[Source]:
    """Return the sources of the tables, each once, by name."""
    found = {t.source.name: t.source for t in gold if t.source and (not only or t.table in only)}
    return [found[name] for name in sorted(found)]


def bronze_in(existing: Tables) -> list[str]:
    """The bronze tables that exist."""
    return [name.removeprefix("bronze.") for name in existing if name.startswith("bronze.")]


def looked_up_in(gold: Gold, existing: Tables) -> list[str]:
    """The gold tables that exist and that others look up in."""
    joins = [join for table in gold if table.contract.enrich for join in table.contract.enrich.joins]
    return sorted({join.to for join in joins} & existing.keys())


def _same_catalog(door: Door, state: State) -> None:
    if state.source_catalog and state.source_catalog != door.places.source_catalog:
        raise GuardRefused(
            f"{door.places.catalog} was built from catalog {state.source_catalog}, not {door.places.source_catalog}",
            code="health-other-source",
            remedy="give --catalog another gold catalog, or the same --source-catalog",
        )


def _shape(source: Source, found: Looked, existing: Tables) -> Shape:
    """The source as it is now, with the further columns that bronze has come to have from it."""
    if found.presence is not Presence.PRESENT:
        return Shape(source, {})
    return bronze.with_known_extras(observe.shape(found), existing.get(f"bronze.{source.bronze}", {}))


def _drifts(shape: Shape, found: Looked, state: State, choice: Choice) -> tuple[Drift, ...]:
    if found.presence is not Presence.PRESENT:
        return ()
    drifts = bronze.drifts(shape.source, shape.live, state.schemas.get(shape.source.name))
    if shape.source.name in choice.accept:
        return tuple(replace(drift, accepted=True) for drift in drifts)
    return drifts


def _breaks(drifts: Collection[Drift]) -> bool:
    return any(drift.fails for drift in drifts)


def _with_news(door: Door, seen: Seen, readable: list[Source], choice: Choice) -> Seen:
    copied = [source for source in readable if f"bronze.{source.bronze}" in seen.existing]
    newest = {} if choice.full else observe.newest(door.sql, door.places, copied, door.at)
    since = {s.name: newest[s.name] - bronze.overlap(s) for s in copied if s.name in newest}
    held = {source.name for source in copied}
    later = observe.later(door.sql, door.places, [s for s in copied if s.name in newest], door.at)
    counts = {name: Fresh(found) for name, found in later.items()}
    for source in readable:
        if source.name in counts:
            continue
        if source.name in held:
            counts[source.name] = observe.fresh(door.sql, door.places, seen.shapes[source.name], since.get(source.name))
        else:
            counts[source.name] = Fresh(observe.rows(door.sql, door.places, source))
    fresh = {name: found.found for name, found in counts.items()}
    return _with_emptied(door, replace(seen, fresh=fresh, since=since), counts)


def _with_emptied(door: Door, seen: Seen, counts: Mapping[str, Fresh]) -> Seen:
    looked, drifts = dict(seen.looked), dict(seen.drifts)
    for name, found in counts.items():
        if found.lost:
            looked[name], drift = observe.emptied(door.places, looked[name], found)
            drifts[name] = (*drifts[name], drift)
    return replace(seen, looked=looked, drifts=drifts)


def news(seen: Seen) -> list[Looked]:
    """The sources that are otherwise than last remembered; one whose drift stops it is remembered as it was."""
    return [
        replace(found, leaves=_leaves(seen, name, found))
        for name, found in seen.looked.items()
        if not _breaks(seen.drifts.get(name, ())) and _otherwise(seen, name, found)
    ]


def events(seen: Seen) -> list[Drift]:
    """The differences of sources that are not remembered yet, also those that stop their source."""
    return [drift for drifts in seen.drifts.values() for drift in drifts if drift.event not in seen.state.drifted]


def _otherwise(seen: Seen, name: str, found: Looked) -> bool:
    """Whether a source has other leaves or another presence; that it has rows again is known where they were counted."""
    before = seen.state.presences.get(name)
    moved = found.presence != before and (
        before != Presence.EMPTIED or name in seen.fresh or not found.presence.readable
    )
    return moved or dict(_leaves(seen, name, found)) != dict(seen.state.schemas.get(name, {}))


def _leaves(seen: Seen, name: str, found: Looked) -> Mapping[str, str]:
    return seen.shapes[name].live if found.presence.readable else {}
