"""Aliases that later items of a SELECT list use, for an engine that resolves none: the expression in their place."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.dbsql.rewrite import replace_spans
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.selects import NAMES, Select, name_of, selects
from brickyard.notebooks.model import Span


def spelled_out(sql: str, alias: str) -> str | None:
    """Replace uses of an alias in later items of its list; None when there is no such use."""
    tokens = tokens_of(sql)
    found = [r for select in selects(tokens) for r in _uses(sql, select, alias.lower())]
    return replace_spans(sql, found) if found else None


def _uses(sql: str, select: Select, alias: str) -> Iterator[tuple[Span, str]]:
    items = select.items()
    tokens = select.tokens
    for i, (first, end) in enumerate(items):
        if end - first > 2 and tokens[end - 2].word == "AS" and name_of(sql, tokens[end - 1]) == alias:
            expression = f"({sql[tokens[first].start : tokens[end - 3].end]})"
            for start, stop in items[i + 1 :]:
                yield from ((span, expression) for span in _names(sql, select, start, stop, alias))
            return


def _names(sql: str, select: Select, start: int, stop: int, alias: str) -> Iterator[Span]:
    tokens = select.tokens
    for at in range(start, stop):
        before = tokens[at - 1].word
        after = tokens[at + 1].word if at + 1 < len(tokens) else ""
        is_bare = tokens[at].kind in NAMES and before not in (".", "AS") and after not in (".", "(")
        if is_bare and name_of(sql, tokens[at]) == alias:
            yield Span(tokens[at].start, tokens[at].end)
