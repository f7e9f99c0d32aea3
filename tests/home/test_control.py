"""A home's services: they come back after a kill, with the addresses, tokens and data they had."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from brickyard.home import control, services
from brickyard.home.folder import Home
from brickyard.home.services import SERVICES, SUPERVISOR, WORKSPACE
from brickyard.home.supervisor import supervise
from brickyard.kernel import processes
from brickyard.metadata import embedded


@pytest.fixture(autouse=True)
def nothing_of_databricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home ignores Databricks settings, so that these lead nowhere; the tests' own database is not the home's."""
    monkeypatch.setenv("DATABRICKS_HOST", "https://nowhere.invalid")
    monkeypatch.setenv("DATABRICKS_TOKEN", "wrong")
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def home() -> Iterator[Home]:
    with Home.temporary() as home:
        yield home


def all_processes(home: Home) -> list[psutil.Process]:
    ours = [services.running(home, service) for service in (SUPERVISOR, *SERVICES)]
    database = embedded.pid(home.postgres)
    return [process for process in (*ours, psutil.Process(database) if database else None) if process]


def kill(victims: list[psutil.Process]) -> None:
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)


def facts(home: Home) -> tuple[object, ...]:
    tokens = home.token_file.read_text(), home.workspace_token_file.read_text()
    return home.addresses, tokens, embedded.start(home.postgres)


def who_am_i(home: Home) -> str:
    request = urllib.request.Request(
        f"{home.addresses.workspace}/api/2.0/preview/scim/v2/Me",
        headers={"Authorization": f"Bearer {home.workspace_token_file.read_text().strip()}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["userName"]


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def test_a_command_starts_only_the_service_it_needs(home: Home):
    control.start(home, (WORKSPACE,))
    state = control.status(home)
    assert [service.name for service in state.services if service.running] == ["workspace"]
    assert (state.supervised, state.complete) == (False, False)
    assert who_am_i(home)


def test_two_starts_at_once_make_one_process(home: Home):
    home.prepare()
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: control.start(home, (WORKSPACE,)), range(2)))
    workspace = services.running(home, WORKSPACE)
    assert workspace
    alike = [
        p.pid for p in psutil.process_iter() if processes.alive(p) and str(home.workspace) in " ".join(p.cmdline())
    ]
    assert [pid for pid in alike if not _descends(pid, workspace.pid)] == [workspace.pid]


def _descends(pid: int, ancestor: int) -> bool:
    return ancestor in {parent.pid for parent in psutil.Process(pid).parents()}


def test_a_pid_file_that_names_another_process_is_no_service(home: Home):
    home.prepare()
    (home.run / "workspace.json").write_text(
        json.dumps({"pid": os.getpid(), "started": psutil.Process().create_time(), "command": ["x"]})
    )
    assert services.running(home, WORKSPACE) is None
    assert control.down(home) == ()


def test_a_service_that_ends_at_once_says_why(home: Home):
    home.prepare()
    (home.path / "workspace").touch()
    with pytest.raises(services.ServiceFailed) as raised:
        control.start(home, (WORKSPACE,))
    assert str(home.log("workspace")) in raised.value.message


def test_after_a_kill_of_everything_up_restores_addresses_tokens_and_data(home: Home):
    assert control.up(home).complete
    before = facts(home)
    with psycopg.connect(embedded.start(home.postgres)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    victims = all_processes(home)
    assert len(victims) == 5
    kill(victims)
    assert not any(service.running for service in control.status(home).services)
    state = control.up(home)
    assert (state.complete, state.supervised) == (True, True)
    assert facts(home) == before
    with psycopg.connect(embedded.start(home.postgres)) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(7,)]
    assert who_am_i(home)
    assert set(control.down(home)) == {"supervisor", "postgres", "workspace", "web", "worker"}
    assert all_processes(home) == []


@pytest.mark.full
@pytest.mark.parametrize("name", ["postgres", "workspace", "web", "worker"])
def test_the_supervisor_starts_again_what_dies(home: Home, name: str):
    control.up(home)
    before = facts(home)
    [victim] = [service.pid for service in control.status(home).services if service.name == name]
    kill([psutil.Process(victim)])
    assert eventually(lambda: control.status(home).complete)
    assert facts(home) == before


@pytest.mark.full
def test_up_takes_over_what_runs_when_only_the_supervisor_was_killed(home: Home):
    control.up(home)
    before = {service.name: service.pid for service in control.status(home).services}
    kill([p for p in [services.running(home, SUPERVISOR)] if p])
    assert control.up(home).supervised
    assert {service.name: service.pid for service in control.status(home).services} == before


@pytest.mark.full
def test_two_ups_at_once_make_one_of_each(home: Home, tmp_path: Path):
    home.prepare()
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(control.up, [home, home])
    assert first.services == second.services
    supervisors = [p for p in psutil.process_iter() if p.cmdline()[-2:] == [SUPERVISOR.module, str(home.path)]]
    assert len(supervisors) == 1


def test_a_supervisor_ends_with_its_home(tmp_path: Path):
    supervise(Home(tmp_path / "gone"), threading.Event())
