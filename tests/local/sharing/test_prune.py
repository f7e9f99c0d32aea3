"""Hints leave out files that cannot matter, and never one that might."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.sharing import conditions
from brickyard.local.sharing.prune import Both, kept, limited, of_json, rows_of

TYPES = {"region": "string", "year": "integer", "id": "long", "day": "date", "flag": "boolean", "price": "double"}
FIELDS = [{"name": name, "type": type_, "metadata": {}} for name, type_ in TYPES.items()]


def file(name: str, low: int, high: int, rows: int = 10, nulls: int = 0, **partition: str | None) -> dict[str, Any]:
    stats: dict[str, Any] = {"numRecords": rows, "nullCount": {"id": nulls}}
    if nulls < rows:
        stats |= {"minValues": {"id": low}, "maxValues": {"id": high}}
    return {"path": name, "partitionValues": partition, "stats": json.dumps(stats)}


FILES = [
    file("a", 0, 9, region="EU", year="2025"),
    file("b", 10, 19, nulls=1, region="US", year="2026"),
    file("c", 20, 29, region=None, year="2026"),
    file("d", 0, 0, nulls=10, region="EU", year="2026"),
]


def by_sql(*hints: str) -> str:
    return "".join(f["path"] for f in kept(FILES, conditions.predicate(hints), FIELDS))


def by_json(tree: object) -> str:
    return "".join(f["path"] for f in kept(FILES, of_json(json.dumps(tree)), FIELDS))


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("region = 'EU'", "ad"),
        ("'EU' = region", "ad"),
        ("REGION <> 'EU'", "b"),
        ("region IS NULL", "c"),
        ("region IS NOT NULL", "abd"),
        ("NOT region = 'EU'", "b"),
        ("year > 2025", "bcd"),
        ("2025 < year", "bcd"),
        ("year = '2025'", "abcd"),  # a text compared with a number: not ours to cast
        ("id >= 15", "bc"),
        ("id < 10", "a"),
        ("id = 9 AND year = 2026", ""),
        ("id = 9 OR region = 'US'", "ab"),
        ("NOT (id = 9 OR region = 'US')", "a"),
        ("id IS NULL", "bd"),
        ("id IS NOT NULL", "abc"),
        ("id = 5.5", "abcd"),
        ("nothing = 1", "abcd"),
        ("id + 1 = 3", "abcd"),
        ("this is not SQL ((", "abcd"),
        ("", "abcd"),
    ],
)
def test_sql_conditions_leave_files_out(hint: str, expected: str):
    assert by_sql(hint) == expected


def test_sql_conditions_hold_together():
    assert by_sql("region = 'EU'", "year = 2025", "nonsense(") == "a"


def column(name: str, type_: str) -> dict[str, object]:
    return {"op": "column", "name": name, "valueType": type_}


def literal(value: str, type_: str) -> dict[str, object]:
    return {"op": "literal", "value": value, "valueType": type_}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"op": "equal", "children": [column("region", "string"), literal("EU", "string")]}, "ad"),
        ({"op": "lessThanOrEqual", "children": [literal("2026", "int"), column("year", "int")]}, "bcd"),
        ({"op": "greaterThan", "children": [column("id", "long"), literal("18", "long")]}, "bc"),
        ({"op": "not", "children": [{"op": "isNull", "children": [column("region", "string")]}]}, "abd"),
        ({"op": "equal", "children": [column("year", "string"), literal("2025", "string")]}, "abcd"),
        ({"op": "equal", "children": [column("year", "int"), literal("2025", "string")]}, "abcd"),
        ({"op": "between", "children": []}, "abcd"),
        ({"op": "not"}, "abcd"),
        ({}, "abcd"),
        ([], "abcd"),
    ],
)
def test_json_conditions_leave_files_out(tree: object, expected: str):
    assert by_json(tree) == expected


def test_text_that_is_not_json_leaves_all_files_in():
    assert kept(FILES, of_json("{"), FIELDS) == FILES
    assert kept(FILES, of_json(None), FIELDS) == FILES


def test_hints_too_deep_to_follow_leave_all_files_in():
    deep: Any = {"op": "isNull", "children": [column("id", "int")]}
    for _ in range(450):
        deep = {"op": "not", "children": [deep]}
    assert by_json(deep) in ("abcd", "bd")
    assert by_sql("NOT " * 2000 + "id = 1") == "abcd"


def test_a_limit_takes_as_many_files_as_hold_the_rows():
    assert [[f["path"] for f in limited(FILES, n)] for n in (0, 1, 10, 11, 99)] == [
        [], ["a"], ["a"], ["a", "b"], ["a", "b", "c", "d"],
    ]  # fmt: skip


def test_deleted_rows_do_not_count_and_neither_do_files_that_say_nothing():
    deleted = {**FILES[0], "deletionVector": {"cardinality": 4}}
    assert (rows_of(deleted), rows_of({"path": "x"})) == (6, 0)
    assert limited([{"path": "x"}, FILES[0]], 1) == [{"path": "x"}, FILES[0]]


OPERATORS = {
    "equal": lambda a, b: a == b,
    "lessThan": lambda a, b: a < b,
    "lessThanOrEqual": lambda a, b: a <= b,
    "greaterThan": lambda a, b: a > b,
    "greaterThanOrEqual": lambda a, b: a >= b,
}
COMPARISONS = st.builds(
    lambda op, name, value: {"op": op, "children": [column(name, "int"), literal(str(value), "int")]},
    st.sampled_from(sorted(OPERATORS)),
    st.sampled_from(["id", "year"]),
    st.integers(-2, 5),
)
NULLS = st.builds(lambda name: {"op": "isNull", "children": [column(name, "int")]}, st.sampled_from(["id", "year"]))
TREES = st.recursive(
    COMPARISONS | NULLS,
    lambda inner: (
        st.builds(lambda one: {"op": "not", "children": [one]}, inner)
        | st.builds(lambda op, some: {"op": op, "children": some}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
    ),
)  # fmt: skip


def holds(tree: Any, row: dict[str, int | None]) -> bool | None:
    """What SQL says: true, false or unknown."""
    inner = [holds(child, row) for child in tree["children"]] if tree["op"] in ("and", "or", "not") else []
    match tree["op"]:
        case "and":
            return False if False in inner else None if None in inner else True
        case "or":
            return True if True in inner else None if None in inner else False
        case "not":
            return None if inner[0] is None else not inner[0]
        case "isNull":
            return row[tree["children"][0]["name"]] is None
    value = row[tree["children"][0]["name"]]
    return None if value is None else OPERATORS[tree["op"]](value, int(tree["children"][1]["value"]))


@given(
    tree=TREES,
    ids=st.lists(st.none() | st.integers(-1, 4), min_size=1, max_size=4),
    year=st.none() | st.integers(-1, 4),
)
def test_a_file_with_a_row_that_is_asked_for_is_never_left_out(tree: Any, ids: list[int | None], year: int | None):
    known = [one for one in ids if one is not None]
    low, high = (min(known), max(known)) if known else (0, 0)
    partition = {"year": None if year is None else str(year)}
    one = file("x", low, high, len(ids), len(ids) - len(known), **partition)
    wanted = any(holds(tree, {"id": value, "year": year}) for value in ids)
    assert not wanted or kept([one], Both((of_json(json.dumps(tree)),)), FIELDS) == [one]
