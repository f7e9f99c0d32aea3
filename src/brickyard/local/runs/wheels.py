"""Reads what a task's libraries ask for: wheels by their path, requirements by their name."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from brickyard.local.api.errors import ApiError

CODE = "LIBRARY_INSTALLATION_ERROR"
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel and where the workspace has it."""

    path: str
    content: bytes

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The libraries of one task."""

    wheels: tuple[Wheel, ...]
    requirements: tuple[str, ...]

    def key(self, interpreter: str) -> str:
        """What two tasks share whose libraries are the same, byte by byte."""
        digest = hashlib.sha256(interpreter.encode())
        for wheel in self.wheels:
            digest.update(f"\0{wheel.name}\0".encode() + hashlib.sha256(wheel.content).digest())
        for requirement in sorted(self.requirements):
            digest.update(f"\n{requirement}".encode())
        return digest.hexdigest()[:32]


def failed(why: str) -> ApiError:
    """Libraries that cannot be had, as a run tells it."""
    return ApiError(400, CODE, f"Library installation failed: {why}")


def read_wanted(lines: Sequence[str], read: Read) -> Wanted:
    """Read the wheels and requirement files that *lines* name; raises ApiError for what is neither."""
    expanded = list(_expanded(lines, read))
    paths = [line for line in expanded if _is_path(line)]
    for path in paths:
        _check_wheel(path)
    requirements = tuple(line for line in expanded if not _is_path(line))
    for line in requirements:
        _requirement(line)
    return Wanted(tuple(Wheel(path, read(path)) for path in paths), requirements)


def unpack(wheel: Wheel, site: Path) -> None:
    """Lay the modules and metadata of a wheel into *site*; its scripts and headers are left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
            archive.extractall(site)
    except zipfile.BadZipFile as error:
        raise failed(f"{wheel.path} is not a wheel: {error}") from error
    for data in site.glob("*.data"):
        for part in ("purelib", "platlib"):
            _merge(data / part, site)


def missing(requirements: Sequence[str], site: Path) -> list[str]:
    """What *requirements* and the distributions in *site* need and neither *site* nor the interpreter has."""
    needed = [Requirement(line) for line in requirements]
    needed += [
        r for found in metadata.distributions(path=[str(site)]) for r in _requires(found, _extras(needed, found))
    ]
    return sorted({str(r) for r in needed if _applies(r) and not _satisfied(r, site)})


def _expanded(lines: Sequence[str], read: Read) -> Iterator[str]:
    """The lines without blank ones and comments, those of requirement files (`-r path`) in their place."""
    for line in (line.partition(" #")[0].strip() for line in lines):
        if line.startswith(("-r ", "--requirement ")):
            yield from _expanded(read(line.split(maxsplit=1)[1]).decode("utf-8-sig").splitlines(), read)
        elif line and not line.startswith("#"):
            yield line


def _is_path(line: str) -> bool:
    return line.startswith(("/", "./", "dbfs:")) or (line.endswith(".whl") and "://" not in line)


def _check_wheel(path: str) -> None:
    name = path.rpartition("/")[2]
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename as error:
        raise failed(f"{path} is not named as a wheel is: {error}") from error
    if tags.isdisjoint(sys_tags()):
        raise failed(f"{name} is not a supported wheel on this platform.")


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise failed(f"{line!r} is neither the path of a wheel nor a requirement.") from error


def _merge(source: Path, site: Path) -> None:
    for file in source.rglob("*") if source.is_dir() else ():
        target = site / file.relative_to(source)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _extras(needed: Sequence[Requirement], found: metadata.Distribution) -> set[str]:
    own = canonicalize_name(found.metadata["Name"])
    return {extra for r in needed if canonicalize_name(r.name) == own for extra in r.extras}


def _requires(found: metadata.Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in found.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _satisfied(requirement: Requirement, site: Path) -> bool:
    for path in ([str(site)], sys.path):
        found = next(iter(metadata.distributions(name=requirement.name, path=path)), None)
        if found is not None:
            return requirement.url is None and requirement.specifier.contains(found.version, prereleases=True)
    return False
