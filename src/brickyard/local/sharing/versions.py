"""Versions of shared tables: snapshots that are read whole or not at all, and which version a time means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.sql.delta import log
from brickyard.local.sql.delta.log import Action, Snapshot
from brickyard.local.sql.delta.vectors import files_of
from brickyard.local.sql.model import SqlError

T = TypeVar("T")


def snapshot(path: Path, version: int | None = None) -> Snapshot:
    """A version of a table, the last one by default; raises ApiError when its log or one of its files is unreadable."""
    found = readable(lambda: log.snapshot(path, version))
    check_files(path, found.files)
    return found


def readable(read: Callable[[], T]) -> T:
    """What *read* returns, or raise ApiError DATA_LOSS: a log that cannot be read is not an empty table."""
    try:
        return read()
    except (SqlError, OSError, ValueError) as error:
        raise data_loss(str(error)) from error


def data_loss(message: str) -> ApiError:
    """The refusal of a table whose data is not all there; 404, because clients repeat a 5xx for minutes."""
    return ApiError(404, "DATA_LOSS", f"The table's data cannot be read: {message}")


def check_files(path: Path, files: tuple[Action, ...]) -> None:
    """Raise ApiError when a data file is missing, or the file that says which of its rows are deleted."""
    for name in (name for file in files for name in files_of(file)):
        if not (path / name).is_file():
            raise data_loss(f"the file {name} is missing.")


def moment(text: str) -> int:
    """An ISO 8601 time in milliseconds since the epoch, UTC where it names no zone; raises ApiError for another text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"'{text}' is not a timestamp such as 2026-01-31T10:00:00Z.") from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def timestamps(path: Path) -> dict[int, int]:
    """When each version that the log holds was committed, in milliseconds since the epoch, oldest version first."""
    rows = readable(lambda: list(log.commit_infos(path)))
    return {version: info["timestamp"] for version, info in reversed(rows)}


def first_at_or_after(path: Path, text: str) -> int:
    """The first version committed at or after a time, or raise ApiError when the table is older than that."""
    wanted = moment(text)
    for version, at in timestamps(path).items():
        if at >= wanted:
            return version
    raise invalid(f"The timestamp {text} is after the latest version of the table.")


def last_at_or_before(path: Path, text: str) -> int:
    """The last version committed at or before a time, or raise ApiError when the table is younger than that."""
    wanted = moment(text)
    found = [version for version, at in timestamps(path).items() if at <= wanted]
    if not found:
        raise invalid(f"The timestamp {text} is before the earliest version of the table.")
    return max(found)
