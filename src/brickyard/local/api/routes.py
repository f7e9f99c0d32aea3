"""Routes as data: a method, a path template, the SDK's name of the operation and the function that answers.

A service module fills a `Router` with functions `(service, call) -> answer`; the composition root binds it to the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar

from starlette.responses import Response

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.tokens import Principal

S = TypeVar("S")
JsonObject = dict[str, object]
Answer = JsonObject | Response | None
Handler = Callable[["Call"], Answer]
Envelope = Callable[[ApiError], JsonObject]
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: who asks, the decoded path, the query and the body."""

    principal: Principal
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    host: str
    form: Mapping[str, str | bytes] = field(default_factory=dict)
    peer: str = ""  # the address that the connection comes from

    def body(self) -> JsonObject:
        """The JSON object sent, an empty one when there is no body."""
        if not self.raw:
            return {}
        try:
            parsed = json.loads(self.raw)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "MALFORMED_REQUEST", f"The body is not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise ApiError(400, "MALFORMED_REQUEST", "The body must be a JSON object.")
        return parsed

    def text(self, name: str, default: str | None = None) -> str:
        """A query parameter, or INVALID_PARAMETER_VALUE when it is required and absent."""
        value = self.query.get(name, default)
        if value is None:
            raise invalid(f"Missing required field: {name}")
        return value

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a whole number."""
        value = self.query.get(name, "")
        if value and not re.fullmatch(r"-?\d{1,18}", value):
            raise invalid(f"{name} must be a whole number, not {value!r}")
        return int(value) if value else default

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return self.query.get(name, "false").lower() == "true"


@dataclass(frozen=True, slots=True)
class Route:
    """A method and path that the workspace answers; `operation` is `<service>.<method>` as the SDK names it."""

    method: str
    path: str
    operation: str
    handler: Handler
    anonymous: bool = False
    envelope: Envelope = ApiError.body

    def matches(self, path: str) -> re.Match[str] | None:
        """The values of the template in a path; templates are compiled when a path first comes near them."""
        return _compile(self.path).fullmatch(path) if path.startswith(self.path.partition("{")[0]) else None


@dataclass(frozen=True, slots=True)
class Entry(Generic[S]):
    """A route not yet bound to the service behind it."""

    method: str
    path: str
    operation: str
    function: Callable[[S, Call], Answer]
    anonymous: bool


class Router(Generic[S]):
    """The routes of one service; *envelope* is how its refusals are worded when not as Databricks words them."""

    def __init__(self, envelope: Envelope = ApiError.body) -> None:
        self.entries: list[Entry[S]] = []
        self._envelope = envelope

    def on(
        self, method: str, *paths: str, operation: str, anonymous: bool = False
    ) -> Callable[[Callable[[S, Call], Answer]], Callable[[S, Call], Answer]]:
        """Register a function for a method and one or more path templates (`{name}`, `{name:path}`)."""

        def register(function: Callable[[S, Call], Answer]) -> Callable[[S, Call], Answer]:
            self.entries += [Entry(method, path, operation, function, anonymous) for path in paths]
            return function

        return register

    def bind(self, service: S) -> tuple[Route, ...]:
        """The routes, answered by *service*."""
        return tuple(
            Route(e.method, e.path, e.operation, _bound(e.function, service), e.anonymous, self._envelope)
            for e in self.entries
        )


def _bound(function: Callable[[S, Call], Answer], service: S) -> Handler:
    return lambda call: function(service, call)


@dataclass(frozen=True, slots=True)
class Match:
    """The route of a request and the values of its path parameters."""

    route: Route
    params: Mapping[str, str]


class RouteTable:
    """All routes; literal paths win over templates, HEAD falls back to GET."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: Sequence[Route] = sorted(routes, key=lambda r: [("{" in p, p) for p in r.path.split("/")])

    def find(self, method: str, path: str) -> Match | None:
        """The route that answers, or None."""
        for wanted in (method, "GET") if method == "HEAD" else (method,):
            for route in self.routes:
                if route.method == wanted and (hit := route.matches(path)):
                    return Match(route, hit.groupdict())
        return None


@cache
def _compile(template: str) -> re.Pattern[str]:
    pattern, end = "", 0
    for parameter in _PARAMETER.finditer(template):
        pattern += re.escape(template[end : parameter.start()])
        pattern += f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})"
        end = parameter.end()
    return re.compile(pattern + re.escape(template[end:]), re.DOTALL)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json")


def field_text(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    """A text field of a body, or INVALID_PARAMETER_VALUE."""
    value = body.get(name, default)
    if value is None or value == "":
        value = default
    if value is None:
        raise invalid(f"Missing required field: {name}")
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def field_number(body: Mapping[str, object], name: str, default: int | None = None) -> int:
    """A whole number of a body, or INVALID_PARAMETER_VALUE; numbers written as text are taken too."""
    value = body.get(name)
    value = default if value is None else value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if value is None:
        raise invalid(f"Missing required field: {name}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{name} must be a whole number")
    return value


def field_object(body: Mapping[str, object], name: str) -> JsonObject:
    """An object of a body, empty when absent."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def field_list(body: Mapping[str, object], name: str) -> list[object]:
    """A list of a body, empty when absent."""
    value = body.get(name) or []
    if not isinstance(value, list):
        raise invalid(f"{name} must be a list")
    return value


def field_objects(body: Mapping[str, object], name: str) -> list[JsonObject]:
    """A list of objects of a body, empty when absent."""
    values = field_list(body, name)
    objects = [v for v in values if isinstance(v, dict)]
    if len(objects) != len(values):
        raise invalid(f"{name} must be a list of objects")
    return objects
