"""What a command says that broke, and where its traceback is kept."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.home.folder import Home
from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.kernel.logs import redact
from brickyard.kernel.terminal import note

if TYPE_CHECKING:
    from pydantic import ValidationError


def invalid(error: ValidationError) -> SpecInvalid:
    """The settings or the request with every value that they do not take, none of them shown."""
    problems = tuple(Problem(e["msg"], where=".".join(map(str, e["loc"])) or None) for e in error.errors())
    words = "a setting (BRICKYARD_…) has a wrong value" if error.title == "Settings" else "the request has faults"
    return SpecInvalid(words, remedy="mend each", problems=problems)


def keep(error: Exception, home: Path | None) -> str:
    """Write the traceback to the home's logs, or to stderr where logs are wanted there; say where it is."""
    from brickyard.settings import Settings

    told = redact("".join(traceback.format_exception(error)))
    if environ.get("BRICKYARD_LOG_LEVEL", "").lower() == "debug":
        note(told.rstrip())
        return "the traceback is above"
    log = Home((home or Settings().home).expanduser().resolve()).log("faults")
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{told}\n")
    except OSError as refused:
        return f"no traceback was kept: {refused.strerror}"
    return f"the traceback is in {log}"
