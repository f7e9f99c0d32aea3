"""Who can read what, since when, and until when."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.share.model.runs import Access


def access(context: Context, name: str | None = None) -> tuple[Access, ...]:
    """Return every right to read a share, of all or of the recipient or share *name*."""
    raise NotImplementedError
