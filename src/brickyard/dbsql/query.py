"""Walk a query and find its relations, qualified function calls and qualified columns, each in its scope."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from brickyard.dbsql.model import Kind, Reference, Side
from brickyard.dbsql.reader import Entry, Frame, Pending, Reader, with_version
from brickyard.dbsql.tokens import MASK, Token, TokenKind, tokenize
from brickyard.notebooks.model import Span

QUERY_STARTS = frozenset(("SELECT", "WITH", "FROM", "VALUES", "TABLE"))
_SET_OPERATORS = frozenset(("UNION", "EXCEPT", "INTERSECT", "MINUS"))
_CLAUSES = (
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "QUALIFY",
    "WINDOW",
    "CLUSTER",
    "DISTRIBUTE",
    "SORT",
)
_ENDS_FROM = frozenset((*_CLAUSES, "SET", "WHEN"))
_JOINS = (
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "OUTER",
    "NATURAL",
    "ANTI",
    "SEMI",
    "ON",
    "USING",
    "LATERAL",
)
_AFTER_RELATION = ("PIVOT", "UNPIVOT", "TABLESAMPLE", "INSERT", "FROM", "SELECT", "VALUES", "WITH", "AS", "FOR")
_INSIDE = ("AND", "OR", "THEN", "ELSE", "END", "REPLACE", "BY", "PARTITION", "DO", "RETURN")
_NO_ALIAS = _ENDS_FROM | _SET_OPERATORS | frozenset((*_JOINS, *_AFTER_RELATION, *_INSIDE))
_NO_NAME = frozenset(
    (
        "SELECT",
        "WHERE",
        "FROM",
        "ON",
        "JOIN",
        "AND",
        "OR",
        "SET",
        "GROUP",
        "ORDER",
        "LIMIT",
        "UNION",
        "HAVING",
        "WITH",
        "USING",
    )
)
_AFTER_COLUMN = _NO_ALIAS | _NO_NAME | {"LIKE", "ILIKE", "RLIKE", "IS", "IN", "BETWEEN", "NOT", "ASC", "DESC"}
_BEFORE_TABLE = frozenset(("(", "=>", "ALL", "DISTINCT", *_SET_OPERATORS))
_CHANGE_FUNCTIONS = frozenset(("TABLE_CHANGES", "TABLE_CHANGES_BY_PATH"))
_OPERATORS = frozenset(("+", "-", "*", "/", "||", "::", "%"))
_HINT = re.compile(r"/\*\+(.*?)\*/", re.DOTALL)


def starts_query(reader: Reader, at: int) -> bool:
    """Whether a query begins at *at*, inside of any parentheses that open there."""
    while reader.word(at) == "(":
        at += 1
    word, follows = reader.word(at), reader.word(at + 1)
    if word == "TABLE":
        return reader.is_name(at + 1) and follows not in _AFTER_COLUMN
    return word in QUERY_STARTS and follows not in (",", ")", "=", ".")


def walk(
    reader: Reader, first: int, end: int, frame: Frame | None = None, ctes: AbstractSet[str] = frozenset()
) -> None:
    """Walk the query in the token range; *frame* holds relations already in scope, such as a MERGE target."""
    _Walk(reader, end, frame or Frame(), ctes).run(first)


def walk_columns(reader: Reader, first: int, end: int) -> None:
    """Find what the foreign keys of a list of columns point to."""
    walker = _Walk(reader, end, Frame(), frozenset())
    for at in range(first, end):
        if reader.word(at) == "REFERENCES":
            walker.on_references(at)


def walk_from_list(reader: Reader, first: int, end: int, frame: Frame, ctes: AbstractSet[str] = frozenset()) -> None:
    """Walk a token range that begins with a relation, as after USING in MERGE."""
    walker = _Walk(reader, end, frame, ctes)
    walker.in_from = True
    walker.run(walker.relation(first))


class _Walk:
    """The walk over one extent: a statement, or what a pair of parentheses holds."""

    def __init__(self, reader: Reader, end: int, frame: Frame, ctes: AbstractSet[str], clauses: bool = True) -> None:
        self.reader = reader
        self.end = end
        self.frame = frame
        self.ctes = ctes
        self.clauses = clauses
        self.in_from = False
        self.first = 0

    def run(self, at: int) -> None:
        """Walk from *at* to the end of the extent."""
        self.first = at
        while at < self.end:
            at = self.step(at)

    def step(self, at: int) -> int:
        """Handle what stands at *at* and return where to go on."""
        reader = self.reader
        token = reader.tokens[at]
        if token.kind is TokenKind.OP:
            if token.word == "(":
                return self.group(at)
            if token.word == "," and self.in_from:
                return self.relation(at + 1)
            if token.word == "|>":
                self.in_from = False
            elif token.word == "->":
                self.on_lambda(at)
            return at + 1
        if token.kind > TokenKind.QUOTED:
            return at + 1
        if reader.word(at + 1) == ".":
            return self.dotted(at)
        return self.keyword(at, token.word)

    def keyword(self, at: int, word: str) -> int:
        """Handle an undotted word."""
        if word in _ENDS_FROM:
            self.in_from = False
            return at + 1
        handler = _KEYWORDS.get(word)
        return handler(self, at) if handler else at + 1

    def on_lambda(self, at: int) -> None:
        """The parameters of a lambda hide relations of the same name in the rest of the call."""
        reader = self.reader
        first = at - 1
        if reader.word(first) == ")":
            while first > 0 and reader.word(first) != "(":
                first -= 1
        names = [t for t in reader.tokens[first:at] if t.word not in ("(", ")", ",")]
        self.frame = Frame(self.frame, [Entry(reader.key(t), (), None) for t in names])

    # -- clauses ---------------------------------------------------------------------------------------------------

    def on_select(self, at: int) -> int:
        """SELECT ends a list of relations; the names in its hints follow a rename like qualifiers do."""
        self.in_from = False
        reader = self.reader
        start, end = reader.token(at).end, reader.token(at + 1).start
        if "/*+" in reader.masked.text[start:end]:
            reader.pending += [Pending(tokens, True, self.frame) for tokens in hinted(reader.masked.text, start, end)]
        return at + 1

    def on_from(self, at: int) -> int:
        """FROM begins a list of relations, except in IS DISTINCT FROM and in function arguments."""
        is_distinct = self.reader.word(at - 1) == "DISTINCT" and self.reader.word(at - 2) in ("IS", "NOT")
        if is_distinct or not self.clauses:
            return at + 1
        self.in_from = True
        return self.relation(at + 1)

    def on_join(self, at: int) -> int:
        """JOIN is followed by a relation."""
        self.in_from = True
        return self.relation(at + 1)

    def on_set_operator(self, at: int) -> int:
        """A set operator begins a new SELECT with relations of its own; `* EXCEPT (…)` does not."""
        if self.reader.word(at + 1) == "(" and not starts_query(self.reader, at + 1):
            return at + 1
        self.frame = Frame(self.frame.parent)
        self.in_from = False
        return at + 1

    def on_lateral(self, at: int) -> int:
        """LATERAL VIEW's generated columns are separated by commas that begin no relation."""
        if self.reader.word(at + 1) == "VIEW":
            self.in_from = False
            return at + 2
        return at + 1

    def on_with(self, at: int) -> int:
        """WITH may begin common table expressions."""
        at += 1
        if self.reader.word(at) == "RECURSIVE" and self._cte_body(at + 1) is not None:
            return self._ctes(at + 1, recursive=True)
        return self._ctes(at, recursive=False)

    def _ctes(self, at: int, *, recursive: bool) -> int:
        while (body := self._cte_body(at)) is not None:
            name = self.reader.key(self.reader.tokens[at])
            close = self.reader.close(body)
            inner = self.ctes | {name} if recursive else self.ctes
            _Walk(self.reader, close, Frame(), inner).run(body + 1)
            self.ctes = self.ctes | {name}
            at = close + 1
            if self.reader.word(at) != ",":
                break
            at += 1
        return at

    def _cte_body(self, at: int) -> int | None:
        """The parenthesis that opens the body of the CTE whose name stands at *at*."""
        reader = self.reader
        if not reader.is_name(at):
            return None
        at += 1
        if reader.word(at) == "(" and not starts_query(reader, at):
            at = reader.close(at) + 1
        if reader.word(at) == "MAX":
            at += 4
        if reader.word(at) == "AS":
            at += 1
        return at if reader.word(at) == "(" and starts_query(self.reader, at) else None

    def on_table(self, at: int) -> int:
        """TABLE names a relation: `TABLE t`, or `TABLE(t)` as an argument."""
        reader = self.reader
        if reader.word(at + 1) == "(":
            close = reader.close(at + 1)
            if starts_query(self.reader, at + 1):
                return self.group(at + 1)
            _Walk(reader, close, self.frame, self.ctes).relation(at + 2)
            return close + 1
        may_name = at == self.first or reader.word(at - 1) in _BEFORE_TABLE
        is_name = reader.is_name(at + 1) and reader.word(at + 1) not in _AFTER_COLUMN
        return self.relation(at + 1) if may_name and is_name else at + 1

    def on_insert(self, at: int) -> int:
        """A multi-insert names its targets after the common FROM."""
        reader = self.reader
        if reader.word(at + 1) not in ("INTO", "OVERWRITE"):
            return at + 1
        at += 3 if reader.word(at + 2) == "TABLE" else 2
        self.in_from = False
        if reader.word(at) == "IDENTIFIER" and reader.word(at + 1) == "(":
            reader.add(reader.identifier(at, Side.WRITE, Kind.RELATION))
            return reader.close(at + 1) + 1
        if not reader.is_name(at):
            return at
        end = reader.chain(at)
        reader.add(reader.named(at, end, Side.WRITE, Kind.RELATION))
        return end

    def on_references(self, at: int) -> int:
        """A foreign key names the table it points to."""
        reader = self.reader
        if not reader.is_name(at + 1):
            return at + 1
        end = reader.chain(at + 1)
        reader.add(reader.named(at + 1, end, Side.READ, Kind.TABLE))
        return end

    def on_identifier(self, at: int) -> int:
        """IDENTIFIER(…)(…) is a function call; elsewhere in an expression it is a column."""
        reader = self.reader
        if reader.word(at + 1) != "(":
            return at + 1
        close = reader.close(at + 1)
        if reader.word(close + 1) == "(":
            reader.add(reader.identifier(at, Side.READ, Kind.FUNCTION))
        return close + 1

    # -- expressions -----------------------------------------------------------------------------------------------

    def group(self, at: int) -> int:
        """Walk what a pair of parentheses holds: a subquery, or an expression."""
        close = self.reader.close(at)
        if starts_query(self.reader, at):
            _Walk(self.reader, close, Frame(self.frame), self.ctes).run(at + 1)
        else:
            _Walk(self.reader, close, self.frame, self.ctes, clauses=False).run(at + 1)
        return close + 1

    def dotted(self, at: int) -> int:
        """Handle `a.b…` in an expression: a function call, or a qualified column."""
        reader = self.reader
        end = reader.chain(at)
        if reader.word(at - 1) == ":":
            return end
        if end - at > 1 and reader.word(end) == "(":
            reader.add(reader.named(at, end, Side.READ, Kind.FUNCTION))
            return end
        has_star = reader.word(end) == "." and reader.word(end + 1) == "*"
        if end - at > 1 or has_star:
            reader.pending.append(Pending(reader.tokens[at:end:2], has_star, self.frame))
        return end

    # -- relations -------------------------------------------------------------------------------------------------

    def relation(self, at: int) -> int:
        """Handle a relation in a FROM clause and return where its alias ends."""
        reader = self.reader
        if reader.word(at) == "LATERAL":
            if reader.word(at + 1) == "VIEW":
                return at
            at += 1
        if reader.word(at) == "STREAM" and (reader.is_name(at + 1) or reader.word(at + 1) == "("):
            at += 1
        if at >= self.end:
            return at
        token = reader.tokens[at]
        if token.word == "(":
            return self._parenthesised(at)
        if token.word == "VALUES":
            return self._values(at + 1)
        if token.kind is TokenKind.STRING:
            reader.add(reader.string_reference(at, Side.READ, Kind.PATH))
            return at + 1
        if token.word == "IDENTIFIER" and reader.word(at + 1) == "(":
            return self._identifier(at)
        if token.word == "TABLE":
            return self.on_table(at)
        if token.kind > TokenKind.QUOTED or (token.word in _NO_NAME and reader.word(at + 1) != "."):
            return at
        return self._named(at)

    def _parenthesised(self, at: int) -> int:
        reader = self.reader
        close = reader.close(at)
        if starts_query(self.reader, at):
            _Walk(reader, close, Frame(self.frame), self.ctes).run(at + 1)
        else:
            walk_from_list(reader, at + 1, close, self.frame, self.ctes)
        return self._derived(close + 1)

    def _derived(self, at: int) -> int:
        at, alias, _ = self._tail(at)
        if alias:
            self.frame.entries.append(Entry(alias.lower(), (), None))
        return at

    def _values(self, at: int) -> int:
        word = self.reader.word
        while at < self.end and word(at) != "AS" and word(at) not in _NO_ALIAS:
            if word(at) == "(":
                at = self.group(at)
            elif self.reader.is_name(at) and word(at - 1) == ")":
                break
            else:
                at += 1
        return self._derived(at)

    def _identifier(self, at: int) -> int:
        reader = self.reader
        after = reader.close(reader_open := at + 1) + 1
        if reader.word(after) == "(":
            reader.add(reader.identifier(at, Side.READ, Kind.FUNCTION))
            return self._derived(self.group(after))
        del reader_open
        end, alias, version = self._tail(after)
        self._add(with_version(reader.identifier(at, Side.READ, Kind.RELATION), version, alias))
        return end

    def _named(self, at: int) -> int:
        reader = self.reader
        end = reader.chain(at)
        if reader.word(end) == "(":
            return self._table_function(at, end)
        name = reader.key(reader.tokens[at])
        after, alias, version = self._tail(end)
        if end - at == 1 and name in self.ctes:
            self.frame.entries.append(Entry((alias or name).lower(), (), None))
        else:
            self._add(reader.named(at, end, Side.READ, Kind.RELATION, alias=alias, version=version))
        return after

    def _add(self, reference: Reference) -> None:
        index = self.reader.add(reference)
        self.frame.entries.append(self.reader.entry(reference, index))

    def _table_function(self, at: int, end: int) -> int:
        reader = self.reader
        if end - at > 1:
            reader.add(reader.named(at, end, Side.READ, Kind.FUNCTION))
        elif reader.word(at) in _CHANGE_FUNCTIONS and reader.token(end + 1).kind is TokenKind.STRING:
            kind = Kind.PATH if reader.word(at).endswith("PATH") else Kind.RELATION
            reader.add(reader.string_reference(end + 1, Side.READ, kind))
        return self._derived(self.group(end))

    # -- what follows a relation -----------------------------------------------------------------------------------

    def _tail(self, at: int) -> tuple[int, str | None, Span | None]:
        """Read time travel, sample, options, pivots and the alias after a relation."""
        after = self._version_end(at)
        version = self.reader.span(at, after) if after > at else None
        at, alias = self._alias(self._sample(after))
        while self.reader.word(at) in ("PIVOT", "UNPIVOT"):
            at += 1
            while at < self.end and self.reader.word(at) != "(":
                at += 1
            at, alias = self._alias(self.group(at)) if at < self.end else (at, alias)
        at = self._sample(at)
        if alias is None:
            at, alias = self._alias(at)
        return at, alias, version

    def _sample(self, at: int) -> int:
        reader = self.reader
        while reader.word(at) in ("TABLESAMPLE", "WITH") and reader.word(at + 1) == "(" and at < self.end:
            at = reader.close(at + 1) + 1
            if reader.word(at) == "REPEATABLE" and reader.word(at + 1) == "(":
                at = reader.close(at + 1) + 1
        return at

    def _alias(self, at: int) -> tuple[int, str | None]:
        reader = self.reader
        start = at
        if explicit := reader.word(at) == "AS":
            at += 1
        if at >= self.end or not reader.is_name(at) or (not explicit and reader.word(at) in _NO_ALIAS):
            return start, None
        token = reader.tokens[at]
        if not explicit and token.word == MASK * (token.end - token.start):
            return at + 1, None
        at += 1
        if reader.word(at) == "(":
            at = reader.close(at) + 1
        return at, reader.key(token)

    def _version_end(self, at: int) -> int:
        reader = self.reader
        if reader.word(at) == "@":
            return at + 2
        start = at
        if reader.word(at) == "FOR":
            at += 1
        if reader.word(at) not in ("VERSION", "TIMESTAMP", "SYSTEM_VERSION", "SYSTEM_TIME"):
            return start
        if (reader.word(at + 1), reader.word(at + 2)) != ("AS", "OF"):
            return start
        at = self._operand(at + 3)
        while at < self.end and reader.word(at) in _OPERATORS:
            at = self._operand(at + 1)
        return min(at, self.end)

    def _operand(self, at: int) -> int:
        reader = self.reader
        if reader.word(at) in ("-", "+"):
            at += 1
        if reader.word(at) == "INTERVAL":
            return at + 3
        if reader.word(at) in ("TIMESTAMP", "DATE") and reader.token(at + 1).kind is TokenKind.STRING:
            return at + 2
        if reader.word(at) == "(":
            return self.group(at)
        if reader.is_name(at):
            at = reader.chain(at)
            return self.group(at) if reader.word(at) == "(" else at
        return at + 1


def hinted(text: str, start: int, end: int) -> list[list[Token]]:
    """The names in parentheses of the hints that stand in the range."""
    found: list[list[Token]] = []
    for hint in _HINT.finditer(text, start, end):
        tokens = tokenize(text, *hint.span(1))
        depth = 0
        for i, token in enumerate(tokens):
            depth += (token.word == "(") - (token.word == ")")
            if depth and token.kind in (TokenKind.WORD, TokenKind.QUOTED):
                if found and i and tokens[i - 1].word == ".":
                    found[-1].append(token)
                else:
                    found.append([token])
    return found


_KEYWORDS = {
    "SELECT": _Walk.on_select,
    "FROM": _Walk.on_from,
    "JOIN": _Walk.on_join,
    "WITH": _Walk.on_with,
    "LATERAL": _Walk.on_lateral,
    "TABLE": _Walk.on_table,
    "INSERT": _Walk.on_insert,
    "REFERENCES": _Walk.on_references,
    "IDENTIFIER": _Walk.on_identifier,
    **dict.fromkeys(_SET_OPERATORS, _Walk.on_set_operator),
}
