"""What a metastore holds at most."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.share.model.steps import Refusal
from brickyard.share.plan.case import Case, Item

_RECIPIENTS, _SHARES = 5000, 1000


def limits(case: Case) -> Iterator[Item]:
    """Yield a refusal for each kind of which there would be too many."""
    current, pack = case.current, case.pack
    yield from _limit(
        "recipients", {*current.every_recipient, *current.recipients}, (r.name for r in pack.recipient), _RECIPIENTS
    )
    yield from _limit("shares", {*current.every_share, *current.shares}, (s.name for s in pack.share), _SHARES)


def _limit(noun: str, present: set[str], declared: Iterator[str], most: int) -> Iterator[Item]:
    count = len(present | {name.lower() for name in declared})
    if count > most and count > len(present):
        yield Refusal(
            f"the metastore would have {count} {noun}; Databricks takes {most}",
            remedy=f"remove unused {noun}",
            code="share-limit",
        )
