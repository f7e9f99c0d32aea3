"""What a query of a pipeline reads: each relation in its text, and whether it is read as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brickyard.dbsql.model import Reference, Side
from brickyard.dbsql.tokens import Token, TokenKind
from brickyard.local.sql.expand import single, tokens_of
from brickyard.notebooks.model import Span

_AFTER_A_RELATION = frozenset(
    [
        "ANTI",
        "CROSS",
        "EXCEPT",
        "FULL",
        "GROUP",
        "HAVING",
        "INNER",
        "INTERSECT",
        "JOIN",
        "LATERAL",
        "LEFT",
        "LIMIT",
        "MINUS",
        "NATURAL",
        "OFFSET",
        "ON",
        "ORDER",
        "PIVOT",
        "QUALIFY",
        "RIGHT",
        "SEMI",
        "TABLESAMPLE",
        "UNION",
        "UNPIVOT",
        "USING",
        "WHERE",
        "WINDOW",
        "WITH",
    ]
)


@dataclass(frozen=True, slots=True)
class Source:
    """A relation that is read: *span* with its `STREAM( )`, the dotted *name* unquoted; *unnamed* when it has no alias."""

    span: Span
    name: str
    streamed: bool
    unnamed: bool

    def replaced(self, text: str, relation: str) -> str:
        """The text with another relation in its place, which keeps the short name by which columns may be qualified."""
        alias = f" AS `{self.name.rpartition('.')[2]}`" if self.unnamed else ""
        return text[: self.span.start] + relation + alias + text[self.span.end :]


def sources(text: str) -> list[Source]:
    """The relations that a statement reads by literal names, in their order; raises SqlError."""
    tokens = tokens_of(text)
    found = [r for r in single(text).references if _is_read(r)]
    return [_source(reference, tokens) for reference in sorted(found, key=lambda r: r.span.start)]


def _is_read(reference: Reference) -> bool:
    named = reference.literal is not None and not reference.in_string and reference.whole is None
    return named and reference.side is not Side.WRITE and reference.version is None


def _source(reference: Reference, tokens: Sequence[Token]) -> Source:
    before = [token for token in tokens if token.end <= reference.span.start]
    after = [token for token in tokens if token.start >= reference.span.end]
    span, streamed = reference.span, False
    if before and before[-1].word == "STREAM":
        span, streamed = Span(before[-1].start, span.end), True
    elif len(before) > 1 and before[-1].word == "(" and before[-2].word == "STREAM" and after:
        span, streamed, after = Span(before[-2].start, after[0].end), True, after[1:]
    return Source(span, ".".join(reference.literal or ()), streamed, _is_unnamed(after))


def _is_unnamed(after: Sequence[Token]) -> bool:
    if not after or after[0].kind is TokenKind.OP:
        return True
    return after[0].kind is TokenKind.WORD and after[0].word in _AFTER_A_RELATION
