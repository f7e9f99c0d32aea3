"""What display shows: tables of at most 1,000 rows as text, everything else as its repr."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from brickyard.local.kernel.display import arrow_table, echoed, shown


def test_values_become_text_and_null_stays_null():
    table = pa.table(
        {"a": [1, None], "d": [Decimal("1.10"), None], "b": [True, None], "l": [[1, 2], None], "x": [b"\x00", None]}
    )
    assert arrow_table(table) == {
        "type": "table",
        "columns": [
            {"name": "a", "type": "int64"},
            {"name": "d", "type": "decimal128(3, 2)"},
            {"name": "b", "type": "bool"},
            {"name": "l", "type": "list<item: int64>"},
            {"name": "x", "type": "binary"},
        ],
        "rows": [["1", "1.10", "true", "[1, 2]", "AA=="], [None] * 5],
        "truncated": False,
    }


def test_a_table_is_cut_at_a_thousand_rows():
    cut = arrow_table(pa.table({"a": range(1001)}))
    assert (len(cut["rows"]), cut["truncated"]) == (1000, True)


def test_columns_of_one_name_are_kept_apart():
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert arrow_table(table)["rows"] == [["1", "2"]]


def test_lists_of_mappings_are_tables_and_other_things_their_repr():
    assert shown([{"a": 1}, {"b": 2}])["rows"] == [["1", None], [None, "2"]]
    assert shown(3) == {"type": "text", "text": "3", "truncated": False}
    assert echoed("x" * 70_000)["truncated"]
