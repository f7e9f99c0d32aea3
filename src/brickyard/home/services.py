"""The services of a home: how each is started, when it is ready, who it is."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from brickyard.home.folder import Home
from brickyard.kernel import processes
from brickyard.kernel.errors import BrickyardError
from brickyard.settings import Settings

_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_TICK = 0.05


class ServiceFailed(BrickyardError):
    """A service of the home ended, or did not answer in time."""

    code = "service-failed"


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the home, started as `python -m <module>`.

    One with an address is ready when it answers; another when its log says `{"<name>": <its process id>}`.
    """

    name: str
    module: str
    arguments: Callable[[Home], tuple[str, ...]] = lambda home: ()
    address: Callable[[Home], str | None] = lambda home: None


POSTGRES = "postgres"
WORKSPACE = Service(
    "workspace",
    "brickyard.local",
    lambda home: (
        *("--home", str(home.workspace), "--port", str(home.addresses.workspace_port)),
        *("--engine", home.engine),
    ),
    lambda home: home.addresses.workspace,
)
WEB = Service("web", "brickyard.web", address=lambda home: home.addresses.web)
WORKER = Service("worker", "brickyard.worker")
SUPERVISOR = Service("supervisor", "brickyard.home.supervisor", lambda home: (str(home.path),))
SERVICES = (WORKSPACE, WEB, WORKER)


def environment(home: Home, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a home's processes: nothing of Databricks but the home's own workspace."""
    kept = {key: value for key, value in inherited.items() if not key.startswith("DATABRICKS_")}
    kept.pop("BRICKYARD_WORKSPACE_PROFILE", None)
    return kept | {
        "BRICKYARD_HOME": str(home.path),
        "BRICKYARD_WORKSPACE_HOST": home.addresses.workspace,
        "BRICKYARD_WORKSPACE_TOKEN_FILE": str(home.workspace_token_file),
        "BRICKYARD_WEB_PORT": str(home.addresses.web_port),
        "BRICKYARD_WEB_TOKEN_FILE": str(home.token_file),
    }


def uses_embedded_database() -> bool:
    """Say whether the home needs a PostgreSQL of its own."""
    return Settings().database_url is None


def prepare_spark() -> None:
    """Make what the engine `spark` needs, telling on stderr what is done, or raise ServiceFailed with the reason."""
    command = [sys.executable, "-m", "brickyard.local.engines.spark_env"]
    lines = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            lines.append(line)
    if process.returncode:
        raise ServiceFailed(
            f"the engine spark cannot run here: {''.join(lines).strip()}", remedy="mend that, or use --engine sail"
        )


def running(home: Home, service: Service) -> psutil.Process | None:
    """Return the service's process when it lives."""
    try:
        mark = processes.Mark(**json.loads(_mark_file(home, service).read_text()))
    except (FileNotFoundError, TypeError, ValueError):
        return None
    return processes.find(mark)


def spawn(home: Home, service: Service) -> psutil.Process:
    """Start the service's process and leave its mark."""
    command = [sys.executable, "-m", service.module, *service.arguments(home)]
    environ = environment(home, os.environ)
    process = processes.spawn(command, log=home.log(service.name), cwd=home.path, env=environ)
    draft = _mark_file(home, service).with_suffix(".new")
    draft.write_text(json.dumps(asdict(processes.mark(process, command))))
    draft.rename(_mark_file(home, service))
    return process


def _mark_file(home: Home, service: Service) -> Path:
    return home.run / f"{service.name}.json"


def await_ready(home: Home, service: Service, process: psutil.Process) -> None:
    """Wait until the service answers, or raise ServiceFailed with the end of its log."""
    deadline = time.monotonic() + _READY_SECONDS
    while processes.alive(process) and time.monotonic() < deadline:
        if _ready(home, service, process):
            return
        time.sleep(_TICK)
    verdict = "did not answer in time" if processes.alive(process) else "ended"
    log = home.log(service.name)
    raise ServiceFailed(
        f"the {service.name} of {home.path} {verdict}; the end of {log}:\n{processes.last_lines(log)}",
        remedy="mend what the log says, then run `brickyard up` again",
    )


def _ready(home: Home, service: Service, process: psutil.Process) -> bool:
    address = service.address(home)
    if address is not None:
        return _listens(process, address) and _answers(address)
    return json.dumps({service.name: process.pid}) in home.log(service.name).read_text(errors="replace")


def _listens(process: psutil.Process, address: str) -> bool:
    """Say whether it is this process that holds the port, not a stranger's."""
    port = int(address.rpartition(":")[2])
    with suppress(psutil.NoSuchProcess):
        return any(c.laddr.port == port and c.status == "LISTEN" for c in process.net_connections("inet"))
    return False


def _answers(address: str) -> bool:
    """Say whether an HTTP server answers there, whatever it says."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=2)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        connection.request("GET", "/")
        connection.getresponse().close()
        return True
    return False


def stop(home: Home, service: Service) -> bool:
    """Stop the service and say whether there was something to stop."""
    process = running(home, service)
    if process is None:
        return False
    if not processes.end(process, signal.SIGTERM, _STOP_SECONDS):
        processes.end(process, signal.SIGKILL, _STOP_SECONDS)
    return True
