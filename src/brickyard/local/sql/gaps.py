"""Spellings that the engine lacks or reads otherwise than Databricks, in words that it reads alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from brickyard.dbsql.rewrite import replace_spans
from brickyard.dbsql.tokens import Token, TokenKind
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.model import unsupported
from brickyard.notebooks.model import Span

_SYNONYMS = {"IFF": "if", "CHARINDEX": "locate"}
_QUERY_STARTS = frozenset(("SELECT", "VALUES", "TABLE", "FROM", "ALL", "DISTINCT", "("))


def closed(sql: str) -> str:
    """The SQL as the engine understands it; raises SqlError for WITH RECURSIVE and ORDER BY ALL."""
    tokens = tokens_of(sql)
    return replace_spans(sql, [found for at in range(len(tokens)) for found in _replaced(tokens, at)])


def renamed(sql: str) -> str:
    """The SQL with the names of functions that only Databricks knows in Spark's words."""
    tokens = tokens_of(sql)
    return replace_spans(sql, [found for at in range(len(tokens)) for found in _synonym(tokens, at)])


def _synonym(tokens: Sequence[Token], at: int) -> Iterator[tuple[Span, str]]:
    token, after, before = tokens[at], tokens[at + 1 : at + 2], tokens[at - 1].word if at else ""
    if token.word in _SYNONYMS and after and after[0].word == "(" and before != ".":
        yield Span(token.start, token.end), _SYNONYMS[token.word]


def _replaced(tokens: Sequence[Token], at: int) -> Iterator[tuple[Span, str]]:
    token, words = tokens[at], [t.word for t in tokens[at : at + 4]]
    after = words[1:2]
    yield from _synonym(tokens, at)
    if token.word == "WITH" and after == ["RECURSIVE"]:
        raise unsupported("WITH RECURSIVE", "use sequence() and explode(), or a loop in a notebook")
    if words[:3] == ["ORDER", "BY", "ALL"]:
        raise unsupported("ORDER BY ALL", "name the columns")
    if token.word == "MINUS" and after and after[0] in _QUERY_STARTS:
        yield Span(token.start, token.end), "EXCEPT"
    elif words[:2] == [",", "LATERAL"] and _is_function(tokens, at + 2):
        yield Span(token.start, token.end), " JOIN"
    elif words[:3] == ["CROSS", "JOIN", "LATERAL"] and _is_function(tokens, at + 3):
        yield Span(token.start, token.end), ""


def _is_function(tokens: Sequence[Token], at: int) -> bool:
    """A table function stands here: the engine reads `, LATERAL f(…)` as an outer join, `JOIN LATERAL f(…)` as an inner one."""
    is_called = at + 1 < len(tokens) and tokens[at + 1].word == "("
    return is_called and tokens[at].kind is TokenKind.WORD
