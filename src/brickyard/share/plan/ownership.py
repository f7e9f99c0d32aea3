"""Whose a thing is: ours, of the identity that we run as, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.current import Current
from brickyard.share.model.steps import Refusal
from brickyard.share.plan.case import Case, Item, Mind


def taking(case: Case, kind: str, name: str, *, owner: str, mark: str | None) -> Iterator[Item]:
    """Say what stands between us and changing a thing that is there: nothing, a warning, or that it is somebody else's."""
    if ours(case, kind, name, mark):
        return
    if owned_by_us(case.current, owner):
        yield Mind(f"The {kind} {name} was not made by a share pack; it is ours ({owner}) and is taken over.")
    elif case.adopt:
        yield Mind(f"The {kind} {name} belongs to {owner or 'nobody known'} and is adopted, as was asked for.")
    else:
        yield Refusal(
            f"the {kind} {name} exists and belongs to {owner or 'nobody known'}",
            where=f"{kind} {name}",
            remedy="choose another name, ask its owner, or ask to adopt it",
            code="share-someone-elses",
        )


def ours(case: Case, kind: str, name: str, mark: str | None) -> bool:
    """Tell whether a pack made the thing: by its mark, by our records, or by what this or another pack has claimed."""
    return mark is not None or (kind, name.lower()) in case.known


def owned_by_us(current: Current, owner: str) -> bool:
    """Tell whether the identity we run as, or a group of it, owns something."""
    return bool(owner) and owner.lower() in {current.me.lower(), *(group.lower() for group in current.groups)}
