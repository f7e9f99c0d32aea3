"""What a rewrite sees of a notebook: its SQL texts, parsed once, with what the pack says of each rewrite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brickyard.dbsql.model import Reference, Script, Statement
from brickyard.migrate.model import EditClass
from brickyard.notebooks.model import CellEdit, Notebook, Span


@dataclass(frozen=True, slots=True)
class RewriteSetting:
    """How the rule pack sets one rewrite: whether it is applied or only offered, under which class, with options."""

    apply: bool = True
    edit_class: EditClass = EditClass.CONDITIONAL
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SqlUnit:
    """One SQL text of the notebook: an SQL cell's code, or a literal of a Python cell whose text stands verbatim there.

    `offset` is where the text begins in the source of cell number `cell`.
    """

    cell: int
    offset: int
    text: str
    script: Script
    embedded: bool = False

    def edit(self, span: Span, replacement: str) -> CellEdit:
        """A replacement of a range of this text."""
        return CellEdit(self.cell, span.shift(self.offset), replacement)


@dataclass(frozen=True, slots=True)
class NotebookView:
    """A notebook as the rewrites see it; `units` stand in the order in which they run.

    `settings` holds an entry for each rewrite that is on. `original_names` gives the three-level name that a
    reference (by cell and offset of its span in the cell) has, where it is known.
    `view_sources` gives the names a view reads, where known.
    """

    notebook: Notebook
    units: tuple[SqlUnit, ...]
    settings: Mapping[str, RewriteSetting]
    dbr: tuple[int, int] = (15, 4)
    original_names: Mapping[tuple[int, int], str] = field(default_factory=dict)
    view_sources: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def name_of(self, unit: SqlUnit, reference: Reference) -> str | None:
        """The name of a reference in lower case, None where its text does not tell it."""
        known = self.original_names.get((unit.cell, unit.offset + reference.span.start))
        if known is not None:
            return known.lower()
        return ".".join(reference.literal).lower() if reference.literal else None


def masked(unit: SqlUnit, statement: Statement) -> str:
    """The statement's text with each hole replaced by a word of the same length, so that it tokenizes."""
    text = unit.text
    for hole in statement.holes:
        length = hole.span.end - hole.span.start
        text = text[: hole.span.start] + "h" * length + text[hole.span.end :]
    return statement.span.slice(text)
