"""Gold equals what the oracle says on real Spark with Delta too: by runs while rows come in, and by the generated job."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from tests.health.oracle.stand import AT, PLACES, TABLES, beside_truth, equal, runs

import brickyard
from brickyard.demo import health
from brickyard.health import synthetic
from brickyard.health.model.steps import CopyBronze, LookUpAgain, Merge, Reconcile
from brickyard.health.plan.compile import compile_all
from brickyard.home.folder import Home
from brickyard.kernel.progress import silent
from brickyard.local import LocalWorkspace
from brickyard.local.engines import spark as engine
from brickyard.local.engines import spark_env
from brickyard.local.engines.model import EngineUnavailable
from brickyard.local.engines.spark_env import SparkEnvironment
from brickyard.workspace import run_sql

SCALE = 0.02
BEFORE_THE_NEWS = datetime(2026, 3, 28, 4, tzinfo=UTC)  # of columns, and of prices that were valid by then
LOOKS = (BEFORE_THE_NEWS, AT)
WORK = {CopyBronze, Merge, LookUpAgain, Reconcile}


@pytest.fixture(scope="module", autouse=True)
def environment() -> SparkEnvironment:
    """The environment of the engine, made where it is missing."""
    found = spark_env.from_environ(os.environ)
    try:
        found.ensure(spark_env.say)
    except EngineUnavailable as error:
        pytest.skip(f"real Spark cannot run here: {error.message}")
    return found


def changed(client: WorkspaceClient) -> dict[str, int]:
    """How many rows of gold the merges have updated and deleted, by Delta's own count."""
    counts = {"numTargetRowsUpdated": 0, "numTargetRowsDeleted": 0}
    for table in TABLES:
        for commit in run_sql(client, f"DESCRIBE HISTORY {PLACES.gold(table)}").dicts():
            metrics = json.loads(commit["operationMetrics"] or "{}")
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


@pytest.mark.full
def test_a_classic_session_gives_times_in_utc_and_refusals_as_ours(environment: SparkEnvironment, tmp_path: Path):
    settings = {k: v for k, v in engine.settings(environment, tmp_path).items() if "onnect" not in k + v}
    imported = (Path(brickyard.__file__).parents[1], sysconfig.get_path("purelib"))
    command = [environment.python, Path(__file__).with_name("classic.py"), *imported, json.dumps(settings)]
    variables = environment.environment(os.environ) | {"TZ": "America/New_York"}
    told = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path, check=True).stdout
    assert json.loads(told) == [
        [],
        [],
        [],
        [{"num_affected_rows": 2, "num_updated_rows": 1, "num_deleted_rows": 0, "num_inserted_rows": 1}],
        [{"id": 1, "at": "2026-03-08 07:30:00.000001+00:00"}, {"id": 2, "at": None}, {"id": 3, "at": None}],
        "NotFound",
        "CAST_INVALID_INPUT",
    ]
