"""What is worth watching of share: packs, runs, what waits to be sent, links nobody has fetched, the Azure queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

import structlog

from brickyard.context import Context
from brickyard.kernel.errors import QueueDown
from brickyard.kernel.measure import Measure
from brickyard.queue.azure import AzureQueue
from brickyard.share.model.records import NotificationStatus
from brickyard.share.model.runs import PackStatus, RunStatus
from brickyard.share.store import health, links, notices, outbox, runs

Status = TypeVar("Status", bound=StrEnum)
log = structlog.stdlib.get_logger(__name__)


def measured(context: Context) -> tuple[Measure, ...]:
    """Count it all in one look at the database, and ask the Azure queue where there is one."""
    with context.metadata.read() as tx:
        found = [
            *_by_status("share_packs", "Share packs, by status.", PackStatus, health.packs_by_status(tx)),
            *_by_status("share_runs", "Runs of share, by status.", RunStatus, runs.counts(tx)),
            *_by_status("share_notifications", "Notifications, by status.", NotificationStatus, notices.counts(tx)),
            *(
                Measure("share_outbox", "Things to send, by kind and status.", count, {"kind": kind, "status": status})
                for (kind, status), count in outbox.counts(tx).items()
            ),
            Measure("share_jobs_waiting", "Jobs of share that wait.", health.waiting(tx)),
            Measure("share_links_waiting", "Activation links that nobody has fetched.", len(links.waiting(tx))),
        ]
    return (*found, *_azure(context))


def _by_status(name: str, text: str, known: type[Status], counts: Mapping[Status, int]) -> Iterator[Measure]:
    """Yield a count for each status, 0 for those that nothing is in, so that an alert has a series to look at."""
    return (Measure(name, text, counts.get(status, 0), {"status": str(status)}) for status in known)


def _azure(context: Context) -> tuple[Measure, ...]:
    queue = AzureQueue.of(context.queue.settings)
    if queue is None:
        return ()
    up = "Whether the Azure queue answers."
    try:
        length = queue.length()
    except QueueDown as error:
        log.warning("the Azure queue does not answer", error=error.message)
        return (Measure("share_azure_up", up, 0),)
    finally:
        queue.close()
    return (
        Measure("share_azure_up", up, 1),
        Measure("share_azure_waiting", "Messages in the Azure queue, about.", length.waiting),
        Measure("share_azure_poisoned", "Messages in the poison queue, about.", length.poisoned),
    )
