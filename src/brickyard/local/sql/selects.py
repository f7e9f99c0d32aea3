"""The SELECTs of a statement as token ranges, each without its subqueries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from brickyard.dbsql.tokens import Token, TokenKind

NAMES = (TokenKind.WORD, TokenKind.QUOTED)
_STARTS = frozenset(("SELECT", "WITH", "FROM", "VALUES", "TABLE"))
_SET_OPERATORS = frozenset(("UNION", "EXCEPT", "INTERSECT", "MINUS"))
_LIST_ENDS = frozenset(("FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "LATERAL", "WINDOW", "SORT", "CLUSTER"))


@dataclass(frozen=True, slots=True)
class Select:
    """The token indexes of one SELECT, those of its subqueries left out."""

    tokens: Sequence[Token]
    indexes: tuple[int, ...]

    @property
    def words(self) -> list[str]:
        """Its words."""
        return [self.tokens[i].word for i in self.indexes]

    def items(self) -> list[tuple[int, int]]:
        """The items of its list, as ranges of token indexes."""
        words = self.words
        if "SELECT" not in words:
            return []
        start = words.index("SELECT") + 1
        cuts, depth = [start], 0
        for at in range(start, len(words)):
            depth += (words[at] in ("(", "[")) - (words[at] in (")", "]"))
            if depth == 0 and words[at] == ",":
                cuts.append(at + 1)
            if depth == 0 and words[at] in _LIST_ENDS:
                return self._ranges(cuts, at)
        return self._ranges(cuts, len(words))

    def _ranges(self, cuts: list[int], end: int) -> list[tuple[int, int]]:
        bounds = zip(cuts, [*(cut - 1 for cut in cuts[1:]), end], strict=True)
        return [(self.indexes[a], self.indexes[b - 1] + 1) for a, b in bounds if b > a]


def selects(tokens: Sequence[Token]) -> Iterator[Select]:
    """Each SELECT with the tokens that belong to it."""
    stack: list[list[int]] = [[]]
    groups: list[bool] = []
    for at, token in enumerate(tokens):
        if token.word == "(":
            is_query = at + 1 < len(tokens) and tokens[at + 1].word in _STARTS
            groups.append(is_query)
            if is_query:
                stack.append([])
                continue
        elif token.word == ")" and groups and groups.pop():
            yield Select(tokens, tuple(stack.pop()))
            continue
        elif token.word in _SET_OPERATORS:
            yield Select(tokens, tuple(stack.pop()))
            stack.append([])
        stack[-1].append(at)
    for indexes in stack:
        yield Select(tokens, tuple(indexes))


def name_of(sql: str, token: Token) -> str:
    """The name that a token is, in lower case."""
    return sql[token.start : token.end].strip("`").lower()
