"""The truth of the domain mlflow: experiments, runs and the metrics that they logged."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import copied, forward, minus, seconds, table
from brickyard.health.oracle.events import event_day, events, is_there
from brickyard.health.oracle.seen import Seen


def dim_experiment(seen: Seen) -> pa.Table:
    """Return experiments as their newest update tells them."""
    rows = events(seen, "mlflow.experiments_latest", ["workspace_id", "experiment_id"], "update_time", needed=())
    return table(
        copied(rows, "account_id workspace_id experiment_id name create_time update_time delete_time"),
        {"is_deleted": is_there(rows.column("delete_time"))},
    )


def fact_mlflow_runs(seen: Seen) -> pa.Table:
    """Return runs as their newest update tells them."""
    times = ("start_time", "end_time")
    rows = events(
        seen, "mlflow.runs_latest", ["workspace_id", "run_id"], "update_time", good=lambda rows: forward(rows, *times)
    )
    start, end = (rows.column(name) for name in times)
    return table(
        copied(rows, "account_id workspace_id run_id experiment_id run_name created_by status start_time end_time"),
        copied(rows, "update_time delete_time params tags aggregated_metrics"),
        event_day(rows, "start_time", "start_date"),
        {
            "run_duration_seconds": minus(seconds(end), seconds(start)),
            "is_deleted": is_there(rows.column("delete_time")),
        },
    )


def fact_mlflow_run_metrics_history(seen: Seen) -> pa.Table:
    """Return every logged point of a metric."""
    rows = events(seen, "mlflow.run_metrics_history", ["record_id"], "insert_time")
    return table(
        copied(rows, "account_id workspace_id experiment_id run_id record_id metric_name metric_step metric_time"),
        copied(rows, "metric_value insert_time"),
        event_day(rows, "insert_time", "insert_date"),
    )


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "mlflow.dim_experiment": dim_experiment,
    "mlflow.fact_mlflow_run_metrics_history": fact_mlflow_run_metrics_history,
    "mlflow.fact_mlflow_runs": fact_mlflow_runs,
}
