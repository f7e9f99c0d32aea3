"""A pack written as YAML that reads back as the same pack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from brickyard.share.model.pack import AssetSpec, RecipientSpec, ScheduleSpec, SharePack
from brickyard.share.model.yaml_tree import resolved

_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./@+-]|,? (?=[A-Za-z0-9(_])|:(?=/))*\Z")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def to_yaml(pack: SharePack) -> str:
    """Return a pack as YAML: what is left to its default is left out, keys are in the order of the model."""
    return "\n".join(_lines(plain(pack), 0)) + "\n"


def plain(pack: SharePack) -> dict[str, Any]:
    """Return a pack as the data of its file."""
    data: dict[str, Any] = {"metadata": _part(pack.metadata)}
    if pack.removal is not None:
        shares = [_removed(share, pack.removal.pipelines.get(share, ())) for share in pack.removal.shares]
        return data | _filled({"recipient": list(pack.removal.recipients), "share": shares})
    recipients = [_part(spec) for spec in pack.recipient]
    return data | _filled({"recipient": recipients, "share": [_part(spec) for spec in pack.share]})


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value}


def _removed(share: str, pipelines: tuple[str, ...]) -> Any:
    return {"name": share, "pipelines": list(pipelines)} if pipelines else share


def _part(part: BaseModel) -> Any:
    """The data of a part without its defaults; required fields and a list said to be empty stay."""
    found: dict[str, Any] = {}
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        if info.is_required() or value != info.get_default(call_default_factory=True):
            found["servicenow" if name == "servicenow_ticket" else name] = _value(value)
    if isinstance(part, RecipientSpec) and part.clears_addresses:
        found["recipient_ips"] = []
    if isinstance(part, ScheduleSpec) and found == {"continuous": True}:
        return "continuous"
    return part.name if isinstance(part, AssetSpec) and len(found) == 1 else found


def _value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _part(value)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def _lines(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{' ' * indent}{_word(key)}:", item, indent)


def _entry(head: str, item: Any, indent: int) -> Iterator[str]:
    if isinstance(item, dict) and item:
        yield head
        yield from _lines(item, indent + 2)
    elif isinstance(item, list) and item:
        yield head
        yield from _items(item, indent + 2)
    else:
        yield f"{head} {_scalar(item)}"


def _items(items: list[Any], indent: int) -> Iterator[str]:
    for item in items:
        if isinstance(item, dict) and item:
            first, *rest = _lines(item, indent + 2)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        elif isinstance(item, list) and item:
            first, *rest = _items(item, indent + 2)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{' ' * indent}- {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _word(value)
    return "[]" if value == [] else "{}" if value == {} else str(value)


def _word(text: str) -> str:
    if _PLAIN.match(text) and isinstance(resolved(text), str):
        return text
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    return character if character.isprintable() else f"\\U{ord(character):08x}"
