"""GROUP BY ALL for an engine that lacks it: the items of the SELECT list that aggregate nothing, by position."""

from __future__ import annotations

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from brickyard.dbsql.rewrite import replace_spans
from brickyard.dbsql.tokens import Token
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.model import unsupported
from brickyard.notebooks.model import Span


def spelled_out(sql: str) -> str:
    """Replace each GROUP BY ALL by positions."""
    while (at := _group_by_all(tokens := tokens_of(sql))) is not None:
        sql = replace_spans(sql, [_positions(sql, tokens, at)])
    return sql


def _group_by_all(tokens: list[Token]) -> int | None:
    words = [token.word for token in tokens]
    for at in range(len(words) - 2):
        if words[at : at + 3] == ["GROUP", "BY", "ALL"]:
            return at
    return None


def _positions(sql: str, tokens: list[Token], at: int) -> tuple[Span, str]:
    items = _items(sql, tokens, at)
    grouped = [str(i) for i, item in enumerate(items, 1) if not _aggregates(item)]
    span = Span(tokens[at].start, tokens[at + 2].end)
    return span, f"GROUP BY {', '.join(grouped)}" if grouped else ""


def _items(sql: str, tokens: list[Token], at: int) -> list[str]:
    """The items of the SELECT list to which the clause belongs."""
    select = _back_to(tokens, at, "SELECT")
    cuts, depth, i = [select], 0, select + 1
    while depth or tokens[i].word != "FROM":
        depth += (tokens[i].word == "(") - (tokens[i].word == ")")
        if tokens[i].word == "," and depth == 0:
            cuts.append(i)
        i += 1
    bounds = zip(cuts, [*cuts[1:], i], strict=True)
    return [sql[tokens[a].end : tokens[b].start].strip() for a, b in bounds]


def _back_to(tokens: list[Token], at: int, word: str) -> int:
    depth = 0
    for i in range(at, -1, -1):
        depth += (tokens[i].word == ")") - (tokens[i].word == "(")
        if depth == 0 and tokens[i].word == word:
            return i
    raise unsupported("GROUP BY ALL here", "name the columns")


def _aggregates(item: str) -> bool:
    try:
        tree = parse_one(f"SELECT {item}", dialect="databricks")
    except SqlglotError as error:
        raise unsupported(f"GROUP BY ALL with {item!r}", "name the columns") from error
    found = (node for node in tree.find_all(exp.AggFunc) if node.find_ancestor(exp.Window) is None)
    return next(found, None) is not None
