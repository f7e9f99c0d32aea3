"""Back to how a pack was: the plan from an earlier version to the present."""

from __future__ import annotations

from datetime import datetime

from brickyard.context import Context
from brickyard.share.model.runs import Submitted
from brickyard.share.model.steps import Plan


def preview_rollback(context: Context, pack_id: str, to: int | datetime) -> Plan:
    """Plan the way back to a version, or to the one of a time; what cannot come back stands in the losses."""
    raise NotImplementedError


def rollback(context: Context, pack_id: str, to: int | datetime, *, plan_hash: str | None = None) -> Submitted:
    """Make the version of *to* the newest one again and queue its run, which refuses another plan than *plan_hash*."""
    raise NotImplementedError
