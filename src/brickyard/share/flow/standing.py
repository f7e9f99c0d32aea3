"""Where packs stand, in one query: what is asked again and again while a run is under way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from brickyard.context import Context
from brickyard.share.model.runs import PackStatus, Standing
from brickyard.share.store import packs


def standing(context: Context, pack_id: str) -> Standing:
    """Return where a pack stands, or raise NotFound."""
    with context.metadata.read() as tx:
        return _standing(packs.get(tx, pack_id))


def standings(
    context: Context,
    *,
    status: PackStatus | None = None,
    name: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[Standing, ...]:
    """Return where packs stand, the last changed first; *after* is the last one's `last_updated` and id."""
    behind = (after[0], UUID(after[1])) if after else None
    with context.metadata.read() as tx:
        return tuple(map(_standing, packs.page(tx, status=status, naming=name, after=behind, limit=limit)))


def _standing(found: packs.PackRecord) -> Standing:
    return Standing(
        pack_id=str(found.pack_id),
        name=found.name,
        version=found.version,
        status=found.status,
        strategy=found.strategy,
        provisioning_status=found.provisioning_status,
        error_message=found.error_message,
        requested_by=found.requested_by,
        created_at=found.created_at,
        last_updated=found.updated_at,
    )
