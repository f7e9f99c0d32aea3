"""`brickyard migrate run` and `report` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.migrate.observe import Eyes

pytestmark = pytest.mark.timeout(180)

GOOD = "-- Databricks notebook source\nTRUNCATE TABLE va.summary;\n\nINSERT INTO va.summary\nSELECT tier, COUNT(*) FROM va.member GROUP BY 1\n"
HALTED = "-- Databricks notebook source\nINSERT INTO va.summary SELECT tier, COUNT(*) FROM va.nowhere GROUP BY 1\n"
CHILD = "# Databricks notebook source\n# MAGIC %run ../lib/names\n\n# COMMAND ----------\n\nspark.sql(f\"INSERT INTO {TARGET} SELECT 'x', 1\")\n"

Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def command(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path, request_for: Any) -> Command:
    """Start a command on the local workspace and a database of its own."""
    (tmp_path / "rules.yaml").write_text(request_for({}).rules_text)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DATABRICKS_", "BRICKYARD_"))}
    environment |= {
        "DATABRICKS_HOST": workspace.host,
        "DATABRICKS_TOKEN": workspace.token,
        "BRICKYARD_DATABASE_URL": metadata.dsn,
        "BRICKYARD_HOME": str(tmp_path / "home"),
        "DATABRICKS_CONFIG_FILE": str(tmp_path / "none"),
    }

    def started(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "brickyard", "migrate", *arguments],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=150)
    return process.returncode, out, err


def test_a_folder_runs_and_its_report_is_written(world: Eyes, command: Command, tmp_path: Path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "good.sql").write_text(GOOD)
    (folder / "halted.sql").write_text(HALTED)
    code, out, err = done(
        command("run", "notebooks", "--rules", "rules.yaml", "--output", "json", "--html", "report.html")
    )
    assert code == 5, err
    runs = json.loads(out)["runs"]
    assert [(r["path"], r["outcome"]) for r in runs] == [("good.sql", "reconciled"), ("halted.sql", "halted")]
    assert "What was not proved" in (tmp_path / "report.html").read_text()
    code, out, _ = done(command("report", runs[0]["id"]))
    assert (code, out.splitlines()[0]) == (0, "good.sql  reconciled")
    code, out, _ = done(command("report"))
    assert (code, out.split("\n")[0].split()) == (0, ["RUN", "NOTEBOOK", "OUTCOME", "CODE", "SUBMITTED", "(UTC)"])
    assert runs[0]["id"] in out
    code, out, _ = done(command("report", "--output", "json"))
    assert {line["path"] for line in json.loads(out)} == {"good.sql", "halted.sql"}


def test_a_notebook_brings_those_it_runs_along(world: Eyes, command: Command, tmp_path: Path):
    for name, text in {
        "jobs/main.py": CHILD,
        "lib/names.py": "# Databricks notebook source\nTARGET = 'va.summary'\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code, out, err = done(command("run", "jobs/main.py", "--rules", "rules.yaml", "--output", "json"))
    assert code == 0, err
    assert [(r["path"], r["outcome"]) for r in json.loads(out)["runs"]] == [("jobs/main.py", "reconciled")]


def test_ctrl_c_ends_with_130_and_leaves_nothing(
    world: Eyes, workspace: LocalWorkspace, command: Command, tmp_path: Path
):
    (tmp_path / "good.sql").write_text(GOOD)
    workspace.delay("jobs.submit", 1.5)
    process = command("run", "good.sql", "--rules", "rules.yaml")
    while workspace.parts.control.faults.pending():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, _, err = done(process)
    assert code == 130, err
    assert "--resume" in err
    assert [s.name for s in world.client.schemas.list("wb") if "rehearsal" in (s.name or "")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run",), 2, "there is nothing to run"),
        (("run", "nowhere"), 2, "nowhere does not exist"),
        (("run", "good.sql", "--rules", "none"), 2, "neither a shipped rule pack"),
        (("run", "--resume", "abc"), 2, "there is no run abc"),
        (("report", "abc"), 2, "there is no run abc"),
        (("run", "good.sql", "--rules", "rules.yaml", "--hash", "0"), 4, "the plan is"),
    ],
)
def test_bad_input_says_what_is_wrong(command: Command, tmp_path: Path, arguments: Any, code: int, words: str):
    (tmp_path / "good.sql").write_text(GOOD)
    found, _, err = done(command(*arguments))
    assert found == code, err
    assert words in err
