"""Databricks SQL text to statements with their references; one broken statement leaves the others intact."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import ParseError, SqlglotError

from brickyard.dbsql.grammar import read
from brickyard.dbsql.model import Hole, Script, Statement
from brickyard.dbsql.query import walk
from brickyard.dbsql.reader import Reader
from brickyard.dbsql.spans import replace_spans
from brickyard.dbsql.split import split
from brickyard.dbsql.tokens import MASK, Masked, Token, TokenKind, mask, tokenize
from brickyard.notebooks.model import Span

_OPERANDS = (TokenKind.STRING, TokenKind.NUMBER, TokenKind.QUOTED, TokenKind.MARKER)
_COMPARISONS = frozenset(("=", "<", ">", "<=", ">=", "<>", "!=", "."))
_DIALECT = Databricks()
logging.getLogger("sqlglot").addFilter(lambda record: "Falling back" not in record.msg)  # we read those ourselves


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
    tree, error, offset = None, None, None
    if bad := next((t for t in tokens if t.kind is TokenKind.BAD), None):
        error, offset = "a string or quoted name does not end", bad.start
    elif trees and clauses.has_tree:
        sql = _parsable(masked.text, reader)
        tree, error, offset = _tree(sql, span)
        if error and (clauses_hidden := list(_clause_holes(tokens))):
            blanked = replace_spans(sql, ((hole, " " * (hole.end - hole.start)) for hole in clauses_hidden))
            tree, error, offset = _tree(blanked, span)
    markers = tuple(
        Hole(Span(t.start, t.end), masked.original[t.start + 1 : t.end]) for t in tokens if t.kind is TokenKind.MARKER
    )
    return Statement(
        index=index,
        span=span,
        verb=verb,
        tree=tree,
        references=tuple(reader.references),
        holes=masked.holes_in(span.start, span.end),
        arguments=clauses.args,
        error=error,
        error_offset=offset,
        qualifiers=reader.qualifiers(),
        namespaces=tuple(reader.namespaces),
        temp_references=tuple(reader.temp_references),
        temp_view=clauses.temp_view,
        markers=markers,
    )


def tree_at(text: str, span: Span, *, holes: Sequence[Hole] = ()) -> exp.Expression | None:
    """Parse a range of a text, such as a statement's `query`, with sqlglot; its offsets are those of the whole text.

    None when sqlglot cannot read it.
    """
    masked = mask(text, holes)
    tokens = [t for t in tokenize(masked.text) if span.start <= t.start < span.end]
    reader = Reader(masked, tokens, 0, {})
    walk(reader, 0, len(tokens))
    return _tree(_parsable(masked.text, reader), span)[0]


def _tree(text: str, span: Span) -> tuple[exp.Expression | None, str | None, int | None]:
    """Parse one statement with sqlglot so that its offsets are those of the whole text."""
    sql = span.slice(text)
    try:
        tokens = _DIALECT.tokenize(sql)
        for token in tokens:
            token.start += span.start
            token.end += span.start
        trees = _DIALECT.parser().parse(tokens, text)
    except ParseError as error:
        return None, *_fault(error, sql, span)
    except SqlglotError as error:
        return None, str(error).splitlines()[0], span.start
    tree = trees[0] if trees else None
    is_read = isinstance(tree, exp.Expression) and not isinstance(tree, exp.Command)
    return (tree if is_read else None), None, None


def _parsable(text: str, reader: Reader) -> str:
    """Mask what sqlglot cannot read: IDENTIFIER(…) as a name of the same length, `@v3` as spaces."""
    spans = [(r.version, " ") for r in reader.references if r.version and text[r.version.start] == "@"]
    spans += [(span, MASK) for span in _identifiers(reader)]
    if not spans:
        return text
    return replace_spans(text, ((span, sign * (span.end - span.start)) for span, sign in spans))


def _clause_holes(tokens: list[Token]) -> Iterator[Span]:
    """Holes that follow an operand, and so can only stand for a clause such as `AND x = 1`."""
    for before, previous, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_operand = previous.kind in _OPERANDS or previous.word == ")" or before.word in _COMPARISONS
        if is_operand and token.word == MASK * (token.end - token.start):
            yield Span(token.start, token.end)


def _identifiers(reader: Reader) -> Iterator[Span]:
    at = -1
    for i, token in enumerate(reader.tokens):
        if i > at and token.word == "IDENTIFIER" and reader.word(i + 1) == "(":
            at = reader.close(i + 1)
            yield reader.span(i, at + 1)


def _fault(error: ParseError, sql: str, span: Span) -> tuple[str, int]:
    details = error.errors[0] if error.errors else {}
    message = str(details.get("description") or error).splitlines()[0]
    line, column = details.get("line"), details.get("col")
    if not line or column is None:
        return message, span.start
    lines = sql.split("\n")
    before = sum(len(text) + 1 for text in lines[: line - 1])
    offset = before + column - len(details.get("highlight") or "")
    return message, span.start + max(0, min(offset, len(sql)))
