"""The HTTP door of migrate."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.measure import Measure
from brickyard.kernel.terminal import plain
from brickyard.migrate import flow, report, store
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import RunRequest, RunStatus
from brickyard.settings import Settings

router = APIRouter(prefix="/migrate", tags=["migrate"])

RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$", description="Id of a run, or of a batch of runs.")]


class Format(StrEnum):
    """How a record is rendered."""

    JSON = "json"
    HTML = "html"


Wanted = Annotated[Format | None, Query(alias="format", description="By the Accept header when absent.")]


class QueuedRun(BaseModel):
    """A run that was queued."""

    id: str
    path: str


class Queued(BaseModel):
    """What a request has queued."""

    batch: str = Field(description="Names all runs of the request together.")
    runs: list[QueuedRun]


class RunLine(BaseModel):
    """A run in a list."""

    id: str
    batch: str
    path: str
    status: RunStatus
    outcome: Outcome | None
    code: str | None = Field(description="`brickyard explain CODE` tells more.")
    message: str | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunPage(BaseModel):
    """A page of runs, the newest first."""

    runs: list[RunLine]
    next_page_token: str | None = Field(description="Ask for the next page with it; absent on the last one.")


class RunRecord(RunLine):
    """Everything that is known of a run."""

    format: int
    workspace: str
    run_page_url: str | None
    not_proved: list[str] = Field(description="What a reader might take for proved and that was not.")
    findings: list[dict[str, Any]]
    rows_compared: int | None
    plan: dict[str, Any] | None = Field(description="The notebook's plan, as `plan --output json`, and its cells.")
    preflight: dict[str, Any]
    tasks: list[dict[str, Any]]
    reconciliation: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


def routes(_settings: Settings) -> tuple[APIRouter, ...]:
    """Return the routes of migrate; no setting takes one away."""
    return (router,)


def measured(_context: Context) -> tuple[Measure, ...]:
    """Return what is worth watching of migrate: nothing beyond the queue."""
    return ()


@router.post("/runs", status_code=202, summary="Migrate notebooks")
def submit(request: Request, response: Response, wanted: RunRequest) -> Queued:
    """Queue a run for each notebook; `Location` says where to look."""
    queued = flow.submit(_context(request), wanted)
    only = next(iter(queued.runs.values())) if len(queued.runs) == 1 else None
    response.headers["Location"] = f"/migrate/runs/{only}" if only else f"/migrate/runs?batch={queued.batch}"
    return Queued(batch=queued.batch, runs=[QueuedRun(id=run, path=path) for path, run in queued.runs.items()])


@router.get("/runs", summary="List runs")
def list_runs(
    request: Request,
    batch: Annotated[str | None, Query(pattern=r"^[0-9a-f]{1,32}$")] = None,
    status: RunStatus | None = None,
    outcome: Outcome | None = None,
    path: Annotated[str | None, Query(max_length=1024, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    page_token: Annotated[str | None, Query(max_length=200)] = None,
) -> RunPage:
    """Return runs, the newest first."""
    after = _read_token(page_token) if page_token else None
    with _context(request).metadata.read() as tx:
        found = store.list_runs(
            tx, batch_id=batch, status=status, outcome=outcome, path=path, after=after, limit=limit + 1
        )
    shown = found[:limit]
    token = _token(shown[-1]) if len(found) > limit else None
    return RunPage(runs=[RunLine(**report.summary(run)) for run in shown], next_page_token=token)


@router.get("/runs/{run}", summary="Show a run")
def show(request: Request, run: RunId) -> RunRecord:
    """Return everything that is known of a run."""
    return RunRecord(**flow.record_one(_context(request), run))


@router.get("/runs/{run}/diff", summary="Show a notebook before and after", response_model=None)
def diff(request: Request, run: RunId, wanted: Wanted = None, accept: Annotated[str, Header()] = "") -> Response:
    """Return the changed cells side by side, each edit with its reason."""
    context = _context(request)
    documents = flow.record(context, run)
    if _html(wanted, accept):
        return _page(report.diff_html(flow.title(context, run), documents, context.clock()))
    return JSONResponse([{"path": d["path"], "cells": plain(report.diff(d["plan"]))} for d in documents])


@router.get("/runs/{run}/report", summary="Show the report", response_model=None)
def show_report(request: Request, run: RunId, wanted: Wanted = None, accept: Annotated[str, Header()] = "") -> Response:
    """Return the record of a run, or of all runs of a batch, as one page or as JSON."""
    context = _context(request)
    documents = flow.record(context, run)
    if _html(wanted, accept):
        return _page(report.html(flow.title(context, run), documents, context.clock()))
    return JSONResponse([RunRecord(**document).model_dump(mode="json") for document in documents])


def _context(request: Request) -> Context:
    return request.state.context


def _html(wanted: Format | None, accept: str) -> bool:
    return wanted is Format.HTML or (wanted is None and "text/html" in accept)


def _page(text: str) -> HTMLResponse:
    return HTMLResponse(text, headers={"Content-Security-Policy": report.policy(), "X-Content-Type-Options": "nosniff"})


def _token(run: store.Run) -> str:
    return base64.urlsafe_b64encode(f"{run.created_at.isoformat()}|{run.id}".encode()).decode()


def _read_token(text: str) -> tuple[datetime, str]:
    try:
        at, _, run = base64.urlsafe_b64decode(text).decode("ascii").partition("|")
        return datetime.fromisoformat(at).astimezone(), run.replace("\0", "")
    except (binascii.Error, ValueError) as error:
        raise SpecInvalid("the page token is none of ours", code="page-token", remedy="start without one") from error
