"""The processes of task attempts, started by one warm fork server and watched through its pipe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from brickyard.local.runs.model import JsonObject

KILL_AFTER_SECONDS = 10.0
_KEPT = ("PATH", "LANG", "LC_ALL", "LANGUAGE", "TZ", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_MODULE = "brickyard.local.kernel.zygote"


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do: `folder` takes its log and results, `task` says what to run."""

    task_run_id: int
    folder: str
    environment: Mapping[str, str]
    task: JsonObject


@dataclass(frozen=True, slots=True)
class Started:
    """The process of an attempt works."""

    task_run_id: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of an attempt ended; `code` is negative for a signal, None when the fork server died with it."""

    task_run_id: int
    code: int | None


ProcessEvent = Started | Exited


class Processes:
    """Starts and stops processes; events arrive on the reader's thread through *notify*.

    When the server dies, by whatever signal, the fork server reads the end of its pipe and kills what it started.
    """

    def __init__(self, notify: Callable[[ProcessEvent], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._alive: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, order: Order) -> None:
        """Start a process; Started and Exited follow."""
        with self._lock:
            server = self._alive[order.task_run_id] = self._running_server()
            _send(server, {"start": asdict(order)})

    def stop(self, task_run_id: int) -> None:
        """Send SIGTERM to the process group, SIGKILL after ten seconds."""
        with self._lock:
            server = self._alive.get(task_run_id)
            if server is not None:
                _send(server, {"stop": task_run_id, "grace": KILL_AFTER_SECONDS})

    def warm(self) -> None:
        """Start the fork server before it is needed."""
        with self._lock:
            self._running_server()

    def close(self) -> None:
        """Kill all processes and wait for the fork server to end."""
        with self._lock:
            server, self._server = self._server, None
        if server is None:
            return
        _hang_up(server)
        server.wait()
        if self._reader is not None:
            self._reader.join()

    def _running_server(self) -> subprocess.Popen[bytes]:
        if self._server is None or self._server.poll() is not None:
            if self._server is not None:
                _hang_up(self._server)
            self._server = _spawn()
            self._reader = threading.Thread(target=self._read, args=(self._server,), name="kernels", daemon=True)
            self._reader.start()
        return self._server

    def _read(self, server: subprocess.Popen[bytes]) -> None:
        if server.stdout is None:
            return
        with server.stdout:
            for line in server.stdout:
                self._tell(json.loads(line))
        server.wait()
        for task_run_id in self._lost(server):
            self._notify(Exited(task_run_id, None))

    def _tell(self, event: Mapping[str, int]) -> None:
        if "started" in event:
            self._notify(Started(event["started"]))
            return
        with self._lock:
            self._alive.pop(event["exited"], None)
        self._notify(Exited(event["exited"], event["code"]))

    def _lost(self, server: subprocess.Popen[bytes]) -> list[int]:
        """The processes that ended with their fork server."""
        with self._lock:
            lost = sorted(task_run_id for task_run_id, owner in self._alive.items() if owner is server)
            for task_run_id in lost:
                del self._alive[task_run_id]
        return lost


def _send(server: subprocess.Popen[bytes], command: JsonObject) -> None:
    """Send a command; one that meets a dead server is lost with it, and its reader says so."""
    if server.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            server.stdin.write(json.dumps(command).encode() + b"\n")
            server.stdin.flush()


def _hang_up(server: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a server: one that lives ends with it."""
    if server.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            server.stdin.close()


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process of the workspace may inherit: none that carries a credential."""
    return {name: environment[name] for name in _KEPT if name in environment}


def _spawn() -> subprocess.Popen[bytes]:
    environment = scrubbed(os.environ) | {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    source = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment | {"PYTHONPATH": source},
        start_new_session=True,
    )


def signal_name(code: int) -> str:
    """The name of the signal behind a negative exit code."""
    return signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
