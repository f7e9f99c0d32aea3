"""The lease: held for as long as a run works, lost to who came after it ended, made where a run died before it was."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from tests.health.engine.stand import AT, Engine, Killed, some

from brickyard.health import flow, store
from brickyard.health.flow.leasing import held
from brickyard.health.flow.telling import status
from brickyard.health.flow.terms import Door, Hold
from brickyard.health.model import source as sources
from brickyard.health.plan import ddl
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import Conflict
from brickyard.local import LocalWorkspace

GOLD = some("billing.fact_list_prices", "billing.fact_account_prices", "billing.fact_usage")
DEAD = f"{socket.gethostname()}:4194305:x"  # no process has a number above 2**22
NUMBERS = count(1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(tmp_path_factory.mktemp("leasing")) as workspace:
        sql = Engine(workspace.client())
        sql("CREATE CATALOG source")
        sql("CREATE SCHEMA source.billing")
        for name in ("billing.list_prices", "billing.account_prices", "billing.usage"):
            columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(name).columns.items())
            sql(f"CREATE TABLE source.{name} ({columns})")
        yield workspace


@pytest.fixture
def door(workspace: LocalWorkspace) -> Door:
    """A gold catalog of its own, with the tables of the product's records."""
    door = Door(Engine(workspace.client()), Places(f"gold_{next(NUMBERS)}", "source"), AT)
    door.sql(f"CREATE CATALOG {door.places.catalog}")
    door.sql(f"CREATE SCHEMA {door.places.catalog}.ops")
    for table in store.READ:
        door.sql(ddl.create_ops(door.places, table))
    return door


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_lease_is_made_longer_while_its_holder_works(door: Door) -> None:
    clock = Clock()
    with held(door, Hold("one:1:x"), clock) as lease:
        for _ in range(10):
            clock.now += timedelta(minutes=10)
            lease.sql("SELECT 1")
            with pytest.raises(Conflict), held(door, Hold("two:1:x"), clock):
                pass
    with held(door, Hold("two:1:x"), clock) as lease:
        assert lease.holder == "two:1:x"


def test_who_lost_the_lease_to_another_stops_and_does_not_take_it_away(door: Door) -> None:
    clock = Clock()
    with pytest.raises(Conflict) as lost, held(door, Hold("one:1:x"), clock) as lease:
        clock.now += store.LEASE + timedelta(minutes=1)
        with held(door, Hold("two:1:x", release=False), clock):
            pass
        lease.sql("SELECT 1")
    assert (lost.value.error_code, "two:1:x" in lost.value.message) == ("health-lease-lost", True)
    assert (store.lease(door.sql, door.places) or {})["holder"] == "two:1:x"


@pytest.mark.parametrize(
    ("holder", "free"),
    [(DEAD, True), (f"{socket.gethostname()}:{os.getpid()}:x", False), ("elsewhere:4194305:x", False)],
    ids=["dead", "alive", "elsewhere"],
)
def test_a_lease_is_taken_over_at_once_from_a_process_of_this_machine_that_is_no_more(
    door: Door, holder: str, free: bool
) -> None:
    with held(door, Hold(holder, release=False)):
        pass
    if free:
        with held(door) as lease:
            assert lease.holder != holder
    else:
        with pytest.raises(Conflict, match=holder), held(door):
            pass


@pytest.mark.parametrize("last", ["`ops`.`failures`", "`ops`.`discounts`", "MERGE INTO"])
def test_a_run_that_died_among_its_first_tables_is_begun_again(workspace: LocalWorkspace, last: str) -> None:
    catalog = f"gold_{next(NUMBERS)}"
    dying = Engine(workspace.client(), lambda sql: "before" if last in sql else None)
    with pytest.raises(Killed):
        flow.run(Door(dying, Places(catalog, "source"), AT), gold=GOLD)
    assert flow.run(Door(Engine(workspace.client()), Places(catalog, "source"), AT), gold=GOLD).failed == ()


def test_a_run_that_died_with_nothing_left_to_do_is_called_lost_by_the_next_one(workspace: LocalWorkspace) -> None:
    places = Places(f"gold_{next(NUMBERS)}", "source")
    dying = Engine(workspace.client(), lambda sql: "before" if "SET status = 'SUCCEEDED'" in sql else None)
    door = Door(Engine(workspace.client()), places, AT)
    with pytest.raises(Killed):
        flow.run(Door(dying, places, AT), gold=GOLD, hold=Hold(DEAD, release=False))
    assert status(door, GOLD).last.status == "LOST"
    assert flow.run(door, gold=GOLD).done == ()
    rows = door.sql(f"SELECT run, status FROM {places.ops('runs')}")
    assert [(row["run"], row["status"]) for row in rows] == [(1, "LOST")]
    assert (store.lease(door.sql, places) or {})["holder"] == ""
    door.sql.seen.clear()  # type: ignore[attr-defined] — an Engine
    assert flow.run(door, gold=GOLD).done == ()
    assert [sql for sql in door.sql.seen if not sql.startswith("SELECT")] == []  # type: ignore[attr-defined] — an Engine


def price(sql: Engine, amount: str) -> None:
    """Make this the price of everything, from the beginning."""
    series = "'a', timestamp'2026-01-01 00:00:00Z', NULL, 'JOBS', 'AWS', 'USD', 'DBU'"
    each = f"named_struct('default', cast({amount} AS decimal(38,18)))"
    struct = (
        f"named_struct('default', cast({amount} AS decimal(38,18)), 'promotional', {each}, 'effective_list', {each})"
    )
    sql("TRUNCATE TABLE source.billing.list_prices")
    sql(
        "INSERT INTO source.billing.list_prices"
        " (account_id, price_start_time, price_end_time, sku_name, cloud, currency_code, usage_unit, pricing)"
        f" SELECT {series}, {struct}"
    )


def use(sql: Engine) -> None:
    """Use ten units."""
    times = "timestamp'2026-04-29 10:00:00Z', timestamp'2026-04-29 11:00:00Z', date'2026-04-29'"
    sql(
        "INSERT INTO source.billing.usage (account_id, record_id, sku_name, cloud, usage_unit, record_type,"
        " usage_quantity, usage_start_time, usage_end_time, usage_date, ingestion_date)"
        f" SELECT 'a', 'r', 'JOBS', 'AWS', 'DBU', 'ORIGINAL', cast(10 AS decimal(38,18)), {times}, date'2026-04-29'"
    )


def test_a_price_that_a_killed_run_merged_reaches_usage_when_the_run_after_it_is_killed_too(
    workspace: LocalWorkspace,
) -> None:
    sql, places = Engine(workspace.client()), Places(f"gold_{next(NUMBERS)}", "source")
    use(sql)
    price(sql, "2")
    flow.run(Door(sql, places, AT), gold=GOLD)
    price(sql, "3")
    usage, prices = (f"MERGE INTO {places.gold(f'billing.fact_{name}')} t USING" for name in ("usage", "list_prices"))
    for when, statement in (("after", prices), ("before", usage)):
        dying = Engine(workspace.client(), lambda sql, w=when, s=statement: w if sql.startswith(s) else None)
        with pytest.raises(Killed):
            flow.run(Door(dying, places, AT + timedelta(days=1)), gold=GOLD, hold=Hold(DEAD, release=False))
    flow.run(Door(sql, places, AT + timedelta(days=1)), gold=GOLD)
    (row,) = sql(f"SELECT list_cost FROM {places.gold('billing.fact_usage')}")
    assert row["list_cost"] == 30


def test_a_table_that_a_killed_run_merged_and_did_not_compare_is_compared_by_the_next_one(
    workspace: LocalWorkspace,
) -> None:
    sql, places = Engine(workspace.client()), Places(f"gold_{next(NUMBERS)}", "source")
    use(sql)
    price(sql, "2")
    ties = f"INSERT INTO {places.ops('reconciliation')}"
    dying = Engine(workspace.client(), lambda sql: "before" if sql.startswith(ties) and "fact_usage" in sql else None)
    with pytest.raises(Killed):
        flow.run(Door(dying, places, AT), gold=GOLD, hold=Hold(DEAD, release=False))
    done = flow.run(Door(sql, places, AT), gold=GOLD).done
    assert [told for _, told in done] == ["billing.fact_usage: 3 comparisons tie out"]
    assert flow.run(Door(sql, places, AT), gold=GOLD).done == ()
