"""The bill by two paths of the oracle, in gold as the engine sums it, and by hand where it is small enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from tests.health.oracle.stand import AT, BEFORE_THE_DRIFT, PLACES, only, show

from brickyard.health import flow, oracle, synthetic
from brickyard.health.flow import Door
from brickyard.health.flow import billing as bill
from brickyard.health.flow.door import through
from brickyard.health.oracle import billing
from brickyard.health.oracle.costs import WAYS
from brickyard.health.oracle.telling import Truth
from brickyard.local import LocalWorkspace

SUMMED = ("usage_quantity", "list_cost", "effective_cost")
Sums = Mapping[tuple[Any, ...], tuple[Any, ...]]


@pytest.fixture(scope="module")
def told() -> Truth:
    return oracle.truth(synthetic.generate(days=60, scale=0.02, seed=7), datetime(2026, 5, 1, 4, tzinfo=UTC))


def frame(told: Truth) -> pl.DataFrame:
    found = pl.from_arrow(told["billing.fact_usage"])
    assert isinstance(found, pl.DataFrame)
    return found.with_columns(
        month=pl.col("usage_date").dt.truncate("1mo"),
        job_id="usage_metadata_job_id",
        warehouse_id="usage_metadata_warehouse_id",
        cluster_id="usage_metadata_cluster_id",
    )


def summed(rows: pl.DataFrame, key: list[str]) -> set[tuple[object, ...]]:
    """Sum the records of each key; a group without any price has no cost."""
    costs = [pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in SUMMED]
    return set(rows.group_by(key).agg(pl.len().alias("records"), *costs).rows())


@pytest.mark.parametrize(
    ("by", "key"),
    [
        (("day",), ["usage_date"]),
        (("month",), ["month"]),
        (("workspace",), ["workspace_id"]),
        (("sku",), ["sku_name", "cloud", "usage_unit"]),
        (("job",), ["workspace_id", "job_id"]),
        (("warehouse",), ["workspace_id", "warehouse_id"]),
        (("cluster",), ["workspace_id", "cluster_id"]),
        (("month", "sku"), ["month", "sku_name", "cloud", "usage_unit"]),
    ],
)
def test_costs_are_the_sums_of_the_records(told: Truth, by: tuple[str, ...], key: list[str]):
    costs = told.costs(*by).select([*key, "records", *SUMMED])
    found = pl.from_arrow(costs)
    assert isinstance(found, pl.DataFrame)
    assert set(found.rows()) == summed(frame(told), key)


def test_a_row_counts_for_each_of_its_tags_and_under_none_without_tags(told: Truth):
    rows = told["billing.fact_usage"].select(["custom_tags", "list_cost"]).to_pylist()
    tagged = [(tag, row["list_cost"]) for row in rows for tag in row["custom_tags"] or [(None, None)]]
    costs = {(row["tag_key"], row["tag_value"]): row for row in told.costs("tag").to_pylist()}
    assert set(costs) == {tag for tag, _ in tagged}
    untagged = [cost for tag, cost in tagged if tag == (None, None)]
    assert costs[None, None]["records"] == len(untagged)


def test_the_months_of_the_statement_cover_the_period(told: Truth):
    assert set(told.costs("month").column("month").to_pylist()) == {date(2026, 3, 1), date(2026, 4, 1)}


@pytest.mark.parametrize(
    ("quantity", "price", "cost"),
    [
        ("2", "0.15", "0.3000000000000000000"),
        ("0.000000000000000001", "0.5", "0.0000000000000000005"),
        ("0.000000000000000001", "0.05", "0.0000000000000000001"),
        ("0.000000000000000001", "0.0499999999", "0.0000000000000000000"),
        ("-0.000000000000000001", "0.05", "-0.0000000000000000001"),
        ("9999999999.999999999999999999", "99999999.9999999999", "999999999999999998.9999999999000000000"),
        ("0.000004", "0.07", "0.0000002800000000000"),
    ],
)
def test_a_cost_is_the_exact_product_rounded_once_half_away_from_zero(quantity: str, price: str, cost: str):
    assert billing.cost(Decimal(quantity), Decimal(price)) == Decimal(cost)


# Gold --------------------------------------------------------------------------------------------------------------

USAGE = PLACES.gold("billing.fact_usage")
WITH_TAGS = f"(SELECT u.*, t.key, t.value FROM {USAGE} u LATERAL VIEW OUTER explode(u.custom_tags) t AS key, value)"
IN_GOLD: Mapping[str, tuple[str, ...]] = {
    "day": ("usage_date",),
    "month": ("cast(trunc(usage_date, 'MM') as date)",),
    "workspace": ("workspace_id",),
    "sku": ("sku_name", "cloud", "usage_unit"),
    "job": ("workspace_id", "usage_metadata_job_id"),
    "warehouse": ("workspace_id", "usage_metadata_warehouse_id"),
    "cluster": ("workspace_id", "usage_metadata_cluster_id"),
    "tag": ("key", "value"),
}


@dataclass(frozen=True)
class Both:
    """Gold after a run in March and one in May, and its truth."""

    door: Door
    told: Truth


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    account = synthetic.generate(days=60, scale=0.02, seed=7)
    gold = only(("billing.fact_usage", "billing.fact_list_prices", "billing.fact_account_prices"))
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        client = workspace.client()
        for look in (BEFORE_THE_DRIFT, AT):
            show(client, account, look, gold)
            assert flow.run(through(client, PLACES, look), gold=gold).failed == ()
        yield Both(through(client, PLACES, AT), oracle.truth(account, AT, looks=(BEFORE_THE_DRIFT,)))


def in_gold(door: Door, *by: str) -> Sums:
    """Sum the records of gold inside the engine: records, quantity, both costs, quantity without a price, of each key."""
    keys = [f"{sql} AS k{at}" for at, sql in enumerate(sql for way in by for sql in IN_GOLD[way])]
    grouped = ", ".join(str(at) for at, _ in enumerate(keys, 1))
    rows = door.sql(
        f"SELECT {', '.join(keys)}, count(*) AS records, sum(usage_quantity) AS quantity, sum(list_cost) AS listed,"
        " sum(effective_cost) AS effective,"
        " sum(CASE WHEN effective_cost IS NULL THEN usage_quantity ELSE 0 END) AS unpriced"
        f" FROM {WITH_TAGS if 'tag' in by else USAGE} GROUP BY {grouped}"
    )
    return {tuple(row.values())[: len(keys)]: tuple(row.values())[len(keys) :] for row in rows}


def in_truth(told: Truth, *by: str) -> Sums:
    rows = told.costs(*by)
    keys = len(rows.schema.names) - len(SUMMED) - 2
    return {tuple(row.values())[:keys]: tuple(row.values())[keys:] for row in rows.to_pylist()}


WHOLE_BILL = [(way,) for way in WAYS] + [("month", "sku"), ("month", "workspace"), ("day", "workspace", "sku")]


@pytest.mark.parametrize("by", WHOLE_BILL, ids="-".join)
def test_gold_sums_to_the_costs_of_the_oracle_to_the_last_decimal(both: Both, by: tuple[str, ...]):
    assert in_gold(both.door, *by) == in_truth(both.told, *by)


def test_a_last_decimal_more_in_one_record_is_one_other_sum_each_way(both: Both):
    tagged = both.door.sql(f"SELECT record_id FROM {USAGE} WHERE list_cost > 0 AND size(custom_tags) = 1 LIMIT 1")
    change = f"UPDATE {USAGE} SET list_cost = list_cost {{}} 0.0000000000000000001 WHERE record_id = '{{}}'"
    both.door.sql(change.format("+", tagged[0]["record_id"]))
    try:
        unlike = {way: _unlike(in_gold(both.door, way), in_truth(both.told, way)) for way in WAYS}
    finally:
        both.door.sql(change.format("-", tagged[0]["record_id"]))
    assert unlike == {way: [Decimal("1e-19")] for way in WAYS}


def _unlike(ours: Sums, theirs: Sums) -> list[Decimal]:
    assert set(ours) == set(theirs)
    return [ours[key][2] - theirs[key][2] for key in ours if ours[key] != theirs[key]]


def test_corrections_and_changes_of_price_are_among_what_was_summed(both: Both):
    kinds = both.door.sql(f"SELECT record_type, count(*) AS found FROM {USAGE} GROUP BY 1 ORDER BY 1")
    assert [row["record_type"] for row in kinds if row["found"] >= 10] == ["ORIGINAL", "RESTATEMENT", "RETRACTION"]
    changed = both.door.sql(
        f"SELECT price_basis, count(*) AS found FROM (SELECT price_basis, sku_name, cloud FROM {USAGE}"
        " WHERE effective_price IS NOT NULL GROUP BY 1, 2, 3 HAVING count(DISTINCT effective_price) > 1)"
        " GROUP BY 1 ORDER BY 1"
    )
    assert [row["price_basis"] for row in changed] == ["account", "list_effective"]
    within_an_hour = both.door.sql(
        f"SELECT count(*) AS found FROM {USAGE} u JOIN {PLACES.gold('billing.fact_list_prices')} p"
        " ON u.sku_name = p.sku_name AND u.cloud = p.cloud AND p.price_start_time > u.usage_start_time"
        " AND p.price_start_time < u.usage_end_time AND p.effective_list_price <> u.list_price"
    )
    assert within_an_hour[0]["found"] > 0


def test_the_statement_of_a_month_is_the_oracles_by_sku_and_by_day(both: Both):
    months = bill.statement(both.door)
    skus = {(month.month, one.sku_name): (one.rows, one.list_cost, one.gold) for month in months for one in month.skus}
    assert skus == _by(both.told.costs("month", "sku").to_pylist(), "month", "sku_name")
    days = {one.day: (one.rows, one.gold) for month in months for one in month.days}
    told = _by(both.told.costs("day").to_pylist(), "usage_date")
    assert days == {day: (records, effective) for (day,), (records, _, effective) in told.items()}
    whole = {(month.month,): (sum(one.rows for one in month.skus), month.list_cost, month.gold) for month in months}
    assert whole == _by(both.told.costs("month").to_pylist(), "month")
    assert all(month.ties for month in months)


def _by(rows: Sequence[Mapping[str, Any]], *key: str) -> dict[tuple[Any, ...], tuple[int, Decimal, Decimal]]:
    """Add up what the oracle tells in finer groups; the statement shows no cost as none."""
    sums: dict[tuple[Any, ...], tuple[int, Decimal, Decimal]] = defaultdict(lambda: (0, Decimal(0), Decimal(0)))
    for row in rows:
        records, listed, effective = sums[tuple(row[name] for name in key)]
        more = (row["list_cost"] or Decimal(0), row["effective_cost"] or Decimal(0))
        sums[tuple(row[name] for name in key)] = (records + row["records"], listed + more[0], effective + more[1])
    return dict(sums)
