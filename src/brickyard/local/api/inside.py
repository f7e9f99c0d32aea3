"""Requests that a part of the workspace makes of its own routes, on behalf of a principal and without a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from brickyard.local.api.routes import Call, JsonObject, Route, RouteTable
from brickyard.local.api.tokens import Principal

Inside = Callable[[Principal, str, str, Mapping[str, object]], JsonObject]


def inside(routes: Iterable[Route], host: str) -> Inside:
    """A function that has *routes* answer a method, a path with its query, and a body; raises what the handler raises."""
    table = RouteTable(routes)

    def ask(principal: Principal, method: str, path: str, body: Mapping[str, object]) -> JsonObject:
        parts = urlsplit(path)
        match = table.find(method, parts.path)
        if match is None:
            raise LookupError(f"No route for {method} {path}.")
        call = Call(
            principal=principal,
            method=method,
            path=parts.path,
            params={name: unquote(value) for name, value in match.params.items()},
            query=dict(parse_qsl(parts.query)),
            headers={},
            raw=json.dumps(body).encode(),
            host=host,
        )
        answer = match.route.handler(call)
        return answer if isinstance(answer, dict) else {}

    return ask
