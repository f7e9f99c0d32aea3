"""Types keep their meaning between SQL text, Delta's JSON and Arrow."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.sql.delta.write import cast
from brickyard.local.sql.model import SqlError
from brickyard.local.sql.types import name_of, of_arrow, text_of, to_arrow, type_of_text

_WORDS = [
    "string",
    "long",
    "integer",
    "short",
    "byte",
    "float",
    "double",
    "boolean",
    "binary",
    "date",
    "timestamp",
    "timestamp_ntz",
    "decimal(10,2)",
]
_NAMES = st.text("abcXYZ_ é", min_size=1, max_size=5)


def _struct(inner):
    fields = st.lists(st.tuples(_NAMES, inner), min_size=1, max_size=3, unique_by=lambda f: f[0])
    return fields.map(
        lambda fs: {
            "type": "struct",
            "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in fs],
        }
    )


def _nested(inner):
    return st.one_of(
        inner.map(lambda t: {"type": "array", "elementType": t, "containsNull": True}),
        inner.map(lambda t: {"type": "map", "keyType": "string", "valueType": t, "valueContainsNull": True}),
        _struct(inner),
    )


TYPES = st.recursive(st.sampled_from(_WORDS), _nested, max_leaves=6)


@given(TYPES)
def test_text_and_arrow_give_back_the_type_they_were_made_of(type_):
    assert type_of_text(text_of(type_)) == type_
    assert of_arrow(to_arrow(type_)) == type_


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("int", "INT", "INT"),
        ("BIGINT", "LONG", "BIGINT"),
        ("varchar(3)", "STRING", "STRING"),
        ("decimal", "DECIMAL", "DECIMAL(10,0)"),
        ("array<struct<Ab: int>>", "ARRAY", "ARRAY<STRUCT<Ab:INT>>"),
    ],
)
def test_types_are_named_as_unity_catalog_names_them(text, name, shown):
    type_ = type_of_text(text)
    assert (name_of(type_), text_of(type_, upper=True)) == (name, shown)


@pytest.mark.parametrize("text", ["integr", "array<int", "map<int>", "decimal(x", ""])
def test_a_text_that_is_no_type_is_refused(text):
    with pytest.raises(SqlError, match="UNSUPPORTED_DATATYPE"):
        type_of_text(text)


def test_structs_are_cast_by_name_where_names_agree_and_by_place_where_not():
    wanted = pa.struct([("a", pa.int32()), ("b", pa.string())])
    by_name = pa.chunked_array([pa.array([{"b": "x", "a": 1}], pa.struct([("b", pa.string()), ("a", pa.int64())]))])
    by_place = pa.chunked_array([pa.array([{"x": 2, "y": "z"}, None])])
    assert cast(by_name, wanted).to_pylist() == [{"a": 1, "b": "x"}]
    assert cast(by_place, wanted).to_pylist() == [{"a": 2, "b": "z"}, None]


def test_nested_lists_and_maps_keep_their_nulls():
    wanted = pa.list_(pa.map_(pa.string(), pa.int32()))
    given_ = pa.chunked_array([pa.array([[[("a", 1)], None], None, []], pa.list_(pa.map_(pa.string(), pa.int64())))])
    assert cast(given_, wanted).to_pylist() == [[[("a", 1)], None], None, []]
