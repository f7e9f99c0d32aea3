"""Which row of a key counts, and what histories become of rows and of dated states."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.health.oracle.seen import STATE, once
from brickyard.health.oracle.text import canonical, fingerprint
from brickyard.health.oracle.versions import from_changes, from_states, newest

INSTANT = pa.timestamp("us", "UTC")
OPEN = datetime(1900, 1, 1, tzinfo=UTC)
ROWS = pa.schema([("key", pa.string()), ("at", INSTANT), ("value", pa.string())])
CHANGES = pa.schema([("key", pa.string()), ("at", INSTANT), ("gone", INSTANT), ("value", pa.string())])


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def rows(*told: Sequence[Any], schema: pa.Schema = ROWS) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in told], schema=schema)


def values(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return sorted(zip(*(table.column(name).to_pylist() for name in names), strict=True), key=repr)


def test_the_greatest_sequence_of_a_key_wins_and_null_is_the_least_and_a_key_as_well():
    told = rows(("a", day(1), "old"), ("a", day(2), "new"), ("a", None, "dateless"), (None, day(1), "nobody's"))
    assert values(newest(told, ["key"], ["at"]), "key", "value") == [("a", "new"), (None, "nobody's")]


def test_between_equals_the_greater_fingerprint_wins():
    told = rows(("a", day(1), "one"), ("a", day(1), "other"))
    micros = int(day(1).timestamp()) * 1_000_000
    marks = {v: hashlib.md5(f"a\x1f{micros}\x1f{v}".encode()).hexdigest() for v in ("one", "other")}
    assert newest(told, ["key"], ["at"]).column("value").to_pylist() == [max(marks, key=marks.__getitem__)]


@given(st.permutations(range(6)), st.lists(st.integers(0, 5)))
def test_neither_order_nor_repeats_of_rows_make_a_difference(order: list[int], again: list[int]):
    told = rows(*(("ab"[at % 2], day(1 + at // 4), str(at)) for at in range(6)))
    mixed = once(told.take(pa.array([*order, *again])))
    assert mixed.num_rows == 6
    assert values(newest(mixed, ["key"], ["at"]), *ROWS.names) == values(newest(told, ["key"], ["at"]), *ROWS.names)


def test_rows_whose_maps_differ_in_order_only_are_the_same_row():
    tags = pa.array(
        [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")], [("a", "2")]], pa.map_(pa.string(), pa.string())
    )
    assert once(pa.table({"key": ["x", "x", "x"], "tags": tags})).num_rows == 2


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, pa.bool_(), "true"),
        (day(1).date(), pa.date32(), "2026-03-01"),
        (datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC), INSTANT, "1000005"),
        ([("b", None), ("a", "ü")], pa.map_(pa.string(), pa.string()), '{"a":"ü","b":null}'),
        (["x", "y"], pa.list_(pa.string()), '["x","y"]'),
        ([{"a": "1", "b": None}], pa.list_(pa.struct([("a", pa.string()), ("b", pa.string())])), '[{"a":"1"}]'),
    ],
)
def test_canonical_texts(value: Any, kind: pa.DataType, text: str):
    assert canonical(value, kind) == text


def test_an_absent_value_is_unlike_an_empty_one():
    assert fingerprint([(None, pa.string())]) == hashlib.md5(b"\x1e").hexdigest()
    assert fingerprint([(None, pa.string())]) != fingerprint([("", pa.string())])


def test_a_version_lasts_until_the_next_or_until_the_deletion_whatever_came_first():
    told = rows(
        ("a", day(5), None, "third"), ("a", day(1), None, "first"), ("a", day(2), day(3), "second"),
        ("b", day(4), day(9), "gone"), ("b", None, None, "dateless"), schema=CHANGES,
    )  # fmt: skip
    found = values(
        from_changes(told, ["key"], "at", "gone"), "key", "version_number", "valid_from", "valid_to", "is_current"
    )
    assert found == [
        ("a", 1, day(1), day(2), False),
        ("a", 2, day(2), day(3), False),
        ("a", 3, day(5), None, True),
        ("b", 1, day(4), day(9), False),
    ]


def test_the_first_version_is_open_to_the_past():
    told = rows(("a", day(1), None, "x"), ("a", day(2), None, "y"), schema=CHANGES)
    assert values(from_changes(told, ["key"], "at", "gone"), "valid_from_open") == [(OPEN,), (day(2),)]


def test_a_version_of_dated_states_lasts_while_the_states_show_it_without_a_gap():
    states = pa.schema([("key", pa.string()), ("value", pa.string()), (STATE, INSTANT)])
    told = rows(
        ("a", "x", day(1)), ("a", "x", day(2)), ("a", "y", day(3)), ("a", "y", day(5)),
        ("b", "z", day(1)), ("c", "-", day(4)), schema=states,
    )  # fmt: skip
    assert values(from_states(told, ["key"]), "key", "value", "valid_from", "valid_to", "version_number") == [
        ("a", "x", day(1), day(3), 1),
        ("a", "y", day(3), day(4), 2),
        ("a", "y", day(5), None, 3),
        ("b", "z", day(1), day(2), 1),
        ("c", "-", day(4), day(5), 1),
    ]
