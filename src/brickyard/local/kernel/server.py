"""How a kernel speaks to the workspace that started it: plain HTTP on loopback with the run's own token."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 55
_LAST_SECONDS = (
    1.0  # where the workspace has died this process is ended meanwhile, with no word of a failure of its own
)


class ServerRefused(Exception):
    """The workspace said no; the message is its own."""

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code


@dataclass(frozen=True, slots=True)
class Server:
    """The workspace at `host` (`http://127.0.0.1:PORT`)."""

    host: str
    token: str

    def get(self, route: str, **query: object) -> dict[str, object]:
        """GET a JSON object."""
        return _object(self._send("GET", f"{route}?{urlencode(query)}", None)[1])

    def post(self, route: str, body: Mapping[str, object], timeout: float = TIMEOUT_SECONDS) -> dict[str, object]:
        """POST a JSON object and return the JSON answer; *timeout* in seconds."""
        return _object(self._send("POST", route, json.dumps(body).encode(), timeout)[1])

    def download(self, route: str, **query: object) -> tuple[Mapping[str, str], bytes]:
        """GET bytes, with the headers of the answer (names in lower case)."""
        return self._send("GET", f"{route}?{urlencode(query)}", None)

    def _send(
        self, method: str, path: str, body: bytes | None, timeout: float = TIMEOUT_SECONDS
    ) -> tuple[Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.host).netloc, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except ConnectionError:
            time.sleep(_LAST_SECONDS)
            raise
        finally:
            connection.close()
        if answer.status >= 400:
            raise _refusal(answer.status, content)
        return {name.lower(): value for name, value in answer.getheaders()}, content


def _object(content: bytes) -> dict[str, object]:
    answer = json.loads(content or b"{}")
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, content: bytes) -> ServerRefused:
    try:
        answer = _object(content)
    except ValueError:
        answer = {}
    message = str(answer.get("message") or content[:500].decode("utf-8", "replace"))
    return ServerRefused(status, str(answer.get("error_code", "")), message)
