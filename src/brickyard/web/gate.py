"""What every request passes first: its id, the host it asks for, the token, the size of its body, the count."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, replace

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from brickyard.context import SERVICE, Context
from brickyard.kernel.errors import BrickyardError, SpecInvalid
from brickyard.web.auth import Doorkeeper, bearer
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
    token_cache_seconds: float = 5.0


class Gate:
    """ASGI middleware that lets a request through or answers it with its problem details.

    Handlers find the context, with the one who asks as its actor, as `request.state.context`.
    """

    def __init__(self, app: ASGIApp, context: Context, rules: Rules, metrics: Metrics) -> None:
        self._app = app
        self._context = context
        self._rules = rules
        self._metrics = metrics
        self._doorkeeper = Doorkeeper(rules.token, context.metadata, rules.token_cache_seconds)

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
            _check(self._rules, headers)
            actor = await self._actor(scope["path"], headers)
        except BrickyardError as error:
            await respond(Request(scope), error)(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "context": replace(self._context, actor=actor)}
        await self._app(scope, _limited(receive, self._rules.body_bytes), send)

    async def _actor(self, path: str, headers: Headers) -> str:
        """Return who asks; the database is asked in a thread, so that nobody else waits for it."""
        if path in OPEN:
            return SERVICE
        given = bearer(headers.get("authorization"))
        known = self._doorkeeper.remembered(given)
        return known or await run_in_threadpool(self._doorkeeper.identify, given)


def _request_id(headers: Headers) -> str:
    """Return the client's id when it is a plain word, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _USABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _check(rules: Rules, headers: Headers) -> None:
    """Raise the refusal of a request that may not enter."""
    host = _host(headers.get("host", ""))
    if host not in rules.hosts:
        raise SpecInvalid(f"the service does not answer as {host!r}", code="host-unknown")
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
