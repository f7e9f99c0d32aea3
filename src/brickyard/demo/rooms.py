"""Which stories there are; apart, because the command line must know it before it loads any of them."""

from __future__ import annotations

from enum import StrEnum


class Which(StrEnum):
    """Which story is told."""

    MIGRATE = "migrate"
    SHARE = "share"
    HEALTH = "health"
    ALL = "all"
