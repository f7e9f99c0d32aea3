"""Bring a home up, take it down, and say what runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brickyard.home import services
from brickyard.home.folder import Home
from brickyard.home.services import POSTGRES, SERVICES, SUPERVISOR, Service
from brickyard.metadata import embedded


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Whether one service runs, as which process, and where it answers."""

    name: str
    running: bool
    pid: int | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """What runs in a home and where its tokens are."""

    home: Path
    url: str | None
    token_file: Path
    workspace_host: str | None
    workspace_token_file: Path
    supervised: bool
    services: tuple[ServiceStatus, ...]

    @property
    def complete(self) -> bool:
        """Whether everything runs."""
        return all(service.running for service in self.services)


def up(home: Home, *, detached: bool = True, engine: str | None = None) -> Status:
    """Start all that is not running, with the same addresses, token and data as before.

    *detached* leaves a supervisor that starts again what dies. *engine* runs the SQL from now on, until told otherwise.
    """
    if engine is not None:
        _use_engine(home.prepare(), engine)
    start(home)
    with home.locked("supervisor"):
        if detached and services.running(home, SUPERVISOR) is None:
            services.spawn(home, SUPERVISOR)
    return status(home)


def _use_engine(home: Home, engine: str) -> None:
    """Remember the engine; a workspace that runs on another one is stopped, to be started again."""
    if engine == home.engine:
        return
    if engine == "spark":
        services.prepare_spark()
    with home.locked("services"):
        home.keep_engine(engine)
        services.stop(home, services.WORKSPACE)


def start(home: Home, wanted: Sequence[Service] = SERVICES) -> None:
    """Start those of the wanted services that do not run, side by side, and wait until each is ready."""
    home.prepare()
    with home.locked("services"):
        found = [(service, services.running(home, service) or services.spawn(home, service)) for service in wanted]
        if services.WORKER in wanted and services.uses_embedded_database():
            embedded.start(home.postgres)
        for service, process in found:
            services.await_ready(home, service, process)


def down(home: Home) -> tuple[str, ...]:
    """Stop everything in the home and return the names of what was running."""
    if not home.run.is_dir():
        return ()
    watched = services.stop(home, SUPERVISOR)
    with home.locked("services"):
        stopped = [service.name for service in reversed(SERVICES) if services.stop(home, service)]
        if embedded.pid(home.postgres):
            embedded.stop(home.postgres)
            stopped.append(POSTGRES)
    return (*([SUPERVISOR.name] if watched else []), *stopped)


def status(home: Home) -> Status:
    """Say what runs in the home."""
    known = (home.path / "addresses.json").exists()
    rows = [_status(home, service, known) for service in SERVICES]
    pid = embedded.pid(home.postgres)
    database = (ServiceStatus(POSTGRES, pid is not None, pid, None),) if services.uses_embedded_database() else ()
    return Status(
        home=home.path,
        url=home.addresses.web if known else None,
        token_file=home.token_file,
        workspace_host=home.addresses.workspace if known else None,
        workspace_token_file=home.workspace_token_file,
        supervised=services.running(home, SUPERVISOR) is not None,
        services=(*database, *rows),
    )


def _status(home: Home, service: Service, known: bool) -> ServiceStatus:
    process = services.running(home, service)
    address = service.address(home) if known else None
    return ServiceStatus(service.name, process is not None, process.pid if process else None, address)
