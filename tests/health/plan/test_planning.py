"""A plan is a function of what is seen: which half of a run does what, and nothing new gives no step."""

from __future__ import annotations

import pytest

from brickyard.health.model.source import Capture
from brickyard.health.model.state import Done, Looked, Presence, State
from brickyard.health.model.steps import CopyBronze, LookUpAgain, Merge, Phase, Reconcile, Skip, Step
from brickyard.health.plan import Seen, made, plan
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places

PLACES = Places("system_health", "system")
USAGE, PRICES, EVENTS = "billing.fact_usage", "billing.fact_list_prices", "security.fact_outbound_network"
GOLD = Gold({name: compile_all()[name] for name in (PRICES, USAGE, EVENTS)})
SOURCES = {name: table.source.name for name, table in GOLD.tables.items() if table.source}


def standing() -> dict[str, dict[str, str]]:
    """Everything that there can be, as names of tables with their columns."""
    columns = {table.table: {c.name: c.type for c in table.columns} for table in compile_all()}
    bronze = {
        f"bronze.{table.source.bronze}": {leaf.column: leaf.type for leaf in table.source.leaves}
        | dict.fromkeys(("_row_hash", "_batch", "_copied_at", "_snapshot_at"), "string")
        for table in compile_all()
        if table.source
    }
    ops = {
        f"ops.{step.table}": {}
        for step in made(GOLD, PLACES, Seen({}, State())).steps
        if getattr(step, "layer", "") == "ops"
    }
    views = {step.view: {} for step in made(GOLD, PLACES, Seen({}, State())).steps if hasattr(step, "view")}
    return columns | bronze | ops | views


def seen(*, fresh: dict[str, int], bronze: dict[str, int]) -> Seen:
    """Gold is at run 3; *fresh* rows are in sources, *bronze* tables were written by later runs."""
    own = {(table.table, SOURCES[table.table]): Done(3, table.hash) for table in GOLD}
    joined = {(USAGE, join.to): Done(3, "") for join in _joins()}
    state = State(3, "system", bronze, own | joined)
    looked = {source: Looked(source, Presence.PRESENT) for source in SOURCES.values()}
    return Seen(standing(), state, looked, fresh=fresh)


def _joins():
    enrich = GOLD[USAGE].contract.enrich
    return enrich.joins if enrich else ()


BOTH = seen(fresh={"billing.list_prices": 2}, bronze={"access_outbound_network": 4})
COPY = CopyBronze("billing.list_prices", Capture.SNAPSHOT, None, 2)
OF_PRICES = (Merge(PRICES, 3, "2 new rows in billing.list_prices"), Reconcile(PRICES), LookUpAgain(USAGE, PRICES, 3))
OF_EVENTS = (Merge(EVENTS, 3, "bronze holds newer rows of access.outbound_network"), Reconcile(EVENTS))


def test_nothing_new_gives_no_step():
    assert plan(GOLD, PLACES, seen(fresh={}, bronze={})).steps == ()


@pytest.mark.parametrize(
    ("phase", "steps"),
    [(Phase.ALL, (COPY, *OF_PRICES, *OF_EVENTS)), (Phase.BRONZE, (COPY,)), (Phase.GOLD, OF_EVENTS)],
)
def test_a_half_of_a_run_copies_or_merges_what_bronze_holds(phase: Phase, steps: tuple[Step, ...]):
    assert plan(GOLD, PLACES, BOTH, phase=phase).steps == steps


@pytest.mark.parametrize("phase", list(Phase))
def test_what_cannot_be_read_is_told_in_each_half(phase: Phase):
    gone = Looked("access.outbound_network", Presence.DENIED, reason="no grant", remedy="GRANT")
    found = plan(GOLD, PLACES, Seen(BOTH.existing, BOTH.state, {gone.source: gone}), only=[EVENTS], phase=phase)
    assert found.of(Skip) == (Skip(EVENTS, "source-denied", "no grant", "GRANT"),)


@pytest.mark.parametrize("phase", list(Phase))
def test_what_is_missing_is_made_in_each_half(phase: Phase):
    nothing = Seen({}, State())
    made_first = made(GOLD, PLACES, nothing).steps
    assert plan(GOLD, PLACES, nothing, phase=phase).steps[: len(made_first)] == made_first
