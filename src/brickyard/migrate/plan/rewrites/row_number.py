"""ROW_NUMBER in a subquery or CTE with a filter outside: the filter becomes QUALIFY inside.

The predicate on the window column moves, alone, to where the window is computed; whatever else the outer WHERE says stays
outside, so it is still evaluated after the window. The window column stays in the projection unless nothing uses it and
the outer query is a plain list of the inner columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot.tokens import TokenType

from brickyard.dbsql.model import Statement
from brickyard.migrate.model import Condition, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.blocks import Block, Tokens, blocks, has_join, split_and, split_commas, tokenize
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit, masked
from brickyard.notebooks.model import CellEdit, Span

RULE = "row-number-to-qualify"
_RANKINGS = {"ROW_NUMBER", "RANK", "DENSE_RANK"}
_COMPARISONS = {TokenType.EQ, TokenType.LT, TokenType.LTE}
_NO_MERGE = ("group", "having", "window", "qualify", "limit", "order")


@dataclass(frozen=True, slots=True)
class _Ranked:
    """An inner block with one ranking column: its projection (token range), its alias and the order keys."""

    block: Block
    projection: tuple[int, int]
    alias: str
    keys: int


@dataclass(frozen=True, slots=True)
class _Use:
    """Where a ranked block is read: the outer block, the source's brackets, its alias and the filter to move."""

    outer: Block
    brackets: tuple[int, int]
    source: tuple[int, int]  # the relation in the outer FROM: brackets and alias, or the CTE's name
    alias: str | None
    parts: list[tuple[int, int]]  # the conjuncts of the outer WHERE
    moved: tuple[int, int]


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose one rewrite for each ranked subquery or CTE whose filter can move inside."""
    for unit in view.units:
        for statement in unit.script.statements:
            tokens = None if statement.error else tokenize(masked(unit, statement))
            if tokens is not None and "(" in tokens.text:
                yield from _propose(view, unit, statement, tokens)


def _propose(view: NotebookView, unit: SqlUnit, statement: Statement, tokens: Tokens) -> Iterator[Proposal]:
    found = blocks(tokens)
    for inner in found:
        ranked = _ranked(tokens, inner)
        use = _use(tokens, found, ranked) if ranked else None
        if ranked and use:
            hunks = _flat(tokens, ranked, use) or _nested(tokens, ranked, use)
            yield Proposal(
                rule=RULE,
                edit_class=view.settings[RULE].edit_class,
                apply=view.settings[RULE].apply,
                reason="the filter on the window column moves into QUALIFY, where the window is computed",
                hunks=tuple(unit.edit(h.span.shift(statement.span.start), h.replacement) for h in hunks),
                conditions=(
                    Condition("no input column has the name of the window column", _plain_input(tokens, ranked)),
                ),
                findings=_ties(unit, statement, ranked, view),
            )


def _ranked(tokens: Tokens, block: Block) -> _Ranked | None:
    if block.set_operation or block.distinct or block.has("qualify", "limit"):
        return None
    rankings = [p for p in block.projections if (name := _ranking_alias(tokens, *p)) is not None and name]
    if len(rankings) != 1:
        return None
    first, last = rankings[0]
    alias = _ranking_alias(tokens, first, last)
    return _Ranked(block, (first, last), alias, _order_keys(tokens, first, last)) if alias else None


def _ranking_alias(tokens: Tokens, first: int, last: int) -> str | None:
    """The alias of `ROW_NUMBER() OVER (…) AS rn`, None for any other projection."""
    close = tokens.partner.get(first + 1)
    if tokens.word(first) not in _RANKINGS or close is None or tokens.word(close + 1) != "OVER":
        return None
    window = tokens.partner.get(close + 2)
    if window is None:
        return None
    alias = last if tokens.kind(window + 1) is TokenType.ALIAS else window + 1
    written = last == alias and alias > window and tokens.kind(alias) in (TokenType.VAR, TokenType.IDENTIFIER)
    return tokens.tokens[alias].text if written else None


def _order_keys(tokens: Tokens, first: int, last: int) -> int:
    window = tokens.partner[first + 1] + 2
    inside = range(window + 1, tokens.partner[window])
    order = next((i for i in inside if tokens.kind(i) is TokenType.ORDER_BY), None)
    return len(list(split_commas(tokens, order + 1, tokens.partner[window] - 1))) if order is not None else 0


def _use(tokens: Tokens, found: tuple[Block, ...], ranked: _Ranked) -> _Use | None:
    before = ranked.block.first - 1
    if tokens.kind(before) is not TokenType.L_PAREN or tokens.partner[before] != ranked.block.last + 1:
        return None
    brackets = (before, tokens.partner[before])
    if tokens.kind(before - 1) is TokenType.ALIAS and tokens.kind(before - 2) in (TokenType.VAR, TokenType.IDENTIFIER):
        return _cte_use(tokens, found, ranked, brackets, tokens.tokens[before - 2].text)
    for outer in found:
        if outer.has("from") and outer.clauses["from"][0] + 1 == before:
            return _check_use(tokens, outer, ranked, brackets, *_source(tokens, outer, brackets))
    return None


def _source(tokens: Tokens, outer: Block, brackets: tuple[int, int]) -> tuple[tuple[int, int], str | None]:
    """The subquery with its alias as a token range, and the alias."""
    index = brackets[1] + 1
    end = outer.clauses["from"][1]
    if index > end:
        return brackets, None
    if tokens.kind(index) is TokenType.ALIAS:
        index += 1
    return (brackets[0], index), tokens.tokens[index].text


def _cte_use(
    tokens: Tokens, found: tuple[Block, ...], ranked: _Ranked, brackets: tuple[int, int], name: str
) -> _Use | None:
    mentions = [
        i
        for i, t in enumerate(tokens.tokens)
        if t.text.lower() == name.lower() and tokens.kind(i + 1) is not TokenType.DOT
    ]
    uses = [i for i in mentions if tokens.kind(i - 1) in (TokenType.FROM, TokenType.JOIN)]
    if len(uses) != 1 or len(mentions) != 2:
        return None
    outer = next((b for b in found if b.has("from") and b.clauses["from"][0] + 1 == uses[0]), None)
    if outer is None:
        return None
    end = outer.clauses["from"][1]
    alias = tokens.tokens[end].text if end > uses[0] else name
    return _check_use(tokens, outer, ranked, brackets, (uses[0], end), alias)


def _check_use(
    tokens: Tokens, outer: Block, ranked: _Ranked, brackets: tuple[int, int], source: tuple[int, int], alias: str | None
) -> _Use | None:
    """The use, when the outer FROM holds this relation only and one conjunct compares the window column with a number."""
    if source[1] != outer.clauses["from"][1] or has_join(tokens, *outer.clauses["from"]) or not outer.has("where"):
        return None
    first, last = outer.clauses["where"]
    parts = split_and(tokens, first + 1, last)
    if parts is None:
        return None
    filters = [p for p in parts if _is_filter(tokens, *p, ranked.alias, alias)]
    return _Use(outer, brackets, source, alias, parts, filters[0]) if len(filters) == 1 else None


def _is_filter(tokens: Tokens, first: int, last: int, column: str, alias: str | None) -> bool:
    """Whether a conjunct is `rn = 1`, `x.rn <= 3` or `1 = rn`."""
    if tokens.kind(first) is TokenType.NUMBER:
        return (
            tokens.kind(first + 1) is TokenType.EQ
            and _is_column(tokens, first + 2, last, column, alias)
            and first + 2 <= last
        )
    return (
        tokens.kind(last) is TokenType.NUMBER
        and tokens.kind(last - 1) in _COMPARISONS
        and _is_column(tokens, first, last - 2, column, alias)
    )


def _is_column(tokens: Tokens, first: int, last: int, column: str, alias: str | None) -> bool:
    words = [tokens.tokens[i].text.lower() for i in range(first, last + 1)]
    return words == [column.lower()] or (alias is not None and words == [alias.lower(), ".", column.lower()])


def _plain_input(tokens: Tokens, ranked: _Ranked) -> bool | None:
    """True when the block's own text shows that no input column shares the window column's name."""
    if any(tokens.slice(*p).endswith("*") for p in ranked.block.projections):
        return True  # a second column of that name would have made the outer filter ambiguous
    return None


def _nested(tokens: Tokens, ranked: _Ranked, use: _Use) -> list[CellEdit]:
    """QUALIFY inside the brackets, the conjunct taken out of the outer WHERE; nothing else moves."""
    comparison = _comparison(tokens, use, ranked.alias)
    at = _before_order(tokens, ranked.block)
    return [
        CellEdit(0, Span(at, at), _break(tokens, ranked.block) + f"QUALIFY {comparison}"),
        _without_filter(tokens, use),
    ]


def _before_order(tokens: Tokens, block: Block) -> int:
    last = block.clauses["order"][0] - 1 if block.has("order") else block.last
    return tokens.tokens[last].end + 1


def _comparison(tokens: Tokens, use: _Use, replacement: str) -> str:
    first, last = use.moved
    if tokens.kind(first) is TokenType.NUMBER:
        return f"{replacement} = {tokens.tokens[first].text}"
    return f"{replacement} {tokens.tokens[last - 1].text} {tokens.tokens[last].text}"


def _break(tokens: Tokens, block: Block) -> str:
    """The white space that stands before the block's last clause, so that QUALIFY lines up with it."""
    clause = max((c for name, c in block.clauses.items() if name != "order"), default=None)
    if clause is None:
        return " "
    previous = tokens.tokens[clause[0] - 1].end + 1
    gap = tokens.text[previous : tokens.tokens[clause[0]].start]
    return "\n" + gap.rpartition("\n")[2] if "\n" in gap and not gap.strip() else " "


def _without_filter(tokens: Tokens, use: _Use) -> CellEdit:
    """Take the conjunct out of the outer WHERE, with the WHERE itself when it was the only one."""
    first, last = use.moved
    position = use.parts.index(use.moved)
    where = use.outer.clauses["where"][0]
    if len(use.parts) == 1:
        start, end = tokens.tokens[where - 1].end + 1, tokens.tokens[last].end + 1
        if "--" in tokens.text[start : tokens.tokens[where].start]:
            start = tokens.tokens[where].start
    elif position == 0:
        start, end = tokens.tokens[first].start, tokens.tokens[use.parts[1][0]].start
    else:
        start, end = tokens.tokens[use.parts[position - 1][1]].end + 1, tokens.tokens[last].end + 1
    return CellEdit(0, Span(start, end), "")


def _flat(tokens: Tokens, ranked: _Ranked, use: _Use) -> list[CellEdit] | None:
    """One query instead of two, when the outer one only lists the inner columns and filters on nothing else."""
    outer = use.outer
    if (
        len(use.parts) != 1
        or outer.distinct
        or outer.set_operation
        or outer.has(*_NO_MERGE)
        or ranked.block.has("order", "window")
    ):
        return None
    star = [tokens.slice(*p) for p in outer.projections] == ["*"]
    if not star and not _lists_all_but_rank(tokens, ranked, use):
        return None
    if use.brackets[0] != outer.clauses["from"][0] + 1:
        return None
    return _merge(tokens, ranked, use, keep_rank=star)


def _lists_all_but_rank(tokens: Tokens, ranked: _Ranked, use: _Use) -> bool:
    inner = [_output_name(tokens, *p) for p in ranked.block.projections if p != ranked.projection]
    outer = [_output_name(tokens, *p, alias=use.alias) for p in use.outer.projections]
    return bool(inner) and None not in inner and inner == outer and ranked.block.projections[-1] == ranked.projection


def _output_name(tokens: Tokens, first: int, last: int, alias: str | None = "") -> str | None:
    """The output column of a projection; with *alias* given, only a bare column (qualified by it at most) has one."""
    words = [tokens.tokens[i].text.lower() for i in range(first, last + 1)]
    if any(tokens.kind(i) is TokenType.STAR for i in range(first, last + 1)):
        return None
    if len(words) == 1:
        return words[0]
    if len(words) == 3 and words[1] == "." and (alias == "" or words[0] == (alias or "").lower()):
        return words[2]
    return words[-1] if alias == "" and tokens.kind(last - 1) is TokenType.ALIAS else None


def _merge(tokens: Tokens, ranked: _Ranked, use: _Use, *, keep_rank: bool) -> list[CellEdit] | None:
    outer, inner = use.outer, ranked.block
    head = Span(tokens.tokens[outer.first].start, tokens.tokens[inner.first].start)
    tail = Span(tokens.tokens[inner.last].end + 1, tokens.tokens[outer.last].end + 1)
    if (
        "--" in head.slice(tokens.text)
        or "--" in tail.slice(tokens.text)
        or "/*" in (head.slice(tokens.text) + tail.slice(tokens.text))
    ):
        return None
    window = _window(tokens, ranked)
    filtered = _comparison(tokens, use, ranked.alias if keep_rank else window)
    edits = [CellEdit(0, head, ""), CellEdit(0, tail, _outer_break(tokens, use) + f"QUALIFY {filtered}")]
    if keep_rank:
        return edits
    before = ranked.projection[0] - 1  # the comma
    gap = Span(tokens.tokens[before].start, tokens.tokens[ranked.projection[1]].end + 1)
    return None if "--" in gap.slice(tokens.text) else [edits[0], CellEdit(0, gap, ""), edits[1]]


def _outer_break(tokens: Tokens, use: _Use) -> str:
    where = use.outer.clauses["where"][0]
    gap = tokens.text[tokens.tokens[where - 1].end + 1 : tokens.tokens[where].start]
    return "\n" + gap.rpartition("\n")[2] if "\n" in gap else " "


def _window(tokens: Tokens, ranked: _Ranked) -> str:
    first = ranked.projection[0]
    return tokens.slice(first, tokens.partner[tokens.partner[first + 1] + 2])


def _ties(unit: SqlUnit, statement: Statement, ranked: _Ranked, view: NotebookView) -> tuple[Finding, ...]:
    if ranked.keys > 1:
        return ()
    return (
        Finding(
            code="tie-break-missing",
            severity=Severity.INFO,
            message=f"{ranked.alias} is ordered by {'one key' if ranked.keys else 'nothing'}: which of several tied rows "
            "gets the number is not determined, before and after the rewrite",
            remedy="add a unique column to the ORDER BY of the window if the choice matters",
            cell=unit.cell,
        ),
    )
