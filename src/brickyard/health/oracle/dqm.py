"""The truth of the domain dqm: scans of monitored tables, and the periods in which a table kept its health."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, computed, copied, flattened, is_value, json_of, table
from brickyard.health.oracle.events import event_day, events
from brickyard.health.oracle.seen import Seen

_SOURCE = "data_quality_monitoring.table_results"
_BAD = "UNHEALTHY"
_STATUSES = [
    "status",
    "freshness__status",
    "freshness__commit_freshness__status",
    "completeness__status",
    "completeness__total_row_count__status",
    "completeness__daily_row_count__status",
]
_INSTANT = pa.timestamp("us", "UTC")
_Scan = dict[str, Any]


def _scans(seen: Seen) -> pa.Table:
    return events(seen, _SOURCE, ["table_id", "event_time"])


def _upper(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return computed(pa.string(), lambda text: None if text is None else text.upper(), values)


def fact_data_quality_monitoring_table_results(seen: Seen) -> pa.Table:
    """Return scans; statuses in capitals, however the source writes them."""
    rows = _scans(seen)
    statuses: Columns = {name.replace("__", "_"): _upper(rows.column(name)) for name in _STATUSES}
    return table(
        copied(rows, "table_id event_time catalog_id schema_id catalog_name schema_name table_name"),
        event_day(rows),
        flattened(rows, "freshness"),
        flattened(rows, "completeness"),
        flattened(rows, "downstream_impact"),
        statuses,
        {
            "is_unhealthy": is_value(statuses["status"], _BAD),
            "root_cause_upstream_jobs_json": json_of(rows.column("root_cause_analysis__upstream_jobs")),
        },
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    kind: pa.DataType
    make: Callable[[list[_Scan]], Any]


def _last(name: str) -> _Measure:
    return _Measure(pa.string(), lambda scans: scans[-1][name])


def _bad(name: str) -> _Measure:
    return _Measure(pa.int32(), lambda scans: sum((scan[name] or "").upper() == _BAD for scan in scans))


def _most(name: str, kind: pa.DataType) -> _Measure:
    return _Measure(kind, lambda scans: max((scan[name] for scan in scans if scan[name] is not None), default=None))


_PERIOD = {
    "table_id": _last("table_id"),
    **{name: _last(name) for name in ("catalog_id", "schema_id", "catalog_name", "schema_name", "table_name")},
    "status": _last("health"),
    "valid_from": _Measure(_INSTANT, lambda scans: scans[0]["event_time"]),
    "last_scan_time": _Measure(_INSTANT, lambda scans: scans[-1]["event_time"]),
    "scan_count": _Measure(pa.int32(), len),
    "is_incident": _Measure(pa.bool_(), lambda scans: scans[0]["health"] == _BAD),
    "freshness_incident_count": _bad("freshness__status"),
    "completeness_incident_count": _bad("completeness__status"),
    "max_impact_level": _most("downstream_impact__impact_level", pa.int32()),
    "max_downstream_tables": _most("downstream_impact__num_downstream_tables", pa.int64()),
    "max_affected_queries": _most("downstream_impact__num_queries_on_affected_tables", pa.int64()),
}
_READ = [
    "table_id",
    "event_time",
    "catalog_id",
    "schema_id",
    "catalog_name",
    "schema_name",
    "table_name",
    "status",
    "freshness__status",
    "completeness__status",
    "downstream_impact__impact_level",
    "downstream_impact__num_downstream_tables",
    "downstream_impact__num_queries_on_affected_tables",
]


def fact_dq_monitoring(seen: Seen) -> pa.Table:
    """Return the periods of one status after the other of each table."""
    tables: dict[str, list[_Scan]] = {}
    for scan in _scans(seen).select(_READ).to_pylist():
        tables.setdefault(scan["table_id"], []).append(scan)
    told = [period for scans in tables.values() for period in _periods(sorted(scans, key=itemgetter("event_time")))]
    ends = [end for _, end in told]
    return table(
        {name: pa.array([one.make(scans) for scans, _ in told], one.kind) for name, one in _PERIOD.items()},
        {
            "valid_to": pa.array(ends, _INSTANT),
            "is_current": pa.array([end is None for end in ends], pa.bool_()),
            "duration_seconds": pa.array([_length(scans, end) for scans, end in told], pa.int64()),
        },
    )


def _periods(scans: list[_Scan]) -> Iterator[tuple[list[_Scan], Any]]:
    """Yield the scans of each period with the time at which the next begins."""
    judged = ({**scan, "health": scan["status"] and scan["status"].upper()} for scan in scans)
    periods = [list(period) for _, period in groupby(judged, itemgetter("health"))]
    begins = [period[0]["event_time"] for period in periods]
    yield from zip(periods, [*begins[1:], None], strict=True)


def _length(scans: list[_Scan], end: Any) -> int | None:
    return None if end is None else int(end.timestamp() // 1) - int(scans[0]["event_time"].timestamp() // 1)


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "dqm.fact_data_quality_monitoring_table_results": fact_data_quality_monitoring_table_results,
    "dqm.fact_dq_monitoring": fact_dq_monitoring,
}
