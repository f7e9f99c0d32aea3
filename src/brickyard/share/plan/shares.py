"""Shares: made, described, filled, and read by whom the pack says."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.current import ShareState
from brickyard.share.model.pack import ShareSpec
from brickyard.share.model.steps import ChangeShare, CreateShare
from brickyard.share.plan.case import Case, Do, Item, Stage
from brickyard.share.plan.objects import objects
from brickyard.share.plan.ownership import taking
from brickyard.share.plan.readers import readers


def shares(case: Case) -> Iterator[Item]:
    """Yield what the declared shares need."""
    for spec in sorted(case.pack.share, key=lambda s: s.name.lower()):
        state = case.current.shares.get(spec.name.lower())
        yield from _new(spec) if state is None else _present(case, spec, state)
        yield from objects(case, spec, state or ShareState(name=spec.name, owner=""))
        yield from readers(case, spec, state or ShareState(name=spec.name, owner=""))


def _new(spec: ShareSpec) -> Iterator[Item]:
    yield Do(Stage.SHARE, CreateShare(spec.name, spec.description))


def _present(case: Case, spec: ShareSpec, state: ShareState) -> Iterator[Item]:
    yield from taking(case, "share", state.name, owner=state.owner, mark=state.mark)
    if spec.description and spec.description != state.comment:
        yield Do(Stage.SHARE, ChangeShare(state.name, spec.description, state.comment))
