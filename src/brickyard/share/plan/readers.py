"""Who reads a share: granted and revoked by name, never of those whose access has ended."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.current import ShareState
from brickyard.share.model.pack import ShareSpec
from brickyard.share.model.steps import Grant, Loss, Refusal, Revoke
from brickyard.share.plan.anew import made_anew
from brickyard.share.plan.case import Case, Do, Item, Mind, Stage, listed, meant
from brickyard.share.plan.lifetimes import access_ended


def readers(case: Case, share: ShareSpec, state: ShareState) -> Iterator[Item]:
    """Yield the grants and revokes of a declared share, as it is or as it will be when it is new."""
    yield from _unknown(case, share)
    present = {name.lower(): name for name in state.readers}
    declared = {name.lower() for name in (*share.recipients, *share.recipients_to_add)}
    ended = ended_recipients(case)
    anew = made_anew(case)
    if fresh := sorted(declared - present.keys() - ended - anew):
        yield Do(Stage.GRANT, Grant(share.name, tuple(spelt(case, name) for name in fresh)))
    yield from _without_access(declared & ended)
    unwanted = {n for n in present if n not in declared and _unwanted(case, share, n)} | (
        declared & ended & present.keys()
    )
    yield from revokes(case, share.name, present, unwanted)
    theirs = present.keys() & case.theirs("reader", share.name)
    if back := sorted((declared | theirs) & anew - ended):
        yield Do(Stage.ANEW, Grant(share.name, tuple(spelt(case, name) for name in back)))


def revokes(case: Case, share: str, present: dict[str, str], unwanted: set[str]) -> Iterator[Item]:
    """Yield the revoke of unwanted readers, those aside whom other packs let read."""
    theirs = case.theirs("reader", share)
    if kept := unwanted & theirs:
        yield Mind(f"{listed(present[n] for n in kept)} still may read {share}: another share pack has granted it.")
    if gone := sorted(unwanted - theirs):
        names = tuple(present[n] for n in gone)
        yield Do(Stage.REVOKE, Revoke(share, names))
        yield Loss(what=f"{listed(names)} can no longer read the share {share}", who=names)


def ended_recipients(case: Case) -> frozenset[str]:
    """The folded names of the recipients whose access is over."""
    return frozenset(spec.name.lower() for spec in case.pack.recipient if access_ended(spec, case.now))


def spelt(case: Case, folded: str) -> str:
    """Return a recipient's name as the workspace or the pack writes it."""
    state = case.current.recipients.get(folded)
    if state is not None:
        return state.name
    return next((spec.name for spec in case.pack.recipient if spec.name.lower() == folded), folded)


def _unwanted(case: Case, share: ShareSpec, reader: str) -> bool:
    """Tell whether a reader that the pack does not name is to go; an empty list leaves alone who is there."""
    if reader in {name.lower() for name in share.recipients_to_remove}:
        return True
    return bool(share.recipients) and (case.exact or reader in case.mine("reader", share.name))


def _without_access(ended: set[str]) -> Iterator[Item]:
    for name in sorted(ended):
        yield Mind(f"The access of {name} has ended (expires_on): it is given no right to read.")


def _unknown(case: Case, share: ShareSpec) -> Iterator[Item]:
    known = {*case.current.recipients, *case.current.every_recipient, *(r.name.lower() for r in case.pack.recipient)}
    for name in sorted({*share.recipients, *share.recipients_to_add}):
        if name.lower() not in known:
            yield Refusal(
                f"there is no recipient {name}, neither in the pack nor in the workspace",
                where=f"share {share.name}",
                remedy=meant(name, known) or "declare it under recipient",
                code="share-recipient-missing",
            )
