"""Waiting for a job run, which goes on when nobody waits any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from brickyard.kernel import stop
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.workspace.refusals import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

_OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def wait_run(
    client: WorkspaceClient,
    run_id: int,
    on_progress: Callable[[Run], None] | None = None,
    timeout_seconds: float | None = None,
) -> Run:
    """Wait until a job run is over and return it, however it ended; *on_progress* sees it after each look.

    Raises Interrupted when this process is asked to stop (the run goes on), and WorkspaceRefused with the code
    `run-too-long` after *timeout_seconds*.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE
    while True:
        with translated(f"look at run {run_id}"):
            run = client.jobs.get_run(run_id)
        if on_progress:
            on_progress(run)
        if is_over(run):
            return run
        if deadline is not None and time.monotonic() > deadline:
            raise WorkspaceRefused(f"run {run_id} is not over after {timeout_seconds} s", code="run-too-long")
        stop.pause(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.5)


def is_over(run: Run) -> bool:
    """Tell whether a run will not change any more."""
    state = run.state.life_cycle_state if run.state else None
    return state is not None and state.value in _OVER
