"""GROUP BY ALL for an engine that lacks it: the items of the SELECT list that aggregate nothing, by position."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from brickyard.dbsql.rewrite import replace_spans
from brickyard.dbsql.tokens import Token
from brickyard.local.sql.expand import tokens_of
from brickyard.local.sql.model import unsupported
from brickyard.local.sql.selects import selects
from brickyard.notebooks.model import Span


def spelled_out(sql: str) -> str:
    """Replace each GROUP BY ALL by positions."""
    while (at := _group_by_all(tokens := tokens_of(sql))) is not None:
        sql = replace_spans(sql, [_positions(sql, tokens, at)])
    return sql


def _group_by_all(tokens: Sequence[Token]) -> int | None:
    words = [token.word for token in tokens]
    for at in range(len(words) - 2):
        if words[at : at + 3] == ["GROUP", "BY", "ALL"]:
            return at
    return None


def _positions(sql: str, tokens: Sequence[Token], at: int) -> tuple[Span, str]:
    select = next(s for s in selects(tokens) if at in s.indexes)
    items = [sql[tokens[first].start : tokens[end - 1].end] for first, end in select.items()]
    grouped = [str(i) for i, item in enumerate(items, 1) if not _aggregates(item)]
    span = Span(tokens[at].start, tokens[at + 2].end)
    return span, f"GROUP BY {', '.join(grouped)}" if grouped else ""


def _aggregates(item: str) -> bool:
    try:
        tree = parse_one(f"SELECT {item}", dialect="databricks")
    except SqlglotError as error:
        raise unsupported(f"GROUP BY ALL with {item!r}", "name the columns") from error
    found = (node for node in tree.find_all(exp.AggFunc) if node.find_ancestor(exp.Window) is None)
    return next(found, None) is not None
