"""Every gold column can be followed to the leaves of its sources."""

from __future__ import annotations

import pytest

from brickyard.health.model.source import load
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.lineage import lineage
from brickyard.kernel.errors import NotFound, SpecInvalid

GOLD = compile_all()
EVERY = [f"{table.table}.{column.name}" for table in GOLD for column in table.columns]


def test_a_cost_comes_from_quantity_price_and_what_finds_the_price():
    found = lineage(GOLD, "fact_usage.list_cost")
    assert found.expression == "money(usage_quantity, list_price)"
    assert {leaf.name for leaf in found.leaves()} == {
        "billing.usage.usage_quantity",
        "billing.usage.sku_name",
        "billing.usage.account_id",
        "billing.usage.cloud",
        "billing.usage.usage_unit",
        "billing.usage.usage_start_time",
        "billing.list_prices.pricing.default",
        "billing.list_prices.pricing.effective_list.default",
    }


def test_a_column_that_a_query_made_comes_from_what_its_projection_names():
    found = lineage(GOLD, "billing.dim_sku.first_usage_date")
    assert [leaf.name for leaf in found.leaves()] == ["billing.usage.usage_date"]


def test_the_begin_of_a_version_of_a_dated_state_is_the_time_of_the_state():
    assert [leaf.type for leaf in lineage(GOLD, "dim_workspace.valid_from").leaves()] == ["timestamp"]


@pytest.mark.parametrize("name", EVERY)
def test_a_way_ends_at_a_leaf_that_its_source_has(name: str):
    for leaf in lineage(GOLD, name).leaves():
        schema, table, *path = leaf.name.split(".")
        source = load(f"{schema}.{table}")
        assert path in ([], ["*"]) or source.leaf("__".join(path))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("fact_usag.list_cost", "did you mean fact_usage?"),
        ("fact_usage.list_costs", "did you mean list_cost?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str):
    with pytest.raises(NotFound) as refused:
        lineage(GOLD, name)
    assert refused.value.remedy == near


def test_a_name_without_a_dot_is_no_column():
    with pytest.raises(SpecInvalid):
        lineage(GOLD, "list_cost")
