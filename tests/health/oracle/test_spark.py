"""Gold equals what the oracle says on real Spark with Delta too: by runs while rows come in, and by the generated job."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from tests.health.oracle.stand import AT, PLACES, TABLES, beside_truth, equal, runs

from brickyard.demo import health
from brickyard.health import synthetic
from brickyard.health.model.steps import AlterTable, CopyBronze, LookUpAgain, Merge, Reconcile
from brickyard.health.plan.compile import compile_all
from brickyard.home.folder import Home
from brickyard.kernel.progress import silent
from brickyard.local import LocalWorkspace
from brickyard.local.engines import spark_env
from brickyard.local.engines.model import EngineUnavailable
from brickyard.workspace import run_sql

SCALE = 0.02
LOOKS = (
    datetime(2026, 3, 28, 4, tzinfo=UTC),
    AT,
)  # before columns come, and before news of prices that were valid by then
WORK = {AlterTable, CopyBronze, Merge, LookUpAgain, Reconcile}


@pytest.fixture(scope="module", autouse=True)
def spark() -> None:
    """The environment of the engine, made where it is missing."""
    try:
        spark_env.from_environ(os.environ).ensure(spark_env.say)
    except EngineUnavailable as error:
        pytest.skip(f"real Spark cannot run here: {error.message}")


def changed(client: WorkspaceClient) -> dict[str, int]:
    """How many rows of gold the merges have updated and deleted, by Delta's own count."""
    counts = {"numTargetRowsUpdated": 0, "numTargetRowsDeleted": 0}
    for table in TABLES:
        for commit in run_sql(client, f"DESCRIBE HISTORY {PLACES.gold(table)}").dicts():
            metrics = dict(commit["operationMetrics"] or ())
            counts = {name: count + int(metrics.get(name) or 0) for name, count in counts.items()}
    return counts


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_runs_of_every_table_equal_the_truth(tmp_path: Path):
    account = synthetic.generate(days=60, scale=SCALE, seed=7)
    with LocalWorkspace(tmp_path, engine="spark") as workspace:
        client = workspace.client()
        outcomes = runs(client, account, compile_all(), LOOKS)
        compared = beside_truth(client, account, compile_all(), LOOKS)
        assert compared == equal(compared)
        assert {one.table for one in compared if one.expected} == set(TABLES)
        assert {type(step) for step, _ in outcomes[-1].done} >= WORK
        assert any(": 0 rows" not in told for step, told in outcomes[-1].done if isinstance(step, LookUpAgain))
        assert min(changed(client).values()) > 0


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_the_job_builds_what_the_oracle_knows(tmp_path: Path):
    with Home.temporary() as home:
        home.prepare().keep_engine("spark")
        told = health.told_at(SCALE)(home, tmp_path / "health.html", silent)
    health.expect(told)
    assert {one.name for one in (*told.tables, *told.companions)} == set(TABLES)
