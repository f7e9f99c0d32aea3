"""Databricks SQL text to tokens, holes masked; never fails."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from brickyard.dbsql.model import Hole
from brickyard.notebooks.model import Span

MASK = "ǁ"  # a letter for every tokenizer, and none that people write

_HOLES = re.compile(
    r"\$\$.*?\$\$|(?P<hole>\$\{(?P<a>[^{}\n]*)\}|\{\{(?P<b>[^{}]*)\}\}|\$(?P<c>[A-Za-z_]\w*))", re.DOTALL
)
_TOKEN = re.compile(
    r"""
    (?P<skip>(?:\s+|--[^\n]*|\{%.*?%\}|\{\#.*?\#\})+)
    |(?P<word>[^\W\d]\w*(?!['"\w])|[^\W\d]\w+)
    |(?P<string>[rR]'[^']*'|[rR]"[^"]*"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\$\$.*?\$\$)
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<number>(?:\d+(?:\.\d*)?|(?<![\w`\)\]])\.\d+)(?:[eE][+-]?\d+)?(?:BD|[LSYDF])?(?!\w))
    |(?P<letter>\w+)
    |(?P<comment>/\*)
    |(?P<marker>:[^\W\d]\w*)
    |(?P<op>::|=>|->|\|>|\|\||<=>|<=|>=|<>|!=|==|<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class TokenKind(IntEnum):
    """What a token is."""

    WORD = 0
    QUOTED = 1
    STRING = 2
    NUMBER = 3
    MARKER = 4
    OP = 5
    BAD = 6  # a string that does not end


_KINDS = {
    "word": TokenKind.WORD,
    "letter": TokenKind.WORD,
    "string": TokenKind.STRING,
    "quoted": TokenKind.QUOTED,
    "number": TokenKind.NUMBER,
    "marker": TokenKind.MARKER,
    "op": TokenKind.OP,
}
_OPERAND_WORD_BREAKS = frozenset(
    [
        "SELECT",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "RLIKE",
        "ILIKE",
        "THEN",
        "ELSE",
        "WHEN",
        "BETWEEN",
        "BY",
        "LIMIT",
        "OFFSET",
        "SET",
        "ON",
        "VALUES",
        "RETURN",
        "OF",
    ]
)


@dataclass(slots=True)
class Token:
    """A token; `word` is the upper-case text of a word and the text of an operator, else empty."""

    kind: TokenKind
    start: int
    end: int
    word: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with its holes masked by letters, same length, and the holes in order."""

    text: str  # masked
    original: str
    holes: tuple[Hole, ...]

    def holes_in(self, start: int, end: int) -> tuple[Hole, ...]:
        """The holes that stand in the range."""
        first = bisect_left(self.holes, start, key=lambda h: h.span.start)
        found = []
        for hole in self.holes[first:]:
            if hole.span.end > end:
                break
            found.append(hole)
        return tuple(found)


def mask(text: str, given: Sequence[Hole] = ()) -> Masked:
    """Mask the caller's holes and every `${x}`, `$x` and `{{x}}`."""
    holes = list(given)
    if "$" in text or "{{" in text:
        covered = _fill(text, holes)
        holes += [
            Hole(Span(*m.span("hole")), (m["a"] or m["b"] or m["c"] or "").strip())
            for m in _HOLES.finditer(covered)
            if m["hole"]
        ]
    holes.sort(key=lambda h: (h.span.start, h.span.end))
    return Masked(_fill(text, holes), text, tuple(holes))


def _fill(text: str, holes: Iterable[Hole]) -> str:
    parts: list[str] = []
    at = 0
    for hole in sorted(holes, key=lambda h: h.span.start):
        parts += text[at : hole.span.start], MASK * (hole.span.end - hole.span.start)
        at = hole.span.end
    return "".join(parts) + text[at:] if parts else text


def tokenize(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Split a masked text, or a range of it, to tokens; comments and spaces are left out."""
    tokens: list[Token] = []
    scan = _TOKEN.match
    at, size = start, len(text) if end is None else end
    while at < size:
        match = scan(text, at, size)
        if match is None:
            break
        name = match.lastgroup or "op"
        start, at = match.span()
        if name == "skip":
            continue
        if name == "comment":
            at = _comment_end(text, start)
            continue
        if name == "marker" and tokens and _is_operand_touching(tokens[-1], start):
            name, at = "op", start + 1
        token = _token(text, name, start, at)
        at = token.end = min(token.end, size)
        tokens.append(token)
    return tokens


def _token(text: str, name: str, start: int, end: int) -> Token:
    kind = _KINDS[name]
    if kind is TokenKind.WORD:
        return Token(kind, start, end, text[start:end].upper())
    if kind is not TokenKind.OP:
        return Token(kind, start, end, "")
    if text[start] in "'\"`":
        return Token(TokenKind.BAD, start, _bad_end(text, start), "")
    return Token(kind, start, end, text[start:end])


def _bad_end(text: str, start: int) -> int:
    """An open string ends, for us, before the next separator at the end of a line."""
    match = re.compile(r";[ \t]*(?:\n|\Z)").search(text, start)
    return match.start() if match else len(text)


def _comment_end(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _is_operand_touching(token: Token, start: int) -> bool:
    if token.end != start:
        return False
    if token.kind is TokenKind.WORD:
        return token.word not in _OPERAND_WORD_BREAKS
    return token.kind in (TokenKind.QUOTED, TokenKind.NUMBER) or token.word in (")", "]")
