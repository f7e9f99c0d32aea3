"""Put edits of cells back into the file, leaving every byte outside them as it is."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence

from brickyard.notebooks.model import Cell, CellEdit, Format, Notebook, Position, Span


def apply_edits(notebook: Notebook, edits: Sequence[CellEdit]) -> str:
    """Return the file's text with the edits made; raises ValueError when two edits overlap."""
    cells = {cell.index: cell for cell in notebook.cells}
    located = []
    for edit in edits:
        cell = cells[edit.cell]
        if not 0 <= edit.span.start <= edit.span.end <= len(cell.source):
            raise ValueError(f"the edit {edit.span} is outside of cell {edit.cell}")
        if not cell.segments:
            raise ValueError(f"cell {edit.cell} has no text to edit")
        located.append((raw_span(cell, edit.span), cell, edit.replacement))
    located.sort(key=lambda item: (item[0].start, item[0].end))
    parts: list[str] = []
    at = 0
    for span, cell, replacement in located:
        if span.start < at:
            raise ValueError(f"two edits overlap in cell {cell.index}")
        parts += notebook.text[at : span.start], _encode_replacement(notebook, cell, span, replacement)
        at = span.end
    return "".join(parts) + notebook.text[at:]


def as_written(notebook: Notebook, edit: CellEdit) -> tuple[str, str]:
    """What an edit takes out and puts in, as both stand where its `position` counts: in the file, or in the Jupyter cell."""
    cell = next(c for c in notebook.cells if c.index == edit.cell)
    if notebook.format is Format.JUPYTER:
        return edit.span.slice(cell.source), edit.replacement
    raw = raw_span(cell, edit.span)
    return raw.slice(notebook.text), _encode_replacement(notebook, cell, raw, edit.replacement)


def encode(notebook: Notebook, text: str) -> bytes:
    """Encode a text of this notebook as its file was."""
    del notebook
    return text.encode("utf-8")


def raw_span(cell: Cell, span: Span) -> Span:
    """Where a span of the cell's source stands in the file's text."""
    return Span(raw_offset(cell, span.start), raw_offset(cell, span.end))


def raw_offset(cell: Cell, offset: int) -> int:
    """Where an offset of the cell's source stands in the file's text; at a line's start, after its prefix."""
    segment = cell.segments[bisect_right(cell.segments, offset, key=lambda s: s.source) - 1]
    return segment.raw + min(offset - segment.source, segment.length)


def position(notebook: Notebook, cell_index: int, span: Span) -> Position:
    """Where a span of a cell's source stands, as a user counts."""
    cell = next(c for c in notebook.cells if c.index == cell_index)
    text, counted = notebook.text, raw_span(cell, span)
    if notebook.format is Format.JUPYTER:
        text, counted = cell.source, span
    return Position(cell_index, *_line_column(text, counted.start), *_line_column(text, counted.end))


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _encode_replacement(notebook: Notebook, cell: Cell, span: Span, text: str) -> str:
    text = text.replace("\r\n", "\n")
    if notebook.format is Format.JUPYTER:
        ascii_only = notebook.text.isascii() and "\\u" in notebook.text
        return cell.newline.join(json.dumps(line, ensure_ascii=ascii_only)[1:-1] for line in text.split("\n"))
    bare = cell.prefix.rstrip()
    if text and not text.startswith("\n") and _touches_bare_prefix(notebook.text, span.start, bare):
        text = " " + text
    lines = text.split("\n")
    prefixed = [bare if cell.prefix and not line else cell.prefix + line for line in lines[1:]]
    if prefixed and not lines[-1]:
        prefixed[-1] = cell.prefix
    return cell.newline.join([lines[0], *prefixed])


def _touches_bare_prefix(text: str, at: int, bare: str) -> bool:
    return bool(bare) and text.endswith(bare, 0, at) and text[max(0, at - len(bare) - 1) : at - len(bare)] in ("", "\n")
