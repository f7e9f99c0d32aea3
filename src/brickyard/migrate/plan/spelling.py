"""Giving a reference its new name where it is written: the whole of it, or only the pieces before what stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brickyard.kernel.names import TableName, quote_if_needed
from brickyard.migrate.plan.python.strings import place_of
from brickyard.migrate.plan.python.values import Chars, Piece, Place, Slot, Text
from brickyard.migrate.plan.sites import Mapped, Site
from brickyard.notebooks.model import CellEdit


@dataclass(frozen=True, slots=True)
class Hunk:
    """A replacement in one cell."""

    place: Place
    text: str

    @property
    def edit(self) -> CellEdit:
        """The hunk as an edit."""
        return CellEdit(self.place.cell, self.place.span, self.text)


@dataclass(frozen=True, slots=True)
class Change:
    """The hunks for a site, and the pieces that stay and so must go on meaning what they do."""

    hunks: tuple[Hunk, ...]
    kept: tuple[Piece, ...] = ()


def sql_name(name: TableName) -> str:
    """The name as it is written in SQL text."""
    return ".".join(map(quote_if_needed, (name.catalog, name.schema, name.name)))


def new_name(mapped: Mapped) -> str:
    """What a use is to be called: as it is written already where its name stays."""
    if mapped.refactored == mapped.use.original or not isinstance(mapped.refactored, TableName):
        return mapped.use.text.text
    return sql_name(mapped.refactored)


def change_in_place(site: Site) -> Change | None:
    """The change where the reference is written, or None when only its definitions can be changed."""
    whole = site.rows[0].use.whole
    new = {new_name(m) for m in site.rows}
    if whole is not None:
        return Change((Hunk(whole, new.pop()),)) if len(new) == 1 else None
    pieces = site.rows[0].use.text.pieces
    if len(new) == 1 and all(isinstance(p, Chars) for p in pieces) and len(site.rows) == 1:
        return Change((Hunk(site.place, between(pieces[0], pieces[-1], new.pop())),))
    return _change_prefix(site, [new_name(m) for m in site.rows])


def between(first: Piece, last: Piece, new: str) -> str:
    """*new* as it is written from within the literal of *first* (or instead of it) to within that of *last*."""
    if _style(first) and _style(last) and _style(first) != _style(last):
        return f"{new}{_closing(first)} + {_opening(last)}"
    opened = "" if _in_literal(first) else _opening(last)
    closed = "" if _in_literal(last) else _closing(first)
    return f"{opened}{new}{closed}"


def _in_literal(piece: Piece) -> bool:
    return not (isinstance(piece, Slot) and piece.expression)


def _style(piece: Piece) -> tuple[str, str] | None:
    return (piece.literal.opening, piece.literal.quotes) if isinstance(piece, Chars) else None


def _opening(piece: Piece) -> str:
    return piece.literal.opening if isinstance(piece, Chars) else '"'


def _closing(piece: Piece) -> str:
    return piece.literal.quotes if isinstance(piece, Chars) else '"'


def same_shape(site: Site) -> bool:
    """Whether every name of the site is spelled by the same pieces of the source."""
    shapes = {tuple(_shape(p) for p in m.use.text.pieces) for m in site.rows}
    return len(shapes) == 1


def _shape(piece: Piece) -> object:
    return (piece.place, piece.expression) if isinstance(piece, Slot) else piece


def _change_prefix(site: Site, new: Sequence[str]) -> Change | None:
    """Replace the first pieces by one text and keep as many of the others as can be, whatever values they take."""
    pieces = site.rows[0].use.text.pieces
    if not same_shape(site):
        return None
    for count in range(1, len(pieces)):
        prefix = _common_prefix(site, new, count)
        if prefix is not None:
            return _with_prefix(site, count, prefix)
    return _with_prefix(site, len(pieces), new[0]) if len(set(new)) == 1 and len(pieces) > 1 else None


def _common_prefix(site: Site, new: Sequence[str], count: int) -> str | None:
    """What the first *count* pieces would have to become, when that is the same for every name."""
    found: set[str] = set()
    for mapped, name in zip(site.rows, new, strict=True):
        kept = "".join(p.text for p in mapped.use.text.pieces[count:])
        if not name.lower().endswith(kept.lower()) or len(name) == len(kept):
            return None
        found.add(name[: len(name) - len(kept)])
    return found.pop() if len(found) == 1 else None


def _with_prefix(site: Site, count: int, new: str) -> Change | None:
    """Write *new* instead of the first *count* pieces."""
    all_pieces = site.rows[0].use.text.pieces
    pieces, kept = all_pieces[:count], tuple(p for m in site.rows for p in m.use.text.pieces[count:])
    if any(isinstance(p, Slot) and p.argument is not None for p in pieces):
        hunks = _argument_hunks(site, count, new)
        return Change(tuple(hunks), kept) if hunks else None
    where = place_of_pieces(pieces)
    if where is None:
        return None
    if all(not _in_literal(p) for p in pieces):
        return Change((Hunk(where, f'"{new}"'),), kept)
    return Change((Hunk(where, between(pieces[0], pieces[-1], new)),), kept)


def place_of_pieces(pieces: Sequence[Piece]) -> Place | None:
    """Where pieces are written, when that is one range."""
    return place_of(Text(tuple(pieces)), 0, sum(len(p.text) for p in pieces))


def _argument_hunks(site: Site, count: int, new: str) -> list[Hunk]:
    """Change the arguments of a counted template, and take out the text between its slots that went into them."""
    hunks: dict[Place, str] = {}
    for mapped in site.rows:
        for place, text in _argument_changes(mapped.use.text.pieces[:count], new):
            if place is None or not place.cell or hunks.setdefault(place, text) != text:
                return []
    return [Hunk(place, text) for place, text in hunks.items()]


def _argument_changes(pieces: Sequence[Piece], new: str) -> list[tuple[Place | None, str]]:
    """For each piece what becomes of it: the first slot takes the new text, up to the dot that stands behind it."""
    dotted = new.endswith(".") and isinstance(pieces[-1], Chars) and isinstance(pieces[0], Slot)
    value = new[:-1] if dotted else new
    changes: list[tuple[Place | None, str]] = []
    filled = False
    for piece in pieces:
        if isinstance(piece, Slot):
            changes.append((piece.argument, '""' if filled else f'"{value}"'))
            filled = True
        else:
            changes.append((place_of_pieces((piece,)), "." if dotted and piece is pieces[-1] else ""))
    return changes


def change_expression(site: Site) -> Change | None:
    """Write the one name that an expression or a field can be in its place."""
    new = {new_name(m) for m in site.rows}
    pieces = site.rows[0].use.text.pieces
    given = any(m.use.text.given() for m in site.rows)
    if len(new) != 1 or len(pieces) != 1 or given or not isinstance(pieces[0], Slot):
        return None
    one, name = pieces[0], new.pop()
    if one.argument is not None:
        return Change((Hunk(one.argument, f'"{name}"'),)) if one.argument.cell else None
    return Change((Hunk(site.place, f'"{name}"' if one.expression else name),))
