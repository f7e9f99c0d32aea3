"""A file read as mappings, lists and scalars that know their place, and the faults found in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from brickyard.kernel.errors import Problem

Path = tuple[str | int, ...]
"""The keys and positions that lead from the top of a pack to a value."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: *order* sorts places of one file, *text* follows the file's name."""

    order: tuple[int, ...]
    text: str

    @classmethod
    def line(cls, line: int, column: int) -> Place:
        """Return a place in a text; both count from 1."""
        return cls((line, column), f":{line}:{column}")

    @classmethod
    def cell(cls, sheet: int, title: str, row: int, column: int, letters: str) -> Place:
        """Return a cell of a workbook: *sheet* is its position, *row* and *column* count from 1."""
        return cls((sheet, row, column), f" {title}!{letters}{row}")

    @classmethod
    def sheet(cls, sheet: int, title: str) -> Place:
        """Return a whole sheet."""
        return cls((sheet, 0, 0), f" {title}")


TOP = Place((0, 0), "")
_WRITTEN = {"servicenow_ticket": "servicenow"}
_ALSO: dict[str | int, str] = {"description": "comment", "servicenow_ticket": "servicenow"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. *text* is how it is written; *quoted* says that it stands in quotes, so it can only be text."""

    value: str | bool | int | float | date | datetime | None
    text: str
    place: Place
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping; *keys* are the places of its keys, *blank* those of cells that are there but empty."""

    entries: Mapping[str, Node]
    keys: Mapping[str, Place]
    place: Place
    blank: Mapping[str, Place] = field(default_factory=dict)


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at *path*; it is not said when one of *reads* is wrong itself."""

    path: Path
    message: str
    remedy: str | None = None
    place: Place | None = None
    reads: tuple[Path, ...] = ()


class RefusedError(ValueError):
    """A value breaks the rule of its field; *instead* is what the compatible reading takes for it."""

    def __init__(self, message: str, remedy: str | None = None, *, instead: str | bool | int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.instead = instead


def dotted(path: Path) -> str:
    """Write a path as people do: `share[0].pipelines[1].cron`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_WRITTEN.get(step, step)}" for step in path)
    return text.removeprefix(".")


def place_of(tree: Node, path: Path) -> Place:
    """Return the place of the innermost part of *path* that the file holds."""
    return list(_places(tree, path))[-1]


def _places(node: Node, path: Path) -> Iterator[Place]:
    yield node.place
    if not path:
        return
    step, rest = path[0], path[1:]
    if isinstance(node, Fields) and step not in node.entries and step not in node.blank:
        step = _ALSO.get(step, step)
    match node:
        case Fields(entries=entries, keys=keys) if isinstance(step, str) and step in entries:
            yield keys[step]
            if rest or keys[step].text.startswith(" "):
                yield from _places(entries[step], rest)
        case Fields(blank=blank) if isinstance(step, str) and step in blank:
            yield blank[step]
        case Items(items=items) if isinstance(step, int) and step < len(items):
            yield from _places(items[step], rest)


def problems(name: str, tree: Node, faults: list[Fault]) -> tuple[Problem, ...]:
    """Write faults as problems of the file *name*, in the order of their places, none twice."""
    placed = [(fault.place or place_of(tree, fault.path), fault) for fault in faults]
    placed.sort(key=lambda pair: pair[0])
    written = [Problem(_message(fault), f"{name}{place.text}", fault.remedy) for place, fault in placed]
    return tuple(dict.fromkeys(written))


def _message(fault: Fault) -> str:
    return f"{dotted(fault.path)}: {fault.message}" if fault.path else fault.message
