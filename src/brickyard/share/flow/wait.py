"""Waiting for a run, and doing it here where no worker is alive."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.context import Context
from brickyard.kernel import stop
from brickyard.kernel.errors import BrickyardError
from brickyard.kernel.progress import Report, silent
from brickyard.kernel.progress import Step as Progress
from brickyard.share.flow.provision import gave_up
from brickyard.share.flow.record import record
from brickyard.share.model.runs import RunRecord, RunStatus
from brickyard.share.store import leases, runs

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Seen:
    """A run at one look; *job* is the one to do here, where nobody else does it."""

    run: RunRecord
    job: int | None
    lost: bool


def wait(context: Context, run_id: str, tell: Report = silent) -> RunRecord:
    """Wait until a run is final or waits for its approval; where no worker is alive, do it in this process.

    A run that waits for another is waited for with that one, which is done here too.
    """
    while True:
        seen = _look(context, run_id)
        run = seen.run
        done = sum(step.done_at is not None for step in run.steps)
        tell(Progress("share", done, run.planned or None, run.steps[-1].words if run.steps else run.status))
        if run.status.final or run.status is RunStatus.PENDING_APPROVAL:
            return run
        stop.check()
        if seen.lost:
            gave_up(context, run_id, BrickyardError("its job ended without a word", code="internal-error"))
        elif seen.job is not None:
            context.queue.run_one(seen.job, context)
        else:
            stop.pause(_POLL_SECONDS)


def _look(context: Context, run_id: str) -> _Seen:
    with context.metadata.read() as tx:
        run = runs.get(tx, run_id)
        held_by = leases.holders(tx, run_id) if run.status is RunStatus.WAITING else ()
        jobs = [runs.get(tx, one).job for one in (*held_by, run_id)]
        states = {job: context.queue.state(tx, job) for job in jobs if job is not None}
        alone = context.queue.workers_alive(tx) == 0
        seen = record(tx, run)
    todo = next((job for job, state in states.items() if state and not state.final), None)
    state = states.get(run.job) if run.job is not None else None
    lost = run.status in (RunStatus.QUEUED, RunStatus.RUNNING) and state is not None and state.final
    return _Seen(seen, todo if alone else None, lost)
