"""The sources tell of one world: joins match about as often as in the accounts that were observed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from brickyard.health import synthetic
from brickyard.health.synthetic import Shape, source

WHOLE = synthetic.generate(scale=1.0)
JOINED = (
    "billing.usage",
    "compute.clusters",
    "compute.warehouses",
    "lakeflow.jobs",
    "lakeflow.job_tasks",
    "lakeflow.pipelines",
    "serving.served_entities",
    "lakeflow.job_run_timeline",
    "lakeflow.job_task_run_timeline",
    "compute.node_timeline",
    "query.history",
    "access.table_lineage",
    "access.audit",
)
OBSERVED = {  # left table, what is counted, key of the right side, share in percent
    "usage to workspace": ("billing_usage", "true", "workspace_id IN (FROM workspaces)", 95),
    "usage to cluster": (
        "billing_usage",
        "usage_metadata.cluster_id IS NOT NULL",
        "usage_metadata.cluster_id IN (SELECT cluster_id FROM compute_clusters)",
        78,
    ),
    "usage to warehouse": (
        "billing_usage",
        "usage_metadata.warehouse_id IS NOT NULL",
        "usage_metadata.warehouse_id IN (SELECT warehouse_id FROM compute_warehouses)",
        68,
    ),
    "usage to job": (
        "billing_usage",
        "billing_origin_product = 'JOBS'",
        "usage_metadata.job_id IN (SELECT job_id FROM lakeflow_jobs)",
        84,
    ),
    "usage to pipeline": (
        "billing_usage",
        "billing_origin_product = 'DLT'",
        "usage_metadata.dlt_pipeline_id IN (SELECT pipeline_id FROM lakeflow_pipelines)",
        62,
    ),
    "usage to endpoint": (
        "billing_usage",
        "usage_metadata.endpoint_id IS NOT NULL",
        "usage_metadata.endpoint_id IN (SELECT endpoint_id FROM serving_served_entities)",
        14,
    ),
    "run to job": (
        "lakeflow_job_run_timeline",
        "true",
        "(workspace_id, job_id) IN (SELECT (workspace_id, job_id) FROM lakeflow_jobs)",
        99.8,
    ),
    "task run to task": (
        "lakeflow_job_task_run_timeline",
        "true",
        "(workspace_id, job_id, task_key) IN (SELECT (workspace_id, job_id, task_key) FROM lakeflow_job_tasks)",
        99.7,
    ),
    "node to cluster": (
        "compute_node_timeline",
        "true",
        "cluster_id IN (SELECT cluster_id FROM compute_clusters)",
        99.7,
    ),
    "lineage to statement": (
        "access_table_lineage",
        "statement_id IS NOT NULL",
        "statement_id IN (SELECT statement_id FROM query_history)",
        93,
    ),
    "audit to workspace": ("access_audit", "true", "workspace_id IN (FROM workspaces)", 57),
}


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in JOINED:
            connection.register(name.replace(".", "_"), WHOLE.arrivals(name))
        ids = {
            key for _, state in WHOLE.snapshots("access.workspaces_latest") for key in state["workspace_id"].to_pylist()
        }
        connection.execute("CREATE TABLE workspaces (workspace_id VARCHAR)")
        connection.executemany("INSERT INTO workspaces VALUES (?)", [[each] for each in sorted(ids)])
        yield connection


@pytest.mark.parametrize("name", OBSERVED)
def test_a_join_matches_about_as_often_as_observed(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    table, counted, match, percent = OBSERVED[name]
    found = lake.execute(
        f"SELECT 100 * avg(CASE WHEN {match} THEN 1 ELSE 0 END) FROM {table} WHERE {counted}"
    ).fetchone()
    assert found is not None
    assert found[0] == pytest.approx(percent, abs=2.5 if percent < 99 else 0.4)


def test_an_account_of_scale_one_has_the_rows_of_a_small_company() -> None:
    rows = {name: WHOLE.arrivals(name).num_rows for name in WHOLE.sources if source(name).shape is not Shape.SNAPSHOT}
    assert 60_000 <= rows["billing.usage"] <= 90_000
    assert sum(rows.values()) >= 300_000


def test_runs_have_about_as_many_slices_as_observed(lake: duckdb.DuckDBPyConnection) -> None:
    found = lake.execute("SELECT count(*) / count(DISTINCT run_id) FROM lakeflow_job_run_timeline").fetchone()
    assert found is not None
    assert found[0] == pytest.approx(1.16, abs=0.06)
