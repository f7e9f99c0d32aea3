"""KPIs, alerts and dashboards as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.health.kpis.stand import Stand, day, used

from brickyard.health.model.kpi import alerts, contracts
from brickyard.health.plan.kpis import needed
from brickyard.local import LocalWorkspace

Command = Any


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalWorkspace, Path]]:
    """A workspace whose gold holds one record of usage without a price and one with it."""
    folder = Path(tmp_path_factory.mktemp("commands"))
    with LocalWorkspace(folder / "workspace") as workspace:
        stand = Stand(workspace.client())
        stand.fill(dict.fromkeys(sorted(needed(contracts().values())), ()))
        stand.fill({"billing.fact_usage": [used("a", "5.25", day(20)), used("b", None, day(20))]})
        yield workspace, folder


@pytest.fixture
def run(place: tuple[LocalWorkspace, Path]) -> Command:
    workspace, folder = place
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DATABRICKS_", "BRICKYARD_"))}
    environment |= {
        "DATABRICKS_HOST": workspace.host,
        "DATABRICKS_TOKEN": workspace.token,
        "BRICKYARD_HOME": str(folder / "home"),
        "DATABRICKS_CONFIG_FILE": str(folder / "none"),
    }

    def ran(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "brickyard", "health", *words]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return ran


AT = ("--catalog", "kpis", "--as-of", "2026-05-01")


def test_a_kpi_is_told_with_its_rows_and_every_digit(run: Command):
    code, out, err = run("kpi", "daily-cost", *AT, "--output", "json")
    told = json.loads(out)
    assert (code, told["status"], told["unit"], told["grain"]) == (
        *(0, "OK", "USD"),
        "one row per UTC day, workspace, product and SKU",
    ), err
    assert [(row["usage_date"], row["cost"], row["status"]) for row in told["rows"]] == [
        ("2026-04-20", "5.2500000000000000000", "OK")
    ]


def test_alerts_that_ring_come_first_and_end_with_one(run: Command):
    code, out, err = run("alerts", *AT, "--output", "json")
    told = json.loads(out)
    assert (code, told[0]["alert"], told[0]["state"]) == (1, "usage-unpriced", "RINGS"), err
    assert {one["state"] for one in told[1:]} == {"NOT_ASSESSED"}
    assert {one["alert"] for one in told} == set(alerts())


def test_dashboards_are_files_for_the_catalog_that_is_named(run: Command, tmp_path: Path):
    code, out, _ = run("dashboards", "--out", str(tmp_path / "new"), "--catalog", "mine")
    dashboard = (tmp_path / "new" / "brickyard_health.lvdash.json").read_text()
    assert (code, out) == (0, f"wrote 13 files to {tmp_path / 'new'}\n")
    assert "`mine`.`billing`.`fact_usage`" in dashboard
    assert "system_health" not in dashboard
