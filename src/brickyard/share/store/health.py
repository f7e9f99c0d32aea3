"""How the packs and the jobs of share are, counted now."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.share.model.runs import PackStatus
from brickyard.share.tables import share_packs

_WAITING = sa.text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name LIKE 'share.%'")


def packs_by_status(tx: Connection) -> dict[PackStatus, int]:
    """Return how many packs are in each status, deleted ones aside."""
    active = share_packs.c.is_current & ~share_packs.c.is_deleted
    status = share_packs.c.share_pack_status
    rows = tx.execute(sa.select(status, sa.func.count()).where(active).group_by(status))
    return {PackStatus(found): count for found, count in rows}


def waiting(tx: Connection) -> int:
    """Return how many jobs of share wait."""
    return tx.execute(_WAITING).scalar_one()
