"""Tying out what a batch adds gives what tying out everything gives, whatever was interrupted before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.health.engine.stand import AT, Engine, Killed, Stand, land, some, with_death
from tests.health.engine.test_batches import daily, shuffled

from brickyard.health import synthetic
from brickyard.health.flow.telling import newest_comparisons
from brickyard.health.flow.terms import Door
from brickyard.health.plan import tying
from brickyard.health.plan.text import quote
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.local import LocalWorkspace

USAGE = "billing.fact_usage"
SLICES = "lakeflow.fact_job_run_timeline"
FEW = (USAGE, "billing.fact_list_prices", "billing.fact_account_prices", SLICES)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("tying"))) as workspace:
        client = workspace.client()
        land(client, synthetic.generate(scale=0.01), some(*FEW))
        yield client


def remembered(stand: Stand, name: str) -> dict[Any, Any]:
    rows = stand.sql(tying.remembered(stand.gold[name], stand.places, None))
    return {(row["day"], row["measure"]): row["bronze"] for row in rows}


def everything(stand: Stand, name: str) -> dict[Any, Any]:
    table = stand.gold[name]
    rows = tying.measures(table, stand.sql(tying.whole(table, stand.places, stand.run, None)))
    assert all(row["bronze"] == row["gold"] for row in rows)
    return {(row["day"], row["measure"]): row["bronze"] for row in rows}


def test_what_is_remembered_of_each_day_is_what_all_of_bronze_gives(client: Any) -> None:
    stand = Stand(Engine(client), "t_daily", some(*FEW)).make()
    daily(stand, 60, 4)
    for name in (USAGE, SLICES):
        assert remembered(stand, name) == everything(stand, name)


def test_versions_that_come_late_and_twice_count_once(client: Any) -> None:
    stand = Stand(Engine(client), "t_shuffled", some(*FEW)).make()
    shuffled(stand, 3)
    assert remembered(stand, SLICES) == everything(stand, SLICES)


def test_a_comparison_that_was_lost_is_made_up_by_the_next(client: Any) -> None:
    stand = Stand(Engine(client), "t_lost", some(*FEW)).make()
    stand.deliver(["hash(_row_hash) % 3 = 0"])
    stand.refresh()
    stand.deliver(["hash(_row_hash) % 3 <> 0 AND hash(_row_hash) % 5 > 0"])
    with pytest.raises(Killed):
        with_death(stand, lambda sql: "before" if "FULL OUTER JOIN" in sql and "_stood" in sql else None).refresh()
    stand.deliver(["hash(_row_hash) % 3 <> 0 AND hash(_row_hash) % 5 <= 0"])
    stand.refresh()
    assert remembered(stand, USAGE) == everything(stand, USAGE)


def test_a_row_that_gold_lost_is_found_although_the_batch_does_not_hold_it(client: Any) -> None:
    stand = Stand(Engine(client), "t_hurt", some(*FEW)).make()
    stand.deliver(["hash(_row_hash) % 2 = 0"])
    stand.refresh()
    gold = stand.places.gold(USAGE)
    lost = stand.sql(f"SELECT record_id, usage_date FROM {gold} ORDER BY usage_date DESC, record_id LIMIT 1")[0]
    stand.sql(f"DELETE FROM {gold} WHERE record_id = '{lost['record_id']}'")
    stand.deliver(["hash(_row_hash) % 2 <> 0"])
    with pytest.raises(WorkspaceRefused, match="does not tie out") as refused:
        stand.refresh()
    assert refused.value.error_code == "health-untied"


def test_days_that_were_measured_otherwise_are_measured_again_as_a_whole(client: Any) -> None:
    stand = Stand(Engine(client), "t_other", some(*FEW)).make()
    stand.deliver(["hash(_row_hash) % 3 = 0"])
    stand.refresh()
    comparisons = stand.places.ops("reconciliation")
    stand.sql(f"UPDATE {comparisons} SET measure = 'keys', ok = false WHERE measure = 'key set'")
    stand.deliver(["hash(_row_hash) % 3 = 1"])
    stand.refresh()
    stand.deliver(["hash(_row_hash) % 3 NOT IN (0, 1)"])
    stand.refresh()
    known = everything(stand, USAGE)
    assert {what: held for what, held in remembered(stand, USAGE).items() if what[1] != "keys"} == known
    newest = stand.sql(f"{newest_comparisons(Door(stand.sql, stand.places, AT))} AND table_name = '{USAGE}'")
    assert {(row["day"], row["measure"]) for row in newest} == known.keys()
    assert all(row["ok"] for row in newest)


def test_a_correction_that_moves_a_row_to_another_day_ties_out(client: Any) -> None:
    stand = Stand(Engine(client), "t_moved", some(*FEW)).make()
    stand.deliver(["hash(_row_hash) % 3 = 0"])
    stand.refresh()
    source = stand.gold[USAGE].source
    assert source is not None
    bronze, leaves = stand.places.bronze(source.bronze), [leaf.column for leaf in source.leaves]
    moved = {"usage_date": "date_add(usage_date, -1)", "usage_end_time": "usage_end_time + INTERVAL 1 HOUR"}
    stand.deliver(["hash(_row_hash) % 3 = 1"])
    one = f"SELECT record_id FROM {bronze} WHERE _batch = 1 ORDER BY usage_date DESC, record_id LIMIT 1"
    stand.sql(
        f"INSERT INTO {bronze} ({', '.join(map(quote, leaves))}, _row_hash, _batch, _copied_at)"
        f" SELECT {', '.join(moved.get(leaf, quote(leaf)) for leaf in leaves)}, concat('moved', _row_hash),"
        f" cast({stand.run} as bigint), _copied_at FROM {bronze} WHERE _batch = 1 AND record_id = ({one})"
    )
    stand.refresh()
    assert remembered(stand, USAGE) == everything(stand, USAGE)
