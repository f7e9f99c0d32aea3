"""A home of real processes over a small lakehouse, and ways to stop a run at an exact point and kill what runs it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from brickyard.home import control, services
from brickyard.home.folder import Home
from brickyard.home.services import SERVICES, Service
from brickyard.kernel.names import TableName
from brickyard.metadata import embedded
from brickyard.migrate import observe
from brickyard.migrate.observe import Eyes
from brickyard.workspace import Workspaces

RULES = """
format: 1
name: small
original_catalog: hive_metastore
mappings:
  - {id: all, schema: va, to: "wb.loyalty.{name}"}
rewrites:
  references: {}
  truncate-insert: {}
"""
NOTEBOOK = """# Databricks notebook source
dbutils.widgets.text("pause", "0")
import time

# COMMAND ----------

# MAGIC %sql
# MAGIC TRUNCATE TABLE va.summary;
# MAGIC INSERT INTO va.summary SELECT tier, COUNT(*) AS members FROM va.member GROUP BY tier

# COMMAND ----------

time.sleep(float(dbutils.widgets.get("pause")))
"""
WORLD = (
    "CREATE CATALOG wb",
    "CREATE SCHEMA hive_metastore.va",
    "CREATE SCHEMA wb.loyalty",
    "CREATE TABLE hive_metastore.va.member AS SELECT id AS member_id,"
    " CASE WHEN id % 3 = 0 THEN 'gold' ELSE 'red' END AS tier FROM range(30)",
    "CREATE TABLE wb.loyalty.member AS SELECT * FROM hive_metastore.va.member",
    "CREATE TABLE hive_metastore.va.summary AS SELECT tier, COUNT(*) AS members FROM hive_metastore.va.member GROUP BY tier",
)
FAST = {
    "BRICKYARD_WORKER_HEARTBEAT_SECONDS": "0.4",
    "BRICKYARD_WORKER_TIMEOUT_SECONDS": "2",
    "BRICKYARD_QUEUE_POLLING_SECONDS": "0.1",
}
PROCESSES = {service.name: service for service in SERVICES}

_GATE = 4711  # the advisory lock at which a run waits
_GATES = f"""
CREATE TABLE faults_gate (point text);
CREATE FUNCTION faults_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM faults_gate WHERE concat(TG_OP, ' ', to_jsonb(NEW) ->> TG_ARGV[0]) LIKE point) THEN
        PERFORM pg_advisory_xact_lock({_GATE});
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER faults_gate AFTER INSERT OR UPDATE ON migrate_steps FOR EACH ROW EXECUTE FUNCTION faults_gate('key');
CREATE TRIGGER faults_gate AFTER INSERT ON migrate_runs FOR EACH ROW EXECUTE FUNCTION faults_gate('path');
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Town:
    """A running home with the small lakehouse."""

    home: Home

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def kill(self, *names: str) -> None:
        """End the named services with kill -9."""
        found = [services.running(self.home, PROCESSES[name]) for name in names]
        victims = [process for process in found if process]
        assert len(victims) == len(names), f"not all of {names} ran"
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=10)

    def restore(self, wanted: Sequence[Service] = SERVICES) -> None:
        """Start what does not run."""
        control.start(self.home, wanted)

    # ── the service ──────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def web(self) -> httpx.Client:
        """The web service."""
        token = self.home.token_file.read_text()
        return httpx.Client(
            base_url=self.home.addresses.web, headers={"Authorization": f"Bearer {token}"}, timeout=60, http2=False
        )

    def submit(self, **fields: Any) -> str:
        """Queue a run of the notebook, or of what the fields say, and return its id."""
        answer = self.web.post("/migrate/runs", json=wanted(**fields))
        assert answer.status_code == 202, answer.text
        (run,) = answer.json()["runs"]
        return run["id"]

    def record(self, run: str) -> dict[str, Any]:
        """Everything the service knows of a run."""
        return self.web.get(f"/migrate/runs/{run}").raise_for_status().json()

    def ended(self, run: str, seconds: float = 90) -> dict[str, Any]:
        """Wait for a run's end and return its record."""
        eventually(lambda: self.record(run)["status"] not in ("queued", "running"), seconds)
        return self.record(run)

    # ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Begin a command on this home in a process of its own."""
        command = [sys.executable, "-m", "brickyard", *map(str, arguments)]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DATABRICKS_")}
        environment = clean | {"BRICKYARD_HOME": str(self.home.path)} | environment
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def command(self, *arguments: object, **environment: str) -> Said:
        """Run a command on this home to its end."""
        process = self.begin(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return Said(process.returncode, out, err)

    def last_run(self) -> dict[str, Any]:
        """The record of the newest run."""
        (line,) = self.web.get("/migrate/runs", params={"limit": 1}).raise_for_status().json()["runs"]
        return self.record(line["id"])

    # ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the house's own database."""
        with psycopg.connect(embedded.start(self.home.postgres), autocommit=True) as tx:
            cursor = tx.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def gate(self, point: str) -> Iterator[Callable[[], None]]:
        """Have whoever writes a journal line like *point* wait, before it commits, until the block ends.

        A point is `INSERT <key>` (a step is about to begin) or `UPDATE <key>` (it was done, and nobody knows yet); the
        value waits until somebody stands there.
        """
        with psycopg.connect(embedded.start(self.home.postgres), autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (_GATE,))
            holder.execute("INSERT INTO faults_gate VALUES (%s)", (point,))
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            try:
                yield lambda: eventually(lambda: bool(holder.execute(waiting, (_GATE,)).fetchall()), 60)
            finally:
                holder.execute("DELETE FROM faults_gate")
                holder.execute("SELECT pg_advisory_unlock(%s)", (_GATE,))

    # ── the workspace ────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def eyes(self) -> Eyes:
        """The workspace as its owner sees it."""
        token = self.home.workspace_token_file
        return Eyes(Workspaces(self.home.addresses.workspace, token, retry_seconds=20).client())

    def control(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Call the control routes of the local workspace."""
        headers = {"Authorization": f"Bearer {self.home.workspace_token_file.read_text().strip()}"}
        url = f"{self.home.addresses.workspace}/api/local/{path}"
        return httpx.request(method, url, headers=headers, json=body or None, timeout=10).raise_for_status().json()

    def fault(self, kind: str, operation: str, **fields: Any) -> None:
        """Plan a fault of the workspace."""
        self.control("POST", "faults", kind=kind, operation=operation, **fields)

    def await_faults(self) -> None:
        """Wait until every planned fault has struck."""
        eventually(lambda: self.control("GET", "faults")["faults"] == [], 60)

    def versions(self) -> dict[str, int]:
        """The version of every table outside of rehearsals."""
        return {str(name): observe.history(self.eyes, name, limit=1)[0].version for name in self.tables()}

    def tables(self) -> list[TableName]:
        """Every table of the lakehouse that belongs to no rehearsal."""
        client = self.eyes.client
        catalogs = [c.name or "" for c in client.catalogs.list() if c.name != "system"]
        schemas = [(c, s.name or "") for c in catalogs for s in client.schemas.list(c)]
        own = [(c, s) for c, s in schemas if s != "information_schema" and not s.startswith("brickyard_")]
        found = [t for c, s in own for t in client.tables.list(c, s)]
        return [TableName.parse(t.full_name or "") for t in found]

    def rehearsals(self, run: str) -> list[str]:
        """The schemas that a run has left."""
        found = (s.name or "" for s in self.eyes.client.schemas.list("wb"))
        return sorted(name for name in found if name.startswith(f"brickyard_rehearsal_{run}"))

    def clones(self, run: str, attempt: str = "") -> list[int]:
        """How often each side's target was cloned."""
        names = (TableName("wb", f"brickyard_rehearsal_{run}{attempt}_{s}", "summary") for s in SIDES)
        return [[c.operation for c in observe.history(self.eyes, name)].count("CLONE") for name in names]

    def submitted(self, run: str, attempt: int = 1) -> list[int]:
        """The ids of the job runs of one attempt."""
        found = self.eyes.client.jobs.list_runs()
        return [r.run_id or 0 for r in found if f"({run}/{attempt})" in (r.run_name or "")]

    def running_tasks(self, run: str) -> list[int]:
        """The tasks of a run's notebooks that are running at this moment, as run ids."""
        jobs = self.eyes.client.jobs
        found = [jobs.get_run(number) for number in self.submitted(run)]
        return [t.run_id or 0 for r in found for t in r.tasks or [] if _state(t) == "RUNNING"]


SIDES = ("original", "refactored")


def _state(task: Any) -> str | None:
    return task.state.life_cycle_state.value if task.state and task.state.life_cycle_state else None


def wanted(**fields: Any) -> dict[str, Any]:
    """A request for the notebook, with other fields."""
    content = base64.b64encode(fields.pop("notebook", NOTEBOOK.encode())).decode()
    sent = {} if "resume" in fields else {"notebooks": [{"path": "summary.py", "content": content}]}
    return {**sent, "rules_text": RULES, **fields}


def eventually(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds; a service that is away for a moment holds nothing."""
    deadline = time.monotonic() + seconds
    while not _holds(holds):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.02)


def _holds(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def running_town() -> Iterator[Town]:
    """A home whose processes are all up."""
    with pytest.MonkeyPatch.context() as patch, Home.temporary() as home:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("BRICKYARD_DATABASE_URL", raising=False)
        for name, value in FAST.items():
            patch.setenv(name, value)
        control.start(home)
        town = Town(home)
        for statement in WORLD:
            town.eyes.sql(statement)
        with psycopg.connect(embedded.start(home.postgres), autocommit=True) as tx:
            tx.execute(_GATES.encode())
        yield town
        town.web.close()


@pytest.fixture
def town(running_town: Town) -> Iterator[Town]:
    """The home, whole again; its tables must have the versions that they had."""
    running_town.restore()
    running_town.control("DELETE", "faults")
    before = running_town.versions()
    yield running_town
    running_town.restore()
    assert running_town.versions() == before
