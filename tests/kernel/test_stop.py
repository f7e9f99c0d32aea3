"""The wish to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted


@pytest.fixture(autouse=True)
def _no_wish_left() -> Iterator[None]:
    yield
    stop.clear()


def test_a_pause_lasts_as_long_as_asked():
    started = time.monotonic()
    stop.pause(0.05)
    assert time.monotonic() - started >= 0.05


def test_a_pause_ends_as_soon_as_a_stop_is_asked_for():
    threading.Timer(0.05, stop.request).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        stop.pause(30)
    assert (time.monotonic() - started < 5, stop.requested()) == (True, True)


def test_last_words_are_said_although_a_stop_is_asked_for():
    stop.request()
    with stop.last_words():
        stop.pause(0.001)
        stop.check()
    with pytest.raises(Interrupted):
        stop.check()
