"""Arrow values as text."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.api.cells import double_text, rows_of


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (pa.int64(), -(2**63), "-9223372036854775808"),
        (pa.bool_(), False, "false"),
        (pa.string(), "", ""),
        (pa.string(), "é\n", "é\n"),
        (pa.decimal128(38, 10), Decimal("0E-10"), "0.0000000000"),
        (pa.decimal128(10, 2), Decimal("-1.50"), "-1.50"),
        (pa.float32(), 0.1, "0.1"),
        (pa.float32(), 16777216.0, "1.6777216E7"),
        (pa.date32(), date(1, 1, 1), "0001-01-01"),
        (pa.timestamp("us"), datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05.000"),
        (pa.timestamp("us", "UTC"), datetime(2026, 1, 2, 3, 4, 5, 120, UTC), "2026-01-02T03:04:05.000120Z"),
        (pa.binary(), b"\x00\xff", "AP8="),
        (pa.list_(pa.int32()), [1, None], "[1,null]"),
        (pa.struct([("a", pa.int32()), ("b", pa.string())]), {"a": 1, "b": "é"}, '{"a":1,"b":"é"}'),
        (pa.map_(pa.string(), pa.int32()), [("k", 1)], '{"k":1}'),
        (pa.map_(pa.string(), pa.int32()), [], "{}"),
        (pa.list_(pa.date32()), [date(2026, 1, 2)], '["2026-01-02"]'),
        (pa.duration("us"), timedelta(days=-1, seconds=3661), "-0 22:58:59.000000"),
    ],
)
def test_a_value_is_written_as_databricks_writes_it(type_: pa.DataType, value: object, text: str):
    assert rows_of(pa.table({"c": pa.array([value, None], type_)})) == [[text], [None]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (1e-3, "0.001"),
        (9.99e-4, "9.99E-4"),
        (1.5e300, "1.5E300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_a_double_is_written_as_spark_prints_it(value: float, text: str):
    assert double_text(value) == text


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_can_be_read_back(value: float):
    back = float(double_text(value))
    assert (back, math.copysign(1, back)) == (value, math.copysign(1, value))


def test_rows_without_columns_are_rows_of_nothing():
    assert rows_of(pa.table({})) == []
