"""Installs and starts the queue of Azurite: a real server that speaks Azure Storage's protocol on this machine."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).parent
ACCOUNT, KEY = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)
API_VERSION = "2025-11-05"  # the newest that the pinned emulator knows
_START_SECONDS = 30.0


class Azurite:
    """One emulator, which can be stopped and started again on the same port; it forgets its messages meanwhile."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """How a client reaches it."""
        endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};QueueEndpoint={endpoint};"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = (
            "--queueHost",
            "127.0.0.1",
            "--queuePort",
            str(self.port),
            "--inMemoryPersistence",
            "--disableTelemetry",
        )
        main = _installed() / "node_modules/azurite/dist/src/queue/main.js"
        self._process = subprocess.Popen(
            ["node", main, *options, "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, "Azurite did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as if the power went."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


@contextmanager
def azurite() -> Iterator[Azurite]:
    """Run an emulator for a while."""
    server = Azurite()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def missing() -> str | None:
    """Say what keeps this machine from running the emulator."""
    absent = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def _installed() -> Path:
    """Install the pinned packages once; several test processes may come at the same time."""
    with (HERE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HERE / "node_modules/.package-lock.json").is_file():
            subprocess.run(["npm", "ci", "--silent"], cwd=HERE, check=True, timeout=300)
    return HERE
