"""Whether a pack makes something new or changes what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from brickyard.share.model.pack import SharePack, Strategy

SWITCHED = (
    "Auto-switched from NEW to UPDATE: {recipients} recipient(s) and {shares} share(s) already exist."
    " Existing resources will be updated, new ones will be created."
)


def detect(pack: SharePack, recipients: Collection[str], shares: Collection[str]) -> tuple[Strategy, tuple[str, ...]]:
    """Return the strategy that fits the names that exist, and the warning when it is not the one asked for.

    Only NEW is ever changed. Names are compared as Unity Catalog does, without regard to case; *recipients* and *shares*
    may be all of the metastore.
    """
    asked = pack.metadata.strategy
    if asked is not Strategy.NEW:
        return asked, ()
    known_recipients = _found((r.name for r in pack.recipient), recipients)
    known_shares = _found((s.name for s in pack.share), shares)
    if not known_recipients and not known_shares:
        return asked, ()
    return Strategy.UPDATE, (SWITCHED.format(recipients=known_recipients, shares=known_shares),)


def _found(names: Iterable[str], existing: Collection[str]) -> int:
    folded = {name.lower() for name in existing}
    return len({name.lower() for name in names} & folded)
