"""What the worker does for health."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.health import flow
from brickyard.health.flow.door import places, through
from brickyard.queue import periodic
from brickyard.settings import Settings


@periodic("health.run", "health_run_minutes")
def run(context: Context) -> None:
    """Bring gold up to date."""
    known = Settings()
    where = places(known.health_source_catalog, known.health_catalog)
    flow.run(through(context.workspaces.client(), where, context.clock()))
