"""Processes that outlive the one that started them, told apart from later ones of the same number."""

from __future__ import annotations

import atexit
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import psutil

_TICK = 0.02
_CLOCK_MAY_STEP_SECONDS = 60.0
_held: list[subprocess.Popen[Any]] = []  # our own children, so that the dead ones are reaped


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a process from a later one of the same number."""

    pid: int
    started: float
    command: Sequence[str]


def spawn(
    command: Sequence[str | PathLike[str]],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    **account: Any,
) -> psutil.Process:
    """Start a process in a session of its own, its output appended to *log*."""
    _held[:] = [child for child in _held if child.poll() is None]
    with log.open("a") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=env,
            start_new_session=True,
            **account,
        )
    _held.append(child)
    return psutil.Process(child.pid)


@atexit.register
def _let_go() -> None:
    for child in _held:
        if child.poll() is None:
            child.returncode = 0  # it outlives us on purpose; without this Python warns


def mark(process: psutil.Process, command: Sequence[str]) -> Mark:
    """Return what identifies the process that was started by *command*; it may not show it yet itself."""
    return Mark(process.pid, process.create_time(), command)


def find(known: Mark) -> psutil.Process | None:
    """Return the living process that *known* was taken from."""
    try:
        process = psutil.Process(known.pid)
        about_then = abs(process.create_time() - known.started) < _CLOCK_MAY_STEP_SECONDS
        same = about_then and process.cmdline() in ([], list(known.command))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if same and alive(process) else None


def alive(process: psutil.Process) -> bool:
    """Say whether the process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, how: signal.Signals, seconds: float) -> bool:
    """Send a signal and say whether the process ended within *seconds*."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(how)
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(_TICK)
    return not alive(process)


def last_lines(log: Path, count: int = 8) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""
