"""The supervisor: starts again what dies in a home, until it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import structlog

from brickyard.home.control import start, status
from brickyard.home.folder import Home
from brickyard.kernel import logs
from brickyard.kernel.errors import BrickyardError
from brickyard.settings import Settings

_LOOK_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0

log = structlog.get_logger(__name__)


def supervise(home: Home, stopped: threading.Event) -> None:
    """Look twice a second and start what is missing, until told to stop or the home is gone.

    After each start that fails the wait is longer.
    """
    wait = _LOOK_SECONDS
    while not stopped.wait(wait) and home.run.is_dir():
        missing = [service.name for service in status(home).services if not service.running]
        wait = _revive(home, missing, wait) if missing else _LOOK_SECONDS


def _revive(home: Home, missing: list[str], wait: float) -> float:
    log.warning("services ended", services=missing)
    try:
        start(home)
    except (BrickyardError, OSError) as error:
        log.error("services did not start", error=str(error))
        return min(wait * 2, _LONGEST_WAIT_SECONDS)
    log.warning("services started", services=missing)
    return _LOOK_SECONDS


def until_signalled(home: Home) -> None:
    """Supervise until SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    supervise(home, stopped)


if __name__ == "__main__":
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    until_signalled(Home(Path(sys.argv[1])))
