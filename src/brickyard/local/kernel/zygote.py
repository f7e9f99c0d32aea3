"""The fork server: it has imported the heavy libraries once, so that each task attempt starts in milliseconds.

Commands come as JSON lines on standard input, events leave on standard output. It is single-threaded: a fork copies
nothing half done. The end of standard input means that the workspace is gone, and everything it started goes too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PRELOADED = (
    "pandas",
    "pyarrow",
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.functions.builtin",
    "brickyard.local.kernel.spark",
    "brickyard.local.kernel.delta_tables",
    "brickyard.local.kernel.process",
)
_IN_IDLE_TIME = ("pydantic", "databricks.sdk")  # what many tasks import, and the first task need not wait for
_IDLE_SECONDS = 0.3
_MANY = 3  # tasks after which it pays to load them without waiting for such a time


@dataclass(slots=True)
class Child:
    """A living process; `kill_at` is when its patience ends, in monotonic seconds."""

    task_run_id: int
    pid: int
    kill_at: float | None = None


class Zygote:
    """The loop over commands, ended children and patience that ran out."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._buffer = b""
        self._children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._to_load = list(_IN_IDLE_TIME)
        self._ended = 0
        os.set_blocking(self._wake_write, False)

    def serve(self) -> Callable[[], int] | None:
        """Serve until standard input ends; in a forked child, return what it has to run."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._commands, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        while True:
            news = self._selector.select(self._patience())
            if self._to_load and not self._children and (not news or self._ended >= _MANY):
                _load([self._to_load.pop(0)])
            for key, _ in news:
                if key.fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                    continue
                chunk = os.read(self._commands, 1 << 16)
                if not chunk:
                    return self._kill_all()
                if work := self._obey(chunk):
                    return work
            self._reap()
            self._kill_overdue()

    def _obey(self, chunk: bytes) -> Callable[[], int] | None:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "stop" in command:
                self._stop(command["stop"], command["grace"])
            elif work := self._start(command["start"]):
                return work
        return None

    def _start(self, order: dict[str, object]) -> Callable[[], int] | None:
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            self._leave(parent)
            return lambda: _work(order)
        task_run_id = int(str(order["task_run_id"]))
        self._children[task_run_id] = Child(task_run_id, pid)
        self._tell({"started": task_run_id, "pid": pid})
        return None

    def _leave(self, parent: int) -> None:
        """In the child: become the leader of an own group, die with the parent, forget the parent's pipes."""
        os.setsid()
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for descriptor in (self._wake_read, self._wake_write, self._commands, self._events):
            os.close(descriptor)

    def _stop(self, task_run_id: int, grace: float) -> None:
        child = self._children.get(task_run_id)
        if child is not None and child.kill_at is None:
            child.kill_at = time.monotonic() + grace
            _signal_group(child.pid, signal.SIGTERM)

    def _patience(self) -> float | None:
        limits = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        if self._to_load and not self._children:
            return _IDLE_SECONDS
        return max(0.0, min(limits) - time.monotonic()) if limits else None

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at is not None and child.kill_at <= now:
                _signal_group(child.pid, signal.SIGKILL)
                child.kill_at = now + 1

    def _reap(self) -> None:
        for child in list(self._children.values()):
            ended, status = os.waitpid(child.pid, os.WNOHANG)
            if not ended:
                continue
            del self._children[child.task_run_id]
            self._ended += 1
            _kill_leftovers(child.pid)
            self._tell({"exited": child.task_run_id, "code": os.waitstatus_to_exitcode(status)})

    def _kill_all(self) -> None:
        for child in self._children.values():
            _signal_group(child.pid, signal.SIGKILL)
        for child in self._children.values():
            os.waitpid(child.pid, 0)

    def _tell(self, event: dict[str, int]) -> None:
        os.write(self._events, json.dumps(event).encode() + b"\n")


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        os.kill(pid, number)


def _kill_leftovers(group: int) -> None:
    """Kill what an ended process left in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """Ask Linux for SIGKILL when the parent dies, and end at once when it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _work(order: dict[str, object]) -> int:
    """In the child: take the order's folder, log and environment, then run its task."""
    from brickyard.local.kernel import process

    folder = Path(str(order["folder"]))
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    return process.run(order)


def _load(names: Sequence[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # children share these pages and never search them again


def main() -> int:
    """Serve on own copies of the standard pipes, so that a print of an import cannot spoil the protocol."""
    commands, events = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    _load(_PRELOADED)
    work = Zygote(commands, events).serve()
    return work() if work is not None else 0


if __name__ == "__main__":
    sys.exit(main())
