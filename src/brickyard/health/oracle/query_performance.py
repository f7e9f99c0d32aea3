"""The truth of the domain query_performance: warehouses with their history, what happened to them, and statements."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.columns import (
    at_least,
    computed,
    copied,
    day,
    flattened,
    forward,
    json_of,
    known,
    table,
    where,
)
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import HISTORY, from_changes, newest

_FINAL = {"FINISHED", "FAILED", "CANCELED"}
_EVENT = ["workspace_id", "warehouse_id", "event_time", "event_type"]


def dim_warehouse(seen: Seen) -> pa.Table:
    """Return the versions of warehouses."""
    key = ["workspace_id", "warehouse_id"]
    told = from_changes(seen.rows("compute.warehouses"), key, "change_time", "delete_time")
    stops = told.column("auto_stop_minutes")
    return table(
        copied(told, "account_id workspace_id warehouse_id warehouse_name warehouse_type warehouse_channel"),
        copied(told, "warehouse_size min_clusters max_clusters auto_stop_minutes"),
        {"never_stops": computed(pa.bool_(), lambda minutes: None if minutes is None else minutes == 0, stops)},
        copied(told, "tags"),
        {"tags_json": json_of(told.column("tags"))},
        copied(told, "created_by change_time delete_time"),
        {name: told.column(name) for name in HISTORY},
    )


def fact_warehouse_events(seen: Seen) -> pa.Table:
    """Return the events of warehouses; none without a warehouse, time or kind, none of fewer clusters than none."""
    rows = seen.rows("compute.warehouse_events")
    good = (known(rows, _EVENT), at_least(rows, "cluster_count", 0))
    rows = newest(where(rows, *good), _EVENT, ["event_time"])
    return table(
        copied(rows, "account_id workspace_id warehouse_id event_type cluster_count event_time"),
        {"event_date": day(rows.column("event_time"))},
    )


def fact_query_history(seen: Seen) -> pa.Table:
    """Return statements as their newest update tells them; none without an id or begin, none that ends before it."""
    rows = seen.rows("query.history")
    good = (known(rows, ["workspace_id", "statement_id", "start_time"]), forward(rows, "start_time", "end_time"))
    rows = newest(where(rows, *good), ["workspace_id", "statement_id"], ["update_time", "end_time"])
    waits = [rows.column(f"waiting_{what}_duration_ms") for what in ("for_compute", "at_capacity")]
    return table(
        copied(rows, "account_id workspace_id statement_id session_id execution_status"),
        {"is_final": computed(pa.bool_(), lambda status: status in _FINAL, rows.column("execution_status"))},
        flattened(rows, "compute"),
        copied(rows, "executed_by executed_by_user_id executed_as executed_as_user_id statement_text statement_type"),
        copied(rows, "error_message client_application client_driver start_time end_time update_time"),
        {"start_date": day(rows.column("start_time"))},
        copied(rows, "total_duration_ms waiting_for_compute_duration_ms waiting_at_capacity_duration_ms"),
        copied(rows, "execution_duration_ms compilation_duration_ms total_task_duration_ms result_fetch_duration_ms"),
        {"queue_duration_ms": call_function("add", waits)},
        copied(rows, "read_partitions pruned_files read_files pruned_files_bytes read_files_bytes read_rows"),
        copied(rows, "produced_rows read_bytes read_io_cache_percent from_result_cache spilled_local_bytes"),
        copied(rows, "written_bytes written_rows written_files shuffle_read_bytes"),
        flattened(rows, "query_source"),
        copied(rows, "cache_origin_statement_id query_tags"),
        {
            "query_parameters_named_parameters_json": json_of(rows.column("query_parameters__named_parameters")),
            "query_parameters_pos_parameters_json": json_of(rows.column("query_parameters__pos_parameters")),
            "query_parameters_truncated": rows.column("query_parameters__truncated"),
        },
    )


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "query_performance.dim_warehouse": dim_warehouse,
    "query_performance.fact_query_history": fact_query_history,
    "query_performance.fact_warehouse_events": fact_warehouse_events,
}
