"""The truth of the domain model_serving: served entities with their history, requests to them, logged payloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.columns import Columns, Mask, at_least, computed, copied, every, flattened, json_of, table
from brickyard.health.oracle.events import event_day, events, is_failed
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.versions import HISTORY, from_changes


def dim_served_entities(seen: Seen) -> pa.Table:
    """Return the versions of served entities."""
    key = ["workspace_id", "served_entity_id"]
    told = from_changes(seen.rows("serving.served_entities"), key, "change_time", "endpoint_delete_time")
    configured = ("external_model", "foundation_model", "custom_model", "feature_spec")
    return table(
        copied(told, "account_id workspace_id served_entity_id served_entity_name endpoint_id endpoint_name"),
        copied(told, "endpoint_config_version entity_type entity_name entity_version task created_by change_time"),
        copied(told, "endpoint_delete_time"),
        *(flattened(told, f"{kind}_config") for kind in configured),
        {name: told.column(name) for name in HISTORY},
    )


_TOKENS = ("input_token_count", "output_token_count")


def _counted(rows: pa.Table) -> Mask:
    return every(rows, *(at_least(rows, name, 0) for name in _TOKENS))


def fact_endpoint_usage(seen: Seen) -> pa.Table:
    """Return requests with their tokens; none of fewer tokens than none."""
    needed = ["workspace_id", "databricks_request_id"]
    rows = events(
        seen,
        "serving.endpoint_usage",
        [*needed, "served_entity_id"],
        "request_time",
        needed=needed,
        good=_counted,
    )
    tokens = [rows.column(name) for name in _TOKENS]
    return table(
        copied(rows, "account_id workspace_id databricks_request_id served_entity_id client_request_id requester"),
        copied(rows, "request_time status_code request_streaming input_token_count output_token_count"),
        copied(rows, "input_character_count output_character_count usage_context"),
        event_day(rows, "request_time", "request_date"),
        {"is_failed": is_failed(rows.column("status_code")), "total_token_count": call_function("add", tokens)},
    )


def _sampled(rows: pa.Table) -> Mask:
    share = rows.column("sampling_fraction")
    return computed(pa.bool_(), lambda part: part is None or 0 <= part <= 1, share)


def fact_payload_logs(seen: Seen) -> pa.Table:
    """Return logged requests by size, hash and status, without their text."""
    needed = ["databricks_request_id"]
    key = [*needed, "served_entity_id"]
    rows = events(seen, "serving.payload_logs", key, "request_time", needed=needed, good=_sampled)
    return table(
        copied(rows, "account_id workspace_id databricks_request_id served_entity_id client_request_id requester"),
        copied(rows, "endpoint_table_id request_time request_date status_code execution_duration_ms sampling_fraction"),
        {
            "is_failed": is_failed(rows.column("status_code")),
            "request_weight": computed(
                pa.float64(), lambda part: 1 / part if part else None, rows.column("sampling_fraction")
            ),
            "logging_error_codes_json": json_of(rows.column("logging_error_codes")),
        },
        _measured(rows, "request"),
        _measured(rows, "response"),
    )


def _measured(rows: pa.Table, side: str) -> Columns:
    texts = rows.column(side)
    return {
        f"{side}_bytes": computed(pa.int64(), lambda text: None if text is None else len(text.encode()), texts),
        f"{side}_sha256": computed(pa.string(), _sha256, texts),
    }


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "model_serving.dim_served_entities": dim_served_entities,
    "model_serving.fact_endpoint_usage": fact_endpoint_usage,
    "model_serving.fact_payload_logs": fact_payload_logs,
}
