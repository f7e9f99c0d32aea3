"""What is wrong, odd or rare in the synthetic account on purpose: where, how often at the least, and how to find it.

The texts are SQL over one table per source, named with `_` for the dot (`billing_usage`). A source that grows holds
all its arrivals with `_arrived_at`; a snapshot holds all its states with `_state_day`. Each text yields one count. The
least counts hold at every scale of 0.02 and more over the default 60 days.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted case of a source: at least *at_least* finds of the query *sql*."""

    source: str
    case: str
    at_least: int
    sql: str


def _rows(source: str, case: str, at_least: int, condition: str) -> Planted:
    return Planted(source, case, at_least, f"SELECT count(*) FROM {source.replace('.', '_')} t WHERE {condition}")


def _groups(source: str, case: str, at_least: int, keys: str, having: str, condition: str = "true") -> Planted:
    table = source.replace(".", "_")
    return Planted(
        source,
        case,
        at_least,
        f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} GROUP BY {keys} HAVING {having})",
    )


_ORIGINAL_OF = (
    "EXISTS (SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'ORIGINAL' "
    "AND o.usage_quantity = -t.usage_quantity)"
)
_RESTATED = "EXISTS (SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'RESTATEMENT')"
_LIST_PRICE = (
    "SELECT 1 FROM billing_list_prices p WHERE p.sku_name = t.sku_name AND p.cloud = t.cloud "
    "AND p.currency_code = 'USD'"
)
_USAGE = "billing.usage"
_LIST = "billing.list_prices"

BILLING: tuple[Planted, ...] = (
    _rows(_USAGE, "retraction with the id of its original", 10, f"record_type = 'RETRACTION' AND {_ORIGINAL_OF}"),
    _rows(
        _USAGE,
        "retraction with an id of its own",
        6,
        "record_type = 'RETRACTION' AND usage_quantity < 0 AND NOT EXISTS "
        "(SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'ORIGINAL')",
    ),
    _rows(_USAGE, "retraction and restatement of one id", 10, f"record_type = 'RETRACTION' AND {_RESTATED}"),
    _rows(_USAGE, "retraction without restatement", 3, f"record_type = 'RETRACTION' AND NOT {_RESTATED}"),
    _groups(
        _USAGE,
        "two rounds of one id",
        3,
        "record_id",
        "count(DISTINCT usage_quantity) > 1",
        "record_type = 'RETRACTION'",
    ),
    _rows(
        _USAGE,
        "correction ingested weeks later",
        4,
        "record_type <> 'ORIGINAL' AND ingestion_date > usage_date + INTERVAL 14 DAY",
    ),
    _rows(
        _USAGE,
        "correction in the month after",
        6,
        "record_type <> 'ORIGINAL' AND date_trunc('month', ingestion_date) > date_trunc('month', usage_date)",
    ),
    _rows(
        _USAGE,
        "original that is days late",
        2,
        "record_type = 'ORIGINAL' AND _arrived_at > usage_end_time + INTERVAL 28 HOUR",
    ),
    _groups(
        _USAGE,
        "exact row delivered twice",
        2,
        "record_id, record_type, usage_quantity, ingestion_date, custom_tags",
        "count(*) > 1",
    ),
    _groups(
        _USAGE,
        "two contents of one key and sequence",
        1,
        "record_id, record_type, usage_quantity, ingestion_date, usage_end_time",
        "count(DISTINCT custom_tags::VARCHAR) > 1 OR (count(custom_tags) BETWEEN 1 AND count(*) - 1)",
    ),
    _rows(_USAGE, "retraction that adds", 1, "record_type = 'RETRACTION' AND usage_quantity > 0"),
    _rows(_USAGE, "quantity too large for decimal(28,18)", 1, "abs(usage_quantity) >= 10000000000"),
    _rows(
        _USAGE, "quantity of 18 decimals", 100, "(usage_quantity * 1000000000) <> trunc(usage_quantity * 1000000000)"
    ),
    _rows(_USAGE, "quantity of 0.000004", 1, "usage_quantity < 0.0001 AND usage_quantity > 0"),
    _rows(_USAGE, "no workspace", 2, "workspace_id IS NULL"),
    _rows(_USAGE, "workspace '0'", 1, "workspace_id = '0'"),
    _rows(
        _USAGE,
        "workspace deleted before the period",
        5,
        "workspace_id <> '0' AND workspace_id NOT IN (SELECT workspace_id FROM access_workspaces_latest)",
    ),
    _rows(_USAGE, "free usage", 3, "sku_name LIKE '%_FREE_USAGE'"),
    _rows(_USAGE, "SKU without a price", 2, f"sku_name NOT LIKE '%_FREE_USAGE' AND NOT EXISTS ({_LIST_PRICE})"),
    _rows(
        _USAGE,
        "SKU priced in another unit only",
        2,
        f"EXISTS ({_LIST_PRICE}) AND NOT EXISTS ({_LIST_PRICE} AND p.usage_unit = t.usage_unit)",
    ),
    _rows(_USAGE, "tokens billed in DBU", 10, "usage_type = 'TOKEN' AND usage_unit = 'DBU'"),
    _rows(_USAGE, "drift of an enum: NETWORK_BYTE", 2, "usage_type = 'NETWORK_BYTE'"),
    _rows(_USAGE, "drift of an enum: NETWORK_BYTES", 2, "usage_type = 'NETWORK_BYTES'"),
    _rows(_USAGE, "field that came with the drift", 3, "identity_metadata.run_by IS NOT NULL"),
    _rows(
        _USAGE, "hour of summer time in America", 1, "date_trunc('hour', usage_start_time) = '2026-03-08 07:00:00+00'"
    ),
    _rows(
        _USAGE, "hour of summer time in Europe", 1, "date_trunc('hour', usage_start_time) = '2026-03-29 01:00:00+00'"
    ),
    _rows(
        _USAGE,
        "price that changes inside the interval",
        1,
        "EXISTS (SELECT 1 FROM billing_list_prices p WHERE p.sku_name = t.sku_name AND p.cloud = t.cloud "
        "AND p.price_start_time > t.usage_start_time AND p.price_start_time < t.usage_end_time)",
    ),
    _rows(
        _USAGE,
        "usage between a price and its showing",
        3,
        f"EXISTS ({_LIST_PRICE} AND t.usage_start_time >= p.price_start_time AND t.usage_start_time < "
        "(SELECT min(q._state_day) FROM billing_list_prices q WHERE q.sku_name = p.sku_name AND q.cloud = p.cloud "
        "AND q.price_start_time = p.price_start_time)) AND usage_date >= (SELECT min(_state_day) FROM billing_list_prices)",
    ),
    _rows(_LIST, "price that starts inside an hour", 2, "minute(price_start_time) <> 0"),
    _rows(_LIST, "price in a second currency", 10, "currency_code = 'EUR'"),
    _rows(_LIST, "promotional price", 2, "pricing.promotional.default IS NOT NULL"),
    _rows(
        _LIST, "effective list price that is not the default", 2, "pricing.effective_list.default <> pricing.default"
    ),
    _groups(
        _LIST,
        "open price closed in place",
        6,
        "sku_name, cloud, currency_code, usage_unit, price_start_time",
        "count(DISTINCT coalesce(price_end_time, '9999-01-01 00:00:00+00')) > 1",
    ),
    _rows("billing.account_prices", "negotiated price", 4, "currency_code = 'USD'"),
    _rows("billing.account_prices", "agreement that ends", 1, "price_end_time IS NOT NULL"),
    _rows("billing.account_prices", "price shown after it began", 2, "_state_day > price_start_time + INTERVAL 1 DAY"),
    _groups("access.workspaces_latest", "workspace renamed", 1, "workspace_id", "count(DISTINCT workspace_name) > 1"),
    _rows(
        "access.workspaces_latest",
        "workspace that vanishes",
        1,
        "_state_day = (SELECT min(_state_day) FROM access_workspaces_latest) AND workspace_id NOT IN (SELECT "
        "workspace_id FROM access_workspaces_latest WHERE _state_day = (SELECT max(_state_day) FROM access_workspaces_latest))",
    ),
    _rows(
        "access.workspaces_latest",
        "workspace that appears",
        1,
        "_state_day = (SELECT max(_state_day) FROM access_workspaces_latest) AND workspace_id NOT IN (SELECT "
        "workspace_id FROM access_workspaces_latest WHERE _state_day = (SELECT min(_state_day) FROM access_workspaces_latest))",
    ),
)

_JOBS, _RUNS, _TASK_RUNS = "lakeflow.jobs", "lakeflow.job_run_timeline", "lakeflow.job_task_run_timeline"
_UPDATES, _PIPELINES = "lakeflow.pipeline_update_timeline", "lakeflow.pipelines"
_RUN = "workspace_id, run_id"


def _twice(source: str, keys: str, differing: str) -> Planted:
    return _groups(source, "two contents of one key and sequence", 1, keys, f"count(DISTINCT {differing}) > 1")


def _out_of_order(source: str, key: str) -> Planted:
    table = source.replace(".", "_")
    later = " AND ".join(f"o.{each} = t.{each}" for each in key.split(", "))
    return _rows(
        source,
        "version that arrives after its successor",
        1,
        f"EXISTS (SELECT 1 FROM {table} o WHERE {later} AND o.change_time > t.change_time "
        "AND o._arrived_at < t._arrived_at)",
    )


LAKEFLOW: tuple[Planted, ...] = (
    _groups(_JOBS, "job renamed", 1, "workspace_id, job_id", "count(DISTINCT name) > 1"),
    _groups(_JOBS, "job of several versions", 3, "workspace_id, job_id", "count(DISTINCT change_time) > 1"),
    _rows(_JOBS, "job deleted", 1, "delete_time IS NOT NULL"),
    _groups(
        _JOBS,
        "job created in the period",
        1,
        "workspace_id, job_id",
        "min(change_time) > (SELECT min(usage_date) + INTERVAL 3 DAY FROM billing_usage)",
    ),
    _groups(_JOBS, "one job id in two workspaces", 1, "job_id", "count(DISTINCT workspace_id) > 1"),
    _twice(_JOBS, "workspace_id, job_id, change_time", "coalesce(description, '')"),
    _out_of_order(_JOBS, "workspace_id, job_id"),
    _rows(_JOBS, "column that came with the drift", 1, "create_time IS NOT NULL"),
    _out_of_order("lakeflow.job_tasks", "workspace_id, job_id, task_key"),
    _rows("lakeflow.job_tasks", "task that waits for another", 5, "len(depends_on_keys) = 1"),
    _rows("lakeflow.job_tasks", "task without timeout", 2, "coalesce(timeout_seconds, 0) = 0"),
    _rows(_PIPELINES, "pipeline deleted", 1, "delete_time IS NOT NULL"),
    _out_of_order(_PIPELINES, "workspace_id, pipeline_id"),
    _groups(
        _RUNS, "run of several slices, result on the last only", 3, _RUN, "count(*) > 1 AND count(result_state) = 1"
    ),
    _groups(
        _RUNS,
        "run repaired: failed, then succeeded",
        1,
        _RUN,
        "count(DISTINCT result_state) = 2 AND max_by(result_state, period_end_time) = 'SUCCEEDED'",
    ),
    _groups(_RUNS, "run never finished", 2, _RUN, "count(result_state) = 0"),
    _rows(_RUNS, "run skipped", 2, "result_state = 'SKIPPED'"),
    _rows(_RUNS, "run failed", 2, "result_state = 'FAILED'"),
    _rows(_RUNS, "run timed out", 2, "result_state = 'TIMED_OUT'"),
    _rows(
        _RUNS,
        "run of several tasks whose phases are not reported",
        3,
        "run_duration_seconds > 0 AND setup_duration_seconds = 0 AND execution_duration_seconds = 0",
    ),
    _rows(
        _RUNS,
        "run of a job that lakeflow.jobs has lost",
        1,
        "NOT EXISTS (SELECT 1 FROM lakeflow_jobs j WHERE j.job_id = t.job_id AND j.workspace_id = t.workspace_id)",
    ),
    _rows(_RUNS, "nested notebook run", 1, "run_type = 'WORKFLOW_RUN'"),
    _rows(_RUNS, "run without compute ids", 3, "compute_ids IS NULL"),
    _rows(_RUNS, "run with an empty list of compute ids", 3, "len(compute_ids) = 0"),
    _rows(_RUNS, "column that came with the drift", 10, "termination_type IS NOT NULL"),
    _twice(_RUNS, f"{_RUN}, period_start_time, period_end_time", "trigger_type"),
    _groups(_TASK_RUNS, "task tried again", 1, "workspace_id, job_run_id, task_key", "count(DISTINCT run_id) > 1"),
    _groups(_TASK_RUNS, "task run of several slices", 1, _RUN, "count(*) > 1 AND count(result_state) = 1"),
    _groups(
        _UPDATES, "update of several slices", 1, "workspace_id, update_id", "count(DISTINCT period_start_time) > 1"
    ),
    _groups(_UPDATES, "request served by a second update", 1, "request_id", "count(DISTINCT update_id) > 1"),
    _rows(_UPDATES, "update failed", 1, "result_state = 'FAILED'"),
)

_CLUSTERS, _NODES = "compute.clusters", "compute.node_timeline"
_WAREHOUSES, _EVENTS, _HISTORY = "compute.warehouses", "compute.warehouse_events", "query.history"
COMPUTE: tuple[Planted, ...] = (
    _rows(_CLUSTERS, "cluster of one run, deleted after it", 3, "cluster_source = 'JOB' AND delete_time IS NOT NULL"),
    _groups(
        _CLUSTERS, "shared cluster of several versions", 1, "cluster_id", "count(*) > 1", "cluster_source <> 'JOB'"
    ),
    _rows(_CLUSTERS, "cluster that never stops by itself", 1, "coalesce(auto_termination_minutes, 0) = 0"),
    _rows(_CLUSTERS, "cluster on Azure or GCP", 1, "aws_attributes IS NULL"),
    _twice(_CLUSTERS, "workspace_id, cluster_id, change_time", "dbr_version"),
    _groups(
        _NODES, "cluster that idles", 1, "cluster_id", "quantile_cont(cpu_user_percent + cpu_system_percent, 0.95) < 5"
    ),
    _rows(
        _NODES,
        "node of an unknown cluster",
        2,
        "NOT EXISTS (SELECT 1 FROM compute_clusters c WHERE c.cluster_id = t.cluster_id)",
    ),
    _rows(_WAREHOUSES, "warehouse deleted", 1, "delete_time IS NOT NULL"),
    _rows(_WAREHOUSES, "warehouse that never stops by itself", 1, "auto_stop_minutes = 0"),
    _out_of_order(_WAREHOUSES, "workspace_id, warehouse_id"),
    Planted(
        _EVENTS,
        "warehouse that runs and is asked nothing",
        1,
        "SELECT count(DISTINCT warehouse_id) FROM compute_warehouse_events WHERE event_type = 'RUNNING' AND warehouse_id "
        "NOT IN (SELECT compute.warehouse_id FROM query_history WHERE compute.warehouse_id IS NOT NULL)",
    ),
    _groups(_EVENTS, "two events of one instant", 3, "warehouse_id, event_time", "count(DISTINCT event_type) > 1"),
    _twice(_EVENTS, "workspace_id, warehouse_id, event_time, event_type", "cluster_count"),
    _groups("compute.node_types", "node type whose memory changes", 1, "node_type", "count(DISTINCT memory_mb) > 1"),
    _groups(
        "compute.node_types",
        "node type that appears",
        1,
        "node_type",
        "count(*) < (SELECT count(DISTINCT _state_day) FROM compute_node_types)",
    ),
    _groups(_HISTORY, "statement told before it was final", 3, "statement_id", "count(*) > 1"),
    _rows(
        _HISTORY,
        "serverless statement whose waiting is not measured",
        10,
        "execution_duration_ms IS NOT NULL AND waiting_for_compute_duration_ms IS NULL AND compute.warehouse_id IS NULL",
    ),
    _rows(_HISTORY, "statement failed", 2, "execution_status = 'FAILED'"),
    _rows(_HISTORY, "statement canceled", 2, "execution_status = 'CANCELED'"),
    _rows(_HISTORY, "statement with parameters", 2, "query_parameters IS NOT NULL"),
    _rows(
        _HISTORY, "answer from the result cache", 5, "from_result_cache AND cache_origin_statement_id <> statement_id"
    ),
)

_AUDIT, _INBOUND, _OUTBOUND = "access.audit", "access.inbound_network", "access.outbound_network"
_TABLES, _COLUMNS = "access.table_lineage", "access.column_lineage"
_UNKNOWN_STATEMENT = (
    "statement_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM query_history h WHERE h.statement_id = t.statement_id)"
)
ACCESS: tuple[Planted, ...] = (
    _groups(
        _AUDIT,
        "burst of failed logins",
        1,
        "user_identity.email, source_ip_address, event_date",
        "count(DISTINCT event_id) >= 20",
        "action_name = 'login' AND response.status_code = 401",
    ),
    _rows(_AUDIT, "change of permissions", 3, "service_name = 'unityCatalog' AND action_name = 'updatePermissions'"),
    _rows(_AUDIT, "event of the account, workspace '0'", 50, "workspace_id = '0'"),
    _rows(_AUDIT, "event of the account, no workspace", 2, "workspace_id IS NULL"),
    _rows(_AUDIT, "event of the platform itself", 10, "user_identity.subject_name = 'System-User'"),
    _rows(_AUDIT, "field that came with the drift", 10, "identity_metadata.run_by_display_name IS NOT NULL"),
    _rows(_AUDIT, "row that is days late", 1, "_arrived_at > event_time + INTERVAL 25 HOUR"),
    _twice(_AUDIT, "event_id, event_time", "coalesce(user_agent, '')"),
    _groups(_AUDIT, "exact row delivered twice", 1, "event_id, user_agent", "count(*) > 1"),
    _rows(
        "access.assistant_events",
        "event of a deleted workspace",
        1,
        "workspace_id NOT IN (SELECT workspace_id FROM access_workspaces_latest)",
    ),
    *(
        _rows(
            "access.clean_room_events",
            f"payload of {kind} and no other",
            2,
            f"event_type = '{kind}' AND {payload} IS NOT NULL",
        )
        for kind, payload in (
            ("CLEAN_ROOM_CREATED", "clean_room_created_metadata"),
            ("CLEAN_ROOM_DELETED", "clean_room_deleted_metadata"),
            ("RUN_NOTEBOOK_COMPLETED", "run_notebook_completed_metadata"),
            ("CLEAN_ROOM_ASSETS_UPDATED", "clean_room_assets_updated_metadata"),
        )
    ),
    *(
        _rows(_INBOUND, f"drift of an enum: {word}", 1, f"policy_outcome = '{word}'")
        for word in ("DENY", "DENIED", "DENY_DRY_RUN", "DRY_RUN_DENIAL")
    ),
    _rows(_INBOUND, "request of nobody", 1, "authenticated_as IS NULL"),
    _rows(_INBOUND, "column that came with the drift", 2, "rule_label IS NOT NULL"),
    _twice(_INBOUND, "event_id, event_time", "request_path"),
    _rows(_OUTBOUND, "denied name", 5, "destination_type = 'DNS' AND dns_event IS NOT NULL AND storage_event IS NULL"),
    _rows(_OUTBOUND, "denied storage", 2, "destination_type = 'STORAGE' AND storage_event.path IS NOT NULL"),
    _rows(_OUTBOUND, "field that came with the drift", 2, "dns_event.rdata IS NOT NULL"),
    _rows(_OUTBOUND, "dry run", 2, "access_type = 'DRY_RUN_DROP'"),
    _twice(_TABLES, "record_id, event_time", "entity_run_id"),
    _rows(_TABLES, "read from a path", 2, "source_path IS NOT NULL AND source_table_full_name IS NULL"),
    _rows(_TABLES, "pure read", 5, "target_table_full_name IS NULL AND source_table_full_name IS NOT NULL"),
    _rows(_TABLES, "lineage of no entity", 5, "entity_type IS NULL AND entity_id IS NULL"),
    _rows(_TABLES, "statement older than the query history", 2, _UNKNOWN_STATEMENT),
    _rows(_TABLES, "field that came with the drift", 1, "entity_metadata.alert_id IS NOT NULL"),
    _rows(_TABLES, "indirect access", 5, "NOT direct_access"),
    _rows(_COLUMNS, "column read and not written", 5, "target_column_name IS NULL"),
    _rows(_COLUMNS, "column filled from a path", 2, "source_column_name IS NULL AND source_path IS NOT NULL"),
)

_CLASSES, _MONITORED = "data_classification.results", "data_quality_monitoring.table_results"
_DETECTION = "table_id, column_name, class_tag"
_SCANS = "(SELECT count(DISTINCT _state_day) FROM data_classification_results)"
_FIRST_SCAN = "(SELECT min(_state_day) FROM data_classification_results)"
_LAST_SCAN = "(SELECT max(_state_day) FROM data_classification_results)"
QUALITY: tuple[Planted, ...] = (
    _groups(_CLASSES, "detection that appears", 1, _DETECTION, f"min(_state_day) > {_FIRST_SCAN}"),
    _groups(_CLASSES, "detection that clears", 1, _DETECTION, f"max(_state_day) < {_LAST_SCAN}"),
    _groups(
        _CLASSES,
        "detection that clears and comes back",
        1,
        _DETECTION,
        f"count(*) < {_SCANS} AND min(_state_day) = {_FIRST_SCAN} AND max(_state_day) = {_LAST_SCAN}",
    ),
    _groups(_CLASSES, "detection whose confidence changes", 1, _DETECTION, "count(DISTINCT confidence) > 1"),
    _groups(_CLASSES, "table renamed", 1, "table_id", "count(DISTINCT table_name) > 1"),
    _rows(_CLASSES, "class tag with a value", 1, "class_tag_value IS NOT NULL"),
    _rows(_CLASSES, "class tag without a value", 1, "class_tag_value IS NULL"),
    _rows(_CLASSES, "detection excluded by a user", 1, "exclusion_state = 'EXCLUDED'"),
    _rows(_MONITORED, "drift of an enum: Healthy", 10, "status = 'Healthy'"),
    _rows(_MONITORED, "drift of an enum: HEALTHY", 10, "status = 'HEALTHY'"),
    _rows(_MONITORED, "unknown health", 1, "upper(status) = 'UNKNOWN'"),
    _groups(
        _MONITORED,
        "incident that heals",
        2,
        "table_id",
        "max_by(upper(status), event_time) = 'HEALTHY'",
        "table_id IN (SELECT table_id FROM data_quality_monitoring_table_results WHERE upper(status) = 'UNHEALTHY')",
    ),
    _groups(
        _MONITORED, "incident that is still open", 1, "table_id", "max_by(upper(status), event_time) = 'UNHEALTHY'"
    ),
    _rows(_MONITORED, "incident with causes upstream", 3, "len(root_cause_analysis.upstream_jobs) > 0"),
    _rows(_MONITORED, "internal struct", 3, "_internal_debug_info IS NOT NULL"),
)

_LISTED, _FUNNEL = "marketplace.listing_access_events", "marketplace.listing_funnel_events"
_EXPERIMENTS, _TRIALS, _POINTS = "mlflow.experiments_latest", "mlflow.runs_latest", "mlflow.run_metrics_history"
_ENTITIES, _REQUESTS, _PAYLOADS = "serving.served_entities", "serving.endpoint_usage", "serving.payload_logs"
_OPTIMIZATION = "storage.predictive_optimization_operations_history"


def _twins(source: str) -> Planted:
    sql = f"SELECT count(*) - count(DISTINCT t::VARCHAR) FROM {source.replace('.', '_')} t"
    return Planted(source, "identical rows that are two events", 1, sql)


OTHERS: tuple[Planted, ...] = (
    _twins(_LISTED),
    _rows(_LISTED, "consumer without e-mail", 3, "consumer_email IS NULL"),
    _rows(_LISTED, "request without recipient", 2, "consumer_delta_sharing_recipient_name IS NULL"),
    _twins(_FUNNEL),
    _rows(_FUNNEL, "consumer without a cloud", 2, "consumer_cloud IS NULL"),
    _groups(_EXPERIMENTS, "experiment renamed in place", 1, "experiment_id", "count(DISTINCT name) > 1"),
    _rows(_EXPERIMENTS, "experiment deleted", 1, "delete_time IS NOT NULL"),
    _groups(_TRIALS, "run rewritten in place", 5, "run_id", "count(DISTINCT status) > 1"),
    _rows(_TRIALS, "run deleted", 1, "delete_time IS NOT NULL"),
    _rows(
        _TRIALS,
        "run of an unknown experiment",
        1,
        "experiment_id NOT IN (SELECT experiment_id FROM mlflow_experiments_latest)",
    ),
    _groups(
        _POINTS,
        "steps of a metric that share their time",
        5,
        "run_id, metric_name, metric_time",
        "count(DISTINCT metric_step) > 1",
    ),
    _groups(
        _POINTS,
        "one point under two record ids",
        3,
        "run_id, metric_name, metric_time, metric_step, metric_value",
        "count(DISTINCT record_id) > 1",
    ),
    _groups(_ENTITIES, "served entity of several versions", 1, "served_entity_id", "count(DISTINCT change_time) > 1"),
    _rows(_ENTITIES, "endpoint deleted", 1, "endpoint_delete_time IS NOT NULL"),
    _groups(_ENTITIES, "endpoint of several entities", 1, "endpoint_id", "count(DISTINCT served_entity_id) > 1"),
    _groups(
        _REQUESTS,
        "request that fell back to a second entity",
        1,
        "databricks_request_id",
        "count(DISTINCT served_entity_id) > 1",
    ),
    _rows(
        _REQUESTS,
        "request to an unknown entity",
        1,
        "served_entity_id NOT IN (SELECT served_entity_id FROM serving_served_entities)",
    ),
    _rows(_REQUESTS, "request refused", 1, "status_code = 429"),
    _rows(_PAYLOADS, "payload of a sample", 3, "sampling_fraction < 1"),
    _rows(_PAYLOADS, "payload that could not be logged", 1, "request IS NULL AND len(logging_error_codes) > 0"),
    _rows(_OPTIMIZATION, "operation failed", 2, "operation_status LIKE 'FAILED%'"),
    _rows(
        _OPTIMIZATION,
        "operation of a deleted workspace",
        1,
        "workspace_id NOT IN (SELECT workspace_id FROM access_workspaces_latest)",
    ),
)

PLANTED: tuple[Planted, ...] = (*BILLING, *LAKEFLOW, *COMPUTE, *ACCESS, *QUALITY, *OTHERS)
