"""The edits that give each reference its new name, as small as the text allows, or a finding where hands are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from brickyard.kernel.names import TableName, quote_if_needed
from brickyard.migrate.model.nouns import Condition, EditClass, Finding, Proposal, Severity
from brickyard.migrate.plan.definitions import Key, agree, candidates, depends_on, hunks_of, leaf_keys
from brickyard.migrate.plan.emitting import Emitter
from brickyard.migrate.plan.python.strings import place_of
from brickyard.migrate.plan.python.values import Place
from brickyard.migrate.plan.sites import Mapped, Site
from brickyard.migrate.plan.spelling import Change, Hunk, change_expression, change_in_place, sql_name
from brickyard.migrate.plan.uses import Qualification
from brickyard.notebooks.edit import position
from brickyard.notebooks.model import Notebook

RULE = "references"


def propose(
    sites: Sequence[Site], notebook: Notebook, fixed: AbstractSet[Key], emitter: Emitter | None = None
) -> Iterator[Proposal]:
    """Propose the edits of all sites; *fixed* are literals that also serve something else than names."""
    changes = _changes(sites, fixed)
    made: set[Hunk] = set()
    for site in sites:
        if site.moves:
            change = changes.get(site.place)
            styled = _emitted(change, site, emitter) if change is not None and emitter is not None else change
            yield _proposal(site, styled, notebook, made)


def _changes(sites: Sequence[Site], fixed: AbstractSet[Key]) -> dict[Place, Change]:
    """How each moving site is changed: where it is written, else where its values are defined."""
    found: dict[Place, Change] = {}
    waiting: list[Site] = []
    stay = set(fixed)
    for site in sites:
        change = change_in_place(site) if site.moves and site.complete else None
        if change is not None:
            found[site.place] = change
            stay |= set(leaf_keys(change.kept))
        elif site.moves and site.complete:
            waiting.append(site)
        else:
            stay |= set(depends_on(site.rows))
    settled = agree([list(candidates(site)) for site in waiting], stay)
    for site in waiting:
        change = Change(hunks_of(settled[site.place])) if site.place in settled else change_expression(site)
        if change is not None:
            found[site.place] = change
    return found


def _emitted(change: Change, site: Site, emitter: Emitter) -> Change:
    """The change with the name in the emitter's style, where the whole name is written anew."""
    whole = site.rows[0].use.whole or site.place
    clause = emitter.emit(site) if [hunk.place for hunk in change.hunks] == [whole] else None
    return Change((Hunk(whole, clause),)) if clause else change


def _proposal(site: Site, change: Change | None, notebook: Notebook, made: set[Hunk]) -> Proposal:
    hunks = [*change.hunks, *_qualifier_hunks(site)] if change is not None else []
    fresh = [hunk for hunk in dict.fromkeys(hunks) if hunk not in made]
    made |= set(fresh)
    conditions = tuple(_conditions(site))
    moves = dict.fromkeys(f"{_plain(m.use.original)} → {_plain(m.refactored)}" for m in site.rows)
    return Proposal(
        rule=", ".join(dict.fromkeys(m.rule for m in site.rows if m.rule)) or RULE,
        edit_class=EditClass.CONDITIONAL if conditions else EditClass.EXACT,
        reason="; ".join(moves),
        hunks=tuple(hunk.edit for hunk in fresh),
        conditions=conditions,
        findings=() if change is not None else (_needs_hands(site, notebook),),
        apply=change is not None,
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


# Columns qualified by the table's name


def _qualifier_hunks(site: Site) -> list[Hunk]:
    mapped = site.rows[0]
    if not mapped.use.qualifiers or not isinstance(mapped.refactored, TableName):
        return []
    return [hunk for q in mapped.use.qualifiers for hunk in _qualifier_hunk(q, mapped, site)]


def _qualifier_hunk(qualification: Qualification, mapped: Mapped, site: Site) -> Iterator[Hunk]:
    """The name before a column becomes the last part of the new name, or all of it where that is not enough."""
    old, new = mapped.use.original, mapped.refactored
    assert isinstance(new, TableName)
    same_last = isinstance(old, TableName) and old.name.lower() == new.name.lower()
    if qualification.parts == 1 and same_last:
        return
    if len(site.rows) > 1:
        yield from _without_prefix(qualification) if same_last else ()
        return
    short = new.name.lower() not in mapped.use.others
    yield Hunk(qualification.place, quote_if_needed(new.name) if short else sql_name(new))


def _without_prefix(qualification: Qualification) -> Iterator[Hunk]:
    """Take out everything before the last part."""
    text = qualification.text.text
    where = place_of(qualification.text, 0, text.rfind(".") + 1) if "." in text else None
    if where is not None:
        yield Hunk(where, "")
