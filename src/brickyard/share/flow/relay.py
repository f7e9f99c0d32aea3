"""How a run comes to a worker: by the own queue, or by an Azure queue that the outbox feeds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import QueueDown
from brickyard.queue.azure import AzureQueue
from brickyard.share.model.runs import RunStatus
from brickyard.share.store import outbox, packs, runs
from brickyard.share.store.outbox import Parcel
from brickyard.share.store.runs import Run

TASK = "share.provision"
LOST_AFTER = timedelta(minutes=15)  # how long a message may be under way before its run is queued without it
_LONGEST_WAIT = 60  # seconds between two attempts to send
_UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING)
log = structlog.stdlib.get_logger(__name__)


def hand_over(tx: Connection, context: Context, run_id: str) -> None:
    """Give a run to the workers in the caller's transaction: both commit, or neither.

    With an Azure queue a pack's run goes out as a message through the outbox, so that it does not matter whether Azure
    answers now; until the message comes the run has no job.
    """
    run = runs.get(tx, run_id)
    azure = context.queue.settings.azure_queue_connection_string
    if run.pack_id is None or azure is None or run.kind not in runs.MIRRORED:
        _queue(tx, context, run_id)
        return
    runs.keep(tx, run_id, job=None)
    name = packs.get(tx, run.pack_id).name
    pack = {"share_pack_id": str(run.pack_id), "share_pack_name": name, "version": run.version}
    outbox.put(tx, outbox.QUEUE, {**pack, "run_id": run.id}, context.clock())


def wake(tx: Connection, context: Context, waiting: Iterable[str] | None) -> None:
    """Queue again the runs that waited for what is free now; their messages, if any, are held meanwhile."""
    for run_id in waiting or ():
        _queue(tx, context, run_id)


def ensure_job(tx: Connection, context: Context, run_id: str) -> Run:
    """Make sure that a run that is to be done has a job, however often and by however many this is asked, and return it.

    A run that is over or waits, for an approval or for another run, is left alone: who ends that waiting queues it.
    """
    run = runs.get(tx, run_id, lock=True)
    if run.status in _UNDER_WAY and not _has_job(tx, context, run):
        _queue(tx, context, run_id)
        return runs.get(tx, run_id)
    return run


def something_to_send(context: Context, tx: Connection) -> bool:
    """Tell whether there is something for `send_due`."""
    return outbox.due(tx, outbox.QUEUE, context.clock())


def send_due(context: Context) -> int:
    """Send what is due to the Azure queue, and return how much went; what did not is due again a little later.

    Where there is no such queue any more, the runs go into the own one.
    """
    azure = AzureQueue.of(context.queue.settings)
    with context.metadata.transaction() as tx:
        parcels = outbox.take(tx, outbox.QUEUE, context.clock(), limit=100)
        if azure is None:
            _keep(tx, context, parcels)
    if azure is None:
        return len(parcels)
    try:
        return _send_all(context, azure, parcels)
    finally:
        azure.close()


def recover(context: Context) -> tuple[str, ...]:
    """Queue here the runs whose message went out long ago and never came back; returns them."""
    with context.metadata.transaction() as tx:
        late = outbox.lost_runs(tx, context.clock() - LOST_AFTER)
        lost = tuple(run_id for run_id in late if _is_lost(tx, context, run_id))
    for run_id in lost:
        log.warning("message lost; the run is queued without it", run=run_id)
    return lost


def _is_lost(tx: Connection, context: Context, run_id: str) -> bool:
    return runs.get(tx, run_id).job != ensure_job(tx, context, run_id).job


def _queue(tx: Connection, context: Context, run_id: str) -> None:
    job = context.queue.defer(tx, TASK, run_id=run_id)
    runs.keep(tx, run_id, job=job)


def _has_job(tx: Connection, context: Context, run: Run) -> bool:
    """Tell whether a run's job is still to end; one that has ended without ending its run does not count."""
    state = None if run.job is None else context.queue.state(tx, run.job)
    return state is not None and not state.final


def _keep(tx: Connection, context: Context, parcels: Iterable[Parcel]) -> None:
    for parcel in parcels:
        ensure_job(tx, context, parcel.payload["run_id"])
        outbox.sent(tx, parcel.id, context.clock())


def _send_all(context: Context, azure: AzureQueue, parcels: tuple[Parcel, ...]) -> int:
    """Send in order until one does not go; that one and the rest wait for their next time."""
    for position, parcel in enumerate(parcels):
        try:
            if position == 0:
                azure.ensure()
            azure.send(parcel.payload)
        except QueueDown as error:
            log.warning("the Azure queue does not answer", error=error.message, waiting=len(parcels) - position)
            _put_off(context, parcels[position:], error.message)
            return position
        with context.metadata.transaction() as tx:
            outbox.sent(tx, parcel.id, context.clock())
    return len(parcels)


def _put_off(context: Context, parcels: Iterable[Parcel], why: str) -> None:
    with context.metadata.transaction() as tx:
        for parcel in parcels:
            wait = timedelta(seconds=min(_LONGEST_WAIT, 2**parcel.attempts))
            outbox.failed(tx, parcel.id, why, context.clock() + wait)
