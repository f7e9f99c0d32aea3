"""Catalog objects as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brickyard.local.catalog.codec import decode, encode
from brickyard.local.catalog.model import (
    Catalog,
    CatalogType,
    Column,
    Function,
    FunctionParameter,
    Schema,
    Securable,
    Table,
    TableType,
    Volume,
    VolumeType,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
OBJECTS = (
    Catalog(name="c", catalog_type=CatalogType.FOREIGN, options={"mirror": "é"}, created_at=AT, properties={"a": "b"}),
    Schema(catalog="c", name="s", comment=None),
    Table(
        catalog="c",
        schema="s",
        name="t",
        table_type=TableType.VIEW,
        columns=(Column("a", "int", "INT", "{}", 0, nullable=False), Column("b", "string", "STRING", "{}", 1)),
        partition_columns=("a", "b"),
        updated_at=AT,
    ),
    Function(catalog="c", schema="s", name="f", parameters=(FunctionParameter("x", "int", "1"),), is_table=True),
    Volume(catalog="c", schema="s", name="v", volume_type=VolumeType.EXTERNAL, storage_location="/a b"),
)


@pytest.mark.parametrize("written", OBJECTS, ids=lambda o: type(o).__name__)
def test_an_object_comes_back_as_it_was(written: Securable):
    read = decode(type(written), encode(written))
    assert (read, type(read)) == (written, type(written))


def test_a_field_that_is_gone_is_passed_over_and_a_new_one_has_its_default():
    assert decode(Schema, '{"catalog":"c","name":"s","gone":1}') == Schema(catalog="c", name="s")


def test_a_time_written_with_z_is_read():
    read = decode(Schema, '{"catalog":"c","name":"s","created_at":"2026-01-02T03:04:05.000006Z"}')
    assert read.created_at == AT
