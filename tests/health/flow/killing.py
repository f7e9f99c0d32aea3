"""Runs of health in processes of their own, killed at a statement, before a workspace that can be killed too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from tests.health.engine.stand import Engine, Stand
from tests.health.oracle.test_tables import show
from tests.share.faults.door import Door, When

from brickyard.health.flow import Door as Health
from brickyard.health.model.source import Capture
from brickyard.health.plan.compile import Gold
from brickyard.health.plan.text import Places
from brickyard.health.synthetic import Account

SOURCES = "synthetic"
STATEMENTS = "POST /api/2.0/sql/statements"
_CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "BRICKYARD_"))}


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a run: a writing statement, and whether it was not sent yet, is under way, or is done and nobody knows."""

    when: When
    verb: str
    table: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.when} {self.verb} {self.table} {self.words}".strip()

    def begin_in(self, catalog: str) -> str:
        """How the statement begins in this catalog."""
        schema, name = self.table.split(".")
        return f"{self.verb} `{catalog}`.`{schema}`.`{name}` {self.words}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    document: Mapping[str, Any]
    told: str


@dataclass
class Camp:
    """A workspace of its own process behind a door, in which the sources lie, and runs that make gold catalogs of them."""

    folder: Path
    gold: Gold
    spawned: list[subprocess.Popen[str]] = field(default_factory=list)

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _spawn(self, arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=_CLEAN | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.spawned.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        """Serve the workspace; it is found where it was before."""
        server = self._spawn(["brickyard.local", "--home", str(self.folder / "workspace")])
        assert server.stdout
        self.__dict__["host"] = json.loads(server.stdout.readline())["host"]
        return server

    @cached_property
    def host(self) -> str:
        """The workspace's address, past the door."""
        raise AssertionError("the workspace is not served")

    @cached_property
    def door(self) -> Door:
        """The door of all runs."""
        return Door(self.host)

    @property
    def client(self) -> WorkspaceClient:
        """A client of the workspace, past the door."""
        return WorkspaceClient(config=Config(host=self.host, token=self.token.read_text().strip(), auth_type="pat"))

    @property
    def token(self) -> Path:
        """The file with the workspace's token."""
        return self.folder / "workspace" / "token"

    def begin(self, catalog: str, at: datetime, only: Collection[str] = ()) -> subprocess.Popen[str]:
        """Begin a run of the tables of this camp, or of some, in a process of its own."""
        tables = [word for name in only or self.gold.tables for word in ("--table", name)]
        where = ["--source-catalog", SOURCES, "--catalog", catalog, "--as-of", f"{at:%Y-%m-%dT%H:%M:%S}"]
        return self._spawn(
            ["brickyard", "health", "run", *where, *tables, "--output", "json"],
            BRICKYARD_HOME=str(self.folder),
            BRICKYARD_WORKSPACE_HOST=self.door.host,
            BRICKYARD_WORKSPACE_TOKEN_FILE=str(self.token),
            BRICKYARD_WORKSPACE_RETRY_SECONDS="2",
        )

    def run(self, catalog: str, at: datetime) -> Ended:
        """Run to the end."""
        return ended(self.begin(catalog, at))

    def kill(self, catalog: str, at: datetime, point: Point, only: Collection[str] = ()) -> None:
        """Kill a run when it stands at a point."""
        with self.door.stop(point.when, STATEMENTS, point.begin_in(catalog)) as somebody_stands_there:
            process = self.begin(catalog, at, only)
            try:
                somebody_stands_there()
            except AssertionError as error:
                raise AssertionError(f"{point} of {catalog}: {ended(process).told}") from error
            finally:
                killed(process)

    # ── what runs leave ──────────────────────────────────────────────────────────────────────────────────────────────

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Ask the workspace, past the door."""
        return Engine(self.client)(statement)

    def health(self, catalog: str, at: datetime) -> Health:
        """The flow's own door to a catalog."""
        return Health(Engine(self.client), Places(catalog, SOURCES), at)

    def left(self, catalog: str) -> dict[str, Any]:
        """Everything that runs leave in a catalog, times and numbers of runs apart."""
        stand = Stand(Engine(self.client), catalog, self.gold)
        ops = stand.places.ops
        newest = ", ".join(f"max_by({column}, run) AS {column}" for column in ("bronze", "gold", "ok"))
        told = {
            "quarantine": f"SELECT table_name, reason, row_hash, row FROM {ops('quarantine')}",
            "drift": f"SELECT source, leaf, kind, before, after FROM {ops('drift')}",
            "ties": f"SELECT table_name, day, measure, {newest} FROM {ops('reconciliation')} GROUP BY 1, 2, 3",
            "lease": f"SELECT holder FROM {ops('lease')}",
        }
        return {
            **stand.digests(),
            **{f"bronze {name}": self.bronze(catalog, name) for name in self.sources},
            **{name: sorted(map(str, self.sql(statement))) for name, statement in told.items()},
        }

    @property
    def sources(self) -> dict[str, Capture]:
        """How the sources of this camp's tables are captured, by their bronze tables."""
        return {table.source.bronze: table.source.capture for table in self.gold if table.source}

    def bronze(self, catalog: str, name: str) -> tuple[int, int, str]:
        """Rows of a bronze table, how many of them are there twice, and a digest of which they are."""
        dated = self.sources[name] is Capture.SNAPSHOT
        row = "concat(_row_hash, cast(_snapshot_at AS string))" if dated else "_row_hash"
        folded = f"sum(cast(conv(substr(md5({row}), 1, 14), 16, 10) AS decimal(20,0)))"
        (found,) = self.sql(
            f"SELECT count(*) AS n, count(*) - count(DISTINCT {row}) AS twice, cast({folded} AS string) AS d"
            f" FROM {Places(catalog, SOURCES).bronze(name)}"
        )
        return int(found["n"]), int(found["twice"]), str(found["d"])

    def runs(self, catalog: str) -> list[str]:
        """How the runs of a catalog ended, in order."""
        rows = self.sql(f"SELECT status FROM {Places(catalog, SOURCES).ops('runs')} ORDER BY run")
        return [row["status"] for row in rows]

    def written(self, catalog: str, run: int) -> dict[str, list[tuple[str, str, str]]]:
        """The statements by which a run wrote each gold table and what it is made of: verb, table, words that follow."""
        rows = self.sql(
            f"SELECT layer, table_name FROM {Places(catalog, SOURCES).ops('batches')}"
            f" WHERE run = {run} AND (rows_in > quarantined OR layer = 'bronze')"
        )
        written = {row["table_name"] for row in rows}
        found: dict[str, list[tuple[str, str, str]]] = {}
        for table in self.gold:
            copied = table.source.bronze if table.source and table.source.bronze in written else ""
            found[table.table] = [("INSERT INTO", f"bronze.{copied}", "(")] if copied else []
            found[table.table] += [("MERGE INTO", table.table, "t USING")] if table.table in written else []
            written.discard(copied)
        return found


@contextmanager
def camped(folder: Path, account: Account, gold: Gold, at: datetime) -> Iterator[Camp]:
    """A camp whose sources look as they did at an instant."""
    camp = Camp(folder, gold)
    try:
        camp.serve()
        with camp.door:
            show(camp.client, account, at, gold)
            yield camp
    finally:
        for process in camp.spawned:
            killed(process)


def killed(process: subprocess.Popen[str]) -> None:
    """End a process with kill -9, if it has not ended."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    if process.stdout and not process.stdout.closed:
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=300)
    return Ended(process.returncode, json.loads(out) if out.strip().startswith("{") else {}, out + err)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, by name."""
    names = [*wanted, *(name for name in found if name not in wanted)]
    return {name: (found.get(name), wanted.get(name)) for name in names if found.get(name) != wanted.get(name)}
