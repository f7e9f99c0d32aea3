"""Frozen dataclasses to JSON and back, without a library whose import would take half of the server's start."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def encode(value: Any) -> str:
    """Write a dataclass as JSON; times as ISO 8601."""
    return json.dumps(asdict(value), default=datetime.isoformat, ensure_ascii=False, separators=(",", ":"))


def decode(class_: type[T], document: str) -> T:
    """Read a dataclass that `encode` wrote; a field that the class no longer has is passed over."""
    return _built(class_, json.loads(document))


def _built(class_: Any, row: dict[str, Any]) -> Any:
    return class_(**{name: _value(hint, row[name]) for name, hint in _hints(class_) if name in row})


@cache
def _hints(class_: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(class_)
    return tuple((field.name, hints[field.name]) for field in fields(class_))


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(hint, UnionType):
        return _value(next(part for part in get_args(hint) if part is not type(None)), value)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], item) for item in value)
    if is_dataclass(hint):
        return _built(hint, value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, StrEnum) else value
