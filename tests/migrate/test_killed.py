"""kill -9 of the worker and of the workspace at the boundaries of a run's steps: it converges all the same."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from brickyard.context import Context
from brickyard.kernel.names import TableName
from brickyard.metadata import Metadata
from brickyard.migrate import flow, observe
from brickyard.migrate.model.runs import RunRequest
from brickyard.migrate.observe import Eyes
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.workspace import Workspaces

pytestmark = pytest.mark.timeout(240)

RULES = """
format: 1
name: small
original_catalog: hive_metastore
mappings: [{id: all, schema: va, to: "wb.loyalty.{name}"}]
rewrites: {references: {}, truncate-insert: {}}
"""
LAKEHOUSE = [
    "CREATE CATALOG IF NOT EXISTS wb",
    "CREATE SCHEMA IF NOT EXISTS hive_metastore.va",
    "CREATE SCHEMA IF NOT EXISTS wb.loyalty",
    "CREATE OR REPLACE TABLE hive_metastore.va.member AS SELECT id, id % 3 AS tier FROM range(30)",
    "CREATE OR REPLACE TABLE wb.loyalty.member AS SELECT * FROM hive_metastore.va.member",
    "CREATE OR REPLACE TABLE hive_metastore.va.summary AS SELECT CAST(1 AS BIGINT) AS tier, CAST(2 AS BIGINT) AS members",
]
NOTEBOOK = """# Databricks notebook source
import time
spark.sql("INSERT INTO va.summary SELECT tier, COUNT(*) AS members FROM va.member GROUP BY tier")
time.sleep(2)
"""

CLONE = ("statements.execute", "_refactored`.`summary` DEEP CLONE")
SUBMIT = ("jobs.submit", None)
WAIT = ("jobs.get_run", None)
POINTS = [
    ("current_user.me", None),
    ("statements.execute", "DESCRIBE TABLE EXTENDED"),
    ("statements.execute", "DESCRIBE HISTORY"),
    ("schemas.create", "_original"),
    ("statements.execute", "_original`.`summary` DEEP CLONE"),
    ("statements.execute", "CREATE OR REPLACE VIEW"),
    ("workspace.import", "/original/"),
    ("schemas.create", "_refactored"),
    CLONE,
    ("workspace.import", "/refactored/"),
    SUBMIT,
]
FEW = [("workspace", *CLONE)]  # the worker's everyday points stand in tests/faults
ALL = [(victim, *point) for victim in ("worker", "workspace") for point in [*POINTS, WAIT]]
CASES = FEW + [pytest.param(*case, marks=pytest.mark.full) for case in ALL if case not in FEW]


class Workspace:
    """A local workspace as a process that can be killed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "brickyard.local", "--home", str(self.home)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        place = json.loads(self.process.stdout.readline())
        self.host, self.token_file = place["host"], Path(place["token_file"])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def ask(self, method: str, **fault: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}
        answer = httpx.request(method, f"{self.host}/api/local/faults", headers=headers, json=fault or None)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace process with a small lakehouse."""
    workspace = Workspace(tmp_path_factory.mktemp("killed"))
    yield workspace
    workspace.process.terminate()
    workspace.process.wait()
    assert workspace.process.stdout
    workspace.process.stdout.close()


class Worker:
    """A worker process on a database and a workspace."""

    def __init__(self, url: str, workspace: Workspace, home: Path) -> None:
        environment = os.environ | {
            "BRICKYARD_DATABASE_URL": url,
            "BRICKYARD_WORKER_TIMEOUT_SECONDS": "4",
            "BRICKYARD_WORKER_HEARTBEAT_SECONDS": "0.5",
        }
        arguments = ["--home", str(home), "--workspace-host", workspace.host]
        arguments += ["--workspace-token-file", str(workspace.token_file)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "brickyard.worker", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout
        self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def house(place: Workspace, metadata: Metadata, tmp_path: Path) -> Context:
    """A house that only submits and looks."""
    workspaces = Workspaces(host=place.host, token_file=place.token_file)
    return Context(workspaces, metadata, Queue(metadata, Settings(home=tmp_path, workspace_host=place.host)))


def ended(house: Context, batch: str, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        (record,) = flow.record(house, batch)
        if record["status"] in ("finished", "interrupted"):
            return record
        time.sleep(0.2)
    raise AssertionError(f"the run did not end: {flow.record(house, batch)[0]['timeline']}")


def submitted(house: Context) -> tuple[str, str]:
    request = RunRequest.model_validate(
        {"notebooks": [{"path": "n.py", "content": base64.b64encode(NOTEBOOK.encode())}], "rules_text": RULES}
    )
    queued = flow.submit(house, request)
    return queued.batch, queued.runs["n.py"]


def await_fault(place: Workspace, house: Context, batch: str) -> None:
    """Wait until the delayed call is being answered."""
    while place.ask("GET")["faults"]:
        (record,) = flow.record(house, batch)
        assert record["status"] in ("queued", "running"), f"the step was never reached: {record['message']}"
        time.sleep(0.05)


def proof_of_one(eyes: Eyes, run: str, attempt: str = "") -> tuple[list[int], int]:
    """How often each target was cloned, and how many runs were submitted."""
    schemas = (f"brickyard_rehearsal_{run}{attempt}_{side}" for side in ("original", "refactored"))
    found = [[c.operation for c in observe.history(eyes, TableName("wb", s, "summary"))] for s in schemas]
    name = f"({run}/{attempt.strip('_') or 1})"
    return [f.count("CLONE") for f in found], len(
        [r for r in eyes.client.jobs.list_runs() if name in (r.run_name or "")]
    )


@pytest.mark.parametrize(("victim", "operation", "matching"), CASES)
def test_a_run_converges_when_someone_is_killed_in_a_step(
    place: Workspace,
    house: Context,
    tmp_path: Path,
    victim: str,
    operation: str,
    matching: str | None,
):
    eyes = Eyes(house.workspaces.client())
    for statement in LAKEHOUSE:
        eyes.sql(statement)
    place.ask("POST", kind="delay", operation=operation, seconds=1.0, matching=matching)
    worker = Worker(house.metadata.dsn, place, tmp_path)
    batch, run = submitted(house)
    await_fault(place, house, batch)
    if victim == "worker":
        worker.end(signal.SIGKILL)
        worker = Worker(house.metadata.dsn, place, tmp_path)
    else:
        place.kill()
        place.start()
    record = ended(house, batch)
    worker.end()
    assert (record["outcome"], record["code"]) == ("reconciled", None)
    assert proof_of_one(eyes, run) == ([1, 1], 1)


def test_a_run_whose_notebooks_died_with_the_workspace_fails_and_a_second_attempt_succeeds(
    place: Workspace, house: Context, tmp_path: Path
):
    eyes = Eyes(house.workspaces.client())
    for statement in LAKEHOUSE:
        eyes.sql(statement)
    worker = Worker(house.metadata.dsn, place, tmp_path)
    batch, run = submitted(house)
    while not any(
        r.state and r.state.life_cycle_state and r.state.life_cycle_state.value == "RUNNING"
        for r in eyes.client.jobs.list_runs(active_only=True)
    ):
        time.sleep(0.05)
    time.sleep(0.5)
    place.kill()
    place.start()
    record = ended(house, batch)
    assert (record["outcome"], record["code"]) == ("failed", "run-lost")
    assert proof_of_one(eyes, run) == ([1, 1], 1)
    flow.resume(house, run)
    record = ended(house, batch)
    worker.end()
    assert (record["outcome"], record["code"], record["attempt"]) == ("reconciled", None, 2)
    assert proof_of_one(eyes, run, "_2") == ([1, 1], 1)
