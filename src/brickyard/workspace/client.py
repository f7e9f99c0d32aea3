"""Which workspace to work on, and a client of it that tries a read again and sends a write once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.kernel.errors import SpecInvalid, Unauthorized

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Which workspace, and how to sign in: a token file, a profile, or what the Databricks client finds itself."""

    host: str | None = None
    token_file: Path | None = None
    profile: str | None = None
    retry_seconds: float = 30.0

    def client(self) -> WorkspaceClient:
        """Return a client of the workspace; keep it for a whole flow.

        Its reads are tried again for `retry_seconds` while the workspace is busy or away. Its writes are sent once:
        after a lost reply the caller looks whether the thing is there, and adopts it, before it sends another.
        Raises SpecInvalid when no workspace is named and Unauthorized when there are no credentials for it.
        """
        from brickyard.workspace import transport  # two seconds of imports that most processes need not pay

        with self._signing_in():
            return transport.connect(self._credentials(), self.retry_seconds)

    def reader(self, seconds: float) -> WorkspaceClient:
        """Return a client for a short look: it waits *seconds* for an answer and tries again for no longer.

        With a token file it is kept for the next look, because a new client first asks the workspace about itself.
        Raises what `client` raises.
        """
        from brickyard.workspace import transport

        with self._signing_in():
            if self.token_file:
                return _kept(self.host or "", _read(self.token_file), seconds)
            return transport.connect(self._credentials(), seconds, seconds)

    @contextmanager
    def _signing_in(self) -> Iterator[None]:
        """Raise our errors for a workspace that is not named and for credentials that are not there."""
        if not self.host and not self.profile:
            raise SpecInvalid("no workspace is named", remedy="give its address in DATABRICKS_HOST, or a --profile")
        try:
            yield
        except ValueError as error:
            raise Unauthorized(
                f"cannot sign in to {self.host or self.profile}: {error}",
                code="workspace-unauthorized",
                remedy="check the token, or the profile in the Databricks configuration file",
            ) from error

    def _credentials(self) -> dict[str, str | None]:
        """Name the credentials so fully that no environment variable and no default profile changes them."""
        if self.token_file:
            return _by_token(self.host, _read(self.token_file))
        if self.profile:
            return {"host": self.host, "profile": self.profile}
        return {"host": self.host}


def _by_token(host: str | None, token: str) -> dict[str, str | None]:
    return {"host": host, "token": token, "auth_type": "pat", "profile": ""}


@lru_cache(maxsize=8)
def _kept(host: str, token: str, seconds: float) -> WorkspaceClient:
    from brickyard.workspace import transport

    return transport.connect(_by_token(host, token), seconds, seconds)


def _read(token_file: Path) -> str:
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unauthorized(
            f"cannot read the workspace's token: {error}",
            code="workspace-unauthorized",
            remedy="check that the workspace is up",
        ) from error
