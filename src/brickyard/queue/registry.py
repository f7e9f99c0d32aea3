"""Which function does which task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

TaskFunction = Callable[..., None]
Function = TypeVar("Function", bound=TaskFunction)


@dataclass(frozen=True, slots=True)
class Task:
    """A task by name: what runs it, and what is told when it is given up."""

    name: str
    run: TaskFunction
    gave_up: TaskFunction | None = None


TASKS: dict[str, Task] = {}


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
