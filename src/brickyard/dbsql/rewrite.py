"""Rewrites of SQL text by spans: replacement, markers and holes substituted, QUALIFY as a subquery."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from brickyard.dbsql.model import Hole
from brickyard.dbsql.qualify import qualify_to_subquery
from brickyard.dbsql.spans import replace_spans
from brickyard.dbsql.tokens import TokenKind, mask, tokenize
from brickyard.notebooks.model import Span

__all__ = [
    "find_markers",
    "literal",
    "qualify_to_subquery",
    "quote_string",
    "replace_spans",
    "substitute_holes",
    "substitute_markers",
]

_UNQUOTED_TYPES = frozenset(
    ["TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "BYTE", "SHORT", "LONG", "FLOAT", "DOUBLE", "REAL", "BOOLEAN"]
)


def find_markers(text: str) -> tuple[Hole, ...]:
    """Find the `:name` parameters of a text, outside of strings, comments, casts and struct access."""
    tokens = tokenize(mask(text).text)
    return tuple(Hole(Span(t.start, t.end), text[t.start + 1 : t.end]) for t in tokens if t.kind is TokenKind.MARKER)


def substitute_markers(text: str, literals: Mapping[str, str]) -> str:
    """Put SQL text in the place of each `:name`; raises KeyError for a name that has none. Names fold case."""
    folded = {name.lower(): sql for name, sql in literals.items()}
    return replace_spans(text, ((m.span, folded[m.name.lower()]) for m in find_markers(text)))


def substitute_holes(text: str, values: Mapping[str, str]) -> str:
    """Put the values of widgets in the place of `${x}`, `$x` and `{{x}}`, in strings too; unknown names stay."""
    folded = {name.lower(): value for name, value in values.items()}
    holes = (h for h in mask(text).holes if h.name.lower() in folded)
    return replace_spans(text, ((h.span, folded[h.name.lower()]) for h in holes))


def quote_string(value: str) -> str:
    """A string literal with the characters escaped that would end it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def literal(value: object, type_text: str = "STRING") -> str:
    """A typed SQL literal for a parameter value; None is a typed NULL."""
    name = type_text.strip().upper() or "STRING"
    if value is None:
        return f"CAST(NULL AS {name})" if name != "VOID" else "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal) and name in ("STRING", *_UNQUOTED_TYPES):
        return f"CAST({value!s} AS {name})" if name != "STRING" else str(value)
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP{quote_string(value.isoformat(sep=' '))}"
    if isinstance(value, dt.date):
        return f"DATE{quote_string(value.isoformat())}"
    text = quote_string(str(value))
    return text if name == "STRING" else f"CAST({text} AS {name})"
