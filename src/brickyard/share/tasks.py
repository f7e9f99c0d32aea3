"""What the worker does for share."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.queue import companion, periodic, task
from brickyard.share import flow


@task("share.provision", gave_up=flow.gave_up)
def provision(context: Context, *, run_id: str) -> None:
    """Bring one run to its end."""
    flow.provision(context, run_id)


@periodic("share.rotate", "share_rotation_minutes")
def rotate(context: Context) -> None:
    """Replace the tokens that their policy says are too old."""
    flow.rotate_due(context)


@periodic("share.expire", "share_rotation_minutes")
def expire(context: Context) -> None:
    """Take the access from recipients whose time is over, and drop the probes of verifications that were killed."""
    flow.expire_due(context)
    flow.drop_probes(context)


@companion("share.receive")
def receive(context: Context) -> None:
    """Take the runs that the Azure queue brings."""
    flow.receive(context)


@periodic("share.relay", 1, due=flow.something_to_send)
def relay(context: Context) -> None:
    """Send the runs that wait in the outbox to the Azure queue."""
    flow.send_due(context)


@periodic("share.recover", 300)
def recover(context: Context) -> None:
    """Queue the runs whose message was lost."""
    flow.recover(context)


@periodic("share.notify", 5, due=flow.someone_to_tell)
def notify(context: Context) -> None:
    """Send the notifications that are due."""
    flow.tell_due(context)


@periodic("share.tidy", 3600)
def tidy(context: Context) -> None:
    """Forget the answers to old requests, and drop what killed verifications left."""
    flow.tidy(context)


@periodic("share.sync", "share_sync_minutes")
def sync(context: Context) -> None:
    """Bring users, groups, objects, metrics and costs into step."""
    flow.sync(context)
