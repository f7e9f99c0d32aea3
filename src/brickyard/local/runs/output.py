"""Reads what a task's process left in its folder: result, cells, log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brickyard.local.runs.model import JsonObject

MAX_LOG = 5 * 1024 * 1024
_TRACE_OF_DEATH = 16 * 1024


@dataclass(frozen=True, slots=True)
class Result:
    """How a process says it ended; `status` is SUCCESS, FAILED or CANCELED, `code` why it could not begin."""

    status: str
    result: str | None = None
    truncated: bool = False
    error: str | None = None
    trace: str | None = None
    code: str = ""


def read_result(folder: Path) -> Result | None:
    """The result, None when the process did not live to write it."""
    file = folder / "result.json"
    return Result(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def read_cells(folder: Path) -> list[JsonObject]:
    """The cells that ran, in the order in which they ended, and last the one that still runs or was cut off."""
    lines = _lines(folder / "cells.jsonl") + _lines(folder / "current.json")
    cells = [cell for cell in map(_parsed, lines) if cell is not None]
    ended = {(cell["notebook"], cell["cell"], cell["started"]) for cell in cells if cell["status"] != "RUNNING"}
    return [c for c in cells if c["status"] != "RUNNING" or (c["notebook"], c["cell"], c["started"]) not in ended]


def read_rows(folder: Path) -> list[dict[str, str | None]]:
    """The rows of the last table that was shown, at most a thousand, their values as text."""
    shown = [item for cell in read_cells(folder) for item in _tables(cell)]
    if not shown:
        return []
    names = [str(column["name"]) for column in shown[-1]["columns"]]
    return [dict(zip(names, row, strict=True)) for row in shown[-1]["rows"]]


def _tables(cell: JsonObject) -> list[dict[str, Any]]:
    outputs = cell["outputs"]
    return [o for o in outputs if isinstance(o, dict) and o.get("type") == "table"] if isinstance(outputs, list) else []


def read_log(folder: Path, limit: int = MAX_LOG) -> tuple[str, bool]:
    """The last *limit* bytes of what the process printed, and whether something before them is left out."""
    file = folder / "log.txt"
    if not file.exists():
        return "", False
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - limit))
        return stream.read().decode("utf-8", "replace"), size > limit


def last_words(folder: Path) -> str:
    """The end of the log, for a process that died without a result."""
    return read_log(folder, _TRACE_OF_DEATH)[0]


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _parsed(line: str) -> JsonObject | None:
    """A line of JSON; None for one that a killed process did not finish."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
