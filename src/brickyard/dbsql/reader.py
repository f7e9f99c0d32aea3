"""A cursor over the tokens of one statement that collects names: references, scopes and qualifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from brickyard.dbsql.model import Hole, Kind, NamePart, Qualifier, Reference, Side
from brickyard.dbsql.tokens import Masked, Token, TokenKind
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import split_name
from brickyard.notebooks.model import Span

PATH_FORMATS = frozenset(["DELTA", "PARQUET", "CSV", "JSON", "ORC", "AVRO", "TEXT", "BINARYFILE", "ICEBERG", "XML"])
_NAME_KINDS = (TokenKind.WORD, TokenKind.QUOTED)
_END = Token(TokenKind.OP, 0, 0, "")

Key = tuple[str, ...]


@dataclass(slots=True)
class Entry:
    """A relation in a FROM clause: the alias or the name by which its columns may be qualified."""

    alias: str | None
    name: Key
    reference: int | None


@dataclass(slots=True)
class Frame:
    """The relations that one SELECT can see, and the SELECT around it."""

    parent: Frame | None = None
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Pending:
    """A qualified column, to be resolved when all relations of its SELECT are known."""

    tokens: list[Token]
    has_star: bool
    frame: Frame


@dataclass(slots=True)
class Reader:
    """The tokens of one statement and what was found in them so far."""

    masked: Masked
    tokens: list[Token]
    statement: int
    temp_views: Mapping[str, int | None]
    references: list[Reference] = field(default_factory=list)
    namespaces: list[Reference] = field(default_factory=list)
    temp_references: list[Reference] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    inner_qualifiers: tuple[tuple[Qualifier, int], ...] = ()  # of a block's statements, with their offset
    at: int = 0
    closes: dict[int, int] = field(default_factory=dict)
    depth: int = 0  # of the deepest parentheses

    def __post_init__(self) -> None:
        stack: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.word == "(":
                stack.append(i)
                self.depth = max(self.depth, len(stack))
            elif token.word == ")" and stack:
                self.closes[stack.pop()] = i
        for i in stack:
            self.closes[i] = len(self.tokens)

    # -- looking ---------------------------------------------------------------------------------------------------

    def token(self, i: int) -> Token:
        """The token at *i*, or an empty one past the end."""
        return self.tokens[i] if 0 <= i < len(self.tokens) else _END

    def word(self, i: int) -> str:
        """The upper-case word or operator at *i*, empty for literals and quoted names."""
        return self.tokens[i].word if 0 <= i < len(self.tokens) else ""

    def is_name(self, i: int) -> bool:
        """Whether a name can begin at *i*."""
        return 0 <= i < len(self.tokens) and self.tokens[i].kind in _NAME_KINDS

    def text(self, token: Token) -> str:
        """The token as the user wrote it."""
        return self.masked.original[token.start : token.end]

    def close(self, i: int) -> int:
        """The index of the parenthesis that closes the one at *i*, or the end of the statement."""
        return self.closes.get(i, len(self.tokens))

    def span(self, first: int, end: int) -> Span:
        """The range from token *first* to the token before *end*; empty when there is none."""
        if first >= end or first >= len(self.tokens):
            at = self.tokens[-1].end if self.tokens else 0
            return Span(at, at)
        return Span(self.tokens[first].start, self.tokens[min(end, len(self.tokens)) - 1].end)

    # -- taking ----------------------------------------------------------------------------------------------------

    @property
    def here(self) -> str:
        """The word at the cursor."""
        return self.word(self.at)

    @property
    def done(self) -> bool:
        """Whether the cursor is past the last token."""
        return self.at >= len(self.tokens)

    def sees(self, *words: str) -> bool:
        """Whether these words stand at the cursor."""
        return all(self.word(self.at + i) == w for i, w in enumerate(words))

    def take(self, *words: str) -> bool:
        """Step over these words when they stand at the cursor."""
        if self.sees(*words):
            self.at += len(words)
            return True
        return False

    def take_any(self, *words: str) -> str | None:
        """Step over one of these words and return it."""
        if self.here in words:
            self.at += 1
            return self.word(self.at - 1)
        return None

    def take_string(self) -> str | None:
        """Step over string literals standing side by side and return their value."""
        parts = []
        while self.token(self.at).kind is TokenKind.STRING:
            parts.append(string_value(self.text(self.token(self.at))))
            self.at += 1
        return "".join(parts) if parts else None

    def take_literal(self) -> str | None:
        """Step over a string, number, word or marker and return its text, a string's value unquoted."""
        if (text := self.take_string()) is not None:
            return text
        if self.done:
            return None
        sign = self.token(self.at).start if self.take_any("-", "+") else None
        token = self.token(self.at)
        self.at += 1
        return self.masked.original[token.start if sign is None else sign : token.end]

    def take_word(self) -> str | None:
        """Step over one name part and return its text without quotes."""
        if not self.is_name(self.at):
            return None
        self.at += 1
        return unquote(self.text(self.token(self.at - 1)))

    def take_principal(self) -> str | None:
        """Step over a principal: a quoted name, a string or a plain word."""
        text = self.take_string()
        return text if text is not None else self.take_word()

    def take_group(self) -> tuple[int, int] | None:
        """Step over a parenthesised group and return the token range inside it."""
        if self.here != "(":
            return None
        first, end = self.at + 1, self.close(self.at)
        self.at = end + 1
        return first, end

    # -- names -----------------------------------------------------------------------------------------------------

    def chain(self, i: int) -> int:
        """The index after the dotted name at *i*."""
        while self.word(i + 1) == "." and self.is_name(i + 2):
            i += 2
        return i + 1

    def part(self, token: Token) -> NamePart:
        """A name part with its holes."""
        start, end = token.start, token.end
        if token.kind is TokenKind.QUOTED:
            start, end = start + 1, end - 1
        return _part(self.masked, start, end, token.kind is TokenKind.QUOTED)

    def key(self, token: Token) -> str:
        """What a name part is compared by."""
        return unquote(self.text(token)).lower()

    def named(
        self, first: int, end: int, side: Side, kind: Kind, *, alias: str | None = None, version: Span | None = None
    ) -> Reference:
        """Make the reference of the dotted name in the token range."""
        tokens = self.tokens[first:end:2]
        if (
            kind in (Kind.RELATION, Kind.TABLE)
            and len(tokens) == 2
            and tokens[0].word in PATH_FORMATS
            and self._is_path(tokens[1])
        ):
            kind = Kind.PATH
        parts = tuple(self.part(t) for t in tokens)
        return Reference(self.span(first, end), parts, side, kind, self.statement, alias=alias, version=version)

    def _is_path(self, token: Token) -> bool:
        return token.kind is TokenKind.QUOTED and any(c in self.text(token) for c in "/:${")

    def identifier(self, i: int, side: Side, kind: Kind, *, alias: str | None = None) -> Reference:
        """Make the reference of `IDENTIFIER(expr)` whose word stands at *i*."""
        close = self.close(i + 1)
        span = self.span(i + 2, close)
        whole = Span(self.token(i).start, self.token(close).end if close < len(self.tokens) else span.end)
        inside = self.tokens[i + 2 : close]
        pieces = concatenated(self.masked, inside)
        parts: tuple[NamePart, ...] = ()
        computed = None
        if pieces and all(isinstance(p, str) for p in pieces):
            parts = _parts_of_text("".join(p for p in pieces if isinstance(p, str)))
        if not parts:
            computed = _tree(self.masked, inside)
        return Reference(
            span, parts, side, kind, self.statement, whole=whole, computed=computed, alias=alias, pieces=pieces
        )

    def string_reference(self, i: int, side: Side, kind: Kind) -> Reference:
        """Make the reference of a name or path inside the string literal at *i*."""
        token = self.token(i)
        start, end = string_inside(self.text(token), token.start)
        if kind is Kind.PATH:
            parts = (_part(self.masked, start, end, False),)
        else:
            parts = _parts_of_string(self.masked, start, end)
        return Reference(Span(start, end), parts, side, kind, self.statement, in_string=True)

    def add(self, reference: Reference) -> int | None:
        """Keep a reference: its index among the references, or None when it names a temp view of the script."""
        literal = reference.literal
        if literal and len(literal) == 1 and literal[0].lower() in self.temp_views:
            self.temp_references.append(reference)
            return None
        self.references.append(reference)
        return len(self.references) - 1

    # -- qualifiers ------------------------------------------------------------------------------------------------

    def qualifiers(self) -> tuple[Qualifier, ...]:
        """Resolve the qualified columns seen so far to the references they belong to."""
        own = [q for q in map(self._resolve, self.pending) if q]
        inner = [replace(q, reference=q.reference + offset) for q, offset in self.inner_qualifiers]
        return tuple(sorted((*own, *inner), key=lambda q: q.span.start))

    def _resolve(self, pending: Pending) -> Qualifier | None:
        keys = tuple(self.key(t) for t in pending.tokens)
        longest = len(keys) if pending.has_star else len(keys) - 1
        frame: Frame | None = pending.frame
        while frame:
            for count in range(min(longest, 3), 0, -1):
                for entry in frame.entries:
                    if matched := _matches(entry, keys[:count]):
                        return self._qualifier(pending, count, entry) if matched == "name" else None
            frame = frame.parent
        return None

    def _qualifier(self, pending: Pending, count: int, entry: Entry) -> Qualifier | None:
        if entry.reference is None:
            return None
        tokens = pending.tokens[:count]
        span = Span(tokens[0].start, tokens[-1].end)
        return Qualifier(span, tuple(self.part(t) for t in tokens), entry.reference)

    def entry(self, reference: Reference, index: int | None) -> Entry:
        """The entry of a named relation in its frame."""
        if reference.alias:
            return Entry(reference.alias.lower(), (), index)
        texts = tuple(
            "".join(p if isinstance(p, str) else self._hole_text(p) for p in n.pieces) for n in reference.parts
        )
        if not texts and reference.pieces and isinstance(reference.pieces[-1], str):
            texts = (reference.pieces[-1].rpartition(".")[2],) if "." in reference.pieces[-1] else ()
        return Entry(None, tuple(t.lower() for t in texts), index)

    def _hole_text(self, hole: Hole) -> str:
        return hole.span.slice(self.masked.original)


def _matches(entry: Entry, keys: Key) -> str | None:
    if entry.alias is not None:
        return "alias" if keys == (entry.alias,) else None
    return "name" if keys == entry.name[-len(keys) :] else None


def string_inside(text: str, start: int) -> tuple[int, int]:
    """The range inside the quotes of a string literal that begins at *start*."""
    opening = 2 if text[:1] in "rR$" else 1
    closing = 2 if text.startswith("$$") else 1
    return start + opening, start + max(opening, len(text) - closing)


def string_value(text: str) -> str:
    """The value of one string literal."""
    start, end = string_inside(text, 0)
    inside = text[start:end]
    return inside if text[:1] in "rR$" or "\\" not in inside else _unescape(inside)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


def _unescape(text: str) -> str:
    parts: list[str] = []
    at = 0
    while (slash := text.find("\\", at)) >= 0 and slash + 1 < len(text):
        sign = text[slash + 1]
        keep = "\\" + sign if sign in "%_" else _ESCAPES.get(sign, sign)
        parts += text[at:slash], keep
        at = slash + 2
    return "".join(parts) + text[at:]


def unquote(text: str) -> str:
    """A name part without its backticks."""
    return text[1:-1].replace("``", "`") if text.startswith("`") else text


def _part(masked: Masked, start: int, end: int, quoted: bool) -> NamePart:
    pieces: list[str | Hole] = []
    at = start
    for hole in masked.holes_in(start, end):
        if hole.span.start > at:
            pieces.append(masked.original[at : hole.span.start])
        pieces.append(hole)
        at = hole.span.end
    if at < end or not pieces:
        pieces.append(masked.original[at:end])
    if quoted:
        pieces = [p.replace("``", "`") if isinstance(p, str) else p for p in pieces]
    return NamePart(tuple(pieces))


def _parts_of_string(masked: Masked, start: int, end: int) -> tuple[NamePart, ...]:
    parts = []
    at = start
    for dot in [i for i in range(start, end) if masked.text[i] == "."] + [end]:
        text = masked.original[at:dot]
        quoted = text.startswith("`") and text.endswith("`") and len(text) > 1
        parts.append(_part(masked, at + 1, dot - 1, True) if quoted else _part(masked, at, dot, False))
        at = dot + 1
    return tuple(parts)


def _parts_of_text(text: str) -> tuple[NamePart, ...]:
    try:
        return tuple(NamePart((p,)) for p in split_name(text))
    except SpecInvalid:
        return ()


def concatenated(masked: Masked, tokens: list[Token]) -> tuple[str | Hole, ...]:
    """The texts and holes that an argument concatenates, `||` or side by side; empty when it is anything else."""
    pieces: list[str | Hole] = []
    for token in tokens:
        text = masked.original[token.start : token.end]
        holes = masked.holes_in(token.start, token.end)
        if token.kind is TokenKind.STRING and not holes:
            pieces.append(string_value(text))
        elif token.kind is TokenKind.STRING:
            pieces += _part(masked, *string_inside(text, token.start), False).pieces
        elif token.kind is TokenKind.MARKER:
            pieces.append(Hole(Span(token.start, token.end), text[1:]))
        elif holes:
            pieces += _part(masked, token.start, token.end, False).pieces
        elif token.word != "||":
            return ()
    return tuple(pieces)


def _tree(masked: Masked, tokens: list[Token]) -> exp.Expression | None:
    """Parse an argument, operands that stand side by side taken as concatenated."""
    parts: list[str] = []
    previous: Token | None = None
    for token in tokens:
        if previous and _is_operand(previous) and _is_operand(token):
            parts.append("||")
        parts.append(masked.text[token.start : token.end])
        previous = token
    try:
        tree = sqlglot.parse_one(" ".join(parts), read="databricks")
    except SqlglotError:
        return None
    return tree if isinstance(tree, exp.Expression) else None


def _is_operand(token: Token) -> bool:
    return token.kind in (TokenKind.STRING, TokenKind.MARKER)


def with_version(reference: Reference, version: Span | None, alias: str | None) -> Reference:
    """The reference with its time travel clause and alias."""
    return replace(reference, version=version, alias=alias) if version or alias else reference
