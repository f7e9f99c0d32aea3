"""What must change: the difference between a share pack and the workspace, as steps; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from brickyard.share.model.current import Current
from brickyard.share.model.pack import Removal, SharePack, Strategy
from brickyard.share.model.steps import CreateSchema, EnableChangeFeed, Loss, Plan, Refusal, Step
from brickyard.share.plan.case import Case, Do, Item, Mind
from brickyard.share.plan.claims import claims_after
from brickyard.share.plan.digest import plan_hash, steps_hash
from brickyard.share.plan.inverse import inverse
from brickyard.share.plan.limits import limits
from brickyard.share.plan.pipelines import pipelines
from brickyard.share.plan.recipients import recipients
from brickyard.share.plan.removal import removal
from brickyard.share.plan.shares import shares
from brickyard.share.plan.strategy import detect
from brickyard.share.plan.surplus import surplus

__all__ = ["claims_after", "detect", "inverse", "plan", "plan_hash", "steps_hash"]


def plan(pack: SharePack, current: Current, *, now: datetime, adopt: bool = False, replace: bool = False) -> Plan:
    """Return the steps that turn *current* into what *pack* wants; none when nothing differs.

    With *adopt* things that others made are taken over, with *replace* a recipient or pipeline that cannot be changed
    is deleted and made anew. Steps that add come first, then those that take away and can be undone, then the others.
    """
    case = Case(pack, current, now, adopt, replace)
    strategy, warnings = detect(pack, current.recipients, current.shares)
    return _gathered(case, strategy, warnings, tuple(_items(case)))


def _items(case: Case) -> Iterator[Item]:
    if case.pack.metadata.strategy is Strategy.DELETE:
        yield from removal(case, case.pack.removal or Removal())
        return
    yield from recipients(case)
    yield from shares(case)
    yield from pipelines(case)
    yield from surplus(case)
    yield from limits(case)


def _gathered(case: Case, strategy: Strategy, warnings: tuple[str, ...], items: tuple[Item, ...]) -> Plan:
    due = sorted((item for item in items if isinstance(item, Do)), key=lambda item: item.stage)
    steps = tuple(_once(item.step for item in due))
    return Plan(
        strategy=strategy,
        steps=steps,
        warnings=(*warnings, *dict.fromkeys(item.text for item in items if isinstance(item, Mind))),
        losses=tuple(item for item in items if isinstance(item, Loss)),
        refusals=tuple(item for item in items if isinstance(item, Refusal)),
        hash=plan_hash(case.pack, strategy, steps),
    )


def _once(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, those for which several rules may ask only once."""
    seen: set[Step] = set()
    for step in steps:
        if isinstance(step, EnableChangeFeed | CreateSchema):
            if step in seen:
                continue
            seen.add(step)
        yield step
