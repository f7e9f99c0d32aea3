"""What every request passes first: its id, the host it asks for, the token, the size of its body, the count."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from brickyard.kernel.errors import BrickyardError, SpecInvalid
from brickyard.web import auth
from brickyard.web.metrics import Metrics
from brickyard.web.problems import REQUEST_ID, respond

log = structlog.stdlib.get_logger(__name__)

OPEN = frozenset({"/healthz", "/readyz"})  # what answers without the token
_USABLE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom the service answers."""

    token: str
    hosts: frozenset[str]
    body_bytes: int


class Gate:
    """ASGI middleware that lets a request through or answers it with its problem details."""

    def __init__(self, app: ASGIApp, rules: Rules, metrics: Metrics) -> None:
        self._app = app
        self._rules = rules
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope[REQUEST_ID] = _request_id(headers)
        with structlog.contextvars.bound_contextvars(request=scope[REQUEST_ID]):
            await self._measured(scope, headers, receive, send)

    async def _measured(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = scope[REQUEST_ID]
            await send(message)

        try:
            await self._guarded(scope, headers, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.saw(scope, status, seconds)
            log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4))

    async def _guarded(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        try:
            _check(self._rules, scope["path"], headers)
        except BrickyardError as error:
            await respond(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, _limited(receive, self._rules.body_bytes), send)


def _request_id(headers: Headers) -> str:
    """Return the client's id when it is a plain word, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _USABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _check(rules: Rules, path: str, headers: Headers) -> None:
    """Raise the refusal of a request that may not enter."""
    host = _host(headers.get("host", ""))
    if host not in rules.hosts:
        raise SpecInvalid(f"the service does not answer as {host!r}", code="host-unknown")
    if path not in OPEN:
        auth.check(headers.get("authorization"), rules.token)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > rules.body_bytes:
        raise SpecInvalid(_too_large(rules.body_bytes), code="body-too-large")


def _host(header: str) -> str:
    """Return the name in a Host header without its port and the brackets of an IPv6 address."""
    name = header.rpartition(":")[0] if re.search(r":\d*\Z", header) else header
    return name.strip("[]").lower()


def _limited(receive: Receive, limit: int) -> Receive:
    """Count the body while it comes in, since its announced length may be missing or wrong."""
    size = 0

    async def receiving() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receiving


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit} bytes"
