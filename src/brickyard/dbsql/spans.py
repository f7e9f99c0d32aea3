"""Replacement of ranges of a text."""

from __future__ import annotations

from collections.abc import Iterable

from brickyard.notebooks.model import Span


def replace_spans(text: str, replacements: Iterable[tuple[Span, str]]) -> str:
    """Replace ranges of the text; raises ValueError when two overlap."""
    parts: list[str] = []
    at = 0
    for span, replacement in sorted(replacements, key=lambda r: (r[0].start, r[0].end)):
        if span.start < at:
            raise ValueError(f"two replacements overlap at {span.start}")
        parts += text[at : span.start], replacement
        at = span.end
    return "".join(parts) + text[at:]
