"""Databricks types as text: structs taken apart into their leaves, decimals compared."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)\Z", re.IGNORECASE)
_STRUCT = re.compile(r"struct<(.*)>\Z", re.IGNORECASE | re.DOTALL)
_WIDER = {
    "tinyint": ("smallint", "int", "bigint"),
    "smallint": ("int", "bigint"),
    "int": ("bigint",),
    "float": ("double",),
    "date": ("timestamp",),
}


def fields(type_text: str) -> tuple[tuple[str, str], ...] | None:
    """Return name and type of each field of a struct, or None when it is no struct."""
    found = _STRUCT.match(type_text.strip())
    if found is None:
        return None
    pairs = (part.split(":", 1) for part in _parts(found.group(1)))
    return tuple((name.strip().strip("`"), inner.strip()) for name, inner in pairs)


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that stand outside every bracket."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        if character in "<(":
            depth += 1
        elif character in ">)":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    if text[start:].strip():
        yield text[start:]


def leaves(name: str, type_text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield path and type of every leaf of a column; a struct's leaves are its fields', to any depth."""
    inner = fields(type_text)
    if inner is None:
        yield (name,), type_text
        return
    for field, field_type in inner:
        for path, leaf in leaves(field, field_type):
            yield (name, *path), leaf


def decimal(type_text: str) -> tuple[int, int] | None:
    """Return precision and scale of a decimal, or None when it is none."""
    found = _DECIMAL.match(type_text.strip())
    return (int(found.group(1)), int(found.group(2))) if found else None


def fits(source: str, target: str) -> bool:
    """Whether every value of *source* is a value of *target*, by the widening rules of Delta, also inside of nested types."""
    source, target = source.lower().replace(" ", ""), target.lower().replace(" ", "")
    if source == target or target in _WIDER.get(source, ()):
        return True
    old, new = decimal(source), decimal(target)
    if old and new:
        return new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]
    return _nested_fits(source, target)


def _nested_fits(source: str, target: str) -> bool:
    old, new = fields(source), fields(target)
    if old is not None and new is not None:
        wider = dict(new)
        return all(name in wider and fits(kind, wider[name]) for name, kind in old)
    for outer in ("array", "map"):
        inner = _inside(outer, source), _inside(outer, target)
        if inner[0] and inner[1] and len(inner[0]) == len(inner[1]):
            return all(fits(one, other) for one, other in zip(*inner, strict=True))
    return False


def _inside(outer: str, type_text: str) -> tuple[str, ...]:
    found = re.match(rf"{outer}<(.*)>\Z", type_text, re.DOTALL)
    return tuple(_parts(found.group(1))) if found else ()


def is_nested(type_text: str) -> bool:
    """Whether a type holds other types."""
    return "<" in type_text
