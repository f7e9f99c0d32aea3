"""The gold contracts of the package: 38 tables in 13 domains, each with the key that its source really has."""

from __future__ import annotations

import pytest

from brickyard.health.model import source as sources
from brickyard.health.model.compiled import GoldTable
from brickyard.health.model.contract import Kind
from brickyard.health.model.reading import read_all
from brickyard.health.model.types import decimal
from brickyard.health.plan import ddl
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.text import Places

GOLD = compile_all()
ALL = tuple(GOLD)
PLACES = Places("gold", "system")
NOT_OF_THE_SOURCE = "generated"
PRICE = ("account_id", "sku_name", "cloud", "currency_code", "usage_unit", "price_start_time")
DETECTION = ("table_id", "column_name", "class_tag", "class_tag_value")

# What a row of each table is, and from where: kind, source, key.
TABLES: dict[str, tuple[Kind, str, tuple[str, ...]]] = {
    "shared.dim_workspace": (Kind.DIM_SCD2, "access.workspaces_latest", ("account_id", "workspace_id")),
    "shared.dim_date": (Kind.STATIC, NOT_OF_THE_SOURCE, ("date",)),
    "billing.dim_sku": (Kind.DERIVED, "billing.usage", ("sku_name", "cloud", "usage_unit")),
    "billing.fact_list_prices": (Kind.SNAPSHOT, "billing.list_prices", PRICE),
    "billing.fact_account_prices": (Kind.SNAPSHOT, "billing.account_prices", PRICE),
    "billing.fact_usage": (
        Kind.FACT_CORRECTIONS,
        "billing.usage",
        ("record_id", "record_type", "ingestion_date", "usage_quantity"),
    ),
    "lakeflow.dim_job": (Kind.DIM_SCD2, "lakeflow.jobs", ("workspace_id", "job_id")),
    "lakeflow.dim_job_task": (Kind.DIM_SCD2, "lakeflow.job_tasks", ("workspace_id", "job_id", "task_key")),
    "lakeflow.dim_pipeline": (Kind.DIM_SCD2, "lakeflow.pipelines", ("workspace_id", "pipeline_id")),
    "lakeflow.fact_job_run_timeline": (
        Kind.FACT_SLICES,
        "lakeflow.job_run_timeline",
        ("workspace_id", "run_id", "period_start_time"),
    ),
    "lakeflow.fact_job_task_run_timeline": (
        Kind.FACT_SLICES,
        "lakeflow.job_task_run_timeline",
        ("workspace_id", "run_id", "period_start_time"),
    ),
    "lakeflow.fact_pipeline_update_timeline": (
        Kind.FACT_SLICES,
        "lakeflow.pipeline_update_timeline",
        ("workspace_id", "update_id", "period_start_time"),
    ),
    "query_performance.dim_warehouse": (Kind.DIM_SCD2, "compute.warehouses", ("workspace_id", "warehouse_id")),
    "query_performance.fact_query_history": (Kind.FACT_FINAL, "query.history", ("workspace_id", "statement_id")),
    "query_performance.fact_warehouse_events": (
        Kind.FACT_APPEND,
        "compute.warehouse_events",
        ("workspace_id", "warehouse_id", "event_time", "event_type"),
    ),
    "security.fact_audit_logs": (Kind.FACT_APPEND, "access.audit", ("event_id",)),
    "security.fact_assistant_events": (Kind.FACT_APPEND, "access.assistant_events", ("event_id",)),
    "security.fact_clean_room_events": (Kind.FACT_APPEND, "access.clean_room_events", ("event_id",)),
    "security.fact_inbound_network": (Kind.FACT_APPEND, "access.inbound_network", ("event_id",)),
    "security.fact_outbound_network": (Kind.FACT_APPEND, "access.outbound_network", ("event_id",)),
    "compute.dim_node_type": (Kind.DIM_SCD1, "compute.node_types", ("account_id", "node_type")),
    "compute.dim_cluster": (Kind.DIM_SCD2, "compute.clusters", ("workspace_id", "cluster_id")),
    "compute.fact_node_timeline": (
        Kind.FACT_APPEND,
        "compute.node_timeline",
        ("workspace_id", "cluster_id", "instance_id", "start_time"),
    ),
    "governance.fact_table_lineage": (Kind.FACT_APPEND, "access.table_lineage", ("record_id",)),
    "governance.fact_column_lineage": (Kind.FACT_APPEND, "access.column_lineage", ("record_id",)),
    "data_classification.fact_data_classification": (Kind.DERIVED, "data_classification.results", DETECTION),
    "data_classification.fact_data_classification_results": (
        Kind.DERIVED,
        "data_classification.results",
        (*DETECTION, "observed_at"),
    ),
    "dqm.fact_dq_monitoring": (Kind.DERIVED, "data_quality_monitoring.table_results", ("table_id", "valid_from")),
    "dqm.fact_data_quality_monitoring_table_results": (
        Kind.FACT_APPEND,
        "data_quality_monitoring.table_results",
        ("table_id", "event_time"),
    ),
    "marketplace.fact_listing_access": (Kind.FACT_APPEND, "marketplace.listing_access_events", ("row_hash",)),
    "marketplace.fact_listing_funnel": (Kind.FACT_APPEND, "marketplace.listing_funnel_events", ("row_hash",)),
    "mlflow.dim_experiment": (Kind.DIM_SCD1, "mlflow.experiments_latest", ("workspace_id", "experiment_id")),
    "mlflow.fact_mlflow_runs": (Kind.FACT_FINAL, "mlflow.runs_latest", ("workspace_id", "run_id")),
    "mlflow.fact_mlflow_run_metrics_history": (Kind.FACT_APPEND, "mlflow.run_metrics_history", ("record_id",)),
    "model_serving.dim_served_entities": (
        Kind.DIM_SCD2,
        "serving.served_entities",
        ("workspace_id", "served_entity_id"),
    ),
    "model_serving.fact_endpoint_usage": (
        Kind.FACT_APPEND,
        "serving.endpoint_usage",
        ("workspace_id", "databricks_request_id", "served_entity_id"),
    ),
    "model_serving.fact_payload_logs": (
        Kind.FACT_APPEND,
        "serving.payload_logs",
        ("databricks_request_id", "served_entity_id"),
    ),
    "storage.fact_predictive_optimization": (
        Kind.FACT_APPEND,
        "storage.predictive_optimization_operations_history",
        ("operation_id",),
    ),
}

# Columns that the requirements name, and so must not be called otherwise.
NAMED = {
    "billing.fact_usage": {"list_price", "list_cost", "is_tagged", "tag_count", "custom_tags", "record_id"},
    "lakeflow.dim_job": {"tags_json"},
    "lakeflow.dim_job_task": {"depends_on_keys_json"},
    "lakeflow.dim_pipeline": {"tags_json", "configuration_json", "settings_photon", "settings_serverless"},
    "lakeflow.fact_job_run_timeline": {
        "run_date",
        "run_duration_seconds",
        "run_duration_minutes",
        "is_success",
        "compute_ids",
        "job_parameters",
    },
    "lakeflow.fact_job_task_run_timeline": {"compute_ids_json"},
    "lakeflow.fact_pipeline_update_timeline": {
        "refresh_selection_json",
        "full_refresh_selection_json",
        "reset_checkpoint_selection_json",
        "trigger_details_job_task_job_id",
        "compute_type",
    },
    "query_performance.dim_warehouse": {"tags_json"},
    "query_performance.fact_query_history": {"query_tags", "compute_warehouse_id", "query_source_dashboard_id"},
    "security.fact_audit_logs": {
        "is_sensitive_action",
        "is_failed_action",
        "request_params",
        "user_identity_email",
        "response_status_code",
        "identity_metadata_run_as",
    },
    "compute.dim_cluster": {"tags_json"},
}


def test_there_are_38_tables_in_13_domains_and_the_companions_stand_beside_them() -> None:
    main = {table.table for table in GOLD.main}
    assert main == set(TABLES)
    assert (len(main), len({table.contract.domain for table in GOLD.main})) == (38, 13)
    assert {table.table for table in GOLD} - main == {
        "compute.fact_node_hour",
        "lakeflow.fact_job_run",
        "lakeflow.fact_job_task_run",
        "lakeflow.fact_pipeline_update",
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_row_is_what_the_source_has_a_row_for(name: str) -> None:
    table = GOLD[name]
    source = table.source.name if table.source else NOT_OF_THE_SOURCE
    assert (table.contract.kind, source, table.contract.key) == TABLES[name]


@pytest.mark.parametrize("name", NAMED)
def test_columns_that_were_asked_for_keep_their_names(name: str) -> None:
    assert NAMED[name] - {column.name for column in GOLD[name].columns} == set()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_every_column_says_what_it_is(table: GoldTable) -> None:
    assert [column.name for column in table.columns if not column.comment] == []
    assert ddl.create_gold(table, PLACES).startswith("CREATE TABLE IF NOT EXISTS")


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_a_file_holds_the_table_that_it_is_named_after(table: GoldTable) -> None:
    files = {one.contract.table: one.file for one in read_all()}
    assert files[table.table] == f"gold/{table.contract.domain}/{table.contract.name}.yaml"


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_a_merge_is_bounded_by_a_day_only_where_the_key_or_a_lasting_time_fixes_it(table: GoldTable) -> None:
    fixed_by_key = {"usage_start_time"} | set(table.contract.key)
    # These name the day of a time that a record gets once; the rest of a record may change, the time does not.
    lasting = {"event_date", "event_time", "start_time", "request_date", "request_time", "insert_time", "_row_hash"}
    lasting |= {"usage_date"}  # a correction keeps the day of what it corrects
    column = table.column(table.contract.prune) if table.contract.prune else None
    assert column is None or {column.name, *column.reads} & (fixed_by_key | lasting)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_what_the_source_calls_sensitive_is_told_as_personal_or_left_out(table: GoldTable) -> None:
    sensitive = {
        "access.audit": {"user_identity_email"},
        "query.history": {"statement_text", "query_parameters_pos_parameters_json"},
        "marketplace.listing_access_events": {"consumer_email", "consumer_name"},
    }
    wanted = sensitive.get(table.source.name, set()) if table.source else set()
    assert wanted - set(table.contract.pii) == set()
    assert {"samples", "request", "response"} & {column.name for column in table.columns} == set()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_no_decimal_of_a_source_is_narrower_in_gold_without_a_guard(table: GoldTable) -> None:
    source = table.source or sources.load("access.audit")
    narrowed = [
        column.name
        for column in table.of_origin("source")
        for leaf in map(source.leaf, column.reads)
        if leaf and decimal(leaf.type) and decimal(column.type) and decimal(column.type) != decimal(leaf.type)
    ]
    guarded = [column.name for column in table.columns if column.narrow]
    assert sorted(set(narrowed)) == sorted(guarded)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.table)
def test_what_a_table_is_clustered_by_stands_among_the_columns_that_have_statistics(table: GoldTable) -> None:
    first = [column.name for column in table.columns[:32]]
    clustered = [table.contract.prune, *table.key] if table.contract.prune else table.key
    # Every table has its key well in front, except a history, whose versions are dated after its own columns.
    assert [name for name in clustered[:2] if name not in first] == []
