"""Rows arrive after their event, late ones within three days, and old rows know nothing of new fields."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from brickyard.health import synthetic
from brickyard.health.synthetic import ARRIVED, Shape, arrival, source
from brickyard.health.synthetic.ddl import arrow_type

SMALL = synthetic.generate(scale=0.02)
EVENTS = [
    name
    for name in SMALL.sources
    if source(name).shape is not Shape.SNAPSHOT and name != "billing.usage" and source(name).watermark is not None
]


@pytest.mark.parametrize("name", EVENTS)
def test_a_row_first_arrives_after_its_event_and_within_three_days(name: str) -> None:
    table = SMALL.arrivals(name)
    watermark = str(source(name).watermark)
    waits = [
        came - happened for came, happened in zip(table[ARRIVED].to_pylist(), table[watermark].to_pylist(), strict=True)
    ]
    assert min(waits) > timedelta(0)
    rows = table.drop_columns([ARRIVED]).num_rows
    assert sum(wait > timedelta(hours=73) for wait in waits) <= max(2, rows * arrival.REPEATED_SHARE)


def test_usage_is_ingested_on_the_day_it_arrives_or_repeated_later() -> None:
    usage = SMALL.arrivals("billing.usage")
    arrived, ingested = pc.floor_temporal(usage[ARRIVED], unit="day").cast(pa.date32()), usage["ingestion_date"]
    early = pc.sum(pc.less(arrived, ingested)).as_py()
    late = pc.sum(pc.greater(arrived, ingested)).as_py()
    assert early == 0
    assert late <= 2


def test_a_corrected_row_is_its_original_but_for_what_the_correction_changes() -> None:
    usage = SMALL.arrivals("billing.usage").to_pylist()
    originals = {row["record_id"]: row for row in usage if row["record_type"] == "ORIGINAL"}
    changed = {"record_type", "usage_quantity", "ingestion_date", "custom_tags", ARRIVED}
    corrections = [row for row in usage if row["record_type"] != "ORIGINAL" and row["record_id"] in originals]
    assert len(corrections) > 10
    for row in corrections:
        original = originals[row["record_id"]]
        assert {key for key in row if row[key] != original[key]} <= changed
        assert row[ARRIVED] > original[ARRIVED]


def test_a_column_is_narrowed_to_an_older_type_at_any_depth_and_widened_again() -> None:
    new = arrow_type("struct<a:string,rows:array<struct<x:bigint,y:bigint>>,z:struct<p:int,q:int>>")
    old = arrow_type("struct<a:string,rows:array<struct<x:bigint>>,z:struct<p:int>>")
    rows = [{"a": "one", "rows": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "z": {"p": 5, "q": 6}}, None]
    narrow = arrival.narrowed(pa.array([*rows, {"a": "two", "rows": None, "z": None}], new), old)
    assert narrow.to_pylist() == [
        {"a": "one", "rows": [{"x": 1}, {"x": 3}], "z": {"p": 5}},
        None,
        {"a": "two", "rows": None, "z": None},
    ]
    assert arrival.widened(narrow, new).to_pylist()[0] == {
        "a": "one",
        "rows": [{"x": 1, "y": None}, {"x": 3, "y": None}],
        "z": {"p": 5, "q": None},
    }
