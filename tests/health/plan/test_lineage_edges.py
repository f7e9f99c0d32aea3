"""Lineage ends at the leaves that a value is computed from: through inner queries, look-ups and histories."""

from __future__ import annotations

import pytest

from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.lineage import Edge, edges, lineage

GOLD = compile_all()
EDGES = edges(GOLD)
WHAT_FINDS_A_PRICE = {
    f"billing.usage.{name}" for name in ("account_id", "cloud", "sku_name", "usage_start_time", "usage_unit")
}


def leaves(column: str) -> set[str]:
    return {leaf.name for leaf in lineage(GOLD, column).leaves()}


@pytest.mark.parametrize(
    ("column", "read"),
    [
        ("compute.fact_node_hour.hour_start", {"compute.node_timeline.start_time"}),
        (
            "compute.fact_node_hour.p95_cpu_percent",
            {"compute.node_timeline.cpu_user_percent", "compute.node_timeline.cpu_system_percent"},
        ),
        ("compute.fact_node_hour.sample_count", {"compute.node_timeline.*"}),
        ("lakeflow.fact_job_run.result_state", {"lakeflow.job_run_timeline.result_state"}),
        ("marketplace.fact_listing_funnel.row_hash", {"marketplace.listing_funnel_events.*"}),
        ("shared.dim_workspace.valid_to", {"access.workspaces_latest"}),
        ("lakeflow.dim_job.valid_from", {"lakeflow.jobs.change_time"}),
        ("lakeflow.dim_job.valid_to", {"lakeflow.jobs.change_time", "lakeflow.jobs.delete_time"}),
        ("billing.fact_usage.usage_metadata_job_id", {"billing.usage.usage_metadata.job_id"}),
        ("shared.dim_date.iso_week", set()),
        (
            "billing.fact_usage.list_cost",
            {
                "billing.usage.usage_quantity",
                "billing.list_prices.pricing.default",
                "billing.list_prices.pricing.effective_list.default",
            }
            | WHAT_FINDS_A_PRICE,
        ),
    ],
)
def test_a_column_reads_what_its_value_is_computed_from_and_no_more(column: str, read: set[str]):
    assert leaves(column) == read


def test_every_column_of_a_table_with_a_source_has_a_source():
    known = {edge.column for edge in EDGES}
    without = {
        table.table
        for table in GOLD
        for column in table.columns
        if column.origin != "audit" and f"{table.table}.{column.name}" not in known
    }
    assert without == {"shared.dim_date"}


def test_an_edge_names_the_tables_on_the_way():
    found = [edge for edge in EDGES if edge.column == "billing.fact_usage.list_cost" and "pricing" in edge.leaf]
    assert found == [
        Edge("billing.fact_usage.list_cost", f"billing.list_prices.{leaf}", ("billing.fact_list_prices",))
        for leaf in ("pricing.default", "pricing.effective_list.default")
    ]


def test_the_edges_of_a_column_are_the_leaves_of_its_lineage():
    assert {edge.leaf for edge in EDGES if edge.column == "billing.fact_usage.effective_cost"} == leaves(
        "billing.fact_usage.effective_cost"
    )
