"""What the worker does for share."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.queue import task
from brickyard.share import flow


@task("share.provision", gave_up=flow.gave_up)
def provision(context: Context, *, run_id: str) -> None:
    """Bring one run to its end."""
    flow.provision(context, run_id)


@task("share.rotate")
def rotate(context: Context) -> None:
    """Replace the tokens that their policy says are too old."""
    flow.rotate_due(context)


@task("share.expire")
def expire(context: Context) -> None:
    """Take the access from recipients whose time is over."""
    flow.expire_due(context)
