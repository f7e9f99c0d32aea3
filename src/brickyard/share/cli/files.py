"""The packs of a folder or an archive, each read with the same guards as a single one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.share.model.guards import XLSX_BYTES, read_guarded

SUFFIXES = (".yaml", ".yml", ".xlsx")
_MOST = 500  # packs in one batch
_REMEDY = "give a folder or .zip that holds share packs: .yaml, .yml or .xlsx"


def is_batch(path: Path) -> bool:
    """Tell whether *path* holds packs instead of being one."""
    return path.is_dir() or path.suffix.lower() == ".zip"


def packs(path: Path) -> list[tuple[str, bytes]]:
    """Return name and content of every pack in a folder or archive, by name.

    A pack that is too large comes cut after one byte too many, so that its own guard refuses it and the others go on.
    """
    if not path.exists():
        raise NotFound(f"{path} does not exist", remedy=_REMEDY)
    found = sorted(_of_folder(path) if path.is_dir() else _of_archive(path))
    if not found:
        raise SpecInvalid(f"{path} holds no share pack", code="no-packs", remedy=_REMEDY)
    if len(found) > _MOST:
        raise SpecInvalid(f"{path} holds more than {_MOST} packs", code="no-packs", remedy="split it")
    return found


def read(path: Path) -> bytes:
    """Return one pack's content."""
    return read_guarded(path)


def _of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and _is_pack(name):
            with file.open("rb") as opened:
                yield name, opened.read(XLSX_BYTES + 1)


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and _is_pack(entry.filename)]
            for entry in entries[: _MOST + 1]:
                yield entry.filename, _content(archive, entry)
    except (BadZipFile, NotImplementedError, RuntimeError) as error:
        raise SpecInvalid(f"{path} is no archive that can be read: {error}", code="no-packs", remedy=_REMEDY) from error


def _content(archive: ZipFile, entry: ZipInfo) -> bytes:
    with archive.open(entry) as opened:
        return opened.read(XLSX_BYTES + 1)


def _is_pack(name: str) -> bool:
    """Leave out hidden files, what a Mac adds to archives, and what Excel keeps beside an open workbook."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith((".", "~$")) or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)
