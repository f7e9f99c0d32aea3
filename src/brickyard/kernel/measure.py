"""A number that a room tells whoever watches the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measure:
    """How much there is of something now; *name* and the labels' names are the same in every look."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
