"""TRUNCATE followed by INSERT: one atomic INSERT OVERWRITE, positional like the INSERT it replaces.

After a TRUNCATE everything sees the table empty; under INSERT OVERWRITE the source sees the rows of before. So the rewrite
is refused whenever the target may be read between the two statements or by the INSERT's own source, views included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brickyard.dbsql.model import Kind, Reference, Side, Statement
from brickyard.migrate.model import Condition, Finding, Proposal, Severity
from brickyard.migrate.plan.rewrites.blocks import Tokens, tokenize
from brickyard.migrate.plan.rewrites.view import NotebookView, SqlUnit, masked
from brickyard.notebooks.model import CellEdit, Language, Notebook, Span

RULE = "truncate-insert"
_TAKEN_OUT = frozenset({"TRUNCATE", "OPTIMIZE", "ANALYZE", "VACUUM", "SELECT"})


@dataclass(frozen=True, slots=True)
class _At:
    unit: SqlUnit
    statement: Statement


@dataclass(frozen=True, slots=True)
class _Pair:
    truncate: _At
    insert: _At
    target: Reference
    between: tuple[_At, ...]


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose one rewrite for each TRUNCATE that an INSERT into the same table follows."""
    timeline = [_At(unit, statement) for unit in view.units for statement in unit.script.statements]
    for position, at in enumerate(timeline):
        if at.statement.verb == "TRUNCATE" and not at.unit.embedded:
            pair = _pair(view, timeline, position)
            if pair:
                yield _proposal(view, pair)


def _pair(view: NotebookView, timeline: list[_At], position: int) -> _Pair | None:
    truncate = timeline[position]
    target = _target(truncate.statement)
    name = view.name_of(truncate.unit, target) if target else None
    if target is None:
        return None
    for later in range(position + 1, len(timeline)):
        at = timeline[later]
        written = _target(at.statement)
        if at.statement.verb == "INSERT" and written and _same(view, truncate, target, at, written, name):
            between = tuple(timeline[position + 1 : later])
            return None if at.unit.embedded else _Pair(truncate, at, written, between)
        if at.statement.verb == "TRUNCATE" and written and _same(view, truncate, target, at, written, name):
            return None
    return None


def _target(statement: Statement) -> Reference | None:
    return next((r for r in statement.references if r.side is not Side.READ and r.kind is not Kind.FUNCTION), None)


def _same(view: NotebookView, a: _At, first: Reference, b: _At, second: Reference, name: str | None) -> bool:
    if name is not None:
        return view.name_of(b.unit, second) == name
    return first.span.slice(a.unit.text) == second.span.slice(b.unit.text)


def _proposal(view: NotebookView, pair: _Pair) -> Proposal:
    setting = view.settings[RULE]
    conditions = tuple(_conditions(view, pair))
    hunks = _overwrite(view, pair) if setting.options.get("form", "overwrite") == "overwrite" else _merge(view, pair)
    refused = [c.text for c in conditions if c.holds is False]
    if hunks is None:
        refused.append("the INSERT can be written in the wanted form")
        hunks = ()
    return Proposal(
        rule=RULE,
        edit_class=setting.edit_class,
        reason="TRUNCATE and INSERT become one atomic INSERT OVERWRITE"
        if not refused
        else "left as it is, since this does not hold: " + "; ".join(refused),
        hunks=tuple(hunks) if not refused else (),
        conditions=conditions,
        findings=tuple(_refusal(pair, refused)),
        apply=setting.apply,
    )


def _refusal(pair: _Pair, refused: list[str]) -> Iterator[Finding]:
    if refused:
        yield Finding(
            code="truncate-insert-kept",
            severity=Severity.INFO,
            message="TRUNCATE and INSERT stay two statements, since this does not hold: " + "; ".join(refused),
            remedy="rewrite by hand if the table may not be seen empty in between",
            cell=pair.truncate.unit.cell,
        )


def _conditions(view: NotebookView, pair: _Pair) -> Iterator[Condition]:
    yield Condition("no statement between the two touches the target", _untouched_between(view, pair))
    yield Condition("the INSERT's source does not read the target", _source_is_free(view, pair))
    yield Condition("the INSERT and the TRUNCATE address no partition", _no_partition(pair))
    yield Condition("partitions are not overwritten dynamically", _not_dynamic(view))
    yield Condition("the target has no identity or generated columns", None)


def _untouched_between(view: NotebookView, pair: _Pair) -> bool:
    """No statement between reads or writes the target, and no Python cell in between could."""
    if any(_may_touch(view, pair, at) for at in pair.between):
        return False
    cells = range(pair.truncate.unit.cell + 1, pair.insert.unit.cell)
    known = {at.unit.cell for at in pair.between}
    quiet = (Language.SQL, Language.MARKDOWN)
    return all(c.language in quiet or c.index in known for c in view.notebook.cells if c.index in cells)


def _may_touch(view: NotebookView, pair: _Pair, at: _At) -> bool:
    if at.statement.error or at.statement.verb in ("EXECUTE IMMEDIATE", "USE SCHEMA", "USE CATALOG"):
        return True
    named = (*at.statement.references, *at.statement.temp_references)
    return any(_may_be_target(view, pair, at.unit, r) for r in named)


def _may_be_target(view: NotebookView, pair: _Pair, unit: SqlUnit, reference: Reference) -> bool:
    """Whether a reference is the target, reads it through a view, or cannot be told from it."""
    if reference.kind in (Kind.FUNCTION, Kind.PATH):
        return False
    target = view.name_of(pair.truncate.unit, _target(pair.truncate.statement) or pair.target)
    name = view.name_of(unit, reference)
    if target is None or name is None:
        return _last(reference) is None or _last(reference) == _last(pair.target)
    return name == target or target in _reached(view, name)


def _last(reference: Reference) -> str | None:
    literal = reference.parts[-1].literal if reference.parts else None
    return literal.lower() if literal is not None else None


def _reached(view: NotebookView, name: str) -> frozenset[str]:
    """The names a relation reads: through the views of the workspace and those the notebook itself creates."""
    sources = {**_own_views(view), **view.view_sources}
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        for source in sources.get(waiting.pop(), frozenset()) - reached:
            reached.add(source)
            waiting.append(source)
    return frozenset(reached)


def _own_views(view: NotebookView) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for unit in view.units:
        for statement in unit.script.statements:
            subject = _subject(view, unit, statement)
            if subject:
                reads = (view.name_of(unit, r) for r in statement.references if r.side is Side.READ)
                temp = (".".join(r.literal or ()).lower() for r in statement.temp_references)
                found[subject] = found.get(subject, frozenset()) | {r for r in (*reads, *temp) if r}
    return found


def _subject(view: NotebookView, unit: SqlUnit, statement: Statement) -> str | None:
    """The view a statement creates, in lower case; a temp view by its bare name."""
    if statement.temp_view:
        return statement.temp_view.lower()
    if statement.verb != "CREATE VIEW":
        return None
    target = _target(statement)
    return view.name_of(unit, target) if target else None


def _source_is_free(view: NotebookView, pair: _Pair) -> bool:
    statement = pair.insert.statement
    reads = [r for r in statement.references if r is not pair.target]
    return not any(_may_be_target(view, pair, pair.insert.unit, r) for r in (*reads, *statement.temp_references))


def _no_partition(pair: _Pair) -> bool:
    return not any("partition" in at.statement.arguments for at in (pair.truncate, pair.insert))


def _not_dynamic(view: NotebookView) -> bool:
    return "partitionoverwritemode" not in view.notebook.text.lower()


def _overwrite(view: NotebookView, pair: _Pair) -> list[CellEdit] | None:
    insert, text = pair.insert, pair.insert.unit.text
    tokens = tokenize(masked(insert.unit, insert.statement))
    if tokens is None or tokens.word(1) != "INTO":
        return None
    last = 2 if tokens.word(2) == "TABLE" else 1
    start = insert.statement.span.start
    head = Span(start, start + tokens.tokens[last].end + 1)
    keyword = "INSERT OVERWRITE" if head.slice(text)[:6].isupper() else "insert overwrite"
    table = " TABLE" if keyword.isupper() else " table"
    return [
        *take_out(view.notebook, pair.truncate.unit, pair.truncate.statement),
        insert.unit.edit(head, keyword + table),
    ]


def _merge(view: NotebookView, pair: _Pair) -> list[CellEdit] | None:
    """MERGE with NOT MATCHED BY SOURCE, for an INSERT with a column list and a query; None for any other."""
    insert = pair.insert
    tokens = tokenize(masked(insert.unit, insert.statement))
    columns = _column_list(tokens, insert, pair.target) if tokens else None
    if tokens is None or columns is None:
        return None
    opening, closing, names = columns
    start, text = insert.statement.span.start, insert.unit.text
    listed = ", ".join(names)
    values = ", ".join(f"source.{n}" for n in names)
    query = Span(start + tokens.tokens[closing].end + 1, insert.statement.span.end)
    aliased = query.slice(text).strip()
    target = pair.target.whole or pair.target.span
    merged = (
        f"USING (SELECT * FROM ({aliased}) AS query({listed})) AS source\nON FALSE\n"
        f"WHEN NOT MATCHED THEN INSERT ({listed}) VALUES ({values})\nWHEN NOT MATCHED BY SOURCE THEN DELETE"
    )
    return [
        *take_out(view.notebook, pair.truncate.unit, pair.truncate.statement),
        insert.unit.edit(Span(start, target.start), "MERGE INTO "),
        insert.unit.edit(Span(start + tokens.tokens[opening].start, query.end), merged),
    ]


def _column_list(tokens: Tokens, insert: _At, target: Reference) -> tuple[int, int, list[str]] | None:
    after = (target.whole or target.span).end - insert.statement.span.start
    opening = next((i for i, t in enumerate(tokens.tokens) if t.start >= after), len(tokens.tokens))
    closing = tokens.partner.get(opening)
    if closing is None or tokens.word(closing + 1) not in ("SELECT", "WITH"):
        return None
    names = [tokens.slice(i, i) for i in range(opening + 1, closing) if tokens.word(i) != ","]
    return (opening, closing, names) if names and tokens.word(opening + 1) not in ("SELECT", "WITH") else None


def take_out(notebook: Notebook, unit: SqlUnit, statement: Statement) -> list[CellEdit]:
    """Take a statement out, with its semicolon and, where it stood on lines of its own, a line break.

    That is the one after it; in a cell of nothing but such statements it is the one before, so that no blank line stays.
    """
    text, start = unit.text, statement.span.start
    end = _skip_blanks(text, statement.span.end)
    end = end + 1 if end < len(text) and text[end] == ";" else statement.span.end
    if start == 0 or text[start - 1] == "\n":
        end = _skip_blanks(text, end)
        closed = end == len(text) or text[end] == "\n"
        if closed and goes_whole(unit) and _before(notebook, unit, start) == "\n":
            start -= 1
        elif end < len(text) and closed:
            end += 1
    return [unit.edit(Span(start, end), "")]


def goes_whole(unit: SqlUnit) -> bool:
    """Whether all that stands in the text may be taken out, comments being taken out by others."""
    statements = unit.script.statements
    wanted = all(s.verb.split(" ")[0] in _TAKEN_OUT for s in statements)
    return wanted and not _around(unit).strip("; \t\n")


def _around(unit: SqlUnit) -> str:
    """The text outside of the statements."""
    starts = [s.span.start for s in unit.script.statements] + [len(unit.text)]
    ends = [0] + [s.span.end for s in unit.script.statements]
    return "".join(unit.text[end:start] for end, start in zip(ends, starts, strict=True))


def _before(notebook: Notebook, unit: SqlUnit, start: int) -> str:
    """The character of the cell before an offset of its text."""
    source = next(c.source for c in notebook.cells if c.index == unit.cell)
    at = unit.offset + start
    return source[at - 1 : at]


def _skip_blanks(text: str, index: int) -> int:
    while index < len(text) and text[index] in " \t":
        index += 1
    return index
