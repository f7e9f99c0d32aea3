"""The one token of the service: made once, kept in a file only its owner can read, compared in constant time."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from brickyard.kernel.errors import SpecInvalid, Unauthorized

_OTHERS = 0o077


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


def check(header: str | None, token: str) -> None:
    """Raise Unauthorized unless the Authorization *header* carries the token."""
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Unauthorized(
            "the request carries no valid token",
            code="token-missing",
            remedy="send `Authorization: Bearer` with the service's token",
        )
