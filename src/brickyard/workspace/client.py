"""Which workspace to work on, and a client of it that tries a read again and sends a write once."""

from __future__ import annotations

from dataclasses import dataclass
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

        if not self.host and not self.profile:
            raise SpecInvalid("no workspace is named", remedy="give its address in DATABRICKS_HOST, or a --profile")
        try:
            return transport.connect(self._credentials(), self.retry_seconds)
        except ValueError as error:
            raise Unauthorized(
                f"cannot sign in to {self.host or self.profile}: {error}",
                code="workspace-unauthorized",
                remedy="check the token, or the profile in the Databricks configuration file",
            ) from error

    def _credentials(self) -> dict[str, str | None]:
        """Name the credentials so fully that no environment variable and no default profile changes them."""
        if self.token_file:
            return {"host": self.host, "token": _read(self.token_file), "auth_type": "pat", "profile": ""}
        if self.profile:
            return {"host": self.host, "profile": self.profile}
        return {"host": self.host}


def _read(token_file: Path) -> str:
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unauthorized(
            f"cannot read the workspace's token: {error}",
            code="workspace-unauthorized",
            remedy="check that the workspace is up",
        ) from error
