"""A write whose reply was lost: look for a while whether it was done, then adopt it or do it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from brickyard.kernel import stop
from brickyard.kernel.errors import WorkspaceDown

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

_LOST_REPLY_PAUSES = (0.5, 1.0, 2.0)  # seconds


def adopt_or_do(look: Callable[[], T | None], do: Callable[[], T], *, look_first: bool, what: str) -> tuple[T, bool]:
    """Return what *do* gives, or what *look* finds of an earlier try, and whether it was found.

    With *look_first* somebody may have done it already. After a lost reply it is looked for before it is done again, once;
    a second loss raises WorkspaceDown.
    """
    if look_first and (there := look()) is not None:
        return there, True
    try:
        return do(), False
    except WorkspaceDown:
        log.warning("reply lost", step=what)
    for pause in _LOST_REPLY_PAUSES:
        stop.pause(pause)
        if (there := look()) is not None:
            return there, True
    return do(), False
