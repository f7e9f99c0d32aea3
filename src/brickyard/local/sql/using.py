"""JOIN … USING for an engine that forgets the qualified column: `a.id` becomes `id` where both must be the same value."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.dbsql.rewrite import replace_spans
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.selects import NAMES, Select, name_of, selects
from brickyard.notebooks.model import Span


def unqualified(sql: str) -> str:
    """Drop the qualifier of columns that a USING clause merged, where it cannot change the value.

    After inner joins every side has the same value; after left joins the leftmost relation has the merged one.
    """
    tokens = tokens_of(sql)
    spans = [span for select in selects(tokens) for span in _qualifiers(sql, select)]
    return replace_spans(sql, [(span, "") for span in spans])


def _qualifiers(sql: str, select: Select) -> Iterator[Span]:
    words = [select.tokens[i].word for i in select.indexes]
    columns = set(_merged_columns(sql, select, words))
    if not columns or "FULL" in words or "RIGHT" in words:
        return
    only = _leftmost(sql, select, words) if "LEFT" in words else None
    for i, dot, column in zip(select.indexes, select.indexes[1:], select.indexes[2:], strict=False):
        first, last = select.tokens[i], select.tokens[column]
        if select.tokens[dot].word != "." or first.kind not in NAMES or last.kind not in NAMES:
            continue
        is_whole = i == 0 or select.tokens[i - 1].word != "."
        if is_whole and name_of(sql, last) in columns and only in (None, name_of(sql, first)):
            yield Span(first.start, last.start)


def _merged_columns(sql: str, select: Select, words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words[:-1]):
        if word == "USING" and words[at + 1] == "(" and "JOIN" in words[:at]:
            end = words.index(")", at)
            yield from (
                name_of(sql, select.tokens[i]) for i in select.indexes[at + 2 : end] if select.tokens[i].word != ","
            )


def _leftmost(sql: str, select: Select, words: list[str]) -> str | None:
    """The name of the first relation, by which its columns are qualified."""
    if "FROM" not in words or "JOIN" not in words:
        return None
    at = min(
        i for i, word in enumerate(words) if word in ("JOIN", "LEFT", "INNER", "CROSS") and i > words.index("FROM")
    )
    return name_of(sql, select.tokens[select.indexes[at - 1]])
