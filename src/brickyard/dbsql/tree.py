"""Statements as sqlglot's trees, with the offsets of the whole text."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import ParseError, SqlglotError

from brickyard.dbsql.model import Hole
from brickyard.dbsql.query import walk
from brickyard.dbsql.reader import Reader
from brickyard.dbsql.spans import replace_spans
from brickyard.dbsql.tokens import MASK, Token, TokenKind, mask, tokenize
from brickyard.notebooks.model import Span

_OPERANDS = (TokenKind.STRING, TokenKind.NUMBER, TokenKind.QUOTED, TokenKind.MARKER)
_COMPARISONS = frozenset(("=", "<", ">", "<=", ">=", "<>", "!=", "."))
_UNREAD = (("WITH", "SCHEMA", "EVOLUTION"), ("MAX", "RECURSION", "LEVEL", ""), ("IF", "NOT", "EXISTS"))
_UNREAD_STARTS = frozenset(words[0] for words in _UNREAD)
_DIALECT = Databricks()
logging.getLogger("sqlglot").addFilter(lambda record: "Falling back" not in record.msg)  # we read those ourselves


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree, or what is wrong and where; neither for a statement that sqlglot keeps opaque."""

    tree: exp.Expression | None = None
    error: str | None = None
    offset: int | None = None


def parse_tree(reader: Reader, span: Span) -> Parsed:
    """Parse the statement of the reader; a hole that can only stand for a clause is left out."""
    text = _parsable(reader)
    parsed = _parse(text, span)
    if parsed.error and (hidden := list(_clause_holes(reader.tokens))):
        return _parse(_blanked(text, hidden), span)
    return parsed


def tree_at(text: str, span: Span, *, holes: Sequence[Hole] = ()) -> exp.Expression | None:
    """Parse a range of a text, such as a statement's `query`, with sqlglot; its offsets are those of the whole text.

    None when sqlglot cannot read it.
    """
    masked = mask(text, holes)
    reader = Reader(masked, tokenize(masked.text, span.start, span.end), 0, {})
    walk(reader, 0, len(reader.tokens))
    return parse_tree(reader, span).tree


def _parse(text: str, span: Span) -> Parsed:
    sql = span.slice(text)
    try:
        tokens = _DIALECT.tokenize(sql)
        for token in tokens:
            token.start += span.start
            token.end += span.start
        trees = _DIALECT.parser().parse(tokens, text)
    except ParseError as error:
        return _fault(error, sql, span)
    except RecursionError:
        return Parsed(None, "an expression is nested too deeply", span.start)
    except SqlglotError as error:
        return Parsed(None, str(error).splitlines()[0], span.start)
    tree = trees[0] if trees else None
    is_read = isinstance(tree, exp.Expression) and not isinstance(tree, exp.Command)
    return Parsed(tree if is_read else None)


def _parsable(reader: Reader) -> str:
    """Mask what sqlglot cannot read: IDENTIFIER(…) as a name, `@v3` and some clauses as spaces, all of the same length."""
    text = reader.masked.text
    named = [(span, MASK * (span.end - span.start)) for span in _identifiers(reader)]
    text = replace_spans(text, named) if named else text
    versions = [r.version for r in reader.references if r.version and text[r.version.start] == "@"]
    return _blanked(text, [*versions, *_unread_clauses(reader)])


def _blanked(text: str, spans: list[Span]) -> str:
    return replace_spans(text, ((s, " " * (s.end - s.start)) for s in spans)) if spans else text


def _unread_clauses(reader: Reader) -> Iterator[Span]:
    for i, token in enumerate(reader.tokens):
        if token.word in _UNREAD_STARTS:
            for words in _UNREAD:
                is_there = all(reader.word(i + n) == word for n, word in enumerate(words))
                if is_there and (words[0] != "IF" or reader.word(0) == "INSERT"):
                    yield reader.span(i, i + len(words))


def _identifiers(reader: Reader) -> Iterator[Span]:
    at = -1
    for i, token in enumerate(reader.tokens):
        if i > at and token.word == "IDENTIFIER" and reader.word(i + 1) == "(":
            at = reader.close(i + 1)
            yield reader.span(i, at + 1)


def _clause_holes(tokens: list[Token]) -> Iterator[Span]:
    """Holes that follow an operand, and so can only stand for a clause such as `AND x = 1`."""
    for before, previous, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_operand = previous.kind in _OPERANDS or previous.word == ")" or before.word in _COMPARISONS
        if is_operand and token.word == MASK * (token.end - token.start):
            yield Span(token.start, token.end)


def _fault(error: ParseError, sql: str, span: Span) -> Parsed:
    details = error.errors[0] if error.errors else {}
    message = str(details.get("description") or error).splitlines()[0]
    line, column = details.get("line"), details.get("col")
    if not line or column is None:
        return Parsed(None, message, span.start)
    lines = sql.split("\n")
    before = sum(len(text) + 1 for text in lines[: line - 1])
    offset = before + column - len(details.get("highlight") or "")
    return Parsed(None, message, span.start + max(0, min(offset, len(sql))))
