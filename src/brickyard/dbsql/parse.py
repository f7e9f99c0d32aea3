"""Databricks SQL text to statements with their references; one broken statement leaves the others intact."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from brickyard.dbsql.grammar import MAX_DEPTH, read
from brickyard.dbsql.model import Hole, Script, Statement
from brickyard.dbsql.reader import Reader
from brickyard.dbsql.split import split
from brickyard.dbsql.tokens import Masked, Token, TokenKind, mask, tokenize
from brickyard.dbsql.tree import Parsed, parse_tree, tree_at
from brickyard.notebooks.model import Span

__all__ = ["parse", "tree_at"]


def parse(text: str, *, holes: Sequence[Hole] = (), temp_views: Collection[str] = (), trees: bool = True) -> Script:
    """Parse a script.

    *holes* are stretches of the text that the caller knows to be computed; `${x}`, `$x`, `{{x}}` and `:p` are found here.
    *temp_views* are names of temp views made before. *trees* False leaves sqlglot out, which is several times faster.
    """
    masked = mask(text, holes)
    known: dict[str, int | None] = {name.lower(): None for name in temp_views}
    statements = []
    for index, tokens in enumerate(split(tokenize(masked.text))):
        statement = _statement(masked, tokens, index, known, trees)
        statements.append(statement)
        if statement.temp_view:
            known[statement.temp_view] = index
    return Script(text, tuple(statements))


def _statement(masked: Masked, tokens: list[Token], index: int, known: dict[str, int | None], trees: bool) -> Statement:
    span = Span(tokens[0].start, tokens[-1].end)
    reader = Reader(masked, tokens, index, known)
    verb, clauses = read(reader)
    parsed = Parsed()
    if bad := next((t for t in tokens if t.kind is TokenKind.BAD), None):
        parsed = Parsed(None, "a string or quoted name does not end", bad.start)
    elif reader.depth > MAX_DEPTH:
        parsed = Parsed(None, f"parentheses are nested more than {MAX_DEPTH} deep", span.start)
    elif trees and clauses.has_tree:
        parsed = parse_tree(reader, span)
    markers = tuple(
        Hole(Span(t.start, t.end), masked.original[t.start + 1 : t.end]) for t in tokens if t.kind is TokenKind.MARKER
    )
    return Statement(
        index=index,
        span=span,
        verb=verb,
        tree=parsed.tree,
        references=tuple(reader.references),
        holes=masked.holes_in(span.start, span.end),
        arguments=clauses.args,
        error=parsed.error,
        error_offset=parsed.offset,
        qualifiers=reader.qualifiers(),
        namespaces=tuple(reader.namespaces),
        temp_references=tuple(reader.temp_references),
        temp_view=clauses.temp_view,
        markers=markers,
    )
