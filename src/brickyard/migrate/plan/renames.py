"""The edits that give each reference its new name, as small as the text allows, or a finding where hands are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from brickyard.kernel.names import TableName, quote_if_needed
from brickyard.migrate.model.nouns import Condition, EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.python.literals import Literal
from brickyard.migrate.plan.python.strings import place_of
from brickyard.migrate.plan.python.values import Chars, Piece, Place, Slot, Text
from brickyard.migrate.plan.sites import Mapped, Site
from brickyard.migrate.plan.uses import Qualification, Use
from brickyard.notebooks.edit import position
from brickyard.notebooks.model import CellEdit, Notebook, Span

RULE = "references"


@dataclass(frozen=True, slots=True)
class Hunk:
    """A replacement in one cell."""

    place: Place
    text: str

    @property
    def edit(self) -> CellEdit:
        """The hunk as an edit."""
        return CellEdit(self.place.cell, self.place.span, self.text)


@dataclass(slots=True)
class Definitions:
    """What the literals, in which names are defined, are wanted to become; one wish each, or none is granted."""

    wishes: dict[tuple[int, int], set[str]] = field(default_factory=dict)

    def wish(self, literal: Literal, text: str) -> None:
        """Want a literal to hold *text*."""
        self.wishes.setdefault(literal.key, set()).add(text)


def propose(
    sites: Sequence[Site], notebook: Notebook, kept: frozenset[tuple[int, int]]
) -> Iterator[Proposal]:
    """Propose the edits of all sites; *kept* are literals that also serve something else than names."""
    moving = [site for site in sites if site.moves]
    definitions = Definitions()
    for site in sites:
        for mapped in site.rows:
            literal = defining_literal(mapped.use)
            if literal is not None:
                definitions.wish(literal, _wanted(mapped))
    edited: set[tuple[int, int]] = set()
    for site in moving:
        yield _propose(site, notebook, definitions, kept, edited)


def _wanted(mapped: Mapped) -> str:
    return sql_name(mapped.refactored) if isinstance(mapped.refactored, TableName) else mapped.use.text.text


def sql_name(name: TableName) -> str:
    """The name as it is written in SQL text."""
    return ".".join(map(quote_if_needed, (name.catalog, name.schema, name.name)))


def defining_literal(use: Use) -> Literal | None:
    """The one literal that holds the whole name, where the use itself is an expression or a field."""
    pieces = use.text.pieces
    if len(pieces) != 1 or not isinstance(pieces[0], Slot):
        return None
    piece: Piece = pieces[0]
    while isinstance(piece, Slot) and len(piece.inner.pieces) == 1:
        piece = piece.inner.pieces[0]
    if isinstance(piece, Chars) and piece.literal.cell and piece.text == piece.literal.value:
        return piece.literal
    return None


def _propose(
    site: Site,
    notebook: Notebook,
    definitions: Definitions,
    kept: frozenset[tuple[int, int]],
    edited: set[tuple[int, int]],
) -> Proposal:
    rule = ", ".join(dict.fromkeys(m.rule for m in site.rows if m.rule))
    conditions = tuple(_conditions(site))
    hunks = _hunks(site, definitions, kept, edited) if site.complete else None
    if hunks is not None:
        hunks = [*hunks, *_qualifier_hunks(site)]
    moves = dict.fromkeys(f"{_plain(m.use.original)} → {_plain(m.refactored)}" for m in site.rows)
    return Proposal(
        rule=rule or RULE,
        edit_class=EditClass.CONDITIONAL if conditions else EditClass.EXACT,
        reason="; ".join(moves),
        hunks=tuple(h.edit for h in dict.fromkeys(hunks or ())),
        conditions=conditions,
        findings=() if hunks is not None else (_needs_hands(site, notebook),),
        apply=hunks is not None,
    )


def _plain(name: TableName | str | None) -> str:
    return f"{name.catalog}.{name.schema}.{name.name}" if isinstance(name, TableName) else str(name or "unknown")


def _conditions(site: Site) -> Iterator[Condition]:
    """What was taken from outside to know the name."""
    given = dict.fromkeys(item for m in site.rows for item in m.use.text.given().items())
    for name, value in given:
        yield Condition(f"the {name} is {value!r}, as planned", True)


def _needs_hands(site: Site, notebook: Notebook) -> Finding:
    cell = next(c for c in notebook.cells if c.index == site.place.cell)
    text = site.place.span.slice(cell.source)
    targets = ", ".join(sorted({_plain(m.refactored) for m in site.rows}))
    return Finding(
        code="name-computed",
        severity=Severity.WARN,
        message=f"{text} can become {targets}; no single edit here makes it so",
        remedy="change the values it is computed from by hand, then plan again",
        cell=site.place.cell,
        line=position(notebook, site.place.cell, site.place.span).line,
        subject=text,
    )


def _hunks(
    site: Site, definitions: Definitions, kept: frozenset[tuple[int, int]], edited: set[tuple[int, int]]
) -> list[Hunk] | None:
    """The hunks that rename a site, by the first way that works; None where none does."""
    whole = site.rows[0].use.whole
    if whole is not None:
        return _replace_whole(site, whole)
    if _is_literal(site):
        return _replace_literal(site)
    prefix = _change_prefix(site)
    if prefix is not None:
        return prefix
    defined = _change_definitions(site, definitions, kept)
    if defined is not None:
        fresh = [(key, hunk) for key, hunk in defined if key not in edited]
        edited |= {key for key, _ in fresh}
        return [hunk for _, hunk in fresh]
    return _replace_expression(site)


def _new_names(site: Site) -> list[str]:
    return [sql_name(m.refactored) for m in site.rows if isinstance(m.refactored, TableName)]


def _replace_whole(site: Site, whole: Place) -> list[Hunk] | None:
    """`IDENTIFIER(…)` becomes the name itself."""
    new = set(_new_names(site))
    return [Hunk(whole, new.pop())] if len(new) == 1 and len(site.rows) >= 1 else None


def _is_literal(site: Site) -> bool:
    return len(site.rows) == 1 and all(isinstance(p, Chars) for p in site.rows[0].use.text.pieces)


def _replace_literal(site: Site) -> list[Hunk] | None:
    pieces = [p for p in site.rows[0].use.text.pieces if isinstance(p, Chars)]
    text = _between(pieces[0], pieces[-1], _new_names(site)[0])
    return [Hunk(site.place, text)]


def _between(first: Piece, last: Piece, new: str) -> str:
    """*new* as it is written from within the literal of *first* (or instead of it) to within that of *last*."""
    opened = "" if _in_literal(first) else _opening(last)
    closed = "" if _in_literal(last) else _closing(first)
    if _style(first) and _style(last) and _style(first) != _style(last):
        return f"{new}{_closing(first)} + {_opening(last)}"
    return f"{opened}{new}{closed}"


def _in_literal(piece: Piece) -> bool:
    return not (isinstance(piece, Slot) and piece.expression)


def _style(piece: Piece) -> tuple[str, str] | None:
    return (piece.literal.opening, piece.literal.quotes) if isinstance(piece, Chars) else None


def _opening(piece: Piece) -> str:
    return piece.literal.opening if isinstance(piece, Chars) else '"'


def _closing(piece: Piece) -> str:
    return piece.literal.quotes if isinstance(piece, Chars) else '"'


def _change_prefix(site: Site) -> list[Hunk] | None:
    """Replace the first pieces of a template by one text and keep the rest, whatever values it takes."""
    templates = [m.use.text.pieces for m in site.rows]
    shapes = {tuple(_shape(p) for p in pieces) for pieces in templates}
    if len(shapes) != 1:
        return None
    for kept in range(len(templates[0]) - 1, 0, -1):
        new = _common_prefix(site, len(templates[0]) - kept)
        if new is not None:
            return _prefix_hunks(site, len(templates[0]) - kept, new)
    return _prefix_hunks(site, len(templates[0]), _new_names(site)[0]) if len(set(_new_names(site))) == 1 else None


def _shape(piece: Piece) -> object:
    return (piece.place, piece.expression) if isinstance(piece, Slot) else piece


def _common_prefix(site: Site, count: int) -> str | None:
    """What the first *count* pieces would have to become, when that is the same for every name."""
    found: set[str] = set()
    for mapped, new in zip(site.rows, _new_names(site), strict=True):
        kept = "".join(p.text for p in mapped.use.text.pieces[count:])
        if not new.lower().endswith(kept.lower()) or len(new) == len(kept):
            return None
        found.add(new[: len(new) - len(kept)])
    return found.pop() if len(found) == 1 else None


def _prefix_hunks(site: Site, count: int, new: str) -> list[Hunk] | None:
    """Write *new* instead of the first *count* pieces."""
    pieces = site.rows[0].use.text.pieces[:count]
    if any(isinstance(p, Slot) and p.argument is not None for p in pieces):
        return _argument_hunks(site, count, new)
    if _only_a_given_name(pieces, site):
        return None
    where = place_of(Text(tuple(pieces)), 0, sum(len(p.text) for p in pieces))
    if where is None:
        return None
    if len(pieces) == 1 and isinstance(pieces[0], Slot) and pieces[0].expression:
        return None if count == len(site.rows[0].use.text.pieces) else [Hunk(where, f'"{new}"')]
    return [Hunk(where, _between(pieces[0], pieces[-1], new))]


def _only_a_given_name(pieces: Sequence[Piece], site: Site) -> bool:
    """Whether the whole name is one value, so that it is better changed where it is defined."""
    return len(pieces) == 1 and isinstance(pieces[0], Slot) and len(site.rows[0].use.text.pieces) == 1


def _argument_hunks(site: Site, count: int, new: str) -> list[Hunk] | None:
    """Change the arguments of a counted template, and take out the text between its slots that went into them."""
    hunks: list[Hunk] = []
    for mapped in site.rows:
        pieces = mapped.use.text.pieces[:count]
        slots = [p for p in pieces if isinstance(p, Slot)]
        if any(s.argument is None or not s.argument.cell for s in slots):
            return None
        for index, one in enumerate(slots):
            assert one.argument is not None
            hunks.append(Hunk(one.argument, f'"{new}"' if index == 0 else '""'))
        texts = [p for p in pieces if isinstance(p, Chars)]
        hunks += [Hunk(where, "") for p in texts if (where := place_of(Text((p,)), 0, len(p.text))) is not None]
    distinct = list(dict.fromkeys(hunks))
    return distinct if len({h.place for h in distinct}) == len(distinct) else None


def _change_definitions(
    site: Site, definitions: Definitions, kept: frozenset[tuple[int, int]]
) -> list[tuple[tuple[int, int], Hunk]] | None:
    """Change the literals that define the names, when all their uses agree."""
    found: list[tuple[tuple[int, int], Hunk]] = []
    for mapped in site.rows:
        literal = defining_literal(mapped.use)
        if literal is None or literal.key in kept or len(definitions.wishes[literal.key]) != 1:
            return None
        if mapped.refactored != mapped.use.original:
            start, end = literal.span(0, len(literal.value))
            found.append((literal.key, Hunk(Place(literal.cell, Span(start, end)), _wanted(mapped))))
    return found


def _replace_expression(site: Site) -> list[Hunk] | None:
    """Write the one name that an expression or a field can be in its place."""
    new = set(_new_names(site))
    pieces = site.rows[0].use.text.pieces
    given = any(m.use.text.given() for m in site.rows)
    if len(new) != 1 or len(pieces) != 1 or given or not isinstance(pieces[0], Slot):
        return None
    if pieces[0].argument is not None:
        return [Hunk(pieces[0].argument, f'"{new.pop()}"')] if pieces[0].argument.cell else None
    return [Hunk(site.place, f'"{new.pop()}"' if pieces[0].expression else new.pop())]


# Columns qualified by the table's name


def _qualifier_hunks(site: Site) -> list[Hunk]:
    mapped = site.rows[0]
    if not mapped.use.qualifiers or not isinstance(mapped.refactored, TableName):
        return []
    hunks: list[Hunk] = []
    for qualification in mapped.use.qualifiers:
        hunks += _qualifier_hunk(qualification, mapped, site)
    return hunks


def _qualifier_hunk(qualification: Qualification, mapped: Mapped, site: Site) -> Iterator[Hunk]:
    """The name before a column becomes the last part of the new name, or all of it where that is not enough."""
    old, new = mapped.use.original, mapped.refactored
    assert isinstance(new, TableName)
    same_last = isinstance(old, TableName) and old.name.lower() == new.name.lower()
    if qualification.parts == 1 and same_last:
        return
    if len(site.rows) > 1 and not same_last:
        return
    if len(site.rows) > 1:
        yield from _without_prefix(qualification)
        return
    short = new.name.lower() not in mapped.use.others
    yield Hunk(qualification.place, quote_if_needed(new.name) if short else sql_name(new))


def _without_prefix(qualification: Qualification) -> Iterator[Hunk]:
    """Take out everything before the last part."""
    text = qualification.text.text
    where = place_of(qualification.text, 0, text.rfind(".") + 1) if "." in text else None
    if where is not None:
        yield Hunk(where, "")


def schema_hunks(uses: Iterable[tuple[Place, str]]) -> list[Hunk]:
    """Replacements of whole schemas."""
    return [Hunk(place, text) for place, text in uses]


