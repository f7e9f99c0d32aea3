"""The names of probes: recipients that live for one verification, and that nothing but it looks at."""

from __future__ import annotations

PREFIX = "brickyard_probe_"


def is_probe(recipient: str) -> bool:
    """Tell whether a recipient's name is one of a probe."""
    return recipient.lower().startswith(PREFIX)
