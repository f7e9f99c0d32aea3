"""What the worker does for migrate."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.migrate import flow
from brickyard.queue import task


@task("migrate.run", gave_up=flow.gave_up)
def run(context: Context, *, run_id: str) -> None:
    """Bring one run to its end."""
    flow.run(context, run_id)
