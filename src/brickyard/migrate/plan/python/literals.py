"""A scanner of Python string literals: the value of each, and where every character of it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

_START = re.compile(r"([A-Za-z]{0,2})('''|\"\"\"|'|\")")
_GAP = re.compile(r"(?:[\s()]|\\\n|#[^\n]*)*")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "\\": "\\", "'": "'", '"': '"'}
_SIZED = {"x": 2, "u": 4, "U": 8}
_FIELD = re.compile(r"\\N\{[^}]*\}|\\.|\{\{|\{", re.DOTALL)
_RAW_FIELD = re.compile(r"\{\{|\{")
_OCTAL = re.compile(r"[0-7]{1,3}")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Literal:
    """One literal token, or the stretch of an f-string between two fields.

    `value` is its text; `starts[i]` and `ends[i]` bound the source of character *i*. `opening` is the prefix and the
    quotes, `quotes` what closes it. `cell` is 0 outside the notebook that is planned.
    """

    value: str
    starts: Sequence[int]
    ends: Sequence[int]
    opening: str
    quotes: str
    cell: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The source range of the characters from *start* to *end*, which must hold at least one."""
        return self.starts[start], self.ends[end - 1]

    @property
    def key(self) -> tuple[int, int]:
        """What tells this literal from all others."""
        return self.cell, self.starts[0] if self.starts else -1

    @property
    def formatted(self) -> bool:
        """Whether braces in it must be doubled."""
        return "f" in self.opening.lower()

    @property
    def raw(self) -> bool:
        """Whether a backslash stands for itself."""
        return "r" in self.opening.lower()


@dataclass(frozen=True, slots=True)
class Field:
    """A replacement field of an f-string: its range with braces, and where its expression is."""

    start: int
    end: int
    expression: tuple[int, int]
    plain: bool  # neither conversion nor format specification


Piece = Literal | Field


def scan(text: str, start: int, end: int, cell: int) -> list[Piece] | None:
    """Scan the adjacent literals in `text[start:end]`; None where this is not just string literals."""
    pieces: list[Piece] = []
    at = start
    while at < end:
        opened = _START.match(text, at, end)
        if not opened or "b" in opened[1].lower():
            return None
        closed = _closing(text, opened.end(), end, opened[2], "f" in opened[1].lower())
        if closed is None:
            return None
        pieces += _token(text, opened.group(), opened.end(), closed, cell)
        gap = _GAP.match(text, closed + len(opened[2]), end)
        at = gap.end() if gap else end
    return pieces


def _closing(text: str, at: int, end: int, quotes: str, formatted: bool) -> int | None:
    """The offset of the closing quotes."""
    stops = _stops(quotes, formatted)
    while found := stops.search(text, at, end):
        if found.group() == quotes:
            return found.start()
        at = found.end()
        if formatted and found.group() == "{":
            at = _field_end(text, found.start(), end) or at
    return None


@cache
def _stops(quotes: str, formatted: bool) -> re.Pattern[str]:
    """What matters on the way to the closing quotes."""
    return re.compile(rf"\\.|{quotes}" + (r"|\{\{|\{" if formatted else ""), re.DOTALL)


def _field_end(text: str, at: int, end: int) -> int | None:
    """The offset behind the brace that closes the field opened at *at*."""
    depth = 0
    while at < end:
        char = text[at]
        if char in "'\"":
            quotes = text[at : at + 3] if text[at : at + 3] in ("'''", '"""') else char
            close = _closing(text, at + len(quotes), end, quotes, False)
            if close is None:
                return None
            at = close + len(quotes)
            continue
        depth += (char in _OPEN) - (char in _CLOSE)
        at += 1
        if depth == 0:
            return at
    return None


def _token(text: str, opening: str, start: int, end: int, cell: int) -> Iterator[Piece]:
    quotes = opening.lstrip("rRuUfFbB")
    prefix = opening[: len(opening) - len(quotes)].lower()
    if "f" not in prefix:
        yield _stretch(text, start, end, opening, cell)
        return
    at = start
    while at < end:
        stop = _next_field(text, at, end, "r" in prefix)
        if stop > at:
            yield _stretch(text, at, stop, opening, cell)
        if stop < end:
            at = _field_end(text, stop, end) or end
            yield _field(text, stop, at)
        else:
            at = end


def _next_field(text: str, at: int, end: int, raw: bool) -> int:
    """Where the next field of an f-string opens."""
    pattern = _RAW_FIELD if raw else _FIELD
    while found := pattern.search(text, at, end):
        if found.group() == "{":
            return found.start()
        at = found.end()
    return end


def _stretch(text: str, start: int, end: int, opening: str, cell: int) -> Literal:
    """The literal text between two offsets."""
    quotes = opening.lstrip("rRuUfFbB")
    prefix = opening[: len(opening) - len(quotes)].lower()
    inside = text[start:end]
    if ("\\" not in inside or "r" in prefix) and ("f" not in prefix or not ("{" in inside or "}" in inside)):
        return Literal(inside, range(start, end), range(start + 1, end + 1), opening, quotes, cell)
    chars: list[tuple[str, int, int]] = []
    at = start
    while at < end:
        char, after = _character(text, at, prefix)
        if char:
            chars.append((char, at, after))
        at = after
    value = "".join(c for c, _, _ in chars)
    return Literal(value, tuple(s for _, s, _ in chars), tuple(e for _, _, e in chars), opening, quotes, cell)


def _character(text: str, at: int, prefix: str) -> tuple[str, int]:
    """The character written at *at* (empty for a continued line) and the offset behind it."""
    if text[at] == "\\" and "r" not in prefix:
        return _escape(text, at)
    if "f" in prefix and text[at : at + 2] in ("{{", "}}"):
        return text[at], at + 2
    return text[at], at + 1


def _escape(text: str, at: int) -> tuple[str, int]:
    mark = text[at + 1 : at + 2]
    if mark == "\n":
        return "", at + 2
    if mark in _SIMPLE:
        return _SIMPLE[mark], at + 2
    if mark in _SIZED:
        after = at + 2 + _SIZED[mark]
        return chr(int(text[at + 2 : after], 16)), after
    if mark == "N":
        after = text.index("}", at) + 1
        return unicodedata.lookup(text[at + 3 : after - 1]), after
    octal = _OCTAL.match(text, at + 1)
    return (chr(int(octal.group(), 8)), octal.end()) if octal else ("\\", at + 1)


def _field(text: str, start: int, end: int) -> Field:
    """Take a field `{expression!r:spec}` apart."""
    stop = _expression_end(text, start + 1, end - 1)
    inside = text[start + 1 : stop]
    if stop < end - 1 or not inside.rstrip().endswith("="):
        return Field(start, end, (start + 1, stop), plain=stop == end - 1)
    return Field(start, end, (start + 1, start + 1 + inside.rindex("=")), plain=False)


def _expression_end(text: str, at: int, end: int) -> int:
    """Where the expression of a field ends: at a conversion, a format specification, or the brace."""
    depth = 0
    while at < end:
        char = text[at]
        if char in "'\"":
            quotes = text[at : at + 3] if text[at : at + 3] in ("'''", '"""') else char
            at = (_closing(text, at + len(quotes), end, quotes, False) or end) + len(quotes)
            continue
        if depth == 0 and (char == ":" or (char == "!" and text[at + 1 : at + 2] != "=")):
            return at
        depth += (char in _OPEN) - (char in _CLOSE)
        at += 1
    return end
