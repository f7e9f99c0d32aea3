"""Where data lies: the folders of the workspace, and the paths that SQL may name."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from brickyard.local.catalog.model import Volume
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import SqlError

_SCRATCH_SECONDS = 1800
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/*")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one workspace; *external* are further folders that SQL may name by absolute path."""

    home: Path
    store: CatalogStore
    external: tuple[Path, ...] = ()

    @property
    def scratch(self) -> Path:
        """Where results lie that the engine is to read."""
        return _made(self.home / "scratch")

    @property
    def roots(self) -> Sequence[Path]:
        """Every folder under which SQL may name a path; managed tables are reached by their names only."""
        return (self.home / "dbfs", self.home / "volumes", self.home / "cloud", *self.external)

    def new_table(self) -> Path:
        """An unused folder for a managed table."""
        return _made(self.home / "tables") / uuid.uuid4().hex

    def new_volume(self) -> Path:
        """A new folder for a managed volume."""
        return _made(self.home / "volumes" / uuid.uuid4().hex)

    def new_scratch(self, suffix: str) -> Path:
        """An unused file or folder for the engine; old ones are removed on the way."""
        oldest = time.time() - _SCRATCH_SECONDS
        for file in self.scratch.iterdir():
            if file.is_file() and file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)
        return self.scratch / f"{uuid.uuid4().hex}{suffix}"

    def discard(self, path: Path) -> None:
        """Move data to the trash, where it stays until the workspace is reset."""
        if path.exists():
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            path.rename(_made(self.home / "trash") / f"{stamp}-{path.name}-{uuid.uuid4().hex[:6]}")

    def clear_scratch(self) -> None:
        """Forget what earlier processes left."""
        shutil.rmtree(self.home / "scratch", ignore_errors=True)

    def locate(self, text: str) -> Path:
        """The folder or file that a path in SQL means, or raise SqlError when SQL may not name it."""
        if "\x00" in text:
            raise _forbidden(text)
        path = self._mapped(text)
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root.resolve()) for root in (*self.roots, *self._volume_roots())):
            raise _forbidden(text)
        return resolved

    def _mapped(self, text: str) -> Path:
        scheme = _SCHEME.match(text)
        rest = text[scheme.end() :] if scheme else ""
        match scheme[1].lower() if scheme else None:
            case None:
                return self._absolute(text)
            case "file":
                return self._absolute("/" + unquote(rest))
            case "dbfs":
                return self._dbfs(rest)
            case name:
                return self.home / "cloud" / name / rest

    def _absolute(self, text: str) -> Path:
        if text.startswith("/Volumes/"):
            return self._volume(text)
        if text.startswith("/dbfs/"):
            return self._dbfs(text.removeprefix("/dbfs/"))
        path = Path(text)
        if not path.is_absolute():
            raise _forbidden(text)
        known = any(path.is_relative_to(root) for root in (*self.roots, *self._volume_roots()))
        return path if known else self._dbfs(text.lstrip("/"))

    def _dbfs(self, rest: str) -> Path:
        return self._volume("/" + rest) if rest.startswith("Volumes/") else self.home / "dbfs" / rest

    def _volume(self, text: str) -> Path:
        parts = text.strip("/").split("/")
        if len(parts) < 4:
            raise _forbidden(text)
        volume = self.store.volume(*parts[1:4])
        return Path(volume.storage_location).joinpath(*parts[4:])

    def _volume_roots(self) -> list[Path]:
        rows = self.store.everything(Volume)
        return [Path(volume.storage_location) for volume in rows if volume.storage_location]


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _forbidden(text: str) -> SqlError:
    return SqlError(
        "LOCAL_PATH_NOT_ALLOWED",
        f"The path '{text}' is outside of the local workspace; use dbfs:/, /Volumes/… or a cloud URL, which map into it.",
        "42501",
    )
