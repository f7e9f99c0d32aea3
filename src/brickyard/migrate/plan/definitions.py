"""Giving references their new names where the values that spell them are defined, when all uses of a value agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from brickyard.migrate.plan.python.values import Chars, Piece, Place, Slot, Text
from brickyard.migrate.plan.sites import Mapped, Site
from brickyard.migrate.plan.spelling import Hunk, between, new_name, place_of_pieces, same_shape

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a value is written out: a literal, or literals and values put together."""

    place: Place
    pieces: tuple[Piece, ...]

    @property
    def keys(self) -> tuple[Key, ...]:
        """The literals that belong to this definition alone."""
        return tuple(p.literal.key for p in self.pieces if isinstance(p, Chars))

    @property
    def text(self) -> str:
        """The value as it is now."""
        return "".join(p.text for p in self.pieces)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to rename a site by its definitions: what each is to become, what changes beside, what must not change."""

    site: Site
    wishes: tuple[tuple[Definition, str], ...]
    hunks: tuple[Hunk, ...] = ()
    kept: tuple[Piece, ...] = ()

    def tokens(self) -> Iterator[tuple[Key, str | None]]:
        """What this candidate requires of each literal: a new text, or (None) to stay."""
        for definition, text in self.wishes:
            for key in definition.keys:
                yield key, None if text == definition.text else f"{definition.place}={text}"
        for key in leaf_keys(self.kept):
            yield key, None


def leaf_keys(pieces: Iterable[Piece]) -> Iterator[Key]:
    """The literals that a value put in by *pieces* depends on."""
    for piece in pieces:
        if isinstance(piece, Slot):
            for leaf in piece.inner.leaves():
                if isinstance(leaf, Chars):
                    yield leaf.literal.key


def definition_of(piece: Piece) -> Definition | None:
    """Where the value of a piece is written out in this notebook."""
    if not isinstance(piece, Slot):
        return None
    text: Text = piece.inner
    while len(text.pieces) == 1 and isinstance(only := text.pieces[0], Slot):
        text = only.inner
    place = place_of_pieces(text.pieces)
    if place is None or not place.cell or not _is_whole(text.pieces):
        return None
    return Definition(place, text.pieces)


def _is_whole(pieces: Sequence[Piece]) -> bool:
    """Whether the pieces hold a literal of their own, and every literal from its start to its end."""
    chars = [p for p in pieces if isinstance(p, Chars)]
    return (
        bool(chars)
        and all(p.text == p.literal.value for p in chars)
        and len(chars) >= sum(not isinstance(p, Slot) for p in pieces)
    )


def candidates(site: Site) -> Iterator[Candidate]:
    """The ways to rename a site by its definitions, best first."""
    if not same_shape(site):
        if all(len(m.use.text.pieces) == 1 for m in site.rows):
            yield from _whole(site)
        return
    if len(site.rows[0].use.text.pieces) == 1:
        yield from _whole(site)
    else:
        yield from _first(site)
        yield from _last(site)


def _whole(site: Site) -> Iterator[Candidate]:
    """The value is the name."""
    wishes = [(definition_of(m.use.text.pieces[0]), new_name(m)) for m in site.rows]
    known = tuple((d, text) for d, text in wishes if d is not None)
    if len(known) == len(wishes):
        yield Candidate(site, known)


def _first(site: Site) -> Iterator[Candidate]:
    """The first value takes up what comes before the rest: `{db}.{t}` by what `db` is."""
    wishes: list[tuple[Definition, str]] = []
    kept: list[Piece] = []
    for mapped in site.rows:
        first, *rest = mapped.use.text.pieces
        stays = "".join(p.text for p in rest)
        definition, name = definition_of(first), new_name(mapped)
        if definition is None or not name.lower().endswith(stays.lower()) or len(name) == len(stays):
            return
        wishes.append((definition, name[: len(name) - len(stays)]))
        kept += rest
    yield Candidate(site, tuple(wishes), (), tuple(kept))


def _last(site: Site) -> Iterator[Candidate]:
    """The last value becomes the whole name, and what stands before it is taken out: `db.{t}` by what `t` is."""
    pieces = site.rows[0].use.text.pieces
    before = pieces[:-1]
    where = place_of_pieces(before)
    counted = any(isinstance(p, Slot) and (p.argument is not None or p.expression) for p in pieces)
    wishes = [(definition_of(m.use.text.pieces[-1]), new_name(m)) for m in site.rows]
    known = tuple((d, text) for d, text in wishes if d is not None)
    if where is not None and not counted and len(known) == len(wishes):
        yield Candidate(site, known, (Hunk(where, ""),))


def agree(wanted: Sequence[Sequence[Candidate]], fixed: AbstractSet[Key]) -> dict[Place, Candidate]:
    """Choose for each site the first candidate on which all uses of its definitions agree.

    *wanted* holds the candidates of each site, *fixed* the literals that must stay. Sites without agreement are left out,
    and then what they depend on must stay too.
    """
    chosen = {options[0].site.place: list(options) for options in wanted if options}
    stay = set(fixed)
    while True:
        tokens = _collected(options[0] for options in chosen.values() if options)
        losers = [p for p, options in chosen.items() if options and _conflicts(options[0], tokens, stay)]
        if not losers:
            return {place: options[0] for place, options in chosen.items() if options}
        for place in losers:
            lost = chosen[place].pop(0)
            if not chosen[place]:
                stay |= {key for m in lost.site.rows for key in leaf_keys(m.use.text.pieces)}


def _collected(choices: Iterable[Candidate]) -> dict[Key, set[str | None]]:
    found: dict[Key, set[str | None]] = {}
    for candidate in choices:
        for key, token in candidate.tokens():
            found.setdefault(key, set()).add(token)
    return found


def _conflicts(candidate: Candidate, tokens: Mapping[Key, set[str | None]], stay: AbstractSet[Key]) -> bool:
    return any(len(tokens[key]) > 1 or (token is not None and key in stay) for key, token in candidate.tokens())


def hunks_of(candidate: Candidate) -> tuple[Hunk, ...]:
    """The hunks of a candidate."""
    changed = [
        Hunk(d.place, between(d.pieces[0], d.pieces[-1], text)) for d, text in candidate.wishes if text != d.text
    ]
    return (*dict.fromkeys(changed), *candidate.hunks)


def depends_on(rows: Iterable[Mapped]) -> Iterator[Key]:
    """The literals that names depend on by values put in."""
    for mapped in rows:
        yield from leaf_keys(mapped.use.text.pieces)
