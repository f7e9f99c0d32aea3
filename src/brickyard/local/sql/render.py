"""The last step before the engine: table names become paths, time travel becomes version numbers, by spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from brickyard.dbsql.model import Kind, Reference, Side, Statement
from brickyard.dbsql.rewrite import qualify_to_subquery, replace_spans
from brickyard.dbsql.tokens import Token, TokenKind
from brickyard.kernel.names import quote
from brickyard.local.catalog.model import Table
from brickyard.local.catalog.store import SYSTEM, CatalogStore
from brickyard.local.sql import gaps, groups, using
from brickyard.local.sql.delta import log
from brickyard.local.sql.delta.travel import existing_version, travel
from brickyard.local.sql.expand import single, tokens_of
from brickyard.local.sql.model import SqlError, SqlSession, unsupported
from brickyard.local.sql.places import Places
from brickyard.local.sql.relations import (
    Use,
    Uses,
    check_path,
    data_path,
    find_table,
    is_information_schema,
    literal_parts,
    table_key,
)
from brickyard.notebooks.model import Span

Probe = Callable[[str], Sequence[str]]
_CLAUSE_ENDS = frozenset(
    [
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "WINDOW",
        "CLUSTER",
        "DISTRIBUTE",
        "SORT",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "MINUS",
        "QUALIFY",
    ]
)
UTC = frozenset(("UTC", "Etc/UTC", "GMT", "Z", "Etc/GMT", "+00:00"))
_QUERY_STARTS = frozenset(("SELECT", "WITH", "FROM", "VALUES", "TABLE"))


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders one statement.

    *describe* answers what an information schema's view holds, *flush* readies a system table, *probe* names the columns of
    engine SQL, *moment* gives an expression's time in milliseconds since the epoch. For the whole of Spark nothing is
    rewritten but names.
    """

    store: CatalogStore
    places: Places
    session: SqlSession
    uses: Uses
    describe: Callable[[str, str], pa.Table]
    changes: Callable[[Table, Sequence[str]], pa.Table]
    flush: Callable[[str], None]
    probe: Probe
    moment: Callable[[str], int | None]
    whole_spark: bool = False

    def render(self, text: str, part: Span | None = None) -> str:
        """Return engine SQL for the text, or for *part* of it."""
        statement = single(text, self.session.temp_views)
        within = part or Span(0, len(text))
        shifted = [(span.shift(-within.start), sql) for span, sql in self._replacements(text, statement, within)]
        sql = replace_spans(within.slice(text), shifted)
        return self._without_gaps(sql)

    def _replacements(self, text: str, statement: Statement, within: Span) -> Iterator[tuple[Span, str]]:
        tokens = tokens_of(text)
        yield from _table_queries(tokens, statement, within)
        for reference in (r for r in statement.references if r.span.overlaps(within)):
            if reference.in_string:
                yield self._table_changes(text, tokens, reference)
            elif reference.kind is Kind.PATH:
                yield from self._path(text, reference)
            elif reference.kind is not Kind.FUNCTION:
                yield from self._relation(text, reference)
        for qualifier in statement.qualifiers:
            if len(qualifier.parts) > 1 and qualifier.span.overlaps(within):
                yield qualifier.span, quote(qualifier.parts[-1].literal or "")

    def _relation(self, text: str, reference: Reference) -> Iterator[tuple[Span, str]]:
        parts = literal_parts(reference)
        key = table_key(self.session, parts)
        if is_information_schema(key):
            yield reference.span, self._rows(self.describe(key[0], key[2])) + _alias(reference, key[2])
            return
        table = find_table(self.store, self.session, parts)
        if table.catalog == SYSTEM:
            self.flush(f"{table.schema}.{table.name}")
        if reference.side is Side.READ:
            self._note(Use(table))
        path = data_path(table)
        yield from self._delta(text, reference, path, parts[-1])

    def _delta(self, text: str, reference: Reference, path: Path, name: str) -> Iterator[tuple[Span, str]]:
        source = f"delta.{quote(str(path))}"
        version = None
        if reference.version is not None:
            version = existing_version(path, travel(path, reference.version.slice(text), self.moment))
            if not self.whole_spark:
                log.forget_checkpoint_hint(path)
            yield reference.version, ""
            source += f" VERSION AS OF {version}"
        if reference.side is Side.READ and self.session.time_zone not in UTC and not self.whole_spark:
            source = _in_session_zone(source, log.snapshot(path, version))
        yield reference.span, source + _alias(reference, name)

    def _path(self, text: str, reference: Reference) -> Iterator[tuple[Span, str]]:
        format_, path = path_parts(reference)
        place = self.places.locate(path)
        check_path(self.store, self.session, place, "SELECT" if reference.side is Side.READ else "MODIFY")
        if not any(c in path for c in "*?[{") and not place.exists():
            raise SqlError("PATH_NOT_FOUND", f"Path does not exist: {path}.", "42K03")
        self._note(Use(None, place))
        if format_ == "delta":
            yield from self._delta(text, reference, place, "delta")
        else:
            yield reference.span, f"{format_}.{quote(str(place))}"

    def _note(self, use: Use) -> None:
        """Remember what is read; what no earlier step has named is reached through a view."""
        known = [u.table.key if u.table else u.path for u in self.uses.sources]
        if (use.table.key if use.table else use.path) not in known:
            self.uses.sources.append(Use(use.table, use.path, direct=use.table is None))

    def _rows(self, table: pa.Table) -> str:
        file = self.places.new_scratch(".parquet")
        pq.write_table(table, file)
        return f"parquet.{quote(str(file))}"

    def _table_changes(self, text: str, tokens: Sequence[Token], reference: Reference) -> tuple[Span, str]:
        at = next(i for i, t in enumerate(tokens) if t.start <= reference.span.start < t.end)
        closing = next(i for i in range(at, len(tokens)) if tokens[i].word == ")")
        arguments = [
            text[t.start : t.end] for t in tokens[at + 1 : closing] if t.kind in (TokenKind.NUMBER, TokenKind.STRING)
        ]
        table = find_table(self.store, self.session, literal_parts(reference))
        self._note(Use(table))
        rows = self._rows(self.changes(table, arguments))
        alias = "" if reference.alias or _has_alias(tokens, closing) else " AS table_changes"
        return Span(tokens[at - 2].start, tokens[closing].end), rows + alias

    # --- what the engine's grammar lacks ----------------------------------------------------------------------------

    def _without_gaps(self, sql: str) -> str:
        if self.whole_spark:
            return gaps.renamed(sql)
        sql = gaps.closed(sql)
        words = {token.word for token in tokens_of(sql)}
        if "QUALIFY" in words:
            sql = self._without_qualify(sql)
        if "USING" in words and "JOIN" in words:
            sql = using.unqualified(sql)
        if "ALL" in words and "GROUP" in words:
            sql = groups.spelled_out(sql)
        if "EXCEPT" in words or "QUALIFY" in words:
            sql = self._without_star_except(sql)
        return sql

    def _without_qualify(self, sql: str) -> str:
        try:
            return qualify_to_subquery(sql)
        except ValueError as error:
            raise unsupported(str(error), "write the filter as a subquery") from error

    def _without_star_except(self, sql: str) -> str:
        while (star := _star_except(tokens_of(sql))) is not None:
            sql = replace_spans(sql, [self._star_columns(sql, *star)])
        return sql

    def _star_columns(self, sql: str, tokens: Sequence[Token], at: int) -> tuple[Span, str]:
        closing = _match(tokens, at + 2)
        excluded = {_plain(t, sql) for t in tokens[at + 3 : closing] if t.word != ","}
        qualifier = _qualifier(sql, tokens, at)
        source = _from_clause(sql, tokens, at)
        names = self.probe(f"{_ctes_before(sql, tokens, at)}SELECT {qualifier}* {source} LIMIT 0")
        missing = excluded - {name.lower() for name in names}
        if missing:
            raise SqlError("EXCEPT_COLUMN_NOT_FOUND", f"EXCEPT names {sorted(missing)}, which is no column.", "42703")
        kept = [qualifier + quote(name) for name in names if name.lower() not in excluded]
        start = tokens[at].start - len(qualifier)
        return Span(start, tokens[closing].end), ", ".join(kept)


def _table_queries(tokens: Sequence[Token], statement: Statement, within: Span) -> Iterator[tuple[Span, str]]:
    """`TABLE t` as a query is `SELECT * FROM t`, whose table may have an alias."""
    starts = {r.span.start for r in statement.references if r.side is Side.READ}
    for at, token in enumerate(tokens[:-1]):
        is_query = token.word == "TABLE" and tokens[at + 1].start in starts
        if is_query and within.start <= token.start < within.end:
            yield Span(token.start, token.end), "SELECT * FROM"


def _in_session_zone(source: str, state: log.Snapshot) -> str:
    """The engine shows stored timestamps in UTC; a cast moves them to the session's time zone."""
    if all(field["type"] != "timestamp" for field in state.fields):
        return source
    names = ((quote(field["name"]), field["type"] == "timestamp") for field in state.fields)
    items = (f"CAST({name} AS TIMESTAMP) AS {name}" if is_timestamp else name for name, is_timestamp in names)
    return f"(SELECT {', '.join(items)} FROM {source})"


def _alias(reference: Reference, name: str) -> str:
    return "" if reference.alias else f" AS {quote(name)}"


def path_parts(reference: Reference) -> tuple[str, str]:
    """The format and the path of a path relation."""
    parts = literal_parts(reference)
    return (parts[0].lower(), parts[1]) if len(parts) == 2 else ("delta", parts[0])


def _has_alias(tokens: Sequence[Token], closing: int) -> bool:
    following = tokens[closing + 1 : closing + 2]
    return (
        bool(following)
        and following[0].kind in (TokenKind.WORD, TokenKind.QUOTED)
        and following[0].word not in _CLAUSE_ENDS
    )


def _star_except(tokens: Sequence[Token]) -> tuple[Sequence[Token], int] | None:
    for at, token in enumerate(tokens):
        follows = [t.word for t in tokens[at + 1 : at + 4]]
        is_star = token.word == "*" and at > 0 and tokens[at - 1].word in ("SELECT", "DISTINCT", ",", ".", "ALL")
        if is_star and follows[:2] == ["EXCEPT", "("] and follows[2:] and follows[2] not in _QUERY_STARTS:
            return tokens, at
    return None


def _match(tokens: Sequence[Token], opening: int) -> int:
    depth = 0
    for at in range(opening, len(tokens)):
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if depth == 0:
            return at
    return len(tokens) - 1


def _plain(token: Token, sql: str) -> str:
    return sql[token.start : token.end].strip("`").lower()


def _qualifier(sql: str, tokens: Sequence[Token], at: int) -> str:
    return sql[tokens[at - 2].start : tokens[at].start] if tokens[at - 1].word == "." else ""


def _from_clause(sql: str, tokens: Sequence[Token], at: int) -> str:
    """The FROM clause of the SELECT in whose list the token stands."""
    start = _at_depth(tokens, at, {"FROM"})
    end = _at_depth(tokens, start, _CLAUSE_ENDS)
    return sql[tokens[start].start : tokens[end - 1].end] if start < len(tokens) else ""


def _at_depth(tokens: Sequence[Token], at: int, words: frozenset[str] | set[str]) -> int:
    """The index of the next of these words at this depth, or where the depth ends."""
    depth = 0
    while at < len(tokens):
        word = tokens[at].word
        if word == ")" and depth == 0:
            return at
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in words and not (word == "EXCEPT" and tokens[at - 1].word == "*"):
            return at
        at += 1
    return at


def _ctes_before(sql: str, tokens: Sequence[Token], at: int) -> str:
    """The WITH clauses that a SELECT at this place can see, as one."""
    found = []
    for i in range(at):
        opens = tokens[i].word == "AS" and i + 2 < len(tokens) and tokens[i + 1].word == "("
        if opens and tokens[i + 2].word in ("SELECT", "WITH", "VALUES", "FROM") and (end := _match(tokens, i + 1)) < at:
            name = i - 1 if tokens[i - 1].word != ")" else _opening(tokens, i - 1) - 1
            if tokens[name - 1].word in ("WITH", ",", "RECURSIVE"):
                found.append(sql[tokens[name].start : tokens[end].end])
    return f"WITH {', '.join(found)} " if found else ""


def _opening(tokens: Sequence[Token], closing: int) -> int:
    depth = 0
    for at in range(closing, -1, -1):
        depth += (tokens[at].word == ")") - (tokens[at].word == "(")
        if depth == 0:
            return at
    return 0
