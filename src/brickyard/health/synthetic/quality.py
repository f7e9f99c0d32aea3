"""What the platform finds in tables: sensitive columns, and whether tables are fresh and complete."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import DAY, HOUR, MINUTE, Ints, Mask
from brickyard.health.synthetic.period import Period, midnight
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.world import World

CLASSIFICATION = "data_classification.results"
MONITORING = "data_quality_monitoring.table_results"
_SCANS = (0.0, 0.15, 0.3, 0.5, 0.65, 0.8)
_TAGS = ("class.email_address", "class.phone_number", "class.location", "class.name", "class.us_ssn")
_COLUMNS = ("customer_email", "phone", "country", "full_name", "ssn")


@lru_cache(maxsize=4)
def classification(world: World) -> tuple[tuple[date, pa.Table], ...]:
    """Return the states of data_classification.results: detections appear, change, clear and come back."""
    days = sorted({world.period.day(share) for share in _SCANS})
    schema = source(CLASSIFICATION).schema()
    size = max(14, len(world.tables.layer) // 5)
    tables = world.tables.name.to_pylist()[:size], world.tables.id.to_pylist()[:size]
    places = world.tables.catalog.to_pylist()[:size], world.tables.schema.to_pylist()[:size]
    described = [
        {"table_name": name, "table_id": key, "catalog_name": catalog, "schema_name": layer}
        for name, key, catalog, layer in zip(*tables, *places, strict=True)
    ]
    return tuple(
        (day, pa.Table.from_pylist(_detections(world, described, scan, day, days[0]), schema=schema))
        for scan, day in enumerate(days)
    )


def _detections(world: World, tables: list[dict[str, Any]], scan: int, day: date, first: date) -> list[dict[str, Any]]:
    newer = midnight(day) >= world.drift
    rows = [_detection(table, at, scan, day, first, newer=newer) for at, table in enumerate(tables)]
    return [row for at, row in enumerate(rows) if _detected(at, scan)]


def _detected(at: int, scan: int) -> bool:
    """Tell whether a detection is there at a scan: of seven, one comes late, one clears, one clears and comes back."""
    match at % 7:
        case 0:
            return scan >= 2
        case 1:
            return scan < 4
        case 3:
            return scan != 3
        case _:
            return True


def _detection(table: dict[str, Any], at: int, scan: int, day: date, first: date, *, newer: bool) -> dict[str, Any]:
    kind = at % len(_TAGS)
    renamed = at % 7 == 4 and scan >= 4
    return {
        **table,
        "table_name": table["table_name"] + ("_renamed" if renamed else ""),
        "catalog_id": f"catalog-{table['catalog_name']}",
        "latest_detected_time": datetime.combine(day, time(2, 30), UTC),
        "first_detected_time": datetime.combine(first, time(2, 30), UTC),
        "column_name": _COLUMNS[kind],
        "data_type": "string",
        "class_tag": _TAGS[kind],
        "samples": [f"sample-{at}-{number}" for number in range(2)],
        "confidence": "HIGH" if at % 7 != 2 or scan >= 3 else "LOW",
        "frequency": round(0.5 + 0.005 * (at % 90) + (0.01 * scan if at % 7 == 5 else 0), 4),
        "exclusion_state": ("EXCLUDED" if at % 9 == 0 and scan >= 5 else "NOT_EXCLUDED") if newer else None,
        "class_tag_value": "gdpr" if newer and at % 5 == 0 else None,
    }


_DEBUG = {
    "is_static": False,
    "completeness": {"historical_row_count": [{"row_count": 1_000, "predicted_value": 990}]},
    "custom_sql": [{"name": "amounts", "actual_value": 1.0, "_internal": {"history": [{"value": 1.0}]}}],
    "scans_in_last_week_count": 7,
}
_STATUSES = ("Healthy", "Unhealthy", "Unknown", "HEALTHY", "UNHEALTHY", "UNKNOWN")


def table_results(world: World, span: Period) -> pa.Table:
    """Return one result a day for each monitored table; the words of the status change with the drift."""
    rng, ill = world.rng(MONITORING, span.first.toordinal()), _incidents(world)
    days = (span.start - world.period.start) // DAY + np.arange(span.days)
    day, table = (axis.ravel().astype(np.int64) for axis in np.indices((span.days, ill.shape[1])))
    unhealthy = ill[days[day], table]
    scanned = span.days_from()[day] + 3 * HOUR + table % 60 * MINUTE + rng.integers(0, 600_000_000, len(day))
    unknown = (table % 11 == 5) & (day % 13 == 7)
    state = np.where(unknown, 2, unhealthy.astype(np.int64)) + np.where(scanned >= world.drift, 3, 0)
    status = draw.pick(_STATUSES, state)
    rows = (draw.lognormal(rng, 10_000, 0.3, len(day)) * np.where(unhealthy, 0.2, 1)).astype(np.int64)
    count = {"status": status, "last_value": rows, "min_predicted_value": 7_000, "max_predicted_value": 14_000}
    values = {
        **_named(world, table),
        "event_time": scanned,
        "status": status,
        "freshness": {
            "status": status,
            "commit_freshness": {
                "status": status,
                "last_value": scanned - np.where(unhealthy, 40, 4) * HOUR,
                "predicted_value": scanned - 2 * HOUR,
            },
        },
        "completeness": {"status": status, "total_row_count": count, "daily_row_count": count},
        "downstream_impact": Where(
            unhealthy,
            {"impact_level": (table % 5).astype(np.int32), "num_downstream_tables": table % 17},
        ),
        "root_cause_analysis": Where(unhealthy, {"upstream_jobs": _causes(world, table)}),
        "_internal_debug_info": draw.pick(
            (_DEBUG, None), (table % 4 != 0).astype(np.int64), _kind("_internal_debug_info")
        ),
    }
    told = columns.table(MONITORING, len(day), arrival.arrive(rng, world, scanned), values)
    return arrival.told(told, MONITORING, world)


def _kind(column: str) -> pa.DataType:
    return source(MONITORING).schema().field(column).type


def _named(world: World, table: Ints) -> dict[str, pa.Array]:
    """Return the names and ids of tables."""
    tables, at = world.tables, pa.array(table)
    catalog, schema = tables.catalog.take(at), tables.schema.take(at)
    return {
        "catalog_name": catalog,
        "schema_name": schema,
        "table_name": tables.name.take(at),
        "catalog_id": draw.join("catalog-", catalog),
        "schema_id": draw.join("schema-", schema),
        "table_id": tables.id.take(at),
    }


def _causes(world: World, table: Ints) -> pa.Array:
    """Return for each table a list of the one job upstream that may be to blame."""
    job = table % len(world.jobs.number)
    blamed = {
        "job_id": draw.digits(world.jobs.number[job]),
        "workspace_id": world.workspaces.ids.take(pa.array(world.jobs.workspace[job])),
        "job_name": world.jobs.name.take(pa.array(job)),
        "last_run_status": "FAILED",
    }
    cause = columns.fill(_kind("root_cause_analysis").field("upstream_jobs").type.value_type, len(table), blamed)
    return pa.ListArray.from_arrays(pa.array(np.arange(len(table) + 1, dtype=np.int32)), cause)


def _incidents(world: World) -> Mask:
    """Return, by day and monitored table, whether the table is unhealthy; the first table is still so at the end."""
    rng, days = world.rng("incidents"), world.period.days
    size = max(8, len(world.tables.layer) // 3)
    ill = np.zeros((days, size), dtype=np.bool_)
    for table in range(size):
        for _ in range(int(rng.poisson(1.0)) + (table < 3)):
            start = int(rng.integers(1, max(2, days - 3)))
            ill[start : start + int(rng.integers(1, 8)), table] = True
    ill[days - min(3, days - 1) :, 0] = True
    ill[days - 3 :, 1] = False
    return ill
