"""Which function does which task, which tasks come again and again, and what runs beside a worker's jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from brickyard.settings import Settings

TaskFunction = Callable[..., None]
Due = Callable[[Any, Connection], bool]
Function = TypeVar("Function", bound=TaskFunction)


@dataclass(frozen=True, slots=True)
class Task:
    """A task by name: what runs it, and what is told when it is given up."""

    name: str
    run: TaskFunction
    gave_up: TaskFunction | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task that comes every so often, in seconds or as a setting says, while *due* finds something to do for it."""

    task: str
    every: float | str
    due: Due | None = None

    def seconds(self, settings: Settings) -> float:
        """The period under these settings; 0 is never."""
        if isinstance(self.every, str):
            unit = 60 if self.every.endswith("_minutes") else 1
            return getattr(settings, self.every) * unit
        return self.every


TASKS: dict[str, Task] = {}
SCHEDULES: dict[str, Schedule] = {}
COMPANIONS: dict[str, TaskFunction] = {}


def task(name: str, *, gave_up: TaskFunction | None = None) -> Callable[[Function], Function]:
    """Register `def run(context, *, …)` as the task *name*; it may be run again from its start at any time.

    A job is started again when its worker dies, the workspace or the database does not answer, or its worker is
    stopped. When it ends with another error, or was started too often, *gave_up* is called once with the same
    arguments and `error`, so that what is remembered of the run can end in a true status.
    """

    def register(run: Function) -> Function:
        TASKS[name] = Task(name, run, gave_up)
        return run

    return register


def periodic(
    name: str, every: float | str, *, due: Due | None = None, gave_up: TaskFunction | None = None
) -> Callable[[Function], Function]:
    """Register `def run(context)` as a task that the workers of a lane queue once every so often.

    *every* is seconds, or the name of a setting whose unit its ending says (`_seconds`, `_minutes`); 0 is never. With
    `due(context, tx)` nothing is queued while that finds nothing to do. One waits and one runs at most; what falls due
    meanwhile is not made up for.
    """

    def register(run: Function) -> Function:
        SCHEDULES[name] = Schedule(name, every, due)
        return task(name, gave_up=gave_up)(run)

    return register


def companion(name: str) -> Callable[[Function], Function]:
    """Register `def run(context)` to run in a thread of every worker process until `kernel.stop` asks it to end.

    It has to be safe to end it at any point: a worker does not wait long for it.
    """

    def register(run: Function) -> Function:
        COMPANIONS[name] = run
        return run

    return register
