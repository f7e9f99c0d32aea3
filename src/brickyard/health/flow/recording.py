"""A run in the record: it begins, and however it ends, that and the reason are written down; so is what a step fails with."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from brickyard.health import apply as doing
from brickyard.health import store
from brickyard.health.apply import Work
from brickyard.health.model.state import Now, Sql
from brickyard.health.model.steps import Step
from brickyard.health.plan.text import Places
from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError, Interrupted

_STOPPED = "stopped on request"
_PAUSE = 500  # milliseconds at most before a run that gave way looks for another number


@dataclass(slots=True)
class Ending:
    """How a run ends that nothing breaks off."""

    status: str = "SUCCEEDED"
    message: str = ""


def begun(sql: Sql, places: Places, holder: str, at: datetime) -> Now:
    """Begin a run under a number that no other run has.

    Tasks of one job hold the lease together and may begin at once. Of two that wrote one number, the later one sees both
    and gives way, so that never both keep it. Both may see each other and give way; pauses of chance let one go first then.
    """
    while True:
        now, mark = Now(store.next_run(sql, places), holder, at), uuid.uuid4().hex
        store.begin(sql, places, now, mark)
        if store.alone(sql, places, now):
            return now
        store.withdraw(sql, places, now, mark)
        stop.pause(secrets.randbelow(_PAUSE) / 1000)


@contextmanager
def recorded(sql: Sql, places: Places, now: Now) -> Iterator[Ending]:
    """Remember how a run that has begun ends: as its ending says, FAILED for an error of ours, or INTERRUPTED.

    An end that cannot be written either leaves the run without one, which `check` tells; what ended it goes on up.
    """
    ending = Ending()
    try:
        yield ending
    except (Interrupted, KeyboardInterrupt):
        _broken_off(sql, places, now, "INTERRUPTED", _STOPPED)
        raise
    except BrickyardError as error:
        _broken_off(sql, places, now, "FAILED", f"{error.error_code}: {error.message}")
        raise
    store.end(sql, places, now, ending.status, now.at, ending.message)


def _broken_off(sql: Sql, places: Places, now: Now, status: str, message: str) -> None:
    with suppress(BrickyardError), stop.last_words():
        store.end(sql, places, now, status, now.at, message)


def tried(work: Work, step: Step) -> str | BrickyardError:
    """Perform a step, or remember and return what it failed with; an interruption goes on up."""
    try:
        return doing.apply(work, step)
    except Interrupted:
        raise
    except BrickyardError as error:
        store.failed(work.sql, work.places, subject(step), error.error_code, error.message, work.now)
        return error


def done(work: Work, step: Step) -> str:
    """Perform a step; what it fails with is remembered and raised."""
    told = tried(work, step)
    if isinstance(told, BrickyardError):
        raise told
    return told


def subject(step: Step) -> str:
    """Name what a step is about: a table, else a source or a schema."""
    return getattr(step, "table", "") or getattr(step, "source", "") or getattr(step, "schema", "")
