"""A pack comes in: its plan, and its way into the queue."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import Submitted, Upload
from brickyard.share.model.steps import Plan


def preview(context: Context, upload: Upload) -> Plan:
    """Plan a pack against the workspace; nothing changes."""
    raise NotImplementedError


def plan_of(context: Context, pack_id: str) -> Plan:
    """Plan the current version of a pack against the workspace as it is now."""
    raise NotImplementedError


def submit(context: Context, upload: Upload) -> Submitted:
    """Remember a pack, its run and its job: all or nothing."""
    raise NotImplementedError
