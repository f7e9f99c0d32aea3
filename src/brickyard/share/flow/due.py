"""What time brings: tokens to rotate, access that ends."""

from __future__ import annotations

from brickyard.context import Context


def rotate_due(context: Context) -> tuple[str, ...]:
    """Rotate the tokens that their policy says are too old; returns the recipients."""
    raise NotImplementedError


def expire_due(context: Context) -> tuple[str, ...]:
    """Take the access from recipients whose `expires_on` is past; returns them."""
    raise NotImplementedError
