"""Sources: the system tables as they are described in `assets/system_tables`, flattened to leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from brickyard.health.model import types
from brickyard.kernel.assets import asset

_FOLDER = "system_tables"
JOINT = "__"  # between the parts of a leaf's path, in the name of its bronze column


class Capture(StrEnum):
    """How bronze copies a source: rows added since a watermark, or its whole state as a dated snapshot."""

    APPEND = "append"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of a source's row: a column, or a field inside a struct column. `since`: when Databricks added it."""

    path: tuple[str, ...]
    type: str
    comment: str = ""

    @property
    def column(self) -> str:
        """Its column in bronze: the path joined by two underscores."""
        return JOINT.join(self.path)


@dataclass(frozen=True, slots=True)
class Source:
    """One source: `name` is schema and table, `retention` in days (None: kept for ever, or not known)."""

    name: str
    description: str
    capture: Capture
    watermark: str | None
    leaves: tuple[Leaf, ...]
    key: tuple[str, ...]
    columns: Mapping[str, str]
    older: Mapping[str, str] = field(default_factory=dict)
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retention: int | None = None
    streamable: bool | None = None
    documented: bool = True
    preview: str = "ga"

    @property
    def bronze(self) -> str:
        """Its table in the schema `bronze`."""
        return self.name.replace(".", "_")

    def leaf(self, column: str) -> Leaf | None:
        """The leaf behind a bronze column, or None."""
        return next((leaf for leaf in self.leaves if leaf.column == column), None)


@cache
def load(name: str) -> Source:
    """Read the description of a source such as `billing.usage`."""
    data = YAML(typ="safe").load(asset("health", _FOLDER, f"{name}.yaml").read_text(encoding="utf-8"))
    return parse(data)


@cache
def names() -> tuple[str, ...]:
    """Return the names of all described sources."""
    files = asset("health", _FOLDER).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def parse(data: Mapping[str, Any]) -> Source:
    """Build a source from the parsed text of its description."""
    updates = data["update_semantics"]
    columns = {column["name"]: str(column["type"]) for column in data["columns"]}
    return Source(
        name=data["table"].removeprefix("system."),
        description=data["description"],
        capture=Capture.SNAPSHOT if updates["mode"].startswith("snapshot") else Capture.APPEND,
        watermark=updates["watermark"],
        leaves=tuple(leaf for column in data["columns"] for leaf in _leaves(column)),
        key=tuple(data["primary_key"]),
        columns=columns,
        older={c["name"]: str(c["type_2025"]) for c in data["columns"] if c.get("type_2025")},
        enums={name: tuple(map(str, values)) for name, values in (data.get("enums") or {}).items()},
        retention=_days(data.get("retention_days")),
        streamable=updates.get("streamable"),
        documented=bool(data.get("documented", True)),
        preview=str(data.get("preview", "ga")),
    )


def _leaves(column: Mapping[str, Any]) -> tuple[Leaf, ...]:
    comment = str(column.get("comment") or "")
    found = types.leaves(column["name"], str(column["type"]))
    return tuple(Leaf(path, leaf, comment if len(path) == 1 else _inner(path, comment)) for path, leaf in found)


def _inner(path: tuple[str, ...], comment: str) -> str:
    return f"Field {'.'.join(path[1:])} of {path[0]}: {comment}"


def _days(value: Any) -> int | None:
    found = re.match(r"\d+", str(value))
    return int(found.group()) if found else None
