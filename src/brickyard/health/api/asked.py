"""What a request of health works through: the door to the workspace, the catalogs by their settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from brickyard.context import Context
from brickyard.health.flow import Door
from brickyard.health.flow.door import places, through
from brickyard.settings import Settings

Catalog = Annotated[
    str | None,
    Query(max_length=255, pattern=r"^[^\x00`]+$", description="The gold catalog, instead of the service's own."),
]
SourceCatalog = Annotated[
    str | None,
    Query(max_length=255, pattern=r"^[^\x00`]+$", description="The catalog of the system tables it was built from."),
]


def door(request: Request, catalog: Catalog = None, source_catalog: SourceCatalog = None) -> Door:
    """Return the door of a request."""
    context: Context = request.state.context
    known = Settings()
    where = places(source_catalog or known.health_source_catalog, catalog or known.health_catalog)
    return through(context.workspaces.client(), where, context.clock())


Asked = Annotated[Door, Depends(door)]
