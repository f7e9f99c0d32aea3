"""Live shares and recipients, written as a pack whose plan is empty."""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.context import Context


def import_live(context: Context, shares: Sequence[str]) -> str:
    """Return the YAML of a pack that holds *shares* and their recipients as they are."""
    raise NotImplementedError
