"""The web service as a process: `python -m brickyard.web --home DIR --port N`."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

import structlog
import uvicorn

from brickyard import context, rooms
from brickyard.kernel import logs
from brickyard.kernel.errors import BrickyardError, GuardRefused
from brickyard.settings import Settings, from_arguments
from brickyard.web import auth
from brickyard.web.app import create
from brickyard.web.gate import Rules

log = structlog.stdlib.get_logger(__name__)

_GRACE_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    settings = from_arguments("brickyard.web", arguments, web=True)
    logs.configure(settings.log_format, settings.log_level)
    try:
        serve(settings)
    except BrickyardError as error:
        log.error(error.message, code=error.error_code, remedy=error.remedy)
        return error.exit_code
    return 0


def serve(settings: Settings) -> None:
    """Migrate the database, say on stdout where the service is, and answer requests."""
    house = context.build(settings)
    house.metadata.migrate()
    rules = Rules(
        token=auth.ensure_token(settings.token_file),
        hosts=frozenset(name.lower() for name in settings.web_allowed_hosts),
        body_bytes=settings.web_body_bytes,
        token_cache_seconds=settings.web_token_cache_seconds,
    )
    app = create(house, rules, rooms.routers(settings), rooms.measured)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
        )
    )
    with _listen(settings) as listener:
        host, port = listener.getsockname()[:2]
        place = {"url": f"http://{f'[{host}]' if ':' in host else host}:{port}", "token_file": str(settings.token_file)}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal that it ended on once more
            signal.signal(number, _end)
        server.run(sockets=[listener])


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms a reply) only for sockets that say their protocol
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.web_host, settings.web_port))
    except OSError as error:
        listener.close()
        raise GuardRefused(
            f"cannot listen on {settings.web_host}:{settings.web_port}: {error.strerror}",
            code="address-taken",
            remedy="stop what listens there, or choose another port with --port",
        ) from error
    listener.listen(128)
    return listener


if __name__ == "__main__":
    sys.exit(main())
