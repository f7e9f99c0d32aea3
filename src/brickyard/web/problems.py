"""Errors as RFC 9457 problem details: the one table from error to HTTP status."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from brickyard.kernel import errors
from brickyard.kernel.errors import BrickyardError, Problem, SpecInvalid
from brickyard.kernel.explain import explanations

log = structlog.stdlib.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
REQUEST_ID = "brickyard.request_id"  # where the request's id is in the ASGI scope

STATUS: dict[type[BrickyardError], int] = {
    errors.SpecInvalid: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.GuardRefused: 409,
    errors.Unauthorized: 401,
    errors.WorkspaceRefused: 502,
    errors.WorkspaceDown: 504,
    errors.MetadataDown: 503,
    errors.QueueDown: 503,
    errors.Interrupted: 503,
    BrickyardError: 500,
}
STATUS_BY_CODE = {
    "workspace-unauthorized": 502,  # our own login to the workspace, not the client's to us
    "workspace-unknown": 400,
    "host-unknown": 421,
    "body-too-large": 413,
    "content-type-missing": 415,
}
_CODES = {401: "token-missing", 404: "no-such-route", 405: "no-such-route", 413: "body-too-large"}


class ProblemEntry(BaseModel):
    """One located fault of the request."""

    message: str
    where: str | None = Field(None, description="File, line, cell or key.")
    remedy: str | None = None


class ProblemDetails(BaseModel):
    """An error, after RFC 9457."""

    type: str = Field(description="`urn:brickyard:error:` and the code.")
    title: str = Field(description="What the code means.")
    status: int
    detail: str = Field(description="What happened here.")
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="`brickyard explain CODE` tells more.")
    remedy: str | None = Field(None, description="What to do.")
    request_id: str = Field(description="The same as in the header and in the logs.")
    problems: list[ProblemEntry] = Field(default_factory=list, description="Every located fault.")


def status_of(error: BrickyardError) -> int:
    """Return the HTTP status of an error: by its code, else by its nearest class in the table."""
    by_class = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return STATUS_BY_CODE.get(error.error_code) or next(by_class)


def respond(request: Request, error: BrickyardError) -> JSONResponse:
    """Answer with the error's problem details."""
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return _response(request, status, error.error_code, str(error), headers, error.remedy, error.problems)


def install(app: FastAPI) -> None:
    """Answer every error of the application in this one shape."""
    app.add_exception_handler(BrickyardError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_fault)


def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BrickyardError)
    log.info("request refused", code=error.error_code, error=error.message)
    return respond(request, error)


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if not _is_json(request) and any(e["loc"] == ("body",) for e in error.errors()):
        return respond(request, SpecInvalid("the body is not sent as JSON", code="content-type-missing"))
    problems = tuple(Problem(e["msg"], where=".".join(map(str, e["loc"]))) for e in error.errors())
    return respond(
        request, SpecInvalid(f"the request has {len(problems)} fault(s)", remedy="mend each", problems=problems)
    )


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    return _response(request, error.status_code, code, str(error.detail), dict(error.headers or {}))


def _on_fault(request: Request, error: Exception) -> JSONResponse:
    """Answer for a fault of ours without its words, which may hold secrets; the log has them."""
    log.error("request failed", exc_info=error)
    return _response(request, 500, "error", "the service failed; its log has this request's id", {})


def _response(
    request: Request,
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str],
    remedy: str | None = None,
    problems: tuple[Problem, ...] = (),
) -> JSONResponse:
    known = explanations().get(code)
    request_id = request.scope.get(REQUEST_ID, "")
    content = ProblemDetails(
        type=f"urn:brickyard:error:{code}",
        title=known.title if known else HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        remedy=remedy or (known.remedy if known else None),
        request_id=request_id,
        problems=[ProblemEntry(message=p.message, where=p.where, remedy=p.remedy) for p in problems],
    )
    return JSONResponse(
        content.model_dump(exclude_none=True), status, {"X-Request-Id": request_id, **headers}, media_type=MEDIA_TYPE
    )
