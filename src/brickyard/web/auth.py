"""Who asks: the service's one token, kept in a file only its owner can read, or a person's named token."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from brickyard.context import SERVICE
from brickyard.kernel.errors import SpecInvalid, Unauthorized
from brickyard.metadata import Metadata, tokens

_OTHERS = 0o077
_REMEMBERED = 1000  # tokens whose owners are kept in memory


def ensure_token(file: Path) -> str:
    """Return the token in *file*, making both the first time; SpecInvalid when others can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _make(file)
    return read_token(file)


def _make(file: Path) -> None:
    """Write a new token to *file* in one step; when another process is faster, its token stays."""
    handle, draft = tempfile.mkstemp(dir=file.parent)  # mode 0600
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(secrets.token_urlsafe(32) + "\n")
    with suppress(FileExistsError):
        os.link(draft, file)
    os.unlink(draft)


def read_token(file: Path) -> str:
    """Return the token in *file*, or raise SpecInvalid when others can read it or it holds none."""
    if os.name == "posix" and file.stat().st_mode & _OTHERS:
        raise SpecInvalid(f"{file} can be read by others", remedy=f"chmod 600 {file}, after making a new token in it")
    token = file.read_text(encoding="ascii").strip()
    if not token:
        raise SpecInvalid(f"{file} holds no token", remedy="delete it, and a new one is made")
    return token


def bearer(header: str | None) -> str:
    """Return the token of an Authorization *header*, empty when it carries none."""
    scheme, _, given = (header or "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


class Doorkeeper:
    """Tells who a token speaks for: the service itself, or the person whose named token it is.

    What the database said of a named token holds for *cache_seconds*, so that most requests do not wait for it.
    """

    def __init__(self, token: str, metadata: Metadata, cache_seconds: float) -> None:
        self._token = token.encode()
        self._metadata = metadata
        self._seconds = cache_seconds
        self._known: OrderedDict[str, tuple[str | None, float]] = OrderedDict()

    def remembered(self, given: str) -> str | None:
        """Return who *given* speaks for when that is known without asking the database."""
        if hmac.compare_digest(given.encode(), self._token):
            return SERVICE
        name, until = self._known.get(given, (None, 0.0))
        return name if time.monotonic() < until else None

    def identify(self, given: str) -> str:
        """Return who *given* speaks for, or raise Unauthorized; asks the database."""
        name = self.remembered(given)
        if name is None and given.startswith(tokens.PREFIX):
            with self._metadata.read() as tx:
                name = tokens.owner(tx, given)
            self._keep(given, name)
        if name is None:
            raise Unauthorized(
                "the request carries no valid token",
                code="token-missing",
                remedy="send `Authorization: Bearer` with the service's token, or one of `brickyard token add`",
            )
        return name

    def _keep(self, given: str, name: str | None) -> None:
        if name is not None:
            self._known[given] = (name, time.monotonic() + self._seconds)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
