"""Ordinals in GROUP BY and ORDER BY become what they stand for.

GROUP BY takes the projection's expression, never its alias: Spark resolves a GROUP BY name to an input column before a
select alias. ORDER BY takes the output column, which Spark prefers there. Windows are left alone: `OVER (ORDER BY 1)` is a
constant.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot.tokens import TokenType

from brickyard.dbsql.model import Statement
from brickyard.migrate.model import EditClass, Proposal
from brickyard.migrate.plan.rewrites.blocks import Block, Tokens, blocks, split_commas, tokenize
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit, masked
from brickyard.notebooks.model import CellEdit, Span

RULE = "ordinals"
_ITEM_ENDS = {",", "ASC", "DESC", "NULLS"}
_GROUPINGS = {"ROLLUP", "CUBE", "GROUPING", "WITH", "SETS"}
_AGGREGATES = {
    "ANY_VALUE", "APPROX_COUNT_DISTINCT", "ARRAY_AGG", "AVG", "BOOL_AND", "BOOL_OR", "COLLECT_LIST", "COLLECT_SET",
    "COUNT", "COUNT_IF", "FIRST", "LAST", "MAX", "MAX_BY", "MEAN", "MEDIAN", "MIN", "MIN_BY", "MODE", "PERCENTILE",
    "PERCENTILE_APPROX", "STDDEV", "SUM", "VARIANCE",
}  # fmt: skip
_NOT_REPEATABLE = {"RAND", "RANDN", "UUID", "MONOTONICALLY_INCREASING_ID", "SELECT", "OVER", "EXPLODE", "POSEXPLODE"}


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose one rewrite for each clause that holds an ordinal which can be spelled out."""
    setting = view.settings[RULE]
    for unit in view.units:
        for statement in unit.script.statements:
            for clause, hunks in _clauses(unit, statement):
                yield Proposal(
                    rule=RULE,
                    edit_class=setting.edit_class if clause == "group" else EditClass.EXACT,
                    apply=setting.apply,
                    reason=f"{clause.upper()} BY names what it means instead of counting columns",
                    hunks=tuple(hunks),
                )


def _clauses(unit: SqlUnit, statement: Statement) -> Iterator[tuple[str, list[CellEdit]]]:
    tokens = None if statement.error else tokenize(masked(unit, statement))
    if tokens is None or "BY" not in tokens.text.upper():
        return
    for block in blocks(tokens):
        for clause in ("group", "order"):
            hunks = [] if block.set_operation or clause not in block.clauses else _spell_out(tokens, block, clause)
            if hunks:
                start = statement.span.start
                yield clause, [unit.edit(h.span.shift(start), h.replacement) for h in hunks]


def _spell_out(tokens: Tokens, block: Block, clause: str) -> list[CellEdit]:
    first, last = block.clauses[clause]
    if tokens.kind(first) not in (TokenType.GROUP_BY, TokenType.ORDER_BY):
        return []
    if any(tokens.word(i) in _GROUPINGS for i in range(first, last + 1)):
        return []
    hunks = []
    for a, _ in split_commas(tokens, first + 1, last):
        if tokens.kind(a) is TokenType.NUMBER and (a == last or tokens.word(a + 1) in _ITEM_ENDS):
            replacement = _replacement(tokens, block, clause, tokens.tokens[a].text)
            if replacement is None:
                return []
            hunks.append(CellEdit(0, tokens.span(a, a), replacement))
    return hunks


def _replacement(tokens: Tokens, block: Block, clause: str, ordinal: str) -> str | None:
    if not ordinal.isdigit() or not 1 <= int(ordinal) <= len(block.projections):
        return None
    if any(tokens.kind(last) is TokenType.STAR for _, last in block.projections[: int(ordinal)]):
        return None
    first, last = block.projections[int(ordinal) - 1]
    alias = _alias(tokens, first, last)
    if clause == "order" and alias is not None:
        return tokens.slice(alias, alias) if _unique(tokens, block, tokens.slice(alias, alias)) else None
    end = last if alias is None else alias - (2 if tokens.kind(alias - 1) is TokenType.ALIAS else 1)
    if clause == "order" and last > first and not _is_column(tokens, first, last) and block.distinct:
        return None
    return _expression(tokens, first, end, grouping=clause == "group")


def _alias(tokens: Tokens, first: int, last: int) -> int | None:
    """The index of the projection's alias token, None where it has none."""
    names = (TokenType.VAR, TokenType.IDENTIFIER)
    if last == first:
        return None
    if tokens.kind(last - 1) is TokenType.ALIAS:
        return last
    ends_value = (*names, TokenType.R_PAREN, TokenType.NUMBER, TokenType.STRING, TokenType.END, TokenType.R_BRACKET)
    return last if tokens.kind(last) in names and tokens.kind(last - 1) in ends_value else None


def _is_column(tokens: Tokens, first: int, last: int) -> bool:
    return all(tokens.kind(i) in (TokenType.VAR, TokenType.IDENTIFIER, TokenType.DOT) for i in range(first, last + 1))


def _unique(tokens: Tokens, block: Block, name: str) -> bool:
    outputs = []
    for first, last in block.projections:
        alias = _alias(tokens, first, last)
        outputs.append(tokens.slice(alias, alias) if alias is not None else tokens.slice(last, last))
    return [o.lower() for o in outputs].count(name.lower()) == 1


def _expression(tokens: Tokens, first: int, last: int, *, grouping: bool) -> str | None:
    """The expression on one line; None where repeating it would not mean the same."""
    words = {tokens.word(i) for i in range(first, last + 1)}
    text = tokens.slice(first, last)
    if words & _NOT_REPEATABLE or "--" in text or "/*" in text:
        return None
    if grouping and (words & _AGGREGATES or (first == last and tokens.kind(first) is TokenType.NUMBER)):
        return None
    if first == last and tokens.kind(first) in (TokenType.NUMBER, TokenType.STRING):
        return None
    return text if "\n" not in text else _one_line(tokens, first, last)


def _one_line(tokens: Tokens, first: int, last: int) -> str:
    pieces = [tokens.slice(first, first)]
    for index in range(first + 1, last + 1):
        gap = Span(tokens.tokens[index - 1].end + 1, tokens.tokens[index].start).slice(tokens.text)
        pieces += [" " if gap else "", tokens.slice(index, index)]
    return "".join(pieces)
