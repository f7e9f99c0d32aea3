"""A local workspace as one object: its folder, its address, its server, and the faults that a test asks for."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import uvicorn

from brickyard.kernel.errors import Conflict
from brickyard.local.alias import plain
from brickyard.local.api.app import App
from brickyard.local.api.faults import Fault, Request
from brickyard.local.api.routes import RouteTable
from brickyard.local.api.tokens import write_private
from brickyard.local.copies import locked
from brickyard.local.parts import Parts, Place, build, translate

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

OWNER = "owner@local"
_GRACE_SECONDS = 3


class LocalWorkspace:
    """One workspace, served from its folder by a thread of this process.

    The first start picks a free port; it and the token are kept, so later starts are found at the same address.
    *engine* runs the SQL: `sail`, or `spark`, which is slower and the real thing; both read and write the same tables.
    """

    def __init__(self, home: Path, *, port: int = 0, owner: str = OWNER, engine: str = "sail") -> None:
        self.home = Path(home).resolve()
        self.owner = owner
        self.engine = engine
        self._wanted_port = port
        self._stack = ExitStack()
        self._parts: Parts | None = None
        self._port = 0

    def __enter__(self) -> LocalWorkspace:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """The address, `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The owner's token."""
        return self.parts.tokens.owner_token

    @property
    def token_file(self) -> Path:
        """The file that only the owner can read and that holds the owner's token."""
        return self.home / "token"

    @property
    def parts(self) -> Parts:
        """The parts of a started workspace."""
        if self._parts is None:
            raise Conflict("the local workspace is not started")
        return self._parts

    def start(self) -> None:
        """Serve; raise Conflict when the folder is served already or its port is taken."""
        with ExitStack() as stack:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(locked(self.home))
            listener = stack.enter_context(_listen(_known_port(self.home) or self._wanted_port))
            self._port = listener.getsockname()[1]
            self._parts = build(Place(plain(self.home), self.owner, self._port, self.engine), stack)
            _serve(self._app(self._parts), listener, stack)
            stack.callback(self._parts.runs.close)
            self._parts.runs.start()
            self._parts.recorder.start()
            stack.callback(self._parts.recorder.journal.rest)
            address = {"host": self.host, "port": self._port, "pid": os.getpid()}
            write_private(self.home / "address.json", json.dumps(address))
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """Stop answering, end the children, close the files."""
        self._stack.close()
        self._parts = None

    def client(self, principal: str | None = None, **config: Any) -> WorkspaceClient:
        """A `databricks.sdk` client of the owner or of another principal; *config* goes to its `Config`."""
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.config import Config

        token = self.token if principal is None else self.parts.tokens.issue(principal)
        return WorkspaceClient(config=Config(host=self.host, token=token, auth_type="pat", **config))

    # --- faults and the record of requests -------------------------------------------------------------------------

    def fail_next(
        self, operation: str, status: int, error_code: str, times: int = 1, matching: str | None = None
    ) -> None:
        """Answer the next calls with an error instead of performing them."""
        self._plan(Fault("fail_next", operation, times, matching, status, error_code))

    def drop_reply(self, operation: str, times: int = 1, matching: str | None = None) -> None:
        """Perform the next calls, then close their connections without a reply."""
        self._plan(Fault("drop_reply", operation, times, matching))

    def delay(self, operation: str, seconds: float, times: int = 1, matching: str | None = None) -> None:
        """Wait before the next calls are performed."""
        self._plan(Fault("delay", operation, times, matching, seconds=seconds))

    def rate_limit(self, operation: str, times: int, retry_after: int) -> None:
        """Answer the next calls with 429 and `Retry-After` seconds."""
        self._plan(Fault("rate_limit", operation, times, None, 429, "REQUEST_LIMIT_EXCEEDED", retry_after=retry_after))

    def empty_page(self, operation: str, times: int = 1, matching: str | None = None) -> None:
        """Answer the next calls of a list with no row and the token of the page that was asked for."""
        self._plan(Fault("empty_page", operation, times, matching))

    def requests(self, operation: str | None = None) -> tuple[Request, ...]:
        """The recorded requests, oldest first."""
        return self.parts.control.requests.rows(operation)

    def _plan(self, fault: Fault) -> None:
        self.parts.control.faults.add(fault)

    def _app(self, parts: Parts) -> App:
        return App(
            table=RouteTable(parts.routes()),
            tokens=parts.tokens,
            faults=parts.control.faults,
            requests=parts.control.requests,
            port=self._port,
            headers=parts.identity.headers(),
            translate=translate,
            observe=parts.recorder.answered,
        )


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off (40 ms a reply) only for sockets that say their protocol
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise Conflict(f"port {port} of the local workspace is taken by another program", code="port-taken") from error
    listener.listen(128)
    return listener


def _serve(app: App, listener: socket.socket, stack: ExitStack) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        ws="none",
        loop="asyncio",
        server_header=False,
        proxy_headers=False,  # the address lists of recipients hold for the peer, not for what it says of itself
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=1024 * 1024,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="brickyard-local", daemon=True)
    thread.start()
    stack.callback(_end, server, thread)
    while not server.started and thread.is_alive():
        thread.join(0.002)


def _end(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(_GRACE_SECONDS * 2)


def _known_port(home: Path) -> int:
    file = home / "address.json"
    return int(json.loads(file.read_text())["port"]) if file.exists() else 0
