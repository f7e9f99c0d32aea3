"""Proposals to edits: ids, what is applied and why not, overlaps settled, renames carried into what rewrites move."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from brickyard.migrate.model.inputs import PlanOptions
from brickyard.migrate.model.nouns import Edit, EditClass, Proposal, Verdict
from brickyard.notebooks.edit import as_written, position
from brickyard.notebooks.model import CellEdit, Notebook, Span

Verdicts = Mapping[str, Verdict]
"""What a proof said, by the group of the edits."""


@dataclass(frozen=True, slots=True)
class Group:
    """A proposal with its identity and its fate; `why` says why it is not applied."""

    id: str
    proposal: Proposal
    hunks: tuple[CellEdit, ...]
    verdict: Verdict
    applied: bool
    why: str | None = None

    def refused(self, why: str) -> Group:
        """The group, not applied."""
        return replace(self, applied=False, why=why)


def settle(
    notebook: Notebook,
    rewrites: Sequence[Proposal],
    renames: Sequence[Proposal],
    options: PlanOptions,
    verdicts: Verdicts,
) -> tuple[Edit, ...]:
    """Decide which proposals are applied; rewrites come before renames, earlier ones before later ones."""
    ordered = sorted(rewrites, key=lambda p: not _only_takes_out(p))
    first = _without_conflicts([_judged(p, notebook, options, verdicts) for p in ordered if p.hunks])
    second = _without_conflicts([_judged(p, notebook, options, verdicts) for p in renames if p.hunks])
    carried = _carry(notebook, first, second)
    edits = [edit for group in (*carried, *_outside(second, carried)) for edit in _edits(group, notebook)]
    return tuple(sorted(edits, key=lambda e: (e.hunk.cell, e.hunk.span.start, e.hunk.span.end, e.id)))


def removed(notebook: Notebook, rewrites: Iterable[Proposal], options: PlanOptions) -> tuple[CellEdit, ...]:
    """What the rewrites are going to take out, so that nothing depends on it any more."""
    groups = [_judged(p, notebook, options, {}) for p in rewrites if p.hunks and _only_takes_out(p)]
    return tuple(hunk for group in _without_conflicts(groups) if group.applied for hunk in group.hunks)


def _only_takes_out(proposal: Proposal) -> bool:
    """Whether a proposal only removes text: then nothing needs to be done inside what it removes."""
    return not any(hunk.replacement.strip() for hunk in proposal.hunks)


def _judged(proposal: Proposal, notebook: Notebook, options: PlanOptions, verdicts: Verdicts) -> Group:
    identity = _identity(notebook, proposal.rule, proposal.hunks)
    verdict = verdicts.get(identity, Verdict.UNPROVED)
    group = Group(identity, proposal, proposal.hunks, verdict, applied=True)
    why = _refusal(group, notebook, options)
    return group.refused(why) if why else group


def _refusal(group: Group, notebook: Notebook, options: PlanOptions) -> str | None:
    """Why a proposal is not applied, as far as that depends on nothing but itself."""
    proposal = group.proposal
    failed = [c.text for c in proposal.conditions if c.holds is False]
    ids = {group.id, *(_edit_id(notebook, proposal.rule, hunk) for hunk in group.hunks)}
    if ids & options.skip:
        return "left out on request"
    if proposal.edit_class is EditClass.ADVICE:
        return "advice is never applied"
    if not proposal.apply:
        return (
            "offered; the rule pack does not ask for it" if not failed else f"this does not hold: {'; '.join(failed)}"
        )
    if failed:
        return f"this does not hold: {'; '.join(failed)}"
    if group.verdict is Verdict.COUNTEREXAMPLE:
        return "a counterexample was found"
    if options.require_proof and group.verdict is not Verdict.PROVEN:
        return "not proven, and a proof is required"
    return None


def _identity(notebook: Notebook, rule: str, hunks: Iterable[CellEdit]) -> str:
    return "g" + _digest(notebook.path, rule, *(_hunk_text(notebook, hunk) for hunk in hunks))


def _edit_id(notebook: Notebook, rule: str, hunk: CellEdit) -> str:
    return "e" + _digest(notebook.path, rule, _hunk_text(notebook, hunk))


def _hunk_text(notebook: Notebook, hunk: CellEdit) -> str:
    before = hunk.span.slice(_source(notebook, hunk.cell))
    return f"{hunk.cell}:{hunk.span.start}:{hunk.span.end}:{before}:{hunk.replacement}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def _source(notebook: Notebook, cell: int) -> str:
    return next(c.source for c in notebook.cells if c.index == cell)


def clash(a: CellEdit, b: CellEdit) -> bool:
    """Whether two hunks cannot both be made."""
    if a.cell != b.cell:
        return False
    return (
        a.span.overlaps(b.span)
        or a.span == b.span
        or _inserts_within(a.span, b.span)
        or _inserts_within(b.span, a.span)
    )


def _inserts_within(a: Span, b: Span) -> bool:
    return a.start == a.end and b.start < a.start < b.end


def _without_conflicts(groups: Sequence[Group]) -> list[Group]:
    """Refuse each group that clashes with one before it; groups that want the very same are not in conflict."""
    taken: dict[int, list[tuple[CellEdit, str]]] = {}
    settled: list[Group] = []
    for group in groups:
        if not group.applied:
            settled.append(group)
            continue
        fresh, rival = _fresh(group, taken)
        if rival is not None:
            settled.append(group.refused(f"it overlaps edit {rival}"))
            continue
        settled.append(replace(group, hunks=fresh))
        for hunk in fresh:
            taken.setdefault(hunk.cell, []).append((hunk, group.id))
    return settled


def _fresh(group: Group, taken: Mapping[int, list[tuple[CellEdit, str]]]) -> tuple[tuple[CellEdit, ...], str | None]:
    """The hunks that nobody made yet, or the group with which one of them clashes."""
    fresh: list[CellEdit] = []
    for hunk in group.hunks:
        rivals = [(other, owner) for other, owner in taken.get(hunk.cell, ()) if clash(hunk, other)]
        if any(other != hunk for other, _ in rivals):
            return (), rivals[0][1]
        if not rivals:
            fresh.append(hunk)
    return tuple(fresh), None


# Renames inside what a rewrite replaces


def _carry(notebook: Notebook, rewrites: Sequence[Group], renames: Sequence[Group]) -> list[Group]:
    """Give each applied rewrite the new names in its replacements; refuse it where that cannot be done safely."""
    hunks = [hunk for group in renames if group.applied for hunk in group.hunks]
    return [_carried(notebook, group, hunks) if group.applied else group for group in rewrites]


def _carried(notebook: Notebook, group: Group, renames: Sequence[CellEdit]) -> Group:
    changed: list[CellEdit] = []
    for hunk in group.hunks:
        inside = [r for r in renames if clash(r, hunk)]
        if any(not _within(r, hunk) for r in inside):
            return group.refused("it cuts through a name that is refactored")
        text = _renamed(hunk, inside, _source(notebook, hunk.cell)) if inside else hunk.replacement
        if text is None:
            return group.refused("it moves a name that cannot be followed")
        changed.append(replace(hunk, replacement=text))
    return replace(group, hunks=tuple(changed))


def _within(inner: CellEdit, outer: CellEdit) -> bool:
    return outer.span.start <= inner.span.start and inner.span.end <= outer.span.end


def _renamed(hunk: CellEdit, renames: Sequence[CellEdit], source: str) -> str | None:
    """The replacement with the names in it renamed, or None when a name in it could be another one."""
    wanted: dict[str, set[str]] = {}
    counts: dict[str, int] = {}
    for rename in renames:
        old = rename.span.slice(source)
        wanted.setdefault(old, set()).add(rename.replacement)
        counts[old] = counts.get(old, 0) + 1
    before, text = hunk.span.slice(source), hunk.replacement
    for old in sorted(wanted, key=len, reverse=True):
        pattern = re.compile(rf"(?<![\w.`]){re.escape(old)}(?![\w`])")
        if not pattern.search(text):
            continue
        if len(wanted[old]) > 1 or len(pattern.findall(before)) > counts[old]:
            return None
        new = next(iter(wanted[old]))
        text = pattern.sub(lambda _, new=new: new, text)
    return text


def _outside(renames: Sequence[Group], rewrites: Sequence[Group]) -> Iterator[Group]:
    """The renames without what the rewrites already carry."""
    made = [hunk for group in rewrites if group.applied for hunk in group.hunks]
    for group in renames:
        left = tuple(h for h in group.hunks if not any(clash(h, m) for m in made))
        if left or not group.applied:
            yield replace(group, hunks=left) if group.applied else group


# Rows


def _edits(group: Group, notebook: Notebook) -> Iterator[Edit]:
    proposal = group.proposal
    for hunk in group.hunks:
        before, after = as_written(notebook, hunk)
        if before != after:
            yield Edit(
                id=_edit_id(notebook, proposal.rule, hunk),
                group=group.id,
                rule=proposal.rule,
                edit_class=proposal.edit_class,
                verdict=group.verdict,
                applied=group.applied,
                reason=proposal.reason if group.applied else f"{proposal.reason} — not applied: {group.why}",
                before=before,
                after=after,
                hunk=hunk,
                position=position(notebook, hunk.cell, hunk.span),
                conditions=proposal.conditions,
            )
