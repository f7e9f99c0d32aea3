"""Whether the service answers, and whether its log is written; both as the requirements have them."""

from __future__ import annotations

from datetime import datetime

import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from brickyard.share.api.contract import ContractRoute, answers
from brickyard.share.api.workspaces import Asked

router = APIRouter(prefix="/health", tags=["health"], route_class=ContractRoute)
log = structlog.stdlib.get_logger(__name__)


class Alive(BaseModel):
    """The service answers."""

    status: str
    timestamp: datetime
    service: str
    version: str
    workspace_url: str | None


class Logged(BaseModel):
    """A line was written to the log."""

    message: str


@router.get("", responses=answers())
def health(context: Asked) -> Alive:
    """Say that the service answers, and for which workspace; nothing is asked."""
    return Alive(
        status="healthy",
        timestamp=context.clock(),
        service="Delta Share API",
        version="v1",
        workspace_url=context.workspaces.host,
    )


@router.post("/logging/test", responses=answers())
def test_log(context: Asked) -> Logged:
    """Write a line to the log, to see whether it arrives."""
    log.warning("logging test", actor=context.actor)
    return Logged(message="a test line was written to the log")
