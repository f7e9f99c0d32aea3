"""The wish that this process stops, and the only sleep that hears it."""

from __future__ import annotations

import threading

from brickyard.kernel.errors import Interrupted

_WISH = threading.Event()


def request() -> None:
    """Ask every waiting function of this process to stop at its next safe point."""
    _WISH.set()


def clear() -> None:
    """Take the wish back, as a new run in the same process does."""
    _WISH.clear()


def requested() -> bool:
    """Tell whether this process is asked to stop."""
    return _WISH.is_set()


def check() -> None:
    """Raise Interrupted when this process is asked to stop."""
    if _WISH.is_set():
        raise Interrupted("stopped on request", remedy="start it again: it goes on where it was")


def pause(seconds: float) -> None:
    """Sleep for *seconds*, or raise Interrupted as soon as this process is asked to stop."""
    _WISH.wait(seconds)
    check()
