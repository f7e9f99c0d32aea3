"""Whether the service lives, is ready, and what it counted."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from brickyard.context import Context
from brickyard.kernel.errors import GuardRefused, MetadataDown
from brickyard.metadata import migrate

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What the service needs, each `ok` or what is wrong with it."""

    status: Literal["ok", "not ready"]
    database: str
    migrations: str
    workers: int | None = Field(None, description="Workers that take jobs now; the service is ready without one.")


@router.get("/healthz")
def healthz() -> Health:
    """Say that the process answers; touches nothing."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Something is missing."}})
def readyz(request: Request, response: Response) -> Readiness:
    """Say whether the database answers and its schema is this version's; the queue lies in the same database."""
    readiness = _look(request.app.state.context)
    response.status_code = 200 if readiness.status == "ok" else 503
    return readiness


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return the counters in Prometheus' format."""
    text = request.app.state.metrics.text(request.app.state.context)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _look(context: Context) -> Readiness:
    try:
        with context.metadata.read() as tx:
            if not migrate.is_current(tx):
                return Readiness(status="not ready", database="ok", migrations="the schema is older than this version")
            workers = context.queue.workers_alive(tx)
            return Readiness(status="ok", database="ok", migrations="ok", workers=workers)
    except MetadataDown as error:
        return Readiness(status="not ready", database=error.error_code, migrations="unknown")
    except GuardRefused as error:
        return Readiness(status="not ready", database="ok", migrations=error.error_code)
