"""`plan --prove`: edits executed before and after in a local workspace, which is left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickyard.cli import run
from brickyard.local import LocalWorkspace
from brickyard.migrate import flow
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.pack import read_pack
from brickyard.migrate.observe import Eyes
from brickyard.migrate.plan import plan_notebooks
from brickyard.workspace import run_sql

TEXT = b"""TRUNCATE TABLE va_alms_prd.a;
INSERT INTO va_alms_prd.a SELECT id, x FROM va_alms_prd.b;
SELECT max(id) AS last FROM va_alms_prd.a"""
SETUP = (
    "CREATE SCHEMA IF NOT EXISTS hive_metastore.va_alms_prd",
    "CREATE TABLE hive_metastore.va_alms_prd.a (id INT, x STRING)",
    "CREATE TABLE hive_metastore.va_alms_prd.b (id INT, x STRING)",
    "CREATE CATALOG IF NOT EXISTS edp_prd",
    "CREATE FOREIGN CATALOG foreign_edp_prd_hive USING CONNECTION hive OPTIONS (mirror 'hive_metastore')",
)


def test_edits_are_proven_on_generated_rows_and_nothing_stays(tmp_path: Path):
    options = PlanOptions(read_pack("velocity"))
    sources = [Source("n.sql", TEXT)]
    with LocalWorkspace(tmp_path) as workspace:
        client = workspace.client()
        for statement in SETUP:
            run_sql(client, statement)
        before = run_sql(client, "SHOW SCHEMAS IN edp_prd").values
        first = plan_notebooks(sources, options)
        verdicts = flow.prove(Eyes(client), first, "test")
        made = plan_notebooks(sources, options, verdicts=verdicts)
        after = run_sql(client, "SHOW SCHEMAS IN edp_prd").values
    applied = {(edit.rule, edit.verdict.value) for edit in made.notebooks[0].edits if edit.applied}
    assert applied == {("truncate-insert", "proven"), ("alms", "proven")}
    assert before == after
    assert made.hash == first.hash


def test_a_proof_without_a_workspace_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "n.sql").write_bytes(TEXT)
    assert run(["migrate", "plan", str(tmp_path / "n.sql"), "--offline", "--prove"]) == 2
    assert "--prove needs a workspace" in capsys.readouterr().err
