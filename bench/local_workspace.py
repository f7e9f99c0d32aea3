"""How fast the local workspace starts and answers: `.venv/bin/python bench/local_workspace.py`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.sql import StatementState

ROUNDS = 50
ROWS = 1000


def started(home: Path) -> tuple[subprocess.Popen[str], dict[str, str], float]:
    """Start the server; return it, what it printed, and the seconds until it answered a request."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "brickyard.local", "--home", str(home)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    told: dict[str, str] = json.loads(server.stdout.readline())
    with urllib.request.urlopen(f"{told['host']}/.well-known/databricks-config") as answer:
        answer.read()
    return server, told, time.perf_counter() - began


def client_of(told: dict[str, str]) -> WorkspaceClient:
    """The SDK's client, as any program makes it."""
    token = Path(told["token_file"]).read_text().strip()
    return WorkspaceClient(config=Config(host=told["host"], token=token, auth_type="pat"))


def run(client: WorkspaceClient, statement: str) -> float:
    """Run a statement to its end and return the seconds."""
    warehouse = WAREHOUSE.setdefault("id", next(iter(client.warehouses.list())).id or "")
    began = time.perf_counter()
    done = client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
    assert done.status and done.status.state is StatementState.SUCCEEDED, done.status
    return time.perf_counter() - began


WAREHOUSE: dict[str, str] = {}


def measure(home: Path) -> dict[str, tuple[float, float]]:
    """Seconds and the bar of each figure."""
    server, told, first_answer = started(home)
    try:
        began = time.perf_counter()
        client = client_of(told)
        run(client, "SELECT 1")
        first_query = first_answer + time.perf_counter() - began
        run(client, "CREATE SCHEMA main.bench")
        run(
            client,
            f"CREATE TABLE main.bench.t AS SELECT id, concat('n', id) AS name, id / 4 AS part FROM range({ROWS})",
        )
        run(client, "SELECT * FROM main.bench.t")
        select = statistics.median(run(client, "SELECT * FROM main.bench.t") for _ in range(ROUNDS))
        me = statistics.median(timed_me(client) for _ in range(ROUNDS))
    finally:
        server.terminate()
        server.wait()
    return {
        "process start to first REST answer": (first_answer, 1.0),
        "process start to first query": (first_query, 5.0),
        f"SELECT * of {ROWS} rows through the SDK, median of {ROUNDS}": (select, 0.050),
        f"SCIM Me through the SDK, median of {ROUNDS}": (me, 0.010),
    }


def timed_me(client: WorkspaceClient) -> float:
    """The seconds of the smallest call."""
    began = time.perf_counter()
    client.current_user.me()
    return time.perf_counter() - began


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder) / "workspace")
    print(f"{'what':<62}{'seconds':>9}{'bar':>8}  ")
    for what, (seconds, bar) in figures.items():
        print(f"{what:<62}{seconds:>9.3f}{bar:>8.3f}  {'good' if seconds < bar else 'MISSED'}")
    return int(any(seconds >= bar for seconds, bar in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
