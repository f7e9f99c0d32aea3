"""Puts in the place of names what they stand for: parameters, variables, IDENTIFIER(), SQL functions and views.

Everything is done to text by spans and parsed again, until nothing is left but tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from brickyard.dbsql.model import Kind, Reference, Side, Statement
from brickyard.dbsql.parse import parse
from brickyard.dbsql.rewrite import find_markers, literal, replace_spans
from brickyard.dbsql.tokens import Token, TokenKind, mask, tokenize
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import quote, split_name
from brickyard.local.catalog.model import DoesNotExist, Function, Table, TableType
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import Parameter, SqlError, SqlSession, unsupported
from brickyard.local.sql.relations import (
    Use,
    Uses,
    check_privilege,
    find_function,
    find_table,
    is_information_schema,
    table_key,
)
from brickyard.notebooks.model import Span

_MAX_ROUNDS = 50
_REMEMBERED = 64  # texts: those of the statements that are on their way
_NAMES = (TokenKind.WORD, TokenKind.QUOTED)
Evaluate = Callable[[str], object]


@lru_cache(_REMEMBERED)
def tokens_of(text: str) -> tuple[Token, ...]:
    """The tokens of a text, holes masked; one text is asked for many times on its way to the engine."""
    return tuple(tokenize(mask(text).text))


def single(text: str, temp_views: Iterable[str] = (), *, trees: bool = False) -> Statement:
    """Parse exactly one statement, or raise SqlError."""
    views = tuple(sorted(temp_views))
    return _only(text, parse(text, temp_views=views).statements) if trees else _single(text, views)


@lru_cache(_REMEMBERED)
def _single(text: str, temp_views: tuple[str, ...]) -> Statement:
    return _only(text, parse(text, temp_views=temp_views, trees=False).statements)


def _only(text: str, statements: Sequence[Statement]) -> Statement:
    if len(statements) != 1:
        message = "There is no statement." if not statements else "Only one statement can be run at a time."
        raise SqlError("PARSE_SYNTAX_ERROR", message, "42601")
    if statements[0].error:
        raise syntax_error(text, statements[0])
    return statements[0]


def syntax_error(text: str, statement: Statement) -> SqlError:
    """The refusal of a statement that does not parse, with its line and column."""
    at = statement.error_offset if statement.error_offset is not None else statement.span.start
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1)
    message = (statement.error or "").split(" but got <")[0]
    near = text[at : at + 20].split("\n")[0].strip() or "end of input"
    return SqlError(
        "PARSE_SYNTAX_ERROR",
        f"Syntax error at or near '{near}'. {message} (line {line}, pos {column})",
        "42601",
    )


def doubled_quotes(text: str) -> str:
    r"""Write the quote in `'it''s'` as `\'`, as long as before: the engine would join the two halves without it."""
    marks = [
        Span(left.end - 1, left.end)
        for left, right in pairwise(tokens_of(text))
        if left.kind is right.kind is TokenKind.STRING and left.end == right.start and _same_quotes(text, left, right)
    ]
    return replace_spans(text, [(mark, "\\") for mark in marks])


def _same_quotes(text: str, left: Token, right: Token) -> bool:
    return text[left.start] == text[right.start] and text[left.start] in "'\""


def insert_first(text: str) -> str:
    """Write `WITH … INSERT INTO t SELECT …` as `INSERT INTO t WITH … SELECT …`, which is the same."""
    tokens = tokens_of(text)
    if not tokens or tokens[0].word != "WITH":
        return text
    depth = 0
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == "INSERT":
            head = single(text[token.start :])
            query = head.arguments["query"]
            assert isinstance(query, Span)
            cut = token.start + query.start
            return f"{text[token.start : cut]} {text[: token.start]} {text[cut:]}"
    return text


# --- parameters and variables ---------------------------------------------------------------------------------------


def bind(text: str, parameters: Sequence[Parameter]) -> str:
    """Put typed literals in the place of `:name` and `?`."""
    named = {p.name.lower(): _literal(p) for p in parameters if p.name}
    unnamed = [_literal(p) for p in parameters if not p.name]
    replacements = []
    for marker in find_markers(text):
        if marker.name.lower() not in named:
            raise _path_or_unbound(text, marker.span, marker.name)
        replacements.append((marker.span, named[marker.name.lower()]))
    questions = [t for t in tokens_of(text) if t.word == "?"] if unnamed else []
    if unnamed and len(questions) > len(unnamed):
        raise _unbound("?")
    replacements += [(Span(t.start, t.end), sql) for t, sql in zip(questions, unnamed, strict=False)]
    return replace_spans(text, replacements)


def _literal(parameter: Parameter) -> str:
    return literal(parameter.value, parameter.type or "STRING")


def _path_or_unbound(text: str, span: Span, name: str) -> SqlError:
    """`column:field` reads JSON on Databricks; apart from it a colon begins a parameter."""
    if span.start and re.match(r"[\w)\]`'\"]", text[span.start - 1]):
        return unsupported(f"The JSON path :{name}", f"use get_json_object(column, '$.{name}')")
    return _unbound(name)


def _unbound(name: str) -> SqlError:
    return SqlError("UNBOUND_SQL_PARAMETER", f"Found the unbound parameter: {name}. Please, fix `args`.", "42P02")


def put_variables(text: str, session: SqlSession, columns: frozenset[str]) -> str:
    """Put the values of session variables in the place of their names, where no column has that name."""
    if not session.variables:
        return text
    tokens = tokens_of(text)
    found = (_variable_at(tokens, i, text, session, columns) for i in range(len(tokens)))
    return replace_spans(text, [f for f in found if f])


def _variable_at(
    tokens: Sequence[Token], at: int, text: str, session: SqlSession, columns: frozenset[str]
) -> tuple[Span, str] | None:
    token = tokens[at]
    if token.kind not in _NAMES or _word(tokens, at + 1) in ("(", ".") or _word(tokens, at - 1) in ("AS", ":"):
        return None
    name = _name(token, text)
    if name not in session.variables:
        return None
    start = at
    while _word(tokens, start - 1) == "." and _word(tokens, start - 2) in ("SESSION", "SYSTEM"):
        start -= 2
    if start == at and (name in columns or not _begins_expression(tokens, at)):
        return None
    alias = f" AS {quote(name)}" if _is_select_item(tokens, start, at) else ""
    return Span(tokens[start].start, token.end), session.variables[name].literal + alias


def _begins_expression(tokens: Sequence[Token], at: int) -> bool:
    """Whether a value may stand here; after a name or a parenthesis it would be an alias."""
    if at == 0 or tokens[at - 1].kind is TokenKind.OP:
        return _word(tokens, at - 1) not in (".", ")", "]")
    return tokens[at - 1].kind is TokenKind.WORD and tokens[at - 1].word in _BEFORE_VALUE


_BEFORE_VALUE = frozenset(
    (
        *("SELECT", "DISTINCT", "WHERE", "AND", "OR", "NOT", "WHEN", "THEN", "ELSE", "BY", "ON", "IN", "LIKE", "CASE"),
        *("BETWEEN", "LIMIT", "OFFSET", "HAVING", "VALUES", "SET", "IS", "RETURN", "DEFAULT", "DIV", "QUALIFY", "OF"),
    )
)


def put_context(text: str, session: SqlSession) -> str:
    """Put the session's namespace in the place of `current_catalog()` and its like, which the engine cannot know."""
    names = {"CURRENT_CATALOG": session.catalog, "CURRENT_SCHEMA": session.schema, "CURRENT_DATABASE": session.schema}
    tokens = tokens_of(text)
    replacements = []
    for at, token in enumerate(tokens):
        if token.word in names and token.kind is TokenKind.WORD and _word(tokens, at - 1) != ".":
            is_call = _word(tokens, at + 1) == "(" and _word(tokens, at + 2) == ")"
            if is_call:
                alias = f" AS `{token.word.lower()}()`" if _is_select_item(tokens, at, at + 2) else ""
                span = Span(token.start, tokens[at + 2].end)
                replacements.append((span, literal(names[token.word]) + alias))
    return replace_spans(text, replacements)


def put_recipient(text: str, session: SqlSession) -> str:
    """Put the recipient's property in the place of `current_recipient('key')`, NULL when it has none of that key.

    Raises SqlError where no recipient reads: the function is for the text of shared views.
    """
    tokens = tokens_of(text)
    replacements = []
    for at, token in enumerate(tokens):
        if token.word == "CURRENT_RECIPIENT" and _word(tokens, at + 1) == "(":
            is_key = at + 2 < len(tokens) and tokens[at + 2].kind is TokenKind.STRING
            if session.recipient is None or not is_key or _word(tokens, at + 3) != ")":
                raise _only_in_shared_views()
            value = session.recipient.get(text[tokens[at + 2].start + 1 : tokens[at + 2].end - 1])
            sql = f"CAST({'NULL' if value is None else literal(value)} AS STRING)"
            replacements.append((Span(token.start, tokens[at + 3].end), sql))
    return replace_spans(text, replacements)


def _only_in_shared_views() -> SqlError:
    return SqlError(
        "INVALID_CURRENT_RECIPIENT_USAGE",
        "The current_recipient function can only be used in the text of a view that is shared, with a key as literal.",
        "42887",
    )


def known_columns(store: CatalogStore, session: SqlSession, statement: Statement) -> frozenset[str]:
    """The column names of the tables that a statement names."""
    names: set[str] = set()
    for reference in statement.references:
        parts = reference.literal
        if parts and reference.kind in (Kind.TABLE, Kind.VIEW, Kind.RELATION) and len(parts) <= 3:
            key = table_key(session, parts)
            names |= {c.name.lower() for t in _maybe_table(store, key) for c in t.columns}
    return frozenset(names)


def _maybe_table(store: CatalogStore, key: tuple[str, str, str]) -> list[Table]:
    try:
        return [store.table(*key)]
    except DoesNotExist:
        return []


# --- IDENTIFIER(…) --------------------------------------------------------------------------------------------------


def put_identifiers(text: str, statement: Statement, evaluate: Evaluate) -> str:
    """Put the names in the place of `IDENTIFIER(…)` of relations, functions and namespaces."""
    found = [r for r in (*statement.references, *statement.namespaces) if r.whole is not None]
    return replace_spans(text, [(r.whole, _named(r, text, evaluate)) for r in found if r.whole])


def _named(reference: Reference, text: str, evaluate: Evaluate) -> str:
    if (parts := reference.literal) is not None:
        return ".".join(map(quote, parts))
    if reference.pieces and all(isinstance(p, str) for p in reference.pieces):
        return _quoted("".join(str(p) for p in reference.pieces))
    return _quoted(str(evaluate(reference.span.slice(text))))


def _quoted(name: str) -> str:
    try:
        return ".".join(map(quote, split_name(name)))
    except SpecInvalid as error:
        raise SqlError("PARSE_SYNTAX_ERROR", f"IDENTIFIER('{name}') is not a name.", "42601") from error


# --- views and functions --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Expander:
    """Expands the views and functions of one statement and notes what it uses."""

    store: CatalogStore
    session: SqlSession
    uses: Uses

    def expand(self, text: str) -> str:
        """Return the text with nothing but tables in it."""
        for depth in range(_MAX_ROUNDS):
            statement = single(text, self.session.temp_views)
            replacements = [*self._calls(text, statement, depth), *self._views(text, statement, depth)]
            if not replacements:
                return put_recipient(text, self.session)
            text = replace_spans(text, _outermost([*replacements, *_short_qualifiers(statement)]))
        raise SqlError("RECURSIVE_VIEW", "A view or function is defined in terms of itself.", "42K0H")

    def _views(self, text: str, statement: Statement, depth: int) -> Iterable[tuple[Span, str]]:
        for reference in statement.references:
            parts = reference.literal
            if reference.side is not Side.READ or parts is None or reference.in_string or reference.kind is Kind.PATH:
                continue
            if reference.kind is Kind.FUNCTION or is_information_schema(table_key(self.session, parts)):
                continue
            table = find_table(self.store, self.session, parts)
            if depth == 0:
                check_privilege(self.store, self.session, table, "SELECT")
            if depth == 0 or table.table_type is TableType.VIEW:
                self._note(Use(table, direct=depth == 0))
            if table.table_type is TableType.VIEW:
                yield reference.span, self._view(reference, table)

    def _note(self, use: Use) -> None:
        if use.table is not None and all(
            known.table is None or known.table.key != use.table.key for known in self.uses.sources
        ):
            self.uses.sources.append(use)

    def _view(self, reference: Reference, view: Table) -> str:
        if reference.version is not None:
            raise SqlError("UNSUPPORTED_FEATURE.TIME_TRAVEL", "A view has no versions to travel to.", "0A000")
        query = absolute(self.store, view.view_definition or "", view.view_catalog or "", view.view_schema or "")
        names = f" AS _v({', '.join(map(quote, view.view_columns))})" if view.view_columns else ""
        body = f"(SELECT * FROM (\n{query}\n){names})" if names else f"(\n{query}\n)"
        return body if reference.alias else f"{body} AS {quote(view.name)}"

    def _calls(self, text: str, statement: Statement, depth: int) -> Iterable[tuple[Span, str]]:
        tokens = tokens_of(text)
        starts = {r.span.start: r for r in statement.references if r.kind is Kind.FUNCTION and r.side is Side.READ}
        local = _local_functions(self.store, self.session.catalog, self.session.schema)
        for at in range(len(tokens)):
            parts = _called(tokens, at, text, starts, local)
            if parts is not None:
                yield self._call(text, tokens, at, parts, depth)

    def _call(
        self, text: str, tokens: Sequence[Token], at: int, parts: tuple[str, ...], depth: int
    ) -> tuple[Span, str]:
        function = find_function(self.store, self.session, parts)
        if function is None:
            raise _no_function(parts)
        if depth == 0:
            check_privilege(self.store, self.session, function, "EXECUTE")
        opening = at + 2 * len(parts) - 1
        closing = _closing(tokens, opening)
        arguments = _arguments(text, tokens, opening, closing)
        span = Span(tokens[at].start, tokens[closing].end)
        body = inlined(self.store, function, arguments)
        is_item = depth == 0 and _is_select_item(tokens, at, closing)
        name = f" AS {quote(function.full_name + '(' + ', '.join(arguments) + ')')}" if is_item else ""
        alias = f" AS {quote(function.name)}" if function.is_table and _word(tokens, closing + 1) in _ENDS else ""
        return span, body + (alias if function.is_table else name)


def _short_qualifiers(statement: Statement) -> Iterable[tuple[Span, str]]:
    """`catalog.schema.view.column` as `view.column`: that is the alias which stands where the view stood."""
    for qualifier in statement.qualifiers:
        if len(qualifier.parts) > 1:
            yield qualifier.span, quote(qualifier.parts[-1].literal or "")


_ENDS = frozenset(("", ")", "WHERE", "GROUP", "ORDER", "LIMIT", "JOIN", ",", "LEFT", "INNER", "ON", "HAVING", "UNION"))


def _local_functions(store: CatalogStore, catalog: str, schema: str) -> set[str]:
    try:
        return {function.name for function in store.functions(catalog, schema)}
    except DoesNotExist:
        return set()


def _called(
    tokens: Sequence[Token], at: int, text: str, starts: Mapping[int, Reference], local: set[str]
) -> tuple[str, ...] | None:
    """The name of the catalog's function that is called here."""
    token = tokens[at]
    if token.start in starts:
        return starts[token.start].literal
    is_call = token.kind in _NAMES and _word(tokens, at + 1) == "(" and _word(tokens, at - 1) not in (".", "FUNCTION")
    name = _name(token, text) if is_call else ""
    return (name,) if name in local else None


def absolute(store: CatalogStore, text: str, catalog: str, schema: str) -> str:
    """Write every name of a view's or function's text in full, as looked up where it was made."""
    session = SqlSession("", admin=True, catalog=catalog, schema=schema)
    text = doubled_quotes(text)
    statement = single(text)
    replacements = []
    for reference in statement.references:
        parts = reference.literal
        if parts is None or reference.kind is Kind.PATH or reference.in_string:
            continue
        full = ".".join(map(quote, table_key(session, parts)))
        needs_alias = reference.kind is not Kind.FUNCTION and not reference.alias and reference.version is None
        replacements.append((reference.span, f"{full} AS {quote(parts[-1])}" if needs_alias else full))
    for qualifier in statement.qualifiers:
        names = [p.literal or "" for p in qualifier.parts]
        replacements.append((qualifier.span, quote(names[-1])))
    local = _local_functions(store, catalog, schema)
    tokens = tokens_of(text)
    for at, token in enumerate(tokens):
        if _called(tokens, at, text, {}, local):
            full = ".".join(map(quote, (catalog, schema, _name(token, text))))
            replacements.append((Span(token.start, token.end), full))
    return replace_spans(text, replacements)


def inlined(store: CatalogStore, function: Function, arguments: Sequence[str]) -> str:
    """The body of a SQL function with the arguments in the place of its parameters."""
    bound = _bound(function, arguments)
    prefix = "" if function.is_table or _is_query(function.body) else "SELECT "
    body = absolute(store, prefix + function.body, function.body_catalog, function.body_schema)
    body = body[len(prefix) :]
    shadowing = _shadowing(store, function, prefix + function.body)
    body = _put_arguments(body, function, bound, shadowing)
    if function.is_table:
        return f"({body})"
    return f"CAST(({body}) AS {function.return_type})" if function.return_type else f"({body})"


def _is_query(body: str) -> bool:
    words = [t.word for t in tokens_of(body)[:1]]
    return words in (["SELECT"], ["WITH"])


def _shadowing(store: CatalogStore, function: Function, text: str) -> frozenset[str]:
    session = SqlSession("", admin=True, catalog=function.body_catalog, schema=function.body_schema)
    return known_columns(store, session, single(text))


def _bound(function: Function, arguments: Sequence[str]) -> dict[str, str]:
    by_name = dict(_named_argument(a) for a in arguments if "=>" in a and _named_argument(a)[0])
    positional = [a for a in arguments if not ("=>" in a and _named_argument(a)[0])]
    values: dict[str, str] = {}
    for i, parameter in enumerate(function.parameters):
        given = positional[i] if i < len(positional) else by_name.get(parameter.name.lower(), parameter.default)
        if given is None:
            raise _wrong_arguments(function, len(arguments))
        values[parameter.name.lower()] = f"CAST(({given}) AS {parameter.type_text})"
    if len(arguments) > len(function.parameters):
        raise _wrong_arguments(function, len(arguments))
    return values


def _named_argument(argument: str) -> tuple[str, str]:
    tokens = tokens_of(argument)
    if len(tokens) > 2 and tokens[0].kind in _NAMES and argument[tokens[1].start :].startswith("=>"):
        return _name(tokens[0], argument), argument[argument.index("=>") + 2 :]
    return "", argument


def _wrong_arguments(function: Function, given: int) -> SqlError:
    wanted = len(function.parameters)
    return SqlError(
        "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
        f"The `{function.name}` requires {wanted} parameters but the actual number is {given}.",
        "42605",
    )


def _put_arguments(body: str, function: Function, values: Mapping[str, str], shadowing: frozenset[str]) -> str:
    tokens = tokens_of(body)
    replacements = []
    for at, token in enumerate(tokens):
        name = _name(token, body) if token.kind in _NAMES else ""
        if name not in values or _word(tokens, at + 1) in ("(", "."):
            continue
        qualified = _word(tokens, at - 1) == "."
        if qualified and _name(tokens[at - 2], body) == function.name:
            replacements.append((Span(tokens[at - 2].start, token.end), values[name]))
        elif not qualified and name not in shadowing and _word(tokens, at - 1) != "AS":
            replacements.append((Span(token.start, token.end), values[name]))
    return replace_spans(body, replacements)


def _no_function(parts: Sequence[str]) -> SqlError:
    name = ".".join(f"`{p}`" for p in parts)
    return SqlError("UNRESOLVED_ROUTINE", f"Cannot resolve routine {name} on search path.", "42883")


# --- tokens ---------------------------------------------------------------------------------------------------------


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].word if 0 <= at < len(tokens) else ""


def _name(token: Token, text: str) -> str:
    raw = text[token.start : token.end]
    return (raw[1:-1].replace("``", "`") if raw.startswith("`") else raw).lower()


def _closing(tokens: Sequence[Token], opening: int) -> int:
    depth = 0
    for at in range(opening, len(tokens)):
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if depth == 0:
            return at
    raise SqlError("PARSE_SYNTAX_ERROR", "A parenthesis is not closed.", "42601")


def _arguments(text: str, tokens: Sequence[Token], opening: int, closing: int) -> list[str]:
    cuts, depth = [opening], 0
    for at in range(opening + 1, closing):
        depth += (tokens[at].word in ("(", "[")) - (tokens[at].word in (")", "]"))
        if tokens[at].word == "," and depth == 0:
            cuts.append(at)
    cuts.append(closing)
    pieces = [text[tokens[a].end : tokens[b].start].strip() for a, b in pairwise(cuts)]
    return [] if pieces == [""] else pieces


def _is_select_item(tokens: Sequence[Token], at: int, closing: int) -> bool:
    before, after = _word(tokens, at - 1), _word(tokens, closing + 1)
    depth = sum((t.word == "(") - (t.word == ")") for t in tokens[:at])
    has_from = any(t.word == "FROM" for t in tokens[:at])
    return depth == 0 and not has_from and before in ("SELECT", ",", "DISTINCT") and after in ("", ",", "FROM")


def _outermost(replacements: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Leave out what lies inside another: it comes up again in the next round."""
    kept: list[tuple[Span, str]] = []
    for span, text in sorted(replacements, key=lambda r: (r[0].start, -r[0].end)):
        if not kept or span.start >= kept[-1][0].end:
            kept.append((span, text))
    return kept
