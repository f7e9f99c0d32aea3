"""How far the workspace is from what a pack applied last."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import Drift


def drift(context: Context, pack_id: str | None = None) -> tuple[Drift, ...]:
    """Compare one pack, or all, with the workspace; what cannot be read is unknown, never missing."""
    raise NotImplementedError
