"""One run at a time: the lease on a gold catalog, and what becomes of one whose holder is dead."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brickyard.health import store
from brickyard.health.flow.terms import Door, Hold
from brickyard.kernel import stop
from brickyard.kernel.clock import Clock, system_clock
from brickyard.kernel.errors import Conflict

_RENEWED = store.LEASE / 5  # a statement may then take four fifths of the lease before another run can begin


@dataclass(slots=True)
class Lease:
    """The right to write, which is made longer on the way; raises Conflict once somebody else has it."""

    door: Door
    holder: str
    clock: Clock
    taken: datetime

    def sql(self, statement: str) -> Sequence[Mapping[str, Any]]:
        """Run a statement of the holder."""
        now = self.clock()
        if now - self.taken > _RENEWED:
            store.keep_lease(self.door.sql, self.door.places, self.holder, now)
            self.taken = now
        return self.door.sql(statement)


@contextmanager
def held(door: Door, hold: Hold | None = None, clock: Clock = system_clock) -> Iterator[Lease]:
    """Hold the lease, taken over from a dead process of this machine if need be; raises Conflict while a live one has it.

    Runs without an end that others began are LOST from then on: only who holds the lease works.
    """
    wanted = hold or Hold(f"{_here()}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
    found = store.lease(door.sql, door.places)
    if found is None:
        store.make_lease(door.sql, door.places)
    dead = [found["holder"]] if found and is_dead(str(found["holder"])) else []
    now = clock()
    store.take_lease(door.sql, door.places, wanted.holder, now, dead=dead)
    try:
        store.lose(door.sql, door.places, wanted.holder)
        yield Lease(door, wanted.holder, clock, now)
    finally:
        if wanted.release:
            with stop.last_words():
                store.drop_lease(door.sql, door.places, wanted.holder)


def bury(door: Door, hold: Hold | None = None) -> None:
    """Call a run LOST whose process died when nothing was left to do, unless somebody is at work."""
    if store.unended(door.sql, door.places):
        with suppress(Conflict), held(door, hold):
            pass


def _here() -> str:
    return socket.gethostname()


def is_dead(holder: str) -> bool:
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
