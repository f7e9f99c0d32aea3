"""Which partitions a recipient sees; what cannot be decided is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.local.sharing.filters import allowed
from brickyard.local.sharing.model import PartitionValue as Value

FIELDS = [{"name": "Region", "type": "string", "metadata": {}}, {"name": "year", "type": "integer", "metadata": {}}]
EU = {"Region": "EU", "year": "2026"}
NULL = {"Region": None, "year": "2026"}


def seen(
    values: dict[str, str | None], *conditions: tuple[Value, ...], fields: Any = FIELDS, **properties: str
) -> bool:
    return allowed({"path": "x", "partitionValues": values}, conditions, properties, fields)


def test_without_conditions_everything_is_seen():
    assert seen(EU)


@pytest.mark.parametrize(
    ("values", "conditions", "expected"),
    [
        (EU, ((Value("region", "EQUAL", "EU"),),), True),
        (EU, ((Value("region", "EQUAL", "eu"),),), False),
        (EU, ((Value("region", "EQUAL", "EU"), Value("year", "EQUAL", "2025")),), False),
        (EU, ((Value("region", "EQUAL", "US"),), (Value("year", "EQUAL", "2026"),)), True),
        (EU, ((Value("region", "LIKE", "E%"),),), True),
        (EU, ((Value("region", "LIKE", "E_"),),), True),
        (EU, ((Value("region", "LIKE", "."),),), False),
        (EU, ((Value("country", "EQUAL", "EU"),),), False),
        (NULL, ((Value("region", "EQUAL", None),),), True),
        (EU, ((Value("region", "EQUAL", None),),), False),
        (NULL, ((Value("region", "LIKE", "%"),),), False),
        ({}, ((Value("region", "EQUAL", "EU"),),), False),
    ],
)
def test_alternatives_of_conditions_decide(values: dict[str, str | None], conditions: Any, expected: bool):
    assert seen(values, *conditions) is expected


def test_a_recipients_property_stands_for_the_value():
    condition = (Value("region", "EQUAL", recipient_property_key="region"),)
    assert seen(EU, condition, region="EU")
    assert not seen(EU, condition, region="US")
    assert not seen(EU, condition)
    assert not seen(NULL, condition)


def test_a_mapped_column_is_found_by_its_physical_name():
    fields = [{"name": "region", "type": "string", "metadata": {"delta.columnMapping.physicalName": "col-1"}}]
    condition = (Value("region", "EQUAL", "EU"),)
    assert seen({"col-1": "EU"}, condition, fields=fields)
    assert not seen({"region": "EU"}, condition, fields=fields)
