"""A worker that serves an Azure queue: its runs leave a line when they begin and one when they end."""

from __future__ import annotations

import json
import sys

import sqlalchemy as sa

from brickyard.context import Context
from brickyard.kernel import stop
from brickyard.metadata import Metadata
from brickyard.queue import Queue, companion, periodic, task, work
from brickyard.settings import Settings
from brickyard.share.flow import receive, relay
from brickyard.share.model.runs import RunStatus
from brickyard.share.store import runs
from brickyard.workspace import Workspaces

companion("share.receive")(receive)
periodic("share.relay", 0.2, due=relay.something_to_send)(relay.send_due)


@task(relay.TASK)
def provision(context: Context, *, run_id: str) -> None:
    """Take a while, in steps that are noted."""
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        if runs.start(tx, run_id, context.clock()).status is not RunStatus.RUNNING:
            return
    for step in range(5):
        stop.pause(0.1)
        with context.metadata.transaction() as tx:
            context.queue.checkpoint(tx)
            values = {"run": run_id, "step": step}
            tx.execute(sa.text("INSERT INTO note VALUES (:run, :step) ON CONFLICT DO NOTHING"), values)
    with context.metadata.transaction() as tx:
        context.queue.checkpoint(tx)
        runs.finish(tx, run_id, RunStatus.COMPLETED, context.clock())


if __name__ == "__main__":
    settings = Settings(**json.loads(sys.argv[2]))
    metadata = Metadata(sys.argv[1])
    house = Context(Workspaces(host=settings.workspace_host), metadata, Queue(metadata, settings))
    work.serve(house.queue, house)
