"""The way from a house to its workspace, at which a call can be stopped before it gets there or before its answer comes back."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

When = Literal["call", "answer", "end"]

_DROPPED = ("connection", "transfer-encoding", "content-length", "host")
_SECONDS = 60


@dataclass
class _Stop:
    when: When
    call: re.Pattern[str]
    words: str = ""
    is_lost: bool = True
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class Door:
    """A relay in front of a workspace."""

    def __init__(self, workspace: str) -> None:
        self.target = workspace.removeprefix("http://")
        self._stop: _Stop | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _relay(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Door:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """The address under which the workspace is found behind the door."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def stop(self, when: When, call: str, words: str = "", *, is_lost: bool = True) -> Iterator[Callable[[], None]]:
        """Keep the first call like *call* (`METHOD path`, a pattern), with *words* in its body, until the block ends.

        It is then lost, or goes on. Stopped at its `call` the workspace never sees it, at its `answer` it has done it and
        nobody learns it. A statement of SQL may still run at its answer: at its `end`, what is kept is the first answer
        that says that it is over. The value waits until a call stands there.
        """
        stop = _Stop(when, re.compile(call), words, is_lost)
        self._stop = stop
        try:
            yield lambda: self._await(stop)
        finally:
            self._stop = None
            stop.over.set()

    def taken(self, call: str, body: bytes = b"") -> _Stop | None:
        """Return the stop that is meant for this call; it is meant for no other one any more."""
        with self._lock:
            stop = self._stop
            if stop is None or not stop.call.search(call) or stop.words not in body.decode(errors="replace"):
                return None
            self._stop = None
            return stop

    def goes_on(self, stop: _Stop, answer: bytes) -> bool:
        """Whether the answer says that a statement is under way; the stop is then meant for the calls that ask for it."""
        if stop.when != "end":
            return False
        told = json.loads(answer)
        if told["status"]["state"] not in ("PENDING", "RUNNING"):
            return False
        stop.call, stop.words = re.compile(f"GET /api/2.0/sql/statements/{told['statement_id']}"), ""
        with self._lock:
            self._stop = stop
        return True

    @staticmethod
    def _await(stop: _Stop) -> None:
        assert stop.reached.wait(_SECONDS), f"no call like {stop.call.pattern}"


def _relay(door: Door) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            stop = door.taken(f"{self.command} {self.path}", body)
            if stop and stop.when == "call":
                self._hold(stop)
                if stop.is_lost:
                    return None
                stop = None
            connection = http.client.HTTPConnection(door.target, timeout=_SECONDS)
            try:
                sent = {k: v for k, v in self.headers.items() if k.lower() not in _DROPPED}
                connection.request(self.command, self.path, body, sent)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):  # a reply that the workspace drops is dropped here too
                self.close_connection = True
                return None
            finally:
                connection.close()
            return self._hold(stop) if stop and not door.goes_on(stop, content) else self._give(answer, content)

        def _hold(self, stop: _Stop) -> None:
            stop.reached.set()
            stop.over.wait(_SECONDS)
            self.close_connection = stop.is_lost

        def _give(self, answer: http.client.HTTPResponse, content: bytes) -> None:
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _DROPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Relay, f"do_{method}", Relay._any)  # the names that the server calls
    return Relay
