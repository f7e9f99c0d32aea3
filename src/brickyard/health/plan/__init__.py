"""What must change: a plan of steps from contracts, what is remembered and what the sources show. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.source import Capture
from brickyard.health.model.state import Drift, Looked, Presence, State
from brickyard.health.model.steps import (
    AlterTable,
    CopyBronze,
    CreateSchema,
    CreateTable,
    CreateView,
    LookUpAgain,
    Merge,
    Phase,
    Plan,
    Reconcile,
    Skip,
    Step,
)  # fmt: skip
from brickyard.health.plan import ddl, discounts
from brickyard.health.plan.bronze import Shape, columns
from brickyard.health.plan.compile import Gold
from brickyard.health.plan.text import Places

Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a plan is made from: what stands in the gold catalog, what the sources show, how much of it is new."""

    existing: Tables
    state: State
    looked: Mapping[str, Looked] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    drifts: Mapping[str, tuple[Drift, ...]] = field(default_factory=dict)
    fresh: Mapping[str, int] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)


def plan(
    gold: Gold,
    places: Places,
    seen: Seen,
    *,
    only: Collection[str] = (),
    full: bool = False,
    failed: bool = False,
    phase: Phase = Phase.ALL,
) -> Plan:
    """Return what a run would do: missing things made, new rows copied, tables with news merged and reconciled.

    *only* names tables; their companions and what they look up in come along only where they have news themselves.
    *failed* takes the tables that failed last. *phase* BRONZE copies and merges nothing, GOLD merges what bronze holds;
    both make what is missing and tell what stops a table. Nothing new gives no step.
    """
    wanted = [table for table in gold if _wanted(table, seen, only, failed=failed)]
    steps: list[Step] = list(_made(gold, places, seen))
    steps += () if phase is Phase.GOLD else _copies(wanted, seen)
    copied = {step.source for step in steps if isinstance(step, CopyBronze)}
    moving: set[str] = set()
    last_price = next((t.table for t in reversed(wanted) if t.table in (discounts.ACCOUNT, discounts.LIST)), None)
    for table in wanted:
        found: list[Step] = list(_stopped(table, seen))
        found += () if phase is Phase.BRONZE else _gold(table, seen, copied, moving, full=full)
        if table.table == last_price and phase is not Phase.BRONZE:
            now_moving = moving | {step.table for step in found if isinstance(step, Merge)}
            found += discounts.due(seen.state, seen.looked.get(discounts.SOURCE), now_moving)
        moving |= {step.table for step in found if isinstance(step, Merge)}
        steps += found
    return Plan(tuple(steps))


def _wanted(table: GoldTable, seen: Seen, only: Collection[str], *, failed: bool) -> bool:
    if failed:
        return table.table in seen.state.failed
    return not only or table.table in only


def made(gold: Gold, places: Places, seen: Seen) -> Plan:
    """Return what `init` would make: schemas, tables, columns and views that are not there."""
    return Plan(tuple(_made(gold, places, seen)))


def _made(gold: Gold, places: Places, seen: Seen) -> Iterator[Step]:
    have = seen.existing
    there = {name.split(".", 1)[0] for name in have}
    for schema in ddl.schemas(table.contract.domain for table in gold):
        if schema not in there:
            yield CreateSchema(schema)
    for name in ddl.OPS:
        if f"ops.{name}" not in have:
            yield CreateTable("ops", name)
    for shape in _shapes(gold, seen):
        yield from _bronze(shape, have)
    for table in gold:
        yield from _table(table, places, have)


def _shapes(gold: Gold, seen: Seen) -> Iterator[Shape]:
    """Every source once: as it is seen, or as it is described."""
    for source in {table.source.name: table.source for table in gold if table.source}.values():
        yield seen.shapes.get(source.name) or Shape(source, {})


def _bronze(shape: Shape, have: Tables) -> Iterator[Step]:
    name = f"bronze.{shape.source.bronze}"
    if name not in have:
        yield CreateTable("bronze", shape.source.name)
        return
    added = tuple((column, kind) for column, kind, _ in columns(shape) if column not in have[name])
    if added:
        yield AlterTable("bronze", shape.source.name, added)


def _table(table: GoldTable, places: Places, have: Tables) -> Iterator[Step]:
    if table.table not in have:
        yield CreateTable("gold", table.table)
    else:
        added = tuple((c.name, c.type) for c in table.columns if c.name not in have[table.table])
        if added:
            yield AlterTable("gold", table.table, added)
    for view, _ in ddl.views(table, places):
        if view not in have:
            yield CreateView(view, table.table)


def _copies(wanted: list[GoldTable], seen: Seen) -> Iterator[CopyBronze]:
    for source in {table.source.name: table.source for table in wanted if table.source}.values():
        if seen.fresh.get(source.name):
            since = seen.since.get(source.name) if source.capture is Capture.APPEND else None
            rows = seen.fresh[source.name]
            yield CopyBronze(source.name, source.capture, since.isoformat() if since else None, rows)


def _gold(table: GoldTable, seen: Seen, copied: set[str], moving: set[str], *, full: bool) -> Iterator[Step]:
    merge = _merge(table, seen, copied, full=full)
    again = list(_again(table, seen, moving, first=merge is not None and merge.first == 0))
    if merge:
        yield merge
    yield from again
    if merge and table.latest:
        anew = merge.full or merge.first == 0
        yield Reconcile(table.table, 0 if anew else seen.state.reconciled.get(table.table, 0))
    elif table.table in seen.state.unproven and table.latest:
        yield Reconcile(table.table, seen.state.reconciled.get(table.table, 0), late=True)


def _stopped(table: GoldTable, seen: Seen) -> Iterator[Skip]:
    """A source that cannot be read or has drifted is not copied; what bronze already holds of it is still merged."""
    if table.source is None:
        return
    found = seen.looked.get(table.source.name)
    if found is not None and found.presence is not Presence.PRESENT:
        yield Skip(table.table, found.presence.code, found.reason or "", found.remedy or "")
        return
    breaking = [drift for drift in seen.drifts.get(table.source.name, ()) if drift.fails]
    if breaking:
        told = "; ".join(map(str, breaking))
        yield Skip(
            table.table,
            "source-drifted",
            told,
            f"restore the source, map the change in the contract, or: brickyard health run --accept-drift {table.source.name}",
        )


def _merge(table: GoldTable, seen: Seen, copied: set[str], *, full: bool) -> Merge | None:
    source = table.source.name if table.source else "-"
    done = seen.state.gold.get((table.table, source))
    if done is None:
        return Merge(table.table, 0, "never built", full=full)
    if full:
        return Merge(table.table, 0, "asked for in full", full=True)
    if done.contract != table.hash:
        return Merge(table.table, 0, "its contract changed", full=True)
    if table.source is None:
        return None
    if source in copied:
        return Merge(table.table, done.last, f"{seen.fresh[source]:,} new rows in {source}")
    if seen.state.bronze.get(table.source.bronze, 0) > done.last:
        return Merge(table.table, done.last, f"bronze holds newer rows of {source}")
    return None


def _again(table: GoldTable, seen: Seen, moving: set[str], *, first: bool) -> Iterator[LookUpAgain]:
    """Look up again where the other table changed, or may change in this very run; a first load looks up anyway."""
    if first or table.contract.enrich is None:
        return
    for join in table.contract.enrich.joins:
        done = seen.state.gold.get((table.table, join.to))
        last = done.last if done else 0
        if join.to in moving or seen.state.changed.get(join.to, 0) > last:
            yield LookUpAgain(table.table, join.to, last)
