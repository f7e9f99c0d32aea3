"""What comes out of the Azure queue: each message is held until its run is over, and those that cannot be done are set aside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted, MetadataDown, NotFound, QueueDown
from brickyard.queue.azure import AzureQueue, Message
from brickyard.share.flow.relay import ensure_job
from brickyard.share.flow.submit import workspace_of
from brickyard.share.model.runs import RunStatus
from brickyard.share.store import packs, runs
from brickyard.share.store.runs import Run

LEASE_SECONDS = 60
RENEW_SECONDS = 20
RECEIPTS = 5  # what was given out more often without coming to its end is set aside
_BUSY_SECONDS, _IDLE_SECONDS, _DOWN_SECONDS = 0.3, 1.0, 2.0
log = structlog.stdlib.get_logger(__name__)


class _Unusable(Exception):
    """The message belongs to no run that can be done here."""


@dataclass(slots=True)
class Held:
    """A message that this process holds until its run is over; *since* is when its lease began, by the monotonic clock."""

    message: Message
    run_id: str
    since: float


@dataclass(slots=True)
class Consumer:
    """Holds as many messages as its worker runs jobs; the jobs themselves are in the own queue, where they are fenced."""

    context: Context
    queue: AzureQueue
    held: list[Held] = field(default_factory=list)

    def run(self) -> None:
        """Take messages until the process is asked to stop, then give back those whose runs are not over."""
        ready = False
        while not stop.requested():
            wait = _DOWN_SECONDS
            try:
                if not ready:
                    self.queue.ensure()
                    ready = True
                wait = _BUSY_SECONDS if self.turn() else _IDLE_SECONDS
            except QueueDown as error:
                ready = False
                log.warning("the Azure queue does not answer", error=error.message)
            except MetadataDown as error:
                log.warning("messages wait for the database", error=error.message)
            _pause(wait)
        self.give_back()

    def turn(self) -> int:
        """Let go of what is over, hold on to the rest, take more while there is room; returns how many are held."""
        self._settle()
        while len(self.held) < self.context.queue.settings.worker_concurrency and not stop.requested():
            message = self.queue.receive(LEASE_SECONDS)
            if message is None:
                break
            self._accept(message)
        return len(self.held)

    def give_back(self) -> None:
        """Let others have the messages at once."""
        try:
            for held in self.held:
                self.queue.renew(held.message, 0)
        except QueueDown as error:
            log.warning("messages come back when their lease ends", error=error.message)
        self.held.clear()

    def _settle(self) -> None:
        with self.context.metadata.read() as tx:
            over = {held.run_id for held in self.held if _is_over(runs.get(tx, held.run_id))}
        for held in list(self.held):
            if held.run_id in over:
                self.queue.delete(held.message)
                self.held.remove(held)
            elif time.monotonic() - held.since >= RENEW_SECONDS:
                self._renew(held)

    def _renew(self, held: Held) -> None:
        """Prolong a lease, and look whether the run still has its job; a message that somebody else has is let go."""
        now = time.monotonic()
        renewed = self.queue.renew(held.message, LEASE_SECONDS)
        if renewed is None:
            self.held.remove(held)
            return
        held.message, held.since = renewed, now
        with self.context.metadata.transaction() as tx:
            ensure_job(tx, self.context, held.run_id)

    def _accept(self, message: Message) -> None:
        """Hold a message whose run has a job now, and be done with any other."""
        now = time.monotonic()
        try:
            with self.context.metadata.transaction() as tx:
                run = self._queued(tx, message)
        except _Unusable as unusable:
            log.warning("message set aside", message=message.id, why=str(unusable))
            self.queue.set_aside(message, str(unusable))
            return
        if _is_over(run):
            self.queue.delete(message)
        elif message.receipts > RECEIPTS:
            self._poison(message, run)
        else:
            self.held.append(Held(message, run.id, now))

    def _queued(self, tx: Connection, message: Message) -> Run:
        run = _run_of(tx, message.body())
        if run.workspace != workspace_of(self.context):
            raise _Unusable(f"run {run.id} is for the workspace {run.workspace}")
        return run if message.receipts > RECEIPTS else ensure_job(tx, self.context, run.id)

    def _poison(self, message: Message, run: Run) -> None:
        """Set a message aside and say so in the run's timeline; said first, so that a crash cannot hide it."""
        why = f"received {message.receipts - 1} times without coming to its end"
        with self.context.metadata.transaction() as tx:
            runs.tell(tx, run, self.context.clock(), runs.POISONED, f"its message was set aside: {why}")
        log.warning("message set aside", message=message.id, run=run.id, why=why)
        self.queue.set_aside(message, why)


def receive(context: Context) -> None:
    """Serve the Azure queue, where there is one, until the process is asked to stop."""
    try:
        queue = AzureQueue.of(context.queue.settings)
    except QueueDown as error:
        log.error("the Azure queue is not served", error=error.message)
        return
    if queue is not None:
        Consumer(context, queue).run()
        queue.close()


def _pause(seconds: float) -> None:
    try:
        stop.pause(seconds)
    except Interrupted:
        return


def _is_over(run: Run) -> bool:
    """Tell whether a message has done its duty: its run is over, or waits for an approval, which sends another one."""
    return run.status.final or run.status is RunStatus.PENDING_APPROVAL


def _run_of(tx: Connection, body: Mapping[str, Any] | None) -> Run:
    """Return the run that a message names; one of an older sender names a pack and means its newest run."""
    if body is None:
        raise _Unusable("it is no JSON object")
    run_id, pack_id = body.get("run_id"), body.get("share_pack_id")
    try:
        if run_id is not None:
            return runs.get(tx, str(run_id))
        run = runs.newest(tx, packs.get(tx, str(pack_id)).pack_id)
    except NotFound as error:
        raise _Unusable(error.message) from None
    if run is None:
        raise _Unusable(f"share pack {UUID(str(pack_id))} has no run")
    return run
