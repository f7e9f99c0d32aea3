"""The bill by two paths of the oracle, and by hand where it is small enough."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from brickyard.health import oracle, synthetic
from brickyard.health.oracle import billing
from brickyard.health.oracle.telling import Truth

SUMMED = ("usage_quantity", "list_cost", "effective_cost")


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
