"""A synthetic account is written by ordinary SQL, with the past of what has none; what others made is never dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from databricks.sdk import WorkspaceClient
from tests.health.flow.conftest import GOLD, Stand

from brickyard.health import flow, observe, synthetic
from brickyard.health.flow import keeping, seeding
from brickyard.health.flow.door import places, through
from brickyard.kernel.errors import GuardRefused, NotFound


def test_every_row_that_had_arrived_is_there_with_the_types_of_the_day(fresh: Stand):
    account, until = fresh.seeded.account, fresh.seeded.until
    found = observe.tables(fresh.door.sql, "synthetic")
    assert set(fresh.seeded.rows) == {table.contract.source for table in GOLD if table.contract.source}
    for name, rows in fresh.seeded.rows.items():
        counted = fresh.door.sql(f"SELECT count(*) AS found FROM synthetic.{name}")[0]["found"]
        assert counted == rows == account.visible(name, until).num_rows
        assert found[name] == account.schema(name, until.date())


def test_bronze_holds_the_states_that_daily_looks_would_have_kept(fresh: Stand):
    rows = fresh.door.sql("SELECT DISTINCT _snapshot_at AS at FROM synthetic_health.bronze.access_workspaces_latest")
    dated = [day for day, _ in fresh.seeded.account.snapshots("access.workspaces_latest")]
    assert sorted(row["at"].astimezone(UTC) for row in rows) == [datetime.combine(day, time(4), UTC) for day in dated]


def test_an_account_is_known_by_its_catalog(fresh: Stand):
    assert seeding.seeded(fresh.door) == (fresh.seeded.account, fresh.seeded.until)


def test_a_seeded_catalog_is_only_replaced_on_request(fresh: Stand):
    account = synthetic.generate(days=2, scale=0.02, seed=1)
    with pytest.raises(GuardRefused) as refused:
        seeding.seed(fresh.door, fresh.client, account, gold=GOLD)
    assert refused.value.error_code == "health-seed-there"


def test_what_nobody_seeded_is_never_dropped(client: WorkspaceClient):
    door = through(client, places("ours"), datetime(2026, 5, 1, tzinfo=UTC))
    for statement in ("CREATE CATALOG ours", "CREATE SCHEMA ours.s", "CREATE TABLE ours.s.t (a int)"):
        door.sql(statement)
    with pytest.raises(GuardRefused, match="was not seeded"):
        seeding.seed(door, client, synthetic.generate(days=2, scale=0.02), replace=True, gold=GOLD)
    assert list(observe.tables(door.sql, "ours")) == ["s.t"]


def test_a_seeding_that_was_broken_off_begins_anew(client: WorkspaceClient):
    account = synthetic.generate(days=2, scale=0.02, seed=3, end=date(2026, 4, 2))
    door = through(client, places("halved"), account.settled_at)
    whole = seeding.seed(door, client, account, gold=GOLD)
    door.sql(
        "INSERT INTO halved.landing.account SELECT * EXCEPT (status, at), 'SEEDING', current_timestamp() FROM halved.landing.account"
    )
    with pytest.raises(NotFound):
        seeding.seeded(door)
    assert seeding.seed(door, client, account, gold=GOLD) == whole


def test_bronze_gold_and_truth_are_kept_as_files(stand: Stand, tmp_path: Path):
    account, until = stand.seeded.account, stand.seeded.until
    rows = keeping.keep(stand.door, stand.client, account, until, tmp_path, gold=stand.gold)
    assert {name: pq.read_metadata(tmp_path / f"{name}.parquet").num_rows for name in rows} == rows
    for table in stand.gold.tables:
        assert rows[f"gold/{table}"] == rows[f"truth/{table}"] > 0
    assert rows["bronze/billing_usage"] > rows["gold/billing.fact_usage"] - 1


def test_a_run_finds_nothing_new_after_the_first(stand: Stand):
    later = replace(stand.door, at=stand.door.at.replace(hour=5))
    assert flow.preview(later, gold=stand.gold).steps == ()
