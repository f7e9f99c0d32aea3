"""A run in the record: it begins, and however it ends, that and the reason are written down; so is what a step fails with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from brickyard.health import apply as doing
from brickyard.health import store
from brickyard.health.apply import Work
from brickyard.health.model.steps import Step
from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError, Interrupted

_STOPPED = "stopped on request"


@dataclass(slots=True)
class Ending:
    """How a run ends that nothing breaks off."""

    status: str = "SUCCEEDED"
    message: str = ""


@contextmanager
def recorded(work: Work) -> Iterator[Ending]:
    """Remember that a run begins, and how it ended: as its ending says, FAILED for an error of ours, or INTERRUPTED.

    An end that cannot be written either leaves the run without one, which `check` tells; what ended it goes on up.
    """
    ending = Ending()
    store.begin(work.sql, work.places, work.now)
    try:
        yield ending
    except (Interrupted, KeyboardInterrupt):
        _broken_off(work, "INTERRUPTED", _STOPPED)
        raise
    except BrickyardError as error:
        _broken_off(work, "FAILED", f"{error.error_code}: {error.message}")
        raise
    store.end(work.sql, work.places, work.now, ending.status, work.now.at, ending.message)


def _broken_off(work: Work, status: str, message: str) -> None:
    with suppress(BrickyardError), stop.last_words():
        store.end(work.sql, work.places, work.now, status, work.now.at, message)


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
