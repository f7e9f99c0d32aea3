"""Environments of tasks: one folder of modules per set of wheels and requirements, made once and laid over the interpreter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.tokens import Principal
from brickyard.local.files.folder import Folder
from brickyard.local.files.workspace import WorkspaceFiles
from brickyard.local.runs.wheels import failed, missing, read_wanted, unpack

INSTALL_SECONDS = 900
_ROUNDS = 20
_KEPT_SECONDS = 30 * 86400.0
_LAST_WORDS = 2000
Volume = Callable[[Principal, tuple[str, str, str], bool], Folder]


class Environments:
    """Makes and finds environments; safe to ask from several threads.

    What the interpreter has already is used as it is, so an environment of the workspace's own wheels is made without a
    network. Only what is missing is installed, by uv or pip with the settings of whoever started the workspace.
    """

    def __init__(
        self, home: Path, files: WorkspaceFiles, environment: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self._home = home
        self._files = files
        self._environment = environment
        self._now = now
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.volume: Volume | None = None

    def site(self, lines: Sequence[str], principal: Principal) -> Path:
        """The folder of modules for these libraries, or LIBRARY_INSTALLATION_ERROR."""
        wanted = read_wanted(lines, lambda path: self._read(path, principal))
        place = self._home / "environments" / wanted.key(f"{sys.executable} {sys.version}")
        with self._locks[place.name]:
            fresh = not place.is_dir()
            if fresh:
                self._make(place, lambda site: [unpack(wheel, site) for wheel in wanted.wheels], wanted.requirements)
            now = self._now()
            os.utime(place, (now, now))
        if fresh:
            _forget_unused(place.parent, now - _KEPT_SECONDS)
        return place

    def _make(self, place: Path, fill: Callable[[Path], object], requirements: Sequence[str]) -> None:
        """Fill a folder and give it its name last: an environment is whole or not there."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-", ignore_cleanup_errors=True) as temporary:
            site = Path(temporary) / "site"
            site.mkdir()
            fill(site)
            self._complete(requirements, site)
            site.replace(place)

    def _complete(self, requirements: Sequence[str], site: Path) -> None:
        """Install what is missing, then what that needs, until nothing is."""
        for _ in range(_ROUNDS):
            needed = missing(requirements, site)
            if not needed:
                return
            self._install(needed, site)
        raise failed(f"{', '.join(needed)} cannot be satisfied together with the rest.")

    def _install(self, needed: Sequence[str], site: Path) -> None:
        tool = _installer(self._environment)
        if tool is None:
            raise failed(f"{', '.join(needed)} is not there, and neither uv nor pip is there to install it.")
        command = [*tool, "--quiet", "--no-deps", "--upgrade", "--target", str(site), *needed]
        try:
            done = subprocess.run(
                command, env=dict(self._environment), capture_output=True, text=True, timeout=INSTALL_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise failed(f"{', '.join(needed)} was not installed within {INSTALL_SECONDS} s.") from error
        if done.returncode:
            raise failed(f"{', '.join(needed)}: {done.stderr.strip()[-_LAST_WORDS:]}")

    def _read(self, path: str, principal: Principal) -> bytes:
        """A file of the workspace, a volume or DBFS."""
        path = path.removeprefix("dbfs:") if path.startswith("dbfs:/Volumes/") else path
        try:
            if path.startswith("/Volumes/"):
                return self._in_volume(path, principal).read_bytes()
            if path.startswith("dbfs:"):
                return Folder(self._home / "dbfs").place(path.removeprefix("dbfs:")).read_bytes()
            return self._files.read(path)
        except (ApiError, OSError) as error:
            why = error.message if isinstance(error, ApiError) else "there is no such file"
            raise failed(f"{path}: {why}") from error

    def _in_volume(self, path: str, principal: Principal) -> Path:
        _, _, catalog, schema, volume, *rest = path.split("/", 5)
        if self.volume is None or not rest:
            raise invalid(f"{path} is not a file of a volume")
        return self.volume(principal, (catalog, schema, volume), False).place("/" + rest[0])


def _forget_unused(folder: Path, limit: float) -> None:
    """Remove environments that no task used since *limit*, in seconds since the epoch."""
    for place in folder.iterdir():
        if place.stat().st_mtime < limit:
            shutil.rmtree(place, ignore_errors=True)


def _installer(environment: Mapping[str, str]) -> list[str] | None:
    """The command of uv, else that of the interpreter's own pip; None when there is neither."""
    uv = shutil.which("uv", path=environment.get("PATH", os.defpath))
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install"] if importlib.util.find_spec("pip") else None
