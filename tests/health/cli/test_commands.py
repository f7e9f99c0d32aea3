"""The commands of health: what needs no workspace, and one account from seed to report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brickyard import cli
from brickyard.health.plan.jobs import HEAD
from brickyard.local import LocalWorkspace

Run = Callable[..., tuple[int, str]]
AT = ("--source-catalog", "synthetic", "--as-of", "2026-05-04T00:00")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command of health in an empty home; returns its exit code and what it printed."""
    monkeypatch.setenv("BRICKYARD_HOME", str(tmp_path / "home"))

    def ran(*words: str) -> tuple[int, str]:
        code = cli.run(["health", *words])
        return code, capsys.readouterr().out

    return ran


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as local:
        yield local


@pytest.fixture
def there(workspace: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """The same, on a workspace."""
    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token)
    return run


def test_a_column_is_explained_without_a_workspace(run: Run, tmp_path: Path):
    code, text = run("explain", "fact_usage.list_cost")
    assert (code, text.splitlines()[0]) == (
        0,
        "billing.fact_usage.list_cost  decimal(38,19)  = money(usage_quantity, list_price)",
    )
    assert not (tmp_path / "home").exists()


def test_the_job_is_written_and_a_file_of_others_is_not_written_over(run: Run, tmp_path: Path):
    ours, others = tmp_path / "resources" / "gold_merge_job.yml", tmp_path / "databricks.yml"
    others.write_text("bundle: {}\n")
    assert run("job", "--target", "dev", "--out", str(ours))[0] == 0
    assert ours.read_text().startswith(HEAD)
    assert run("job", "--target", "prod", "--out", str(ours))[0] == 0
    assert run("job", "--target", "prod", "--out", str(others))[0] == 4
    assert others.read_text() == "bundle: {}\n"


@pytest.mark.parametrize("command", ["invoice", "discounts"])
def test_a_bad_file_is_refused_before_anything_is_started(run: Run, tmp_path: Path, command: str):
    file = tmp_path / "bad.csv"
    file.write_text("month,sku,amount\n")
    code, text = run(command, str(file), "--output", "json")
    error = json.loads(text)["error"]
    assert (code, error["code"], len(error["problems"]) > 1) == (2, "health-file-invalid", True)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["status", "report", "invoice", "export"])
def test_what_tells_of_runs_is_kind_before_the_first(there: Run, command: str):
    code, text = there(command, "--source-catalog", "nothing", "--output", "json")
    assert (code, json.loads(text)["error"]["code"]) == (2, "health-not-run")


def test_an_unknown_table_is_refused(there: Run):
    assert (
        json.loads(there("plan", "--table", "billing.fact_usag", "--output", "json")[1])["error"]["code"]
        == "health-no-table"
    )


@pytest.mark.full
@pytest.mark.timeout(900)
def test_an_account_goes_from_seed_to_report(there: Run, tmp_path: Path):
    code, _ = there("seed", "--scale", "0.02")
    assert code == 0
    assert there("seed", "--scale", "0.02")[0] == 4
    planned = json.loads(there("plan", *AT, "--output", "json")[1])
    assert {step["step"] for step in planned["steps"]} >= {"CopyBronze", "Merge"}
    assert there("run", *AT)[0] == 0
    assert json.loads(there("plan", *AT, "--output", "json")[1])["steps"] == []
    assert there("status", *AT)[0] == 0
    checked = json.loads(there("check", *AT, "--output", "json")[1])
    assert {one["code"] for one in checked["findings"]} == {"health-quarantined"}
    assert there("invoice", *AT)[0] == 0
    focus, page = tmp_path / "focus.csv", tmp_path / "health.html"
    assert there("export", "--source-catalog", "synthetic", "--out", str(focus))[0] == 0
    assert focus.read_text().startswith("AvailabilityZone,BilledCost,")
    assert there("report", *AT, "--html", str(page))[0] == 0
    assert "<script" not in page.read_text()
    assert "Tie-out" in page.read_text()
