"""One run at a time: the lease on a gold catalog, and what becomes of one whose holder is dead."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from brickyard.health import store
from brickyard.health.flow.terms import Door, Hold
from brickyard.kernel import stop
from brickyard.kernel.clock import system_clock


@contextmanager
def held(door: Door, hold: Hold | None = None) -> Iterator[str]:
    """Hold the lease, taken over from a dead process of this machine if need be; raises Conflict while a live one has it."""
    wanted = hold or Hold(f"{_here()}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
    found = store.lease(door.sql, door.places)
    dead = [found["holder"]] if found and _is_dead(str(found["holder"])) else []
    store.take_lease(door.sql, door.places, wanted.holder, system_clock(), dead=dead)
    try:
        yield wanted.holder
    finally:
        if wanted.release:
            with stop.last_words():
                store.drop_lease(door.sql, door.places, wanted.holder)


def _here() -> str:
    return socket.gethostname()


def _is_dead(holder: str) -> bool:
    """Whether the holder was a process of this machine that is no more; of others nothing is known."""
    host, _, rest = holder.partition(":")
    number = rest.partition(":")[0]
    if host != _here() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
