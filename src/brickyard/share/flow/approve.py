"""Approving and declining: a named person and a plan, bound by its hash."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import PackRecord


def approve(context: Context, pack_id: str, *, plan_hash: str, reason: str = "") -> PackRecord:
    """Approve the plan *plan_hash* of a pack that waits, as `context.actor`, and queue its run."""
    raise NotImplementedError


def decline(context: Context, pack_id: str, *, plan_hash: str | None = None, reason: str = "") -> PackRecord:
    """Decline a pack that waits, as `context.actor`; its run ends."""
    raise NotImplementedError
