"""The shapes of refusals that the requirements fix: `{"detail"}` and `{"detail", "error_type"}`, with their statuses."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from copy import deepcopy
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from brickyard.kernel.errors import (
    BrickyardError,
    Conflict,
    GuardRefused,
    Interrupted,
    MetadataDown,
    NotFound,
    QueueDown,
    SpecInvalid,
    Unauthorized,
    WorkspaceDown,
    WorkspaceRefused,
)
from brickyard.share.report import problems_text

log = structlog.stdlib.get_logger(__name__)

_STATUS: dict[type[BrickyardError], int] = {
    SpecInvalid: 400,
    NotFound: 404,
    Conflict: 409,
    GuardRefused: 409,
    Unauthorized: 401,
    WorkspaceDown: 502,
    MetadataDown: 503,
    QueueDown: 503,
    Interrupted: 503,
}
_PASSED_ON = (400, 401, 403, 404, 409)  # what Databricks says of a request is said of ours; anything else is a 502
_TYPES = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    409: "ResourceConflict",
    502: "BadGateway",
    503: "TemporarilyUnavailable",
}
_HEADER = ("header", "x-workspace-url")
_CONTENT: dict[str, dict[str, Any]] = {  # generated clients know the first one only; the other is the gate's own words
    "application/json": {},
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}},
}
_LONGEST_INPUT = 200


class Failure(BaseModel):
    """Why a request was refused or failed."""

    detail: str
    error_type: str | None = Field(None, description="The kind of error, in Databricks' words.")


class Fault(BaseModel):
    """One fault of a request."""

    msg: str
    input: str


class Invalid(BaseModel):
    """Every fault of a request."""

    detail: list[Fault]


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the refusals of a route: its own *statuses*, and those that any may have."""
    documented: dict[int | str, dict[str, Any]] = {
        status: {"model": Failure, "description": _TYPES[status], "content": deepcopy(_CONTENT)}
        for status in sorted({400, 401, 404, 502, 503, *statuses})
    }
    return documented | {422: {"model": Invalid, "description": "The request has faults; all of them are listed."}}


class ContractRoute(APIRoute):
    """A route whose refusals have the requirements' shapes instead of problem details."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with its refusals rendered."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return _invalid(error)
            except BrickyardError as error:
                return refused(error)
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                return failure(400, str(error.detail))

        return handler


def refused(error: BrickyardError) -> JSONResponse:
    """Answer with the error's status, what it says and of which kind it is."""
    log.info("request refused", code=error.error_code, error=error.message)
    status = status_of(error)
    text = "; ".join([error.message, *problems_text(error.problems), *([error.remedy] if error.remedy else [])])
    return failure(status, text, None if error.error_code == "workspace-unknown" else _TYPES.get(status))


def status_of(error: BrickyardError) -> int:
    """Return the status of an error; what Databricks refused keeps its own where the requirements name it."""
    if isinstance(error, WorkspaceRefused):
        return error.status if error.status in _PASSED_ON else 502
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 502)


def failure(status: int, detail: str, error_type: str | None = None) -> JSONResponse:
    """Answer with a failure."""
    return JSONResponse(Failure(detail=clean(detail), error_type=error_type).model_dump(exclude_none=True), status)


def clean(text: str) -> str:
    """Return a text that JSON can carry: half characters are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _invalid(error: RequestValidationError) -> JSONResponse:
    errors = error.errors()
    if any(tuple(str(part).lower() for part in e["loc"][:2]) == _HEADER for e in errors):
        return failure(400, "the header X-Workspace-URL is missing or too long")
    faults = [Fault(msg=clean(_message(e)), input=clean(str(e.get("input"))[:_LONGEST_INPUT])) for e in errors]
    return JSONResponse(Invalid(detail=faults).model_dump(), 422)


def _message(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
