"""The clauses of SELECT blocks by token: where each begins and ends in the text, for edits that keep every other byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sqlglot.dialects import Databricks
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from brickyard.notebooks.model import Span

_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_CLAUSES = {
    TokenType.FROM: "from",
    TokenType.WHERE: "where",
    TokenType.GROUP_BY: "group",
    TokenType.HAVING: "having",
    TokenType.WINDOW: "window",
    TokenType.QUALIFY: "qualify",
    TokenType.ORDER_BY: "order",
    TokenType.SORT_BY: "order",
    TokenType.CLUSTER_BY: "order",
    TokenType.DISTRIBUTE_BY: "order",
    TokenType.LIMIT: "limit",
    TokenType.OFFSET: "limit",
}
_SET_OPERATIONS = {TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT}
_JOINS = {TokenType.JOIN, TokenType.LATERAL, TokenType.STRAIGHT_JOIN}


@dataclass(frozen=True, slots=True)
class Block:
    """One SELECT: token range `[first, last]`, its clauses by name and its projections, all as token ranges (inclusive).

    `clauses["group"]` starts at the keyword. `set_operation` says that the block is a member of a UNION, EXCEPT or
    INTERSECT; `depth` counts the enclosing brackets. `modifier` is DISTINCT, a hint, or None.
    """

    first: int
    last: int
    depth: int
    projections: tuple[tuple[int, int], ...]
    clauses: dict[str, tuple[int, int]]
    set_operation: bool
    distinct: bool

    def has(self, *names: str) -> bool:
        """Whether one of the clauses is there."""
        return any(name in self.clauses for name in names)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text, with the partner of each bracket."""

    text: str
    tokens: tuple[Token, ...]
    partner: dict[int, int]

    def span(self, first: int, last: int) -> Span:
        """The text range from token *first* to token *last*, both included."""
        return Span(self.tokens[first].start, self.tokens[last].end + 1)

    def slice(self, first: int, last: int) -> str:
        """The text from token *first* to token *last*."""
        return self.span(first, last).slice(self.text)

    def kind(self, index: int) -> TokenType | None:
        """The type of a token, None outside the text."""
        return self.tokens[index].token_type if 0 <= index < len(self.tokens) else None

    def word(self, index: int) -> str:
        """A token's text in upper case, empty outside the text."""
        return self.tokens[index].text.upper() if 0 <= index < len(self.tokens) else ""

    def top_level(self, first: int, last: int) -> Iterator[int]:
        """The tokens of a range that stand outside nested brackets; brackets themselves are skipped."""
        index = first
        while index <= last:
            if self.kind(index) in _OPEN and index in self.partner:
                index = self.partner[index]
            else:
                yield index
            index += 1


@lru_cache(maxsize=256)
def tokenize(text: str) -> Tokens | None:
    """Tokenize (masked) SQL, or return None where it does not tokenize or its brackets do not match."""
    try:
        tokens = tuple(Databricks().tokenize(text))
    except SqlglotError:
        return None
    partner: dict[int, int] = {}
    stack: list[int] = []
    for index, token in enumerate(tokens):
        if token.token_type in _OPEN:
            stack.append(index)
        elif token.token_type in _CLOSE:
            if not stack:
                return None
            partner[stack.pop()] = index
    return None if stack else Tokens(text, tokens, partner)


def blocks(tokens: Tokens) -> tuple[Block, ...]:
    """Every SELECT block of the text, outer ones first."""
    found = [_block(tokens, i) for i, t in enumerate(tokens.tokens) if t.token_type is TokenType.SELECT]
    return tuple(found)


def _block(tokens: Tokens, first: int) -> Block:
    last = _end(tokens, first)
    keywords = [(i, _CLAUSES[kind]) for i in tokens.top_level(first + 1, last) if (kind := tokens.kind(i)) in _CLAUSES]
    starts = [i for i, _ in keywords] + [last + 1]
    clauses: dict[str, tuple[int, int]] = {}
    for (index, name), following in zip(keywords, starts[1:], strict=True):
        clauses.setdefault(name, (index, following - 1))
    distinct = tokens.kind(first + 1) in (TokenType.DISTINCT, TokenType.ALL)
    start = first + 2 if distinct else first + 1
    return Block(
        first=first,
        last=last,
        depth=sum(1 for a, b in tokens.partner.items() if a < first < b),
        projections=tuple(split_commas(tokens, start, starts[0] - 1)),
        clauses=clauses,
        set_operation=_in_set_operation(tokens, first, last),
        distinct=tokens.kind(first + 1) is TokenType.DISTINCT,
    )


def _end(tokens: Tokens, first: int) -> int:
    """The last token of the SELECT that starts at *first*: up to a bracket, a set operation or the statement's end."""
    last = first
    index = first + 1
    while index < len(tokens.tokens):
        kind = tokens.kind(index)
        if kind in _CLOSE or kind in _SET_OPERATIONS or kind is TokenType.SEMICOLON:
            break
        if kind in _OPEN:
            index = tokens.partner[index]
        last = index
        index += 1
    return last


def _in_set_operation(tokens: Tokens, first: int, last: int) -> bool:
    before = first - 1
    while tokens.kind(before) in (TokenType.ALL, TokenType.DISTINCT):
        before -= 1
    return tokens.kind(before) in _SET_OPERATIONS or tokens.kind(last + 1) in _SET_OPERATIONS


def split_commas(tokens: Tokens, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Split a token range at its top-level commas."""
    start = first
    for index in tokens.top_level(first, last):
        if tokens.kind(index) is TokenType.COMMA:
            yield start, index - 1
            start = index + 1
    if start <= last:
        yield start, last


def split_and(tokens: Tokens, first: int, last: int) -> list[tuple[int, int]] | None:
    """Split a condition at its top-level ANDs; None when a top-level OR (or a BETWEEN) makes that wrong."""
    parts: list[tuple[int, int]] = []
    start = first
    for index in tokens.top_level(first, last):
        kind = tokens.kind(index)
        if kind in (TokenType.OR, TokenType.BETWEEN, TokenType.CASE):
            return None
        if kind is TokenType.AND:
            parts.append((start, index - 1))
            start = index + 1
    return [*parts, (start, last)]


def has_join(tokens: Tokens, first: int, last: int) -> bool:
    """Whether a FROM clause names more than one relation."""
    return any(tokens.kind(i) in _JOINS or tokens.kind(i) is TokenType.COMMA for i in tokens.top_level(first, last))
