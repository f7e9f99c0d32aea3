"""Texts of a result as Python values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from brickyard.kernel.errors import NotFound
from brickyard.workspace.rows import Column, Rows, read_values


@pytest.mark.parametrize(
    ("type_text", "text", "value"),
    [
        ("INT", "-7", -7),
        ("BIGINT", "9223372036854775807", 9223372036854775807),
        ("DOUBLE", "1.0E10", 1e10),
        ("DOUBLE", "-Infinity", float("-inf")),
        ("DECIMAL(38,10)", "-0.1000000000", Decimal("-0.1000000000")),
        ("BOOLEAN", "true", True),
        ("BOOLEAN", "false", False),
        ("DATE", "2024-02-29", date(2024, 2, 29)),
        ("DATE", "+10000-01-01", "+10000-01-01"),
        ("DATE", "-0044-03-15", "-0044-03-15"),
        ("TIMESTAMP", "2024-02-29T12:30:00.120Z", datetime(2024, 2, 29, 12, 30, 0, 120000, UTC)),
        ("TIMESTAMP_NTZ", "2024-02-29T12:30:00", datetime(2024, 2, 29, 12, 30)),
        ("STRING", "true", "true"),
        ("STRING", "", ""),
        ("STRING", None, None),
        ("INT", None, None),
        ("ARRAY<INT>", "[1,2]", "[1,2]"),
        ("STRUCT<a: INT>", '{"a":"1"}', '{"a":"1"}'),
        ("BINARY", "AQI=", "AQI="),
        ("INTERVAL DAY TO SECOND", "1 00:00:00", "1 00:00:00"),
    ],
)
def test_a_text_becomes_the_value_of_its_type(type_text: str, text: str | None, value: object):
    assert read_values([Column("c", type_text)], [[text]]) == ((value,),)


def test_a_text_that_is_no_number_is_an_error_and_not_a_guess():
    with pytest.raises(ValueError, match="invalid literal"):
        read_values([Column("c", "INT")], [["x"]])


def test_rows_are_read_by_name_or_as_one_value():
    rows = Rows((Column("a", "INT"), Column("b", "STRING")), ((1, "x"), (2, "y")))
    assert (rows.dicts(), rows.scalar(), list(rows), len(rows)) == (
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        1,
        [(1, "x"), (2, "y")],
        2,
    )


def test_one_value_of_no_row_is_not_found():
    with pytest.raises(NotFound):
        Rows((), ()).scalar()
