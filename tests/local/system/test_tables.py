"""Every source table of the gold layer is there, with the columns and types that Databricks publishes."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from brickyard.kernel.assets import read_text
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import SqlError, SqlSession
from brickyard.local.sql.service import SqlService
from brickyard.local.sql.types import text_of, type_of_text
from brickyard.local.system.tables import SystemTables, names

OWNER = "owner@local"
TABLES = [
    "access.assistant_events",
    "access.audit",
    "access.clean_room_events",
    "access.column_lineage",
    "access.inbound_network",
    "access.outbound_network",
    "access.table_lineage",
    "access.workspaces_latest",
    "billing.account_prices",
    "billing.list_prices",
    "billing.usage",
    "compute.clusters",
    "compute.node_timeline",
    "compute.node_types",
    "compute.warehouse_events",
    "compute.warehouses",
    "data_classification.results",
    "data_quality_monitoring.table_results",
    "lakeflow.job_run_timeline",
    "lakeflow.job_task_run_timeline",
    "lakeflow.job_tasks",
    "lakeflow.jobs",
    "lakeflow.pipeline_update_timeline",
    "lakeflow.pipelines",
    "marketplace.listing_access_events",
    "marketplace.listing_funnel_events",
    "mlflow.experiments_latest",
    "mlflow.run_metrics_history",
    "mlflow.runs_latest",
    "query.history",
    "serving.endpoint_usage",
    "serving.served_entities",
    "storage.predictive_optimization_operations_history",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def store(home):
    made = CatalogStore(home / "catalog.sqlite", owner=OWNER)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(home, store):
    made = SqlService(home, store)
    yield made
    made.close()


@pytest.fixture(scope="module")
def run(service):
    session = SqlSession("somebody@local")
    return lambda text: service.execute(text, session).table.to_pylist()


@pytest.fixture(scope="module")
def run_as_owner(service):
    session = SqlSession(OWNER, admin=True)
    return lambda text: service.execute(text, session).table.to_pylist()


def published(name):
    columns = YAML(typ="safe").load(read_text("health", "system_tables", f"{name}.yaml"))["columns"]
    return [(column["name"], column["type"]) for column in columns]


def test_the_tables_that_the_gold_layer_reads_are_there():
    assert list(names()) == TABLES


def test_the_information_schema_tells_every_published_column_and_type(run):
    rows = run(
        "SELECT table_schema, table_name, column_name, full_data_type, is_nullable "
        "FROM system.information_schema.columns WHERE table_catalog = 'system' ORDER BY 1, 2, ordinal_position"
    )
    told = {name: [] for name in TABLES}
    for row in rows:
        told[f"{row['table_schema']}.{row['table_name']}"].append((row["column_name"], row["full_data_type"]))
    assert told == {name: published(name) for name in TABLES}
    assert {row["is_nullable"] for row in rows} == {"YES"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_can_be_read_and_has_these_columns(run, name):
    described = run(f"DESCRIBE QUERY SELECT * FROM system.{name}")
    assert [(row["col_name"], row["data_type"]) for row in described] == published(name)
    assert run(f"SELECT count(*) AS n FROM system.{name}")[0]["n"] >= 0


def test_what_a_laptop_has_nothing_to_say_about_is_empty(run):
    silent = [
        name for name in TABLES if name.partition(".")[0] in ("billing", "marketplace", "mlflow", "serving", "storage")
    ]
    counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM system.{name}" for name in silent)
    assert {row["name"]: row["n"] for row in run(counts)} == dict.fromkeys(silent, 0)


def test_payload_logs_are_no_public_table(run):
    assert run("SHOW TABLES IN system.serving LIKE 'payload*'") == []


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO system.billing.usage SELECT * FROM system.billing.usage",
        "DELETE FROM system.access.audit",
        "ALTER TABLE system.access.audit ADD COLUMN more INT",
        "COMMENT ON TABLE system.access.audit IS 'mine'",
        "DROP TABLE system.query.history",
        "CREATE TABLE system.access.mine (a INT)",
        "CREATE VIEW system.access.mine AS SELECT 1 AS one",
        "CREATE SCHEMA system.mine",
        "DROP SCHEMA system.lakeflow CASCADE",
        "DROP CATALOG system CASCADE",
    ],
)
def test_nobody_changes_them_but_the_workspace_not_even_its_owner(run_as_owner, text):
    with pytest.raises(SqlError, match="PERMISSION_DENIED"):
        run_as_owner(text)


@pytest.mark.parametrize(
    "text",
    [
        "DESCRIBE HISTORY system.mlflow.runs_latest",
        "DESCRIBE DETAIL system.marketplace.listing_access_events",
        "DESCRIBE TABLE EXTENDED system.serving.endpoint_usage",
        "SELECT * FROM system.compute.node_timeline VERSION AS OF 0",
        "CREATE TABLE main.default.kept DEEP CLONE system.billing.list_prices",
    ],
)
def test_a_table_that_nobody_has_read_before_is_there_for_every_statement(run_as_owner, text):
    assert run_as_owner(text) is not None


def test_a_table_that_is_put_holds_what_was_put_and_nothing_is_written_again(home, store):
    tables = SystemTables(store, home / "put")
    name, first = "access.workspaces_latest", {"workspace_id": "1", "status": "RUNNING"}
    versions = []
    for rows in ([first], [first], [{**first, "status": "FAILED"}]):
        tables.put(name, rows)
        versions.append(len(list((home / "put" / name / "_delta_log").glob("*.json"))))
    assert versions == [2, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "decimal(38,18)",
        "array<struct<type:string,cluster_id:string>>",
        "map<string,map<string,string>>",
        "struct<a:bigint,b:array<decimal(10,2)>,c:map<string,struct<d:timestamp,e:tinyint>>>",
    ],
)
def test_a_type_is_written_as_it_is_read(text):
    assert text_of(type_of_text(text)) == text
