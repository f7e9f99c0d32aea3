"""The ASGI application: checks, faults, route, handler in a thread, envelope, request log."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import anyio
from anyio import to_thread
from starlette.formparsers import MultiPartException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from brickyard.kernel.errors import BrickyardError, Conflict, GuardRefused, NotFound, SpecInvalid, Unauthorized
from brickyard.local.api import faults as fault_plan
from brickyard.local.api.errors import ApiError, unbuilt
from brickyard.local.api.faults import Fault, Faults, Request, RequestLog
from brickyard.local.api.known import unbuilt_service
from brickyard.local.api.paging import page_token
from brickyard.local.api.routes import Answer, Call, Match, RouteTable, json_response
from brickyard.local.api.security import authenticate, check_host, check_origin
from brickyard.local.api.tokens import Principal, Tokens
from brickyard.local.system.actions import Request as Answered

log = logging.getLogger(__name__)
ErrorTranslation = Callable[[Exception], ApiError | None]
NOBODY = Principal("")
MAX_BODY = 512 * 1024 * 1024
_THREADS = 256


@dataclass(slots=True)
class App:
    """The REST face of one workspace."""

    table: RouteTable
    tokens: Tokens
    faults: Faults
    requests: RequestLog
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    translate: ErrorTranslation = lambda error: None
    observe: Callable[[Answered], None] = lambda answered: None
    _limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = await self._read(scope, receive)
        taken = self.faults.take(exchange.operation, exchange.text) if exchange.call else ()
        await anyio.sleep(sum(f.seconds for f in taken if f.kind == "delay"))
        response = await self._answer(exchange, next((f for f in taken if f.kind in fault_plan.ANSWERING), None))
        self._tell(exchange, response)
        dropped = any(f.kind == "drop_reply" for f in taken)
        self.requests.add(exchange.record(0 if dropped else response.status_code))
        if dropped:
            await _drop(receive, send)
        else:
            await response(scope, receive, send)

    def _tell(self, exchange: Exchange, response: Response) -> None:
        """Tell who observes of a request that reached its route."""
        if call := exchange.call:
            answered = Answered(
                operation=exchange.operation,
                method=call.method,
                path=call.path,
                params=call.params,
                query=call.query,
                body=call.raw,
                principal=call.principal.name,
                peer=call.peer,
                user_agent=call.headers.get("user-agent", ""),
                status=response.status_code,
                answer=bytes(response.body) if type(response) is Response else b"",
                at=datetime.now(UTC),
            )
            self.observe(answered)

    async def _read(self, scope: Scope, receive: Receive) -> Exchange:
        request = HttpRequest(scope, receive)
        exchange = Exchange(request.method, scope["path"], scope["query_string"].decode("latin-1"))
        try:
            await self._admit(exchange, request)
        except ApiError as error:
            exchange.refusal = error
        return exchange

    async def _admit(self, exchange: Exchange, request: HttpRequest) -> None:
        check_host(request.headers, self.port)
        check_origin(request.headers, self.port)
        exchange.match = match = self.table.find(exchange.method, exchange.path)
        principal = NOBODY if match and match.route.anonymous else authenticate(request.headers, self.tokens)
        if match is None:
            raise _no_route(exchange.method, exchange.path)
        if exchange.path.startswith("/api/local/faults") or exchange.path.startswith("/api/local/requests"):
            _owner_only(principal)
        exchange.body = await _body(request)
        form = await _form(request, exchange.body)
        exchange.call = Call(
            principal=principal,
            method=exchange.method,
            path=exchange.path,
            params=match.params,
            query=dict(parse_qsl(exchange.query, keep_blank_values=True)),
            headers=request.headers,
            raw=exchange.body,
            host=f"http://127.0.0.1:{self.port}",
            form=form,
            peer=request.client.host if request.client else "",
        )

    async def _answer(self, exchange: Exchange, fault: Fault | None) -> Response:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        try:
            if exchange.refusal:
                raise exchange.refusal
            if fault and fault.kind == "empty_page":
                return self._render(_empty_page(exchange))
            if fault:
                raise _injected(fault)
            return await to_thread.run_sync(self._run, exchange, limiter=self._limiter)
        except ApiError as error:
            return self._render_error(error, exchange.match)

    def _run(self, exchange: Exchange) -> Response:
        """Run the handler in its thread; whatever it raises becomes an envelope, never a broken connection."""
        assert exchange.match and exchange.call
        try:
            return self._render(exchange.match.route.handler(exchange.call))
        except ApiError:
            raise
        except BrickyardError as error:
            raise self.translate(error) or _of_ours(error) from error
        except Exception as error:  # the outermost frame of a request: answered as 500 and logged
            known = self.translate(error)
            if known is None:
                log.exception("request failed", extra={"operation": exchange.operation})
                known = ApiError(500, "INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            raise known from error

    def _render(self, answer: Answer) -> Response:
        if isinstance(answer, Response):
            answer.headers.update(self.headers)
            return answer
        return json_response(answer or {}, headers=self.headers)

    def _render_error(self, error: ApiError, match: Match | None) -> Response:
        body = match.route.envelope(error) if match else error.body()
        return json_response(body, error.status, {**self.headers, **error.headers})


@dataclass(slots=True)
class Exchange:
    """A request on its way through the application."""

    method: str
    path: str
    query: str
    body: bytes = b""
    match: Match | None = None
    call: Call | None = None
    refusal: ApiError | None = None
    at: str = field(default_factory=fault_plan.timestamp)
    started: float = field(default_factory=time.perf_counter)

    @property
    def operation(self) -> str:
        """`<service>.<method>`, empty for an unknown route."""
        return self.match.route.operation if self.match else ""

    @property
    def text(self) -> str:
        """What a fault's `matching` is looked for in."""
        return f"{self.path}?{self.query}\n{_unescaped(self.body)}"

    def record(self, status: int) -> Request:
        """The row for the request log."""
        return Request(
            operation=self.operation,
            method=self.method,
            path=self.path,
            query=self.query,
            principal=self.call.principal.name if self.call else "",
            time=self.at,
            seconds=round(time.perf_counter() - self.started, 6),
            status=status,
            body_sha256=fault_plan.body_digest(self.body),
            body=fault_plan.excerpt(self.path, self.body),
        )


def _unescaped(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return f"{text}\n{json.dumps(_parsed(text), ensure_ascii=False)}" if "\\u" in text else text


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _no_route(method: str, path: str) -> ApiError:
    if service := unbuilt_service(path):
        return unbuilt(f"{method} {path} ({service})")
    return ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


def _owner_only(principal: Principal) -> None:
    if not principal.owner:
        raise ApiError(403, "PERMISSION_DENIED", "Only the owner's token opens this route.")


def _empty_page(exchange: Exchange) -> Answer:
    """A page without rows whose token is that of the page asked for, as Databricks may answer any list."""
    assert exchange.call
    return {"next_page_token": exchange.call.query.get("page_token") or page_token(0)}


def _injected(fault: Fault) -> ApiError:
    headers = {"Retry-After": str(fault.retry_after)} if fault.kind == "rate_limit" else {}
    return ApiError(fault.status, fault.error_code, fault.message, headers=headers)


def _of_ours(error: BrickyardError) -> ApiError:
    match error:
        case NotFound():
            return ApiError(404, "RESOURCE_DOES_NOT_EXIST", error.message)
        case Conflict():
            return ApiError(409, "RESOURCE_CONFLICT", error.message)
        case SpecInvalid():
            return ApiError(400, "INVALID_PARAMETER_VALUE", error.message)
        case GuardRefused() | Unauthorized():
            return ApiError(403, "PERMISSION_DENIED", error.message)
        case _:
            return ApiError(500, "INTERNAL_ERROR", error.message)


async def _body(request: HttpRequest) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise ApiError(413, "REQUEST_LIMIT_EXCEEDED", f"The body is larger than {MAX_BODY} bytes.")
        parts.append(part)
    return b"".join(parts)


async def _form(request: HttpRequest, body: bytes) -> dict[str, str | bytes]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return {}

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with HttpRequest(request.scope, again).form(max_part_size=MAX_BODY) as form:
            return {key: value if isinstance(value, str) else await value.read() for key, value in form.items()}
    except MultiPartException as error:
        raise ApiError(400, "MALFORMED_REQUEST", error.message) from error


async def _drop(receive: Receive, send: Send) -> None:
    """Close the connection without a byte, as a network that lost the reply; the server hands out its transport."""
    transport = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's request cycle
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        continue


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
