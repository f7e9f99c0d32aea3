"""What a command says: the result to stdout, progress and notes to stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from os import PathLike, fspath
from typing import Any

from brickyard.kernel.errors import BrickyardError
from brickyard.kernel.progress import Report, Step

_QUIET_SECONDS = 10.0


class Output(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


def emit(data: object, output: str = Output.TEXT, text: str | Callable[[], str] | None = None) -> None:
    """Print the result: *data* as one JSON document, or *text* (made from *data* when not given)."""
    if output == Output.JSON:
        body = json.dumps(plain(data), indent=2, ensure_ascii=False)
    elif text is None:
        body = as_text(plain(data))
    else:
        body = text if isinstance(text, str) else text()
    try:
        sys.stdout.write(body if body.endswith("\n") or not body else body + "\n")
        sys.stdout.flush()
    except OSError as error:
        _close_stdout()
        if not isinstance(error, BrokenPipeError):  # a reader such as `head` has seen enough
            raise BrickyardError(
                f"the result cannot be written: {error.strerror}",
                code="output-unwritable",
                remedy="make room or give another place, then run it again",
            ) from error


def _close_stdout() -> None:
    """Send what is left for stdout nowhere, so that the end of the process does not fail on it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def note(message: str) -> None:
    """Say something to the person at the terminal that is not the result."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def plain(data: object) -> Any:
    """Reduce dataclasses, enums, dates, decimals (to text, every digit), paths, mappings and collections to JSON's values."""
    match data:
        case Enum():
            return data.value
        case datetime() | date():
            return data.isoformat()
        case Decimal():
            return f"{data:f}"
        case PathLike():
            return fspath(data)
        case Mapping():
            return {str(key): plain(value) for key, value in data.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in data]
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in dataclasses.fields(data)}
    return data


def as_text(data: Any) -> str:
    """Render JSON's own values for a person: mappings as lines, a list of mappings as a table."""
    match data:
        case dict():
            return "\n".join(f"{key}: {_inline(value)}" for key, value in data.items())
        case [dict(), *_]:
            headers = list(dict.fromkeys(key for row in data for key in row))
            return table(headers, [[_inline(row.get(key)) for key in headers] for row in data])
        case list():
            return "\n".join(_inline(item) for item in data)
    return _inline(data)


def _inline(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows under headers in columns of equal width."""
    cells = [[str(cell) for cell in row] for row in [headers, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def error_text(error: BrickyardError) -> str:
    """Say what, where, why and what to do, every problem listed."""
    lines = [f"error[{error.error_code}]: {error.message}"]
    for problem in error.problems:
        lines.append(f"  {problem}")
        if problem.remedy:
            lines.append(f"    to do: {problem.remedy}")
    if error.remedy:
        lines.append(f"to do: {error.remedy}")
    return "\n".join([*lines, f"more:  brickyard explain {error.error_code}"])


def error_document(error: BrickyardError) -> dict[str, object]:
    """Return the object that `--output json` prints for an error."""
    fields = {"code": error.error_code, "message": error.message, "remedy": error.remedy}
    return {"error": fields | {"problems": plain(error.problems), "exit_code": error.exit_code}}


def plural(number: int, word: str) -> str:
    """Write a number with its noun."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@contextmanager
def progress() -> Iterator[Report]:
    """Show reported steps on stderr: one live line on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        with _live() as report:
            yield report
    else:
        yield _occasional(time.monotonic)


def _occasional(clock: Callable[[], float]) -> Report:
    """Print a step when its name is new or the last line is ten seconds old."""
    last_name, last_time = "", 0.0

    def report(step: Step) -> None:
        nonlocal last_name, last_time
        if step.name != last_name or clock() - last_time >= _QUIET_SECONDS:
            last_name, last_time = step.name, clock()
            note(str(step))

    return report


@contextmanager
def _live() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(step: Step) -> None:
            bar.update(task, description=str(step), completed=step.done, total=step.total)

        yield report
