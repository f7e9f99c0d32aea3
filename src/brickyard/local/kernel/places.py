"""Where `dbfs:/`, `/Volumes`, `/Workspace` and `file:/` lie on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

VolumeLookup = Callable[[str], str]


class PathRefused(PermissionError):
    """The path leads out of what the workspace owns."""


@dataclass(slots=True)
class Places:
    """Maps Databricks paths to files of this machine; `volume_folder` asks the workspace where a volume lies."""

    dbfs: Path
    workspace: Path
    scratch: Path
    volume_folder: VolumeLookup
    _volumes: dict[str, Path] = field(default_factory=dict)

    def local(self, path: str) -> Path:
        """The file of a path as `dbutils.fs` takes it: `dbfs:/x`, `/x` (DBFS), `/Volumes/…`, `file:/…`."""
        scheme, _, rest = path.partition(":") if ":" in path.split("/")[0] else ("dbfs", "", path)
        rest = "/" + rest.lstrip("/")
        match scheme:
            case "dbfs" if _starts(rest, "/Volumes"):
                return self._volume(rest)
            case "dbfs":
                return _inside(self.dbfs, rest)
            case "file":
                return self._file(rest)
            case _:
                raise PathRefused(f"{path}: {scheme}: is not served here; use dbfs:/, /Volumes or file:/")

    def mounted(self, path: str) -> Path | None:
        """The file behind `/dbfs/…`, `/Volumes/…` or `/Workspace/…`, None for any other path."""
        if _starts(path, "/dbfs"):
            return self.local("dbfs:" + path.removeprefix("/dbfs"))
        if _starts(path, "/Volumes"):
            return self._volume(path)
        return _inside(self.workspace, path.removeprefix("/Workspace")) if _starts(path, "/Workspace") else None

    def _file(self, rest: str) -> Path:
        mounted = self.mounted(rest)
        if mounted is not None:
            return mounted
        given = Path(rest).resolve()
        for root in (self.scratch, self.dbfs, self.workspace):
            if given == root.resolve() or root.resolve() in given.parents:
                return given
        return _inside(self.scratch, rest)

    def _volume(self, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if len(parts) < 4:
            raise FileNotFoundError(f"{path}: name a volume as /Volumes/catalog/schema/volume")
        name = ".".join(parts[1:4])
        if name not in self._volumes:
            self._volumes[name] = Path(self.volume_folder(name))
        return _inside(self._volumes[name], "/" + "/".join(parts[4:]))


def _starts(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _inside(root: Path, rest: str) -> Path:
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    target = root.joinpath(*parts)
    real, landed = root.resolve(), target.resolve()
    if ".." in parts or "\0" in rest or (landed != real and real not in landed.parents):
        raise PathRefused(f"{rest!r} leads out of the workspace's files")
    return target
