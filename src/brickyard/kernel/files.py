"""Files that are written whole or not at all, several of them together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from brickyard.kernel.errors import SpecInvalid


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write files and keep the modes they had; where one finds no room, none is changed.

    The texts are written beside their targets first. Raises SpecInvalid naming the file that cannot be written.
    """
    drafts = {target: target.with_name(f".{target.name}.brickyard") for target in files}
    try:
        for target, data in files.items():
            _write(target, drafts[target], data)
        for target, draft in drafts.items():
            _put(target, draft)
    finally:
        for draft in drafts.values():
            _discard(draft)


def _write(target: Path, draft: Path, data: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        if target.exists():
            draft.chmod(target.stat().st_mode & 0o7777)
    except OSError as error:
        raise unwritable(target, error) from error


def _put(target: Path, draft: Path) -> None:
    try:
        draft.replace(target)
    except OSError as error:
        raise unwritable(target, error) from error


def _discard(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        return  # a folder that cannot be written holds no draft


def unwritable(target: Path, error: OSError) -> SpecInvalid:
    """The refusal to go on without a file that could not be written."""
    return SpecInvalid(
        f"{target} cannot be written: {error.strerror}",
        code="output-unwritable",
        remedy="make room or give another place, then run it again: no file is half written",
    )
