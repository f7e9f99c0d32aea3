"""Time travel: which version a VERSION or TIMESTAMP clause means."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from brickyard.local.sql.delta import log
from brickyard.local.sql.model import SqlError, unsupported


def travel(path: Path, clause: str, evaluate: Callable[[str], int | None]) -> int:
    """The version that a time travel clause means; *evaluate* gives the milliseconds of what is not a literal."""
    text = clause.strip()
    if found := re.fullmatch(r"@\s*[vV](\d+)", text):
        return int(found[1])
    found = re.fullmatch(r"(?is)(?:FOR\s+)?(?:SYSTEM_)?(VERSION|TIMESTAMP|TIME)\s+AS\s+OF\s+(.+)", text)
    if found and found[1].upper() == "VERSION":
        return int(found[2].strip().strip("'\""))
    value = found[2] if found else text.lstrip("@")
    return log.version_at(path, _moment(value, evaluate))


def _moment(value: str, evaluate: Callable[[str], int | None]) -> int:
    if (known := _literal(value)) is not None:
        return known
    found = evaluate(value)
    if found is None:
        raise SqlError("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", f"{value} is not a time.", "42K0E")
    return found


def existing_version(path: Path, version: int) -> int:
    """The version itself, or raise SqlError when the table has no such version."""
    last = log.latest_version(path)
    if version > last:
        message = f"Cannot time travel Delta table to version {version}. Available versions: [0, {last}]."
        raise SqlError("DELTA_VERSION_NOT_FOUND", message, "22003")
    return version


def milliseconds(text: str) -> int:
    """The time that a timestamp literal means, in milliseconds since the epoch; UTC where it names no zone."""
    found = _literal(text)
    if found is None:
        raise unsupported(f"TIMESTAMP AS OF {text}", "use a literal such as '2026-01-31 10:00:00'")
    return found


def _literal(text: str) -> int | None:
    bare = re.sub(r"(?is)^(TIMESTAMP|DATE|CAST\s*\()\s*", "", text.strip())
    bare = re.sub(r"(?is)\s+AS\s+TIMESTAMP\s*\)$", "", bare).strip().strip("'\"")
    if re.fullmatch(r"\d{17}", bare):
        bare = f"{bare[:4]}-{bare[4:6]}-{bare[6:8]} {bare[8:10]}:{bare[10:12]}:{bare[12:14]}.{bare[14:]}"
    try:
        moment = datetime.fromisoformat(bare)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
