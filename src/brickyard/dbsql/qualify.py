"""SELECT … QUALIFY as a filtered subquery, for an engine that has no QUALIFY."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from brickyard.dbsql.reader import unquote
from brickyard.dbsql.spans import replace_spans
from brickyard.dbsql.tokens import Token, TokenKind, mask, tokenize
from brickyard.kernel.names import quote
from brickyard.notebooks.model import Span

KEEP = "__qualify"
_ORDER = "__order_"
_ROW = "__row"
_NAMES = (TokenKind.WORD, TokenKind.QUOTED)
_SET_OPERATORS = frozenset(["UNION", "EXCEPT", "INTERSECT", "MINUS"])
_TAIL = frozenset(["ORDER", "LIMIT", "OFFSET", "CLUSTER", "DISTRIBUTE", "SORT"])
_AFTER_CONDITION = _TAIL | _SET_OPERATORS | {"WINDOW"}


def qualify_to_subquery(statement_text: str) -> str:
    """Turn each SELECT … QUALIFY of a statement into a filtered subquery with the same output columns.

    The condition becomes a column of the subquery, so that it may hold windows, columns and aliases alike; what
    ORDER BY needs beyond the output becomes one too. Raises ValueError for GROUP BY ALL, whose groups would change.
    """
    while (block := _last_block(statement_text)) is not None:
        statement_text = replace_spans(statement_text, [(block.span, block.rewritten())])
    return statement_text


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a SELECT list: its text, its expression, and the name it gives to the column."""

    text: str
    expression: str
    name: str
    is_aliased: bool

    @property
    def is_star(self) -> bool:
        return self.expression.endswith("*")


@dataclass(frozen=True, slots=True)
class _Block:
    """A SELECT with QUALIFY: the text, its tokens, and the token indexes where its clauses begin."""

    text: str
    tokens: list[Token]
    select: int
    qualify: int
    end: int

    @property
    def span(self) -> Span:
        return Span(self.tokens[self.select].start, self.tokens[self.end - 1].end)

    def rewritten(self) -> str:
        """The block as a subquery with its filter outside."""
        source = self._find(self.select, self.qualify, {"FROM"})
        self._refuse_group_by_all(source)
        first = self.select + 1 + (self.tokens[self.select + 1].word in ("DISTINCT", "ALL"))
        items = [self._item(a, b) for a, b in self._split(first, source)]
        window, tail = self._find(self.qualify, self.end, {"WINDOW"}), self._find(self.qualify, self.end, _TAIL)
        order, extra = self._order(tail, {i.name.lower() for i in items})
        condition = self._condition({i.name.lower(): i.expression for i in items if i.is_aliased})
        shown, held, names = _columns(items, self._slice(first, source))
        added = [f"({condition}) AS {KEEP}", *(f"{key} AS {_ORDER}{i}" for i, key in enumerate(extra))]
        hidden = [KEEP, *(f"{_ORDER}{i}" for i in range(len(extra)))]
        clauses = [self._slice(source, self.qualify), self._slice(window, tail if tail > window else self.end)]
        inner = " ".join(c for c in ("SELECT " + ", ".join([held, *added]), *clauses) if c)
        distinct = "DISTINCT " * (self.tokens[self.select + 1].word == "DISTINCT")
        alias = f"__q({', '.join([*names, *hidden])})"
        return f"SELECT {distinct}{shown} FROM ({inner}) AS {alias} WHERE {KEEP}{order}"

    def _refuse_group_by_all(self, source: int) -> None:
        group = self._find(source, self.qualify, {"GROUP"})
        if group + 2 < self.qualify and self.tokens[group + 2].word == "ALL":
            raise ValueError("QUALIFY after GROUP BY ALL has no equivalent subquery")

    def _condition(self, aliases: dict[str, str]) -> str:
        """The condition, aliases of the SELECT list replaced by their expressions."""
        end = self._find(self.qualify, self.end, _AFTER_CONDITION)
        replacements = []
        for i in range(self.qualify + 1, end):
            expression = aliases.get((self._name(i) or "").lower())
            if expression and self._is_bare(i):
                replacements.append((Span(self.tokens[i].start, self.tokens[i].end), f"({expression})"))
        whole = Span(self.tokens[self.qualify + 1].start, self.tokens[end - 1].end)
        return replace_spans(whole.slice(self.text), ((s.shift(-whole.start), r) for s, r in replacements))

    def _order(self, tail: int, names: set[str]) -> tuple[str, list[str]]:
        """The clauses after the condition, and the keys of ORDER BY that the output does not hold."""
        if tail >= self.end:
            return "", []
        if self.tokens[tail].word != "ORDER":
            return " " + self._slice(tail, self.end), []
        stop = self._find(tail, self.end, {"LIMIT", "OFFSET", "WINDOW"})
        keys, extra = [], []
        for first, end in self._split(tail + 2, stop):
            direction = self._find(first, end, {"ASC", "DESC", "NULLS"})
            key = self._slice(first, direction)
            if not self._is_output(first, direction, names):
                extra.append(key)
                key = f"{_ORDER}{len(extra) - 1}"
            keys.append(f"{key} {self._slice(direction, end)}".rstrip())
        rest = self._slice(self._find(stop, self.end, {"LIMIT", "OFFSET"}), self.end)
        return f" ORDER BY {', '.join(keys)} {rest}".rstrip(), extra

    def _is_output(self, first: int, end: int, names: set[str]) -> bool:
        return end - first == 1 and (
            self.tokens[first].kind is TokenKind.NUMBER or (self._name(first) or "").lower() in names
        )

    def _item(self, first: int, end: int) -> _Item:
        text, name = self._slice(first, end), self._name(end - 1)
        if name and end - first > 2 and self.tokens[end - 2].word == "AS":
            return _Item(text, self._slice(first, end - 2), name, True)
        if name and end - first > 1 and _ends_operand(self.tokens[end - 2]):
            return _Item(text, self._slice(first, end - 1), name, True)
        is_column = name and (end - first == 1 or self.tokens[end - 2].word == ".")
        return _Item(text, text, name if name and is_column else text, False)

    def _name(self, i: int) -> str | None:
        token = self.tokens[i]
        return unquote(self.text[token.start : token.end]) if token.kind in _NAMES else None

    def _is_bare(self, i: int) -> bool:
        """Whether the name at *i* stands alone: neither qualified nor a function."""
        after = self.tokens[i + 1].word if i + 1 < len(self.tokens) else ""
        return self.tokens[i - 1].word != "." and after not in (".", "(")

    def _slice(self, first: int, end: int) -> str:
        return self.text[self.tokens[first].start : self.tokens[end - 1].end] if first < end else ""

    def _find(self, first: int, end: int, words: AbstractSet[str]) -> int:
        """The index of the first of these words outside of parentheses, or *end*."""
        depth = 0
        for i in range(first, end):
            if depth == 0 and self.tokens[i].word in words:
                return i
            depth += (self.tokens[i].word == "(") - (self.tokens[i].word == ")")
        return end

    def _split(self, first: int, end: int) -> list[tuple[int, int]]:
        """The ranges between the commas outside of parentheses."""
        ranges = []
        while first < end:
            comma = self._find(first, end, {","})
            ranges.append((first, comma))
            first = comma + 1
        return ranges


def _columns(items: list[_Item], text: str) -> tuple[str, str, list[str]]:
    """What the outer SELECT shows, what the inner one holds, and how the subquery names that.

    A star's columns are not known here, so they are carried in a struct and unfolded again.
    """
    if any(item.is_star for item in items):
        fields = (
            i.text if i.is_aliased or i.is_star or i.name != i.text else f"{i.text} AS {quote(i.name)}" for i in items
        )
        return f"{_ROW}.*", f"struct({', '.join(fields)})", [_ROW]
    names = [f"__c{i}" for i in range(len(items))]
    return ", ".join(f"{n} AS {quote(i.name)}" for n, i in zip(names, items, strict=True)), text, names


def _ends_operand(token: Token) -> bool:
    return token.word in (")", "]", "END") or token.kind is not TokenKind.OP


def _last_block(text: str) -> _Block | None:
    """The last QUALIFY of the text, which holds no other one after it."""
    tokens = tokenize(mask(text).text)
    qualify = next((i for i in reversed(range(len(tokens))) if _is_qualify(tokens, i)), None)
    if qualify is None:
        return None
    depth, select = 0, qualify
    while select >= 0 and not (depth == 0 and tokens[select].word == "SELECT"):
        depth += (tokens[select].word == ")") - (tokens[select].word == "(")
        select -= 1
    if select < 0:
        return None
    block = _Block(text, tokens, select, qualify, _extent_end(tokens, qualify))
    stop = _SET_OPERATORS | (_TAIL if _follows_set_operator(tokens, select) else frozenset())
    return _Block(text, tokens, select, qualify, block._find(qualify, block.end, stop))


def _is_qualify(tokens: list[Token], i: int) -> bool:
    """Whether the token is the keyword, not a column or alias of that name."""
    if tokens[i].word != "QUALIFY" or i == 0 or i + 1 == len(tokens):
        return False
    return tokens[i - 1].word not in (".", "AS", ",", "SELECT") and tokens[i + 1].word not in (".", ",", ")", "FROM")


def _extent_end(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i].word == "(") - (tokens[i].word == ")")
        if depth < 0 or (depth == 0 and tokens[i].word == ";"):
            return i
    return len(tokens)


def _follows_set_operator(tokens: list[Token], select: int) -> bool:
    words = [t.word for t in tokens[max(0, select - 2) : select]]
    return any(w in _SET_OPERATORS for w in words[-1:]) or (
        words[-1:] in (["ALL"], ["DISTINCT"]) and words[0] in _SET_OPERATORS
    )
