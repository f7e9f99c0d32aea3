"""The SQL of pipelines: statements that declare datasets and flows instead of running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brickyard.dbsql.tokens import Token, TokenKind
from brickyard.local.pipelines.graph import AutoCdc, Dataset, Expectation, Flow, Graph, Kind, OnViolation
from brickyard.local.sql.expand import tokens_of

RunQuery = Callable[[str], Any]
_KINDS = (
    (("STREAMING", "LIVE", "TABLE"), Kind.STREAMING_TABLE),
    (("STREAMING", "TABLE"), Kind.STREAMING_TABLE),
    (("MATERIALIZED", "VIEW"), Kind.MATERIALIZED_VIEW),
    (("LIVE", "TABLE"), Kind.TABLE),
    (("TEMPORARY", "LIVE", "VIEW"), Kind.VIEW),
    (("TEMPORARY", "STREAMING", "LIVE", "VIEW"), Kind.VIEW),
    (("TEMPORARY", "VIEW"), Kind.VIEW),
    (("STREAMING", "LIVE", "VIEW"), Kind.VIEW),
    (("LIVE", "VIEW"), Kind.VIEW),
)
_ENDS_OF_EXPRESSION = frozenset(("APPLY", "SEQUENCE", "COLUMNS", "STORED", "TRACK"))


class NotUnderstood(Exception):
    """A statement of a pipeline that is not written as Databricks wants it."""


def declare(text: str, graph: Graph, run: RunQuery) -> bool:
    """Take a statement's declaration into the graph; False for a statement that declares nothing of a pipeline."""
    words = _Words(text)
    if words.take("APPLY", "CHANGES", "INTO"):
        graph.add_flow(_cdc(words, name=None))
        return True
    if not words.take("CREATE"):
        return False
    if words.take("FLOW"):
        _flow(words, graph, run)
        return True
    words.take("OR", "REPLACE") or words.take("OR", "REFRESH")
    words.take("PRIVATE")
    kind = next((kind for spelt, kind in _KINDS if words.take(*spelt)), None)
    if kind is None:
        return False
    _dataset(words, kind, graph, run)
    return True


def _dataset(words: _Words, kind: Kind, graph: Graph, run: RunQuery) -> None:
    words.take("IF", "NOT", "EXISTS")
    name = words.name()
    expectations = _constraints(words)
    options = _clauses(words)
    comment, partitions = options.get("comment"), tuple(options.get("partitions", ()))
    graph.add(Dataset(name, kind, comment, options.get("properties", {}), partitions, expectations))
    if words.take("FLOW", "AUTO", "CDC"):
        graph.add_flow(_cdc_body(words, name, name))
    elif words.take("AS"):
        query = words.rest()
        graph.add_flow(Flow(name, name, lambda: run(query)))


def _flow(words: _Words, graph: Graph, run: RunQuery) -> None:
    name = words.name()
    words.need("AS")
    if words.take("AUTO", "CDC", "INTO"):
        graph.add_flow(_cdc(words, name))
        return
    words.need("INSERT", "INTO")
    target = words.name()
    words.take("BY", "NAME")
    query = words.rest()
    graph.add_flow(Flow(name, target, lambda: run(query)))


def _cdc(words: _Words, name: str | None) -> Flow:
    target = words.name()
    return _cdc_body(words, name or target, target)


def _cdc_body(words: _Words, name: str, target: str) -> Flow:
    words.need("FROM")
    source = _stream(words)
    words.need("KEYS")
    keys, deletes, sequence, columns, but, scd, track, untracked = words.names(), None, "", (), (), 1, (), ()
    while not words.at_end:
        if words.take("APPLY", "AS", "DELETE", "WHEN"):
            deletes = words.expression()
        elif words.take("SEQUENCE", "BY"):
            sequence = words.expression()
        elif words.take("COLUMNS"):
            columns, but = words.columns()
        elif words.take("STORED", "AS", "SCD", "TYPE"):
            scd = int(words.text())
        elif words.take("TRACK", "HISTORY", "ON"):
            track, untracked = words.columns()
        else:
            raise NotUnderstood(f"A flow of changes does not know {words.text()!r}.")
    if not sequence or scd not in (1, 2):
        raise NotUnderstood("A flow of changes needs SEQUENCE BY, and STORED AS SCD TYPE 1 or 2.")
    return Flow(name, target, None, AutoCdc(source, keys, sequence, deletes, columns, but, scd, track, untracked))


def _stream(words: _Words) -> str:
    if not words.take("STREAM"):
        return words.name()
    bracketed = words.take("(")
    name = words.name()
    if bracketed:
        words.need(")")
    return name


def _constraints(words: _Words) -> list[Expectation]:
    """The expectations among the columns of a declaration; the columns themselves come from the query."""
    found: list[Expectation] = []
    if not words.take("("):
        return found
    inner = _Words(words.inside())
    while not inner.at_end:
        if not inner.take("CONSTRAINT"):
            inner.text()
            continue
        name = inner.text()
        inner.need("EXPECT")
        inner.need("(")
        condition, action = inner.inside(), OnViolation.KEEP
        if inner.take("ON", "VIOLATION", "DROP", "ROW"):
            action = OnViolation.DROP
        elif inner.take("ON", "VIOLATION", "FAIL", "UPDATE"):
            action = OnViolation.FAIL
        found.append(Expectation(name, condition, action))
    return found


def _clauses(words: _Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while True:
        if words.take("COMMENT"):
            found["comment"] = words.text()
        elif words.take("TBLPROPERTIES"):
            words.need("(")
            found["properties"] = _properties(words.inside())
        elif words.take("PARTITIONED", "BY"):
            found["partitions"] = words.names()
        elif words.take("CLUSTER", "BY"):
            words.names()
        else:
            return found


def _properties(text: str) -> Mapping[str, str]:
    words, found = _Words(text), {}
    while not words.at_end:
        key = words.dotted()
        words.take("=")
        found[key] = words.text()
        words.take(",")
    return found


class _Words:
    """A cursor over the tokens of a statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    def take(self, *words: str) -> bool:
        """Pass over these words when they come next."""
        following = [token.word for token in self._tokens[self._at : self._at + len(words)]]
        if following != list(words):
            return False
        self._at += len(words)
        return True

    def need(self, *words: str) -> None:
        """Pass over these words, or say that they are missing."""
        if not self.take(*words):
            raise NotUnderstood(f"{' '.join(words)} is missing in: {self._text[:80]}")

    def text(self) -> str:
        """The next token, without its quotes."""
        if self.at_end:
            raise NotUnderstood(f"The statement ends too early: {self._text[:80]}")
        token = self._tokens[self._at]
        self._at += 1
        raw = self._text[token.start : token.end]
        return raw[1:-1] if token.kind in (TokenKind.QUOTED, TokenKind.STRING) else raw

    def dotted(self) -> str:
        """The next tokens that dots join."""
        name = self.text()
        while self.take("."):
            name += "." + self.text()
        return name

    def name(self) -> str:
        """The next name, of one to three parts."""
        return self.dotted()

    def names(self) -> tuple[str, ...]:
        """The next list of names in brackets."""
        self.need("(")
        found = [self.name()]
        while self.take(","):
            found.append(self.name())
        self.need(")")
        return tuple(found)

    def columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """`(a, b)`, or `* EXCEPT (a, b)`: the columns that are named, and those that are left out."""
        if self.take("*"):
            self.need("EXCEPT")
            return (), self.names()
        return self.names(), ()

    def inside(self) -> str:
        """The text up to the bracket that closes the one just passed."""
        start, depth = self._start(), 1
        while not self.at_end:
            token: Token = self._tokens[self._at]
            self._at += 1
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            if depth == 0:
                return self._text[start : token.start].strip()
        raise NotUnderstood(f"A bracket is not closed in: {self._text[:80]}")

    def expression(self) -> str:
        """The text up to the next clause."""
        start, depth, end = self._start(), 0, self._start()
        while not self.at_end:
            token = self._tokens[self._at]
            if depth == 0 and token.word in _ENDS_OF_EXPRESSION:
                break
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            self._at, end = self._at + 1, token.end
        return self._text[start:end].strip()

    def rest(self) -> str:
        """All that is left."""
        text = self._text[self._start() :].strip()
        self._at = len(self._tokens)
        return text

    def _start(self) -> int:
        return len(self._text) if self.at_end else self._tokens[self._at].start
