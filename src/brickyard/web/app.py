"""The web application: the gate, the health routes and the rooms' routers, every error as problem details."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from brickyard.context import Context
from brickyard.kernel.measure import Measure
from brickyard.web import health, problems
from brickyard.web.gate import OPEN, Gate, Rules
from brickyard.web.metrics import Look, Metrics

_SCHEME = "token"
_REF = "#/components/schemas/"
# What any route may answer; the gate and the doors to workspace and database stand before all of them.
_REFUSALS = {
    "401": "The token is missing or wrong.",
    "413": "The body is too large.",
    "421": "The service does not answer under this host name.",
    "422": "The request has faults; all of them are listed.",
    "default": "Anything else that was refused or failed.",
}


def _nothing(_: Context) -> Iterable[Measure]:
    return ()


def create(context: Context, rules: Rules, rooms: Iterable[APIRouter] = (), look: Look = _nothing) -> FastAPI:
    """Return the application that serves *rooms* on this context, and measures what *look* sees.

    A room's handlers find the context of their request as `request.state.context`: its actor is who asks.
    """
    app = FastAPI(
        title="Brickyard",
        version=version("brickyard"),
        docs_url=None,  # its page would load scripts from another host
        redoc_url=None,
        lifespan=_closing(context),
    )
    app.state.context = context
    app.state.metrics = Metrics(look)
    problems.install(app)
    for router in (health.router, *rooms):
        app.include_router(router)
    app.add_middleware(Gate, context=context, rules=rules, metrics=app.state.metrics)
    setattr(app, "openapi", _documented(app))  # noqa: B010 — FastAPI's own seam is a method to replace
    return app


def _closing(context: Context) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.metadata.close()

    return lifespan


def _documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the OpenAPI document once, with token and problems on every route."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(get_openapi(title=app.title, version=app.version, routes=app.routes))
        return app.openapi_schema

    return openapi


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    described = problems.ProblemDetails.model_json_schema(ref_template=_REF + "{model}")
    schemas.update(described.pop("$defs", {}), ProblemDetails=described)
    components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete_operation(operation, needs_token=path not in OPEN)
    return document


def _complete_operation(operation: dict[str, Any], *, needs_token: bool) -> None:
    operation["security"] = [{_SCHEME: []}] if needs_token else []
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        responses.pop("422")  # FastAPI's own shape, which is never sent
    for status, description in _REFUSALS.items():
        if status != "401" or needs_token:
            content = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF + "ProblemDetails"}}}
            responses.setdefault(status, {"description": description, "content": content})
