"""One batch, daily batches, shuffled batches with duplicates, and a process killed anywhere: the same gold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.health.engine.stand import AT, Engine, Killed, Stand, land, some, text_of, with_death

from brickyard.health import synthetic
from brickyard.local import LocalWorkspace

FEW = (
    *("billing.fact_usage", "billing.fact_list_prices", "billing.fact_account_prices", "billing.dim_sku"),
    *(
        "shared.dim_workspace",
        "shared.dim_date",
        "lakeflow.dim_job",
        "lakeflow.fact_job_run_timeline",
        "lakeflow.fact_job_run",
    ),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("batches"))) as workspace:
        client = workspace.client()
        land(client, synthetic.generate(scale=0.02), some(*FEW))
        yield client


@pytest.fixture(scope="module")
def whole(client: Any) -> Stand:
    """Gold from one batch of everything."""
    stand = Stand(Engine(client), "whole", some(*FEW)).make()
    stand.deliver(["true"])
    stand.refresh()
    return stand


def daily(stand: Stand, days: int, parts: int) -> None:
    """Deliver what came, in order, in so many parts."""
    first = AT - timedelta(days=days + 2)
    cuts = [first + (AT + timedelta(days=60) - first) * part / parts for part in range(parts + 1)]
    for begin, end in pairwise(cuts):
        low = "true" if begin == first else f"_arrived_at > {text_of(begin)}"
        stand.deliver([f"{low} AND _arrived_at <= {text_of(end)}"])
        stand.refresh()


def shuffled(stand: Stand, parts: int) -> None:
    """Deliver rows in an order that has nothing to do with when they came, a fifth of them again later."""
    part = f"cast(conv(substr(_row_hash, 1, 6), 16, 10) as bigint) % {parts}"
    again = "cast(conv(substr(_row_hash, 7, 6), 16, 10) as bigint) % 5 = 0"
    for number in range(parts):
        # the rows of one dated state come together, as a state is copied whole
        earlier = f"({part}) < {number} AND {again}"
        stand.deliver([f"({part}) = {number}", earlier])
        stand.refresh()


def test_batches_in_order_make_what_one_batch_makes(client: Any, whole: Stand) -> None:
    stand = Stand(Engine(client), "daily", some(*FEW)).make()
    daily(stand, 60, 3)
    assert stand.digests() == whole.digests()


def test_shuffled_batches_with_duplicates_make_what_one_batch_makes(client: Any, whole: Stand) -> None:
    stand = Stand(Engine(client), "shuffled", some(*FEW)).make()
    shuffled(stand, 3)
    assert stand.digests() == whole.digests()


def full(*values: str) -> Any:
    return pytest.param(*values, marks=pytest.mark.full)


@pytest.mark.parametrize(
    ("table", "when"),
    [
        ("fact_usage", "after"),
        ("fact_job_run", "before"),
        *(
            full(table, when)
            for table in ("dim_workspace", "fact_list_prices", "dim_sku")
            for when in ("before", "after")
        ),
        *(full(table, when) for table, when in (("fact_usage", "before"), ("fact_job_run", "after"))),
    ],
)
def test_a_process_killed_at_a_commit_loses_and_doubles_nothing(
    client: Any, whole: Stand, table: str, when: str
) -> None:
    stand = Stand(Engine(client), f"killed_{table}_{when}", some(*FEW)).make()
    stand.deliver(["true"])
    struck = f"`{table}` t USING"
    with pytest.raises(Killed):
        with_death(stand, lambda sql: when if sql.startswith("MERGE") and struck in sql else None).refresh()
    stand.refresh()
    assert stand.digests() == whole.digests()
    stand.sql.seen.clear()
    stand.refresh()
    assert [sql for sql in stand.sql.seen if not sql.startswith("SELECT")] == []


# --- every table, day by day ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("everything"))) as workspace:
        client = workspace.client()
        land(client, synthetic.generate(scale=0.02), some())
        yield client


@pytest.fixture(scope="module")
def all_at_once(everything: Any) -> Stand:
    stand = Stand(Engine(everything), "whole", some()).make()
    stand.deliver(["true"])
    stand.refresh()
    return stand


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_sixty_daily_batches_of_every_table_make_what_one_batch_makes(everything: Any, all_at_once: Stand) -> None:
    stand = Stand(Engine(everything), "daily", some()).make()
    daily(stand, 60, 60)
    assert stand.digests() == all_at_once.digests()


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_shuffled_batches_of_every_table_make_what_one_batch_makes(everything: Any, all_at_once: Stand) -> None:
    stand = Stand(Engine(everything), "shuffled", some()).make()
    shuffled(stand, 10)
    assert stand.digests() == all_at_once.digests()


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_process_killed_around_every_commit_of_every_table_loses_and_doubles_nothing(
    everything: Any, all_at_once: Stand
) -> None:
    stand = Stand(Engine(everything), "killed", some()).make()
    for part in ("<=", ">"):
        stand.deliver([f"_arrived_at {part} {text_of(AT - timedelta(days=30))}"])
        died = [name for name in stand.gold.tables for when in ("before", "after") if dies(stand, name, when)]
        stand.refresh()
        assert len(died) > len(stand.gold.tables)
    assert stand.digests() == all_at_once.digests()


def dies(stand: Stand, table: str, when: str) -> bool:
    """Bring gold up to date until the process is killed at a table's merge; whether it came to one.

    Where the table has nothing to merge, it is killed before the next table is merged.
    """
    names = list(stand.gold.tables)
    struck, *later = (f"MERGE INTO {stand.places.gold(name)} t" for name in names[names.index(table) :])
    moments = {struck: when, **dict.fromkeys(later, "before")}
    try:
        with_death(stand, lambda sql: next((moments[m] for m in moments if sql.startswith(m)), None)).refresh()
    except Killed as death:
        return str(death).startswith(struck)
    return False
