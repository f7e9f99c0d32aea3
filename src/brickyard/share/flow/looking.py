"""Looking before anything is done: what is there, whose it is, and the plan that follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from databricks.sdk import WorkspaceClient

from brickyard.context import Context
from brickyard.share import observe
from brickyard.share.model.current import Claim, Current
from brickyard.share.model.pack import SharePack
from brickyard.share.model.steps import Plan
from brickyard.share.plan import plan
from brickyard.share.store import claims, entities

_ROWS = ("recipient", "share", "pipeline")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the sender of a pack allows: to take over what others made, to make anew what cannot be changed."""

    adopt: bool = False
    replace: bool = False


def look_around(context: Context, client: WorkspaceClient, pack: SharePack, pack_id: UUID | None) -> Current:
    """Return what is there of all that a pack names and has made; what cannot be read is an error, never absent."""
    with context.metadata.read() as tx:
        mine = claims.of_pack(tx, pack_id) if pack_id else frozenset()
        others = claims.of_others(tx, pack_id) | claims.declared_by_others(tx, pack_id)
        recorded = frozenset(_recorded((kind, entities.known(tx, kind)) for kind in _ROWS))
    library = context.queue.settings.share_library_path
    return observe.current(client, pack, claims=mine, others=others, recorded=recorded, library_path=library)


def decide(context: Context, client: WorkspaceClient, pack: SharePack, pack_id: UUID | None, allowed: Allowed) -> Plan:
    """Return the plan that turns the present into a pack."""
    current = look_around(context, client, pack, pack_id)
    return plan(pack, current, now=context.clock(), adopt=allowed.adopt, replace=allowed.replace)


def _recorded(known: Iterable[tuple[str, Iterable[str]]]) -> Iterable[Claim]:
    for kind, names in known:
        yield from (Claim(kind, "", name) for name in names)
