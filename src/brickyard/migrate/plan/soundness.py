"""The last guard: Python that parsed before the edits parses after them, or the edits of that cell are not made."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

from brickyard.migrate.model.nouns import Edit, Finding, Severity
from brickyard.notebooks.model import Cell, Language, Notebook


def sound(notebook: Notebook, edits: Sequence[Edit]) -> tuple[tuple[Edit, ...], tuple[Finding, ...]]:
    """Return the edits, those not applied whose group would break a cell, with a finding for each such cell."""
    broken = [cell for cell in notebook.cells if cell.language is Language.PYTHON and _breaks(cell, edits)]
    if not broken:
        return tuple(edits), ()
    cells = {cell.index for cell in broken}
    groups = {edit.group for edit in edits if edit.applied and edit.hunk.cell in cells}
    return tuple(_refused(edit) if edit.group in groups else edit for edit in edits), tuple(_findings(broken, edits))


def _breaks(cell: Cell, edits: Sequence[Edit]) -> bool:
    mine = [edit for edit in edits if edit.applied and edit.hunk.cell == cell.index]
    return bool(mine) and _parses(cell.code) and not _parses(_edited(cell, mine))


def _edited(cell: Cell, edits: Sequence[Edit]) -> str:
    parts: list[str] = []
    at = cell.body.start
    for edit in sorted(edits, key=lambda e: (e.hunk.span.start, e.hunk.span.end)):
        parts += cell.source[at : edit.hunk.span.start], edit.hunk.replacement
        at = edit.hunk.span.end
    return "".join(parts) + cell.source[at : cell.body.end]


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _refused(edit: Edit) -> Edit:
    return replace(edit, applied=False, reason=f"{edit.reason} — not applied: the cell would not parse any more")


def _findings(cells: Sequence[Cell], edits: Sequence[Edit]) -> Iterator[Finding]:
    for cell in cells:
        first = next(edit for edit in edits if edit.applied and edit.hunk.cell == cell.index)
        yield Finding(
            "edit-unsound",
            Severity.WARN,
            "the edits of this cell were not made: together they would leave Python that does not parse",
            "make the changes that the plan shows by hand, and report this as a defect of Brickyard",
            cell.index,
            first.position.line,
        )
