"""The hash of a plan: the same for the same decisions, whatever the order in which a pack lists things."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from brickyard.share.model.pack import SharePack, Strategy
from brickyard.share.model.steps import Step


def plan_hash(pack: SharePack, strategy: Strategy, steps: Collection[Step]) -> str:
    """Return the SHA-256, in hex, over a pack, the strategy and the steps in their order with their before-images."""
    document = {"pack": _plain(pack), "strategy": strategy.value, "steps": [_named(step) for step in steps]}
    return sha256(_text(document).encode()).hexdigest()


def steps_hash(steps: Collection[Step]) -> str:
    """Return the SHA-256, in hex, over steps that no pack asks for."""
    return sha256(_text([_named(step) for step in steps]).encode()).hexdigest()


def _named(step: Step) -> list[Any]:
    return [type(step).__name__, _plain(step)]


def _plain(value: Any) -> Any:
    """Return JSON for a value; the order of a list inside of it means nothing."""
    match value:
        case BaseModel():
            return _plain(value.model_dump(by_alias=False))
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case str() | int() | float() | bool() | None:
            return value
        case Collection():
            return sorted(map(_plain, value), key=_text)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a plan")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
