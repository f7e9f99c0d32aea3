"""The home folder: where everything of one user's Brickyard lies."""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from brickyard.kernel.errors import SpecInvalid

_PREFERRED_PORT = 8642
_PORTS = range(20000, 32000)  # below the range that systems give to outgoing connections


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ports that a home keeps for its life."""

    workspace_port: int
    web_port: int

    @property
    def workspace(self) -> str:
        """The address of the local workspace."""
        return f"http://127.0.0.1:{self.workspace_port}"

    @property
    def web(self) -> str:
        """The address of the web service."""
        return f"http://127.0.0.1:{self.web_port}"


@dataclass(frozen=True, slots=True)
class Home:
    """One home folder; nothing is made before `prepare`."""

    path: Path

    @property
    def workspace(self) -> Path:
        """The folder of the local workspace."""
        return self.path / "workspace"

    @property
    def workspace_token_file(self) -> Path:
        """The owner's token of the local workspace, written by the workspace itself."""
        return self.workspace / "token"

    @property
    def postgres(self) -> Path:
        """The folder of the embedded PostgreSQL."""
        return self.path / "postgres"

    @property
    def token_file(self) -> Path:
        """The token of the web service."""
        return self.path / "service.token"

    @property
    def run(self) -> Path:
        """Where each process leaves who it is."""
        return self.path / "run"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.path / "logs" / f"{name}.log"

    def prepare(self) -> Home:
        """Make what is missing of the folders, the token and the addresses."""
        try:
            for folder in (self.path, self.path / "logs", self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.locked("prepare"):
                if not self.token_file.exists():
                    write_secret(self.token_file, secrets.token_urlsafe(32))
                self._keep_addresses()
        except OSError as error:
            raise SpecInvalid(
                f"{self.path} cannot be a home folder: {error.strerror}",
                code="home-unusable",
                remedy="name another folder with --home or BRICKYARD_HOME",
            ) from error
        return self

    @property
    def engine(self) -> str:
        """What runs the SQL of the local workspace: `sail`, unless `up` was told otherwise."""
        file = self.path / "engine"
        return file.read_text().strip() if file.exists() else "sail"

    def keep_engine(self, engine: str) -> None:
        """Remember what runs the SQL."""
        draft = self.path / "engine.new"
        draft.write_text(f"{engine}\n")
        draft.rename(self.path / "engine")

    @property
    def addresses(self) -> Addresses:
        """The addresses of this home's services."""
        return Addresses(**json.loads((self.path / "addresses.json").read_text()))

    def _keep_addresses(self, preferred: int | None = _PREFERRED_PORT) -> None:
        file = self.path / "addresses.json"
        if not file.exists():
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(asdict(Addresses(_free_port(), _free_port(preferred)))))
            draft.rename(file)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold one of the home's locks; a process that dies lets go of it."""
        with (self.run / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[Home]:
        """Lend a new home; what runs in it is stopped and everything is deleted at the end.

        It leaves the usual port to the user's own home, whose service may only be away for a moment.
        """
        from brickyard.home.control import down
        from brickyard.metadata import embedded

        home = cls(Path(tempfile.mkdtemp(prefix="brickyard-")).resolve())
        home._keep_addresses(preferred=None)
        try:
            yield home
        finally:
            down(home)
            embedded.remove(home.postgres)
            shutil.rmtree(home.path, ignore_errors=True)


def write_secret(file: Path, secret: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(secret)
    draft.rename(file)


def _free_port(preferred: int | None = None) -> int:
    candidates = [preferred] if preferred else []
    while True:
        port = candidates.pop() if candidates else secrets.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
