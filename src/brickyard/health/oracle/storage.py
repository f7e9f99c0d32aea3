"""The truth of the domain storage: operations of predictive optimization."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import computed, copied, forward, minus, seconds, table
from brickyard.health.oracle.events import event_day, events
from brickyard.health.oracle.seen import Seen

_SOURCE = "storage.predictive_optimization_operations_history"


def fact_predictive_optimization(seen: Seen) -> pa.Table:
    """Return operations with the usage that the platform estimates."""
    times = ("start_time", "end_time")
    rows = events(seen, _SOURCE, ["operation_id"], "end_time", good=lambda rows: forward(rows, *times))
    start, end = (rows.column(name) for name in times)
    return table(
        copied(
            rows, "account_id workspace_id metastore_id metastore_name catalog_name schema_name table_name table_id"
        ),
        copied(rows, "operation_id operation_type operation_status start_time end_time operation_metrics usage_unit"),
        copied(rows, "usage_quantity"),
        event_day(rows, "end_time", "end_date"),
        {
            "is_failed": computed(pa.bool_(), _failed, rows.column("operation_status")),
            "duration_seconds": minus(seconds(end), seconds(start)),
        },
    )


def _failed(status: str | None) -> bool | None:
    return None if status is None else status.startswith("FAILED")


TABLES: dict[str, Callable[[Seen], pa.Table]] = {"storage.fact_predictive_optimization": fact_predictive_optimization}
