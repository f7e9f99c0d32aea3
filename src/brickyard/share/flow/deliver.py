"""Giving out an activation link once."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import Delivery


def deliver(context: Context, recipient: str) -> Delivery:
    """Return the sealed activation link of a recipient's newest token and erase it; NotFound when there is none (any more)."""
    raise NotImplementedError
