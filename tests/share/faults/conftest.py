"""A house of real processes before a local workspace, ways to stop a run at an exact point, and ways to compare two ends."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.share.faults.door import Door
from tests.share.faults.scenes import SHARED, ground, plain

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share import flow
from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import RunRecord, Submitted, Upload
from brickyard.workspace import Workspaces, run_sql

FAST = {
    "BRICKYARD_WORKER_HEARTBEAT_SECONDS": "0.3",
    "BRICKYARD_WORKER_TIMEOUT_SECONDS": "1.5",
    "BRICKYARD_QUEUE_POLLING_SECONDS": "0.1",
    "BRICKYARD_WORKSPACE_RETRY_SECONDS": "5",
    "BRICKYARD_SHARE_SYNC_MINUTES": "0",  # what a synchronisation sees depends on when it runs
}
_GATE = 8172  # the advisory lock at which a transaction waits
_GATES = f"""
CREATE TABLE faults_gate (point text);
CREATE FUNCTION faults_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM faults_gate WHERE point = concat(TG_ARGV[0], ' ', to_jsonb(NEW) ->> TG_ARGV[1], ' ',
        to_jsonb(NEW) ->> TG_ARGV[2])) THEN
        PERFORM pg_advisory_xact_lock({_GATE});
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER faults_begin AFTER INSERT ON brickyard.share_steps
    FOR EACH ROW EXECUTE FUNCTION faults_gate('begin', 'status', 'kind');
CREATE CONSTRAINT TRIGGER faults_commit AFTER UPDATE ON brickyard.share_steps DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION faults_gate('commit', 'status', 'kind');
CREATE TRIGGER faults_asked AFTER INSERT ON brickyard.share_runs
    FOR EACH ROW EXECUTE FUNCTION faults_gate('asked', 'status', 'kind');
CREATE CONSTRAINT TRIGGER faults_taken AFTER INSERT ON brickyard.share_runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION faults_gate('taken', 'status', 'kind');
CREATE CONSTRAINT TRIGGER faults_begun AFTER UPDATE ON brickyard.share_runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.plan IS NULL AND NEW.plan IS NULL) EXECUTE FUNCTION faults_gate('run', 'status', 'kind');
CREATE CONSTRAINT TRIGGER faults_planned AFTER UPDATE ON brickyard.share_runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.plan IS NULL AND NEW.plan IS NOT NULL) EXECUTE FUNCTION faults_gate('plan', 'status', 'kind');
CREATE CONSTRAINT TRIGGER faults_ended AFTER UPDATE ON brickyard.share_runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION faults_gate('run', 'status', 'kind');
CREATE TRIGGER faults_job AFTER UPDATE ON procrastinate_jobs
    FOR EACH ROW EXECUTE FUNCTION faults_gate('job', 'status', 'task_name');
"""
# `wants` is what an attempt asked for beyond what its run held already
_TIMES = re.compile(
    r"(_at|_from|_to|timestamp|hash|^at|^id|attempt|job|adopted|result|wants|sealed|job_id|created_time|last_updated)$"
)
_ROWS = (
    *(f"deltashare.{name}" for name in ("share_packs", "requests", "recipients", "shares", "pipelines", "tenants")),
    *(f"deltashare.{name}" for name in ("audit_trail", "notifications")),
    *(
        f"brickyard.{name}"
        for name in ("share_pack_hashes", "share_runs", "share_steps", "share_claims", "share_links")
    ),
)

Stand = dict[str, list[str]]


@dataclass
class Process:
    """A process of the house."""

    popen: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it with kill -9."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


@dataclass
class City:
    """A workspace behind a door, a database with gates, and the worker that serves it."""

    workspace: LocalWorkspace
    door: Door
    metadata: Metadata
    url: str
    folder: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    known: dict[str, Stand] = field(default_factory=dict)
    worker: Process | None = None
    spawned: list[Process] = field(default_factory=list)

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def spawn(self, module: str, *arguments: str, **environment: str) -> Process:
        """Start a process of the house."""
        log = self.folder / f"{module}-{next(self.numbers)}.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DATABRICKS_")}
        place = ["--home", str(self.folder), "--workspace-host", self.door.host]
        place += ["--workspace-token-file", str(self.folder / "token")]
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [sys.executable, "-m", module, *place, *arguments],
                env=kept | FAST | {"BRICKYARD_DATABASE_URL": self.url} | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.spawned.append(Process(popen, log))
        return self.spawned[-1]

    def work(self) -> None:
        """Start a worker where none runs."""
        if self.worker is None or self.worker.popen.poll() is not None:
            self.worker = self.spawn("brickyard.worker")

    def kill_worker(self) -> None:
        """Kill the worker and start another."""
        assert self.worker
        self.worker.kill()
        self.work()

    @contextmanager
    def service(self, **environment: str) -> Iterator[tuple[Process, httpx.Client]]:
        """Serve the house over HTTP by a process of its own."""
        process = self.spawn("brickyard.web", "--port", "0", **environment)
        eventually(lambda: b'"url"' in process.log.read_bytes(), 30)
        place = next(json.loads(line) for line in process.log.read_text().splitlines() if '"url"' in line)
        headers = {"Authorization": f"Bearer {Path(place['token_file']).read_text().strip()}"}
        headers["X-Workspace-URL"] = self.door.host
        try:
            with httpx.Client(base_url=place["url"], headers=headers, timeout=60) as client:
                yield process, client
        finally:
            process.kill()

    # ── the house ────────────────────────────────────────────────────────────────────────────────────────────────────

    def house(self, ahead: timedelta = timedelta(), retry_seconds: float = 5) -> Context:
        """The house as this process sees it, its clock ahead by so much."""
        workspaces = Workspaces(host=self.door.host, token_file=self.folder / "token", retry_seconds=retry_seconds)
        queue = Queue(self.metadata, Settings(home=self.folder, workspace_host=self.door.host, share_repeat_seconds=0))
        return Context(workspaces, self.metadata, queue, lambda: datetime.now(UTC) + ahead, actor="up@loader.com")

    def tag(self) -> str:
        """A tag with tables of its own."""
        tag = f"k{next(self.numbers):03d}x"
        client = self.workspace.client()
        for statement in ground(tag):
            run_sql(client, statement)
        return tag

    def upload(self, pack: SharePack) -> Submitted:
        """Submit a pack."""
        return flow.submit(self.house(), Upload(pack=pack, file_name="pack.yaml"))

    def ended(self, run_id: str, seconds: float = 60) -> RunRecord:
        """Wait for a run's end and return it."""
        house = self.house()
        try:
            eventually(lambda: flow.run_of(house, run_id).status.final, seconds)
        except AssertionError as error:
            log = self.worker.log.read_text()[-3000:] if self.worker else ""
            raise AssertionError(f"{flow.run_of(house, run_id)}\n{log}") from error
        return flow.run_of(house, run_id)

    # ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with psycopg.connect(self.url, autocommit=True) as tx:
            cursor = tx.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def gate(self, point: str) -> Iterator[Callable[[], None]]:
        """Have the transaction that writes a line like *point* wait until the block ends; the value waits for it."""
        with psycopg.connect(self.url, autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (_GATE,))
            holder.execute("INSERT INTO faults_gate VALUES (%s)", (point,))
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            try:
                yield lambda: eventually(lambda: bool(holder.execute(waiting, (_GATE,)).fetchall()), 60)
            finally:
                holder.execute("DELETE FROM faults_gate")
                holder.execute("SELECT pg_advisory_unlock(%s)", (_GATE,))

    # ── what is there at the end ─────────────────────────────────────────────────────────────────────────────────────

    def stand(self, tag: str) -> Stand:
        """All that the workspace and the database hold under a tag, without what differs from play to play."""
        return {**self.things(tag), **self._records(tag)}

    def things(self, tag: str) -> Stand:
        """What the workspace holds under a tag."""
        client = self.workspace.client()
        recipients = [one for one in client.recipients.list() if tag in (one.name or "")]
        policies = [p for one in recipients for p in client.recipient_federation_policies.list(one.name or "")]
        shares = [one.name or "" for one in client.shares.list_shares() if tag in (one.name or "")]
        grants = [client.shares.share_permissions(name) for name in shares]
        pipelines = [one for one in client.pipelines.list_pipelines() if tag in (one.name or "")]
        jobs = [job for job in client.jobs.list() if tag in str(job.as_dict())]
        tables = [client.tables.get(f"m.s.{name}_{tag}") for name in ("orders", "items", "feed", "log")]
        schemas = [schema for schema in client.schemas.list("m") if tag in (schema.name or "")]
        found = {
            "recipients": [_bare(one.as_dict()) for one in recipients],
            "tokens": [f"{one.name}: {len(one.tokens or ())}" for one in recipients],
            "policies": [_bare(one.as_dict()) for one in policies],
            "shares": [_bare(client.shares.get(name, include_shared_data=True).as_dict()) for name in shares],
            "grants": [_bare(one.as_dict()) for one in grants],
            "pipelines": [_bare(client.pipelines.get(one.pipeline_id or "").as_dict()) for one in pipelines],
            "jobs": [_bare(job.as_dict()) for job in jobs],
            "tables": [str((t.properties or {}).get("delta.enableChangeDataFeed")) for t in tables],
            "schemas": [f"{one.full_name} {one.comment}" for one in schemas],
        }
        return {name: sorted(plain(str(one), tag) for one in ones) for name, ones in found.items()}

    def _records(self, tag: str) -> Stand:
        named = "SELECT DISTINCT share_pack_id FROM deltashare.share_packs WHERE share_pack_name LIKE %s"
        packs = [str(one) for (one,) in self.rows(named, f"%{tag}%")]
        of_packs = "SELECT id FROM brickyard.share_runs WHERE pack_id::text = ANY(%s)"
        runs = [str(one) for (one,) in self.rows(of_packs, packs)]
        marks = [f"%{one}%" for one in (tag, *packs, *runs)]
        found = {}
        for table in _ROWS:
            lines = self.rows(f"SELECT to_jsonb(t) FROM {table} t WHERE to_jsonb(t)::text LIKE ANY(%s)", marks)
            found[table] = sorted(plain(json.dumps(_bare(line), sort_keys=True), tag) for (line,) in lines)
        told = self.rows("SELECT action, subject FROM audit_events WHERE subject LIKE ANY(%s)", marks)
        found["audit"] = sorted(plain(f"{action} {subject}", tag) for action, subject in told)
        return found

    def check_clean(self, run_id: str) -> None:
        """No lease, no open job, one final event, and an audit chain without a fault."""
        assert self.rows("SELECT name FROM brickyard.share_leases WHERE run_id = %s", run_id) == []
        jobs = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'run_id' = %s AND status IN ('todo', 'doing')"
        eventually(lambda: self.rows(jobs, run_id) == [(0,)], 60)
        final = ("completed", "failed", "validation-failed", "superseded")
        ends = "SELECT kind FROM brickyard.share_events WHERE run_id = %s AND kind = ANY(%s)"
        assert len(self.rows(ends, run_id, list(final))) == 1
        copies = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'run_id' = %s"
        assert self.rows(copies, run_id) == [(1,)]


def _bare(value: Any) -> Any:
    """A document without ids, times and what counts attempts."""
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in sorted(value.items()) if not _TIMES.search(key) and key != "tokens"}
    if isinstance(value, list):
        return sorted((_bare(one) for one in value), key=str)
    return value


def differences(found: Stand, wanted: Stand) -> dict[str, dict[str, list[str]]]:
    """What one end has too much and what it lacks, by table."""
    told = {}
    for name in sorted({*found, *wanted}):
        has, lacks = Counter(found.get(name, [])), Counter(wanted.get(name, []))
        if has != lacks:
            told[name] = {"more": sorted((has - lacks).elements()), "less": sorted((lacks - has).elements())}
    return told


def eventually(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.03)


@pytest.fixture(scope="session")
def city(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city for all tests of this process."""
    folder = tmp_path_factory.mktemp("city")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier("city")))
    url = make_url(postgres).set(database="city").render_as_string(hide_password=False)
    metadata = Metadata(url)
    metadata.migrate()
    with LocalWorkspace(folder / "workspace") as workspace, Door(workspace.host) as door:
        (folder / "token").write_text(workspace.token)
        client = workspace.client()
        for statement in SHARED:
            run_sql(client, statement)
        with psycopg.connect(url, autocommit=True) as tx:
            tx.execute(_GATES.encode())
        city = City(workspace, door, metadata, url, folder)
        city.work()
        yield city
        for process in city.spawned:
            process.kill()
    metadata.close()
