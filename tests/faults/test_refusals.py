"""Faults of the workspace, the disk and the user's patience, end to end: command line or HTTP in, one true end out."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.faults.conftest import NOTEBOOK, RULES, Town, eventually, wanted

from brickyard.home import services
from brickyard.home.services import WORKER, WORKSPACE

pytestmark = pytest.mark.timeout(240)

FAILS = NOTEBOOK.replace("time.sleep(", 'raise ValueError("no luck")\ntime.sleep(')


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook as a file, with the rules beside it."""
    (tmp_path / "rules.yaml").write_text(RULES)
    file = tmp_path / "summary.py"
    file.write_text(NOTEBOOK)
    return file


def run_of(notebook: Path, *options: object) -> tuple[object, ...]:
    """The command that runs the notebook."""
    return ("migrate", "run", notebook, "--rules", notebook.with_name("rules.yaml"), *options)


def ending(record: dict[str, Any]) -> tuple[str, str | None, str | None]:
    return record["status"], record["outcome"], record["code"]


# ── the workspace ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.full
def test_every_reply_of_a_write_is_lost_and_nothing_is_made_twice(town: Town):
    for operation, matching, times in (
        ("schemas.create", None, 4),
        ("statements.execute", "DEEP CLONE", 2),
        ("statements.execute", "CREATE OR REPLACE VIEW", 2),
        ("workspace.import", None, 2),
        ("jobs.submit", None, 1),
    ):
        town.fault("drop_reply", operation, times=times, matching=matching)
    run = town.submit()
    record = town.ended(run)
    assert ending(record) == ("finished", "reconciled", None), record["message"]
    assert (town.clones(run), len(town.submitted(run))) == ([1, 1], 1)
    assert len(town.rehearsals(run)) == 2


@pytest.mark.full
def test_a_workspace_that_does_not_answer_is_a_failure_of_the_platform(town: Town, notebook: Path):
    away = {"DATABRICKS_HOST": "http://127.0.0.1:9", "DATABRICKS_TOKEN": "x"}
    hurried = {"BRICKYARD_WORKSPACE_RETRY_SECONDS": "0", "BRICKYARD_QUEUE_ATTEMPTS": "1"}
    said = town.command(*run_of(notebook), **away, **hurried)
    assert (said.code, town.last_run()["code"]) == (3, "workspace-down"), said.err
    planned = town.command("migrate", "plan", "/Shared/legacy", **away, **hurried)
    assert planned.code == 3
    assert "error[workspace-down]" in planned.err


@pytest.mark.full
def test_a_wrong_token_is_said(town: Town, notebook: Path):
    host = town.home.addresses.workspace.replace("127.0.0.1", "localhost")  # to no worker's knowledge
    stranger = {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "not-the-token"}
    said = town.command(*run_of(notebook), **stranger)
    assert (said.code, town.last_run()["code"]) == (3, "workspace-unauthorized"), said.err
    planned = town.command("migrate", "plan", "/Shared/legacy", **stranger)
    assert "error[workspace-unauthorized]" in planned.err
    assert "not-the-token" not in said.out + said.err + planned.err


@pytest.mark.full
def test_a_source_that_may_not_be_read_is_unreadable_and_never_missing(town: Town, notebook: Path):
    town.fault(
        "fail_next",
        "statements.execute",
        status=403,
        error_code="PERMISSION_DENIED",
        matching="`wb`.`loyalty`.`member`",
    )
    said = town.command(*run_of(notebook, "--output", "json"))
    (record,) = json.loads(said.out)["runs"]
    assert said.code == 4
    assert ending(record) == ("finished", "halted", "source-unreadable")
    assert "missing" not in record["message"] and "does not exist" not in record["message"]
    assert town.rehearsals(record["id"]) == []


@pytest.mark.full
def test_a_clone_that_fails_half_way_leaves_nothing_of_the_run(town: Town, notebook: Path):
    town.fault(
        "fail_next",
        "statements.execute",
        status=400,
        error_code="BAD_REQUEST",
        matching="_refactored`.`summary` DEEP CLONE",
    )
    said = town.command(*run_of(notebook))
    record = town.last_run()
    assert (said.code, *ending(record)) == (4, "finished", "halted", "clone-failed")
    assert town.rehearsals(record["id"]) == []
    assert "what the run had made was dropped" in said.out


@pytest.mark.full
def test_a_notebook_that_fails_is_shown_with_its_error_and_cell(town: Town, notebook: Path):
    notebook.write_text(FAILS)
    said = town.command(*run_of(notebook))
    assert (said.code, *ending(town.last_run())) == (1, "finished", "failed", "notebook-failed")
    assert "the refactored notebook failed in cell 3: ValueError: no luck" in said.out


def test_a_disk_that_is_full_under_the_workspace_halts_the_run_and_a_second_attempt_reconciles(town: Town):
    workspace = services.running(town.home, WORKSPACE)
    assert workspace
    before = workspace.rlimit(psutil.RLIMIT_FSIZE)
    with town.gate("INSERT clone:original:summary") as somebody_waits:
        run = town.submit()
        somebody_waits()
        workspace.rlimit(psutil.RLIMIT_FSIZE, (0, before[1]))
    try:
        record = town.ended(run)
    finally:
        workspace.rlimit(psutil.RLIMIT_FSIZE, before)
    assert record["status"] == "finished"
    assert record["outcome"] in ("halted", "failed"), record["message"]
    town.web.post("/migrate/runs", json=wanted(resume=run)).raise_for_status()
    again = town.ended(run)
    assert (*ending(again), again["attempt"]) == ("finished", "reconciled", None, 2), again["message"]
    assert town.clones(run, "_2") == [1, 1]


# ── the user ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.full
def test_a_second_run_of_the_same_notebook_at_the_same_time_is_refused_at_both_doors(town: Town, notebook: Path):
    with town.gate("INSERT observe") as somebody_waits:
        first = town.begin(*run_of(notebook))
        somebody_waits()
        second = town.command(*run_of(notebook))
        running = town.last_run()
        third = town.web.post("/migrate/runs", json=wanted(origin=str(notebook.parent)))
    first.communicate(timeout=90)
    assert first.returncode == 0
    assert second.code == 4
    assert "error[already-running]" in second.err
    assert (third.status_code, third.json()["code"]) == (409, "already-running")
    assert ending(town.record(running["id"])) == ("finished", "reconciled", None)


INTERRUPTIONS = [
    ("current_user.me", None),
    ("statements.execute", "DESCRIBE TABLE EXTENDED"),
    ("schemas.create", "_original"),
    ("statements.execute", "DEEP CLONE"),
    ("statements.execute", "CREATE OR REPLACE VIEW"),
    ("workspace.import", None),
    ("jobs.submit", None),
    ("jobs.get_run", None),
    ("jobs.get_run_output", None),
]
FEW = [("statements.execute", "DEEP CLONE", True)]
MANY = [(*step, alive) for step in INTERRUPTIONS for alive in (True, False) if (*step, alive) not in FEW]


@pytest.mark.parametrize(
    ("operation", "matching", "worker_alive"), [*FEW, *(pytest.param(*case, marks=pytest.mark.full) for case in MANY)]
)
def test_ctrl_c_takes_back_what_was_made_and_the_run_can_be_resumed(
    town: Town, notebook: Path, operation: str, matching: str | None, worker_alive: bool
):
    if not worker_alive:
        services.stop(town.home, WORKER)
        eventually(lambda: town.rows(ALIVE) == [(0,)], 30)
    town.fault("delay", operation, seconds=1.0, matching=matching)
    process = town.begin(*run_of(notebook))
    town.await_faults()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    record = town.last_run()
    assert (process.returncode, *ending(record)) == (130, "interrupted", None, "interrupted"), err
    assert f"--resume {record['batch']}" in err
    assert town.rehearsals(record["id"]) == []
    resumed = town.command("migrate", "run", "--resume", record["batch"])
    assert (resumed.code, *ending(town.record(record["id"]))) == (0, "finished", "reconciled", None), resumed.err
    assert town.clones(record["id"], "_2") == [1, 1]


ALIVE = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '2 seconds'"


# ── bad input at the HTTP door ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"notebook": b"\x89PNG\x00"}, 422, "notebook-binary"),
        ({"notebook": b"x = '\xff'"}, 422, "notebook-not-utf8"),
        ({"notebook": b""}, 422, "notebook-empty"),
        ({"notebook": b"a" * 50 * 1024 * 1024}, 413, "body-too-large"),
        ({"notebook": b"a" * 11 * 1024 * 1024}, 422, "notebook-too-large"),
        ({"rules_text": RULES + "wrong: 1\n"}, 422, "rule-pack-invalid"),
        ({"rules_text": RULES.replace("schema: va", 'pattern: "("')}, 422, "rule-pack-invalid"),
        ({"mapping": "catalog_name,src_schema\na,b\n"}, 422, "mapping-invalid"),
        ({"notebooks": []}, 422, "spec-invalid"),
    ],
    ids=["binary", "not UTF-8", "empty", "50 MB", "11 MB", "unknown key", "bad regex", "missing column", "no notebook"],
)
def test_bad_input_is_refused_at_the_http_door(town: Town, fields: dict[str, Any], status: int, code: str):
    answer = town.web.post("/migrate/runs", json=wanted(**fields))
    said = answer.json()
    assert (answer.status_code, said.get("code")) == (status, code), said
    assert said["remedy"]
