"""How long work reports where it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One position in a piece of work: *done* of *total* (None when not known), and what is happening."""

    name: str
    done: int = 0
    total: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        count = "" if self.total is None else f" {self.done}/{self.total}"
        return f"{self.name}{count}" + (f" · {self.detail}" if self.detail else "")


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Report to nobody."""
