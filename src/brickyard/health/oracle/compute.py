"""The truth of the domain compute: clusters with their history, instance types, nodes by minute and by hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.columns import (
    computed,
    copied,
    flattened,
    forward,
    json_of,
    known,
    minus,
    seconds,
    table,
    where,
)  # fmt: skip
from brickyard.health.oracle.seen import STATE, Seen
from brickyard.health.oracle.versions import HISTORY, from_changes, newest

_NODE = ["workspace_id", "cluster_id", "instance_id"]
_MICRO = Decimal("0.000001")
_MILLION = 1_000_000
_HOUR_LONG = 3_600_000_000  # microseconds


def dim_cluster(seen: Seen) -> pa.Table:
    """Return the versions of clusters."""
    told = from_changes(seen.rows("compute.clusters"), ["workspace_id", "cluster_id"], "change_time", "delete_time")
    most, idle = told.column("max_autoscale_workers"), told.column("auto_termination_minutes")
    return table(
        copied(told, "account_id workspace_id cluster_id cluster_name owned_by cluster_source driver_node_type"),
        copied(told, "worker_node_type worker_count min_autoscale_workers max_autoscale_workers"),
        {"is_autoscaling": computed(pa.bool_(), lambda workers: workers is not None, most)},
        copied(told, "auto_termination_minutes"),
        {"never_terminates": computed(pa.bool_(), lambda minutes: not minutes, idle)},
        copied(told, "enable_elastic_disk tags"),
        {"tags_json": json_of(told.column("tags")), "init_scripts_json": json_of(told.column("init_scripts"))},
        *(flattened(told, f"{cloud}_attributes") for cloud in ("aws", "azure", "gcp")),
        copied(told, "driver_instance_pool_id worker_instance_pool_id dbr_version data_security_mode policy_id"),
        copied(told, "create_time change_time change_date delete_time"),
        {name: told.column(name) for name in HISTORY},
    )


def dim_node_type(seen: Seen) -> pa.Table:
    """Return instance types as the newest state that shows them."""
    rows = newest(seen.rows("compute.node_types"), ["account_id", "node_type"], [STATE])
    size = computed(pa.float64(), lambda mb: None if mb is None else mb / 1024, rows.column("memory_mb"))
    return table(copied(rows, "account_id node_type core_count memory_mb gpu_count"), {"memory_gb": size})


def _minutes(seen: Seen) -> pa.Table:
    """Return each minute of a node once; none without a node or begin, none that ends before it begins."""
    return seen.kept("minutes", lambda: _good_minutes(seen.rows("compute.node_timeline")))


def _good_minutes(rows: pa.Table) -> pa.Table:
    key = [*_NODE, "start_time"]
    found = newest(where(rows, known(rows, key), forward(rows, "start_time", "end_time")), key, ["end_time"])
    busy = call_function("add", [found.column("cpu_user_percent"), found.column("cpu_system_percent")])
    return found.append_column("cpu_busy_percent", busy)


def fact_node_timeline(seen: Seen) -> pa.Table:
    """Return the minutes of nodes."""
    rows = _minutes(seen)
    free = "disk_free_bytes_per_mount_point"
    return table(
        copied(rows, "account_id workspace_id cluster_id instance_id start_time end_time driver node_type private_ip"),
        copied(rows, "cpu_user_percent cpu_system_percent cpu_wait_percent cpu_busy_percent mem_used_percent"),
        copied(rows, f"mem_swap_percent network_sent_bytes network_received_bytes {free}"),
        {f"{free}_json": json_of(rows.column(free))},
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    """A column of the hour: its type, the minutes' column it is made of, and how."""

    kind: pa.DataType
    of: str
    make: Callable[[Sequence[Any]], Any]


def _mean(values: Sequence[float]) -> float | None:
    """Add values of six decimals exactly and divide; one that is a million or more is no percentage and left out."""
    exact = [Decimal(repr(value)).quantize(_MICRO, rounding=ROUND_HALF_UP) for value in values if abs(value) < _MILLION]
    return float(sum(exact)) / len(exact) if exact else None


def _most(values: Sequence[Any]) -> Any:
    return max(values, default=None)


def _total(values: Sequence[int]) -> int | None:
    return sum(values) if values else None


def _p95(values: Sequence[float]) -> float | None:
    rank = -(-95 * len(values) // 100)
    return sorted(values)[rank - 1] if values else None


_HOUR = {
    "account_id": _Measure(pa.string(), "account_id", _most),
    "node_type": _Measure(pa.string(), "node_type", _most),
    "driver": _Measure(pa.bool_(), "driver", _most),
    "sample_count": _Measure(pa.int32(), "instance_id", len),
    "covered_seconds": _Measure(pa.int64(), "_seconds", _total),
    "avg_cpu_percent": _Measure(pa.float64(), "cpu_busy_percent", _mean),
    "max_cpu_percent": _Measure(pa.float64(), "cpu_busy_percent", _most),
    "p95_cpu_percent": _Measure(pa.float64(), "cpu_busy_percent", _p95),
    "avg_cpu_wait_percent": _Measure(pa.float64(), "cpu_wait_percent", _mean),
    "avg_mem_used_percent": _Measure(pa.float64(), "mem_used_percent", _mean),
    "max_mem_used_percent": _Measure(pa.float64(), "mem_used_percent", _most),
    "max_mem_swap_percent": _Measure(pa.float64(), "mem_swap_percent", _most),
    "network_sent_bytes": _Measure(pa.int64(), "network_sent_bytes", _total),
    "network_received_bytes": _Measure(pa.int64(), "network_received_bytes", _total),
}


def fact_node_hour(seen: Seen) -> pa.Table:
    """Return the hours of nodes, each from the minutes that began in it; a measure is of the minutes that have it."""
    rows = _minutes(seen)
    start = rows.column("start_time")
    rows = rows.append_column("_seconds", minus(seconds(rows.column("end_time")), seconds(start)))
    hours: dict[tuple[Any, ...], list[int]] = {}
    begins = (at - at % _HOUR_LONG for at in start.cast(pa.int64()).to_pylist())
    for at, whose in enumerate(zip(*(rows.column(name).to_pylist() for name in _NODE), begins, strict=True)):
        hours.setdefault(whose, []).append(at)
    kinds = [pa.string()] * len(_NODE) + [start.type]
    keys = zip([*_NODE, "hour_start"], kinds, zip(*hours, strict=True), strict=True)
    return table(
        {name: pa.array(list(values), kind) for name, kind, values in keys},
        {name: _measured(rows, one, list(hours.values())) for name, one in _HOUR.items()},
    )


def _measured(rows: pa.Table, measure: _Measure, groups: list[list[int]]) -> pa.Array:
    values = rows.column(measure.of).to_pylist()
    there = ([values[at] for at in group if values[at] is not None] for group in groups)
    return pa.array([measure.make(told) for told in there], measure.kind)


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "compute.dim_cluster": dim_cluster,
    "compute.dim_node_type": dim_node_type,
    "compute.fact_node_hour": fact_node_hour,
    "compute.fact_node_timeline": fact_node_timeline,
}
