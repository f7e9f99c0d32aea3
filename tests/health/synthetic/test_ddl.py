"""Spark's type texts become Arrow types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from brickyard.health.synthetic.ddl import arrow_type
from brickyard.health.synthetic.sources import SHAPES, source


def test_a_nested_type_keeps_its_structure() -> None:
    text = "array<struct<name:string,vars:map<string,array<decimal(38,18)>>,at:timestamp>>"
    inner = pa.map_(pa.string(), pa.list_(pa.decimal128(38, 18)))
    fields = [("name", pa.string()), ("vars", inner), ("at", pa.timestamp("us", "UTC"))]
    assert arrow_type(text) == pa.list_(pa.struct(fields))


@pytest.mark.parametrize("text", ["varchar", "int bigint", "map<string,int>>"])
def test_a_text_that_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no type|goes on"):
        arrow_type(text)


@pytest.mark.parametrize("name", SHAPES)
def test_every_source_has_two_dated_schemas(name: str) -> None:
    now, before = source(name).schema(), source(name).schema(drifted=False)
    assert set(before.names) <= set(now.names)
    assert list(source(name).texts()) == now.names
    assert list(source(name).texts(drifted=False)) == before.names
    assert set(source(name).key) <= set(now.names)
