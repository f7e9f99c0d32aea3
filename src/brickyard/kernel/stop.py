"""The wish that this process stops, and the only sleep that hears it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from brickyard.kernel.errors import Interrupted

_WISH = threading.Event()
_LAST_WORDS: ContextVar[bool] = ContextVar("last_words", default=False)


def request() -> None:
    """Ask every waiting function of this process to stop at its next safe point."""
    _WISH.set()


def clear() -> None:
    """Take the wish back, as a new run in the same process does."""
    _WISH.clear()


def requested() -> bool:
    """Tell whether this process is asked to stop."""
    return _WISH.is_set()


@contextmanager
def last_words() -> Iterator[None]:
    """Let the little that is written at an end be written, although this process is asked to stop: no wish is heard."""
    before = _LAST_WORDS.set(True)
    try:
        yield
    finally:
        _LAST_WORDS.reset(before)


def check() -> None:
    """Raise Interrupted when this process is asked to stop."""
    if _WISH.is_set() and not _LAST_WORDS.get():
        raise Interrupted("stopped on request", remedy="start it again: it goes on where it was")


def pause(seconds: float) -> None:
    """Sleep for *seconds*, or raise Interrupted as soon as this process is asked to stop."""
    if _LAST_WORDS.get():
        time.sleep(seconds)
    else:
        _WISH.wait(seconds)
    check()
