"""The truth of the domain data_classification: what the newest state tells, and what changed from state to state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.columns import copied, is_value, table
from brickyard.health.oracle.seen import STATE, Seen
from brickyard.health.oracle.versions import newest

_KEY = ["table_id", "column_name", "class_tag", "class_tag_value"]
_COLUMNS = (
    "catalog_id table_id catalog_name schema_name table_name column_name data_type class_tag class_tag_value"
    " confidence frequency exclusion_state first_detected_time latest_detected_time"
)
_TELLING = ("confidence", "exclusion_state", "data_type", "catalog_name", "schema_name", "table_name")


def _detections(seen: Seen) -> pa.Table:
    """Return each detection of each state once."""
    return newest(seen.rows("data_classification.results"), [*_KEY, STATE], ["latest_detected_time"])


def fact_data_classification(seen: Seen) -> pa.Table:
    """Return what the newest state tells."""
    rows = _detections(seen)
    states = rows.column(STATE).to_pylist()
    latest = max(states, default=None)
    rows = rows.filter(pa.array([state == latest for state in states], pa.bool_()))
    return table(
        copied(rows, _COLUMNS),
        {"is_excluded": is_value(rows.column("exclusion_state"), "EXCLUDED"), "observed_at": rows.column(STATE)},
    )


def fact_data_classification_results(seen: Seen) -> pa.Table:
    """Return what appeared, changed and was cleared from one state to the next."""
    rows = _detections(seen)
    told = rows.to_pylist()
    places: dict[Any, dict[Any, int]] = {}
    for at, row in enumerate(told):
        places.setdefault(row[STATE], {})[tuple(row[name] for name in _KEY)] = at
    events = list(_events(told, sorted(places.items())))
    taken = rows.take(pa.array([at for at, _, _ in events], pa.int64()))
    return table(
        copied(taken, _COLUMNS),
        {
            "event": pa.array([event for _, event, _ in events], pa.string()),
            "observed_at": pa.array([when for _, _, when in events], pa.timestamp("us", "UTC")),
        },
    )


def _events(told: list[dict[str, Any]], states: list[tuple[Any, dict[Any, int]]]) -> Iterator[tuple[int, str, Any]]:
    """Yield the position of the row that tells it, the event and its state."""
    for (_, before), (when, now) in pairwise([(None, {}), *states]):
        for key, at in now.items():
            if key not in before:
                yield at, "APPEARED", when
            elif any(told[at][name] != told[before[key]][name] for name in _TELLING):
                yield at, "CHANGED", when
        for key, at in before.items():
            if key not in now:
                yield at, "CLEARED", when


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "data_classification.fact_data_classification": fact_data_classification,
    "data_classification.fact_data_classification_results": fact_data_classification_results,
}
