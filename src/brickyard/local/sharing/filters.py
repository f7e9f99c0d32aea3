"""Which partitions of a table a recipient may see: values named in the share, or properties of the recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.local.sharing.model import PartitionValue
from brickyard.local.sql.delta.log import Action, physical_name

Partitions = Sequence[Sequence[PartitionValue]]


def allowed(file: Action, partitions: Partitions, properties: Mapping[str, str], fields: Sequence[Any]) -> bool:
    """Whether a file's partition is one that the recipient may see; without partitions every file is.

    What cannot be decided is not shown: an unknown column, a property that the recipient does not have.
    """
    if not partitions:
        return True
    names = {field["name"].lower(): physical_name(field) for field in fields}
    values = file.get("partitionValues") or {}
    return any(all(_holds(one, values, names, properties) for one in conditions) for conditions in partitions)


def _holds(
    condition: PartitionValue, values: Mapping[str, str | None], names: Mapping[str, str], properties: Mapping[str, str]
) -> bool:
    column = names.get(condition.name.lower())
    if column is None or column not in values:
        return False
    actual = values[column] or None  # Delta writes NULL as null or as an empty text
    wanted = condition.value
    if condition.recipient_property_key is not None:
        wanted = properties.get(condition.recipient_property_key)
        if wanted is None:
            return False
    if wanted is None or actual is None:
        return wanted is None and actual is None and condition.op == "EQUAL"
    return _like(wanted, actual) if condition.op == "LIKE" else wanted == actual


def _like(pattern: str, text: str) -> bool:
    parts = {"%": ".*", "_": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None
