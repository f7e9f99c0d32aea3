"""Whole runs on the local workspace."""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brickyard.context import Context
from brickyard.kernel import stop as wish
from brickyard.kernel.clock import system_clock
from brickyard.kernel.errors import Conflict, GuardRefused, Interrupted, NotFound, SpecInvalid
from brickyard.kernel.names import TableName
from brickyard.local import LocalWorkspace
from brickyard.migrate import flow, observe
from brickyard.migrate.model.inputs import Source
from brickyard.migrate.model.runs import NotebookSource, RunRequest
from brickyard.migrate.observe import Eyes
from brickyard.migrate.plan import plan_notebooks
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.workspace import Workspaces

pytestmark = pytest.mark.timeout(180)

Migrate = Callable[..., list[dict[str, Any]]]
Request = Callable[..., RunRequest]

SUMMARY = """-- Databricks notebook source
TRUNCATE TABLE va.summary;

INSERT INTO va.summary
SELECT tier, COUNT(*) AS members
FROM va.member
GROUP BY 1;
"""
SCORE = """# Databricks notebook source
spark.sql("INSERT INTO va.score SELECT member_id, CAST(member_id AS DOUBLE) / 3 FROM va.gold")
"""
OUTSIDE = [TableName("hive_metastore", "va", n) for n in ("member", "summary", "score")] + [
    TableName("wb", "loyalty", "member")
]


def ending(record: dict[str, Any]) -> tuple[str, str | None]:
    return record["outcome"], record["code"]


def versions(eyes: Eyes) -> dict[str, int]:
    return {str(name): observe.history(eyes, name, limit=1)[0].version for name in OUTSIDE}


def rehearsals(eyes: Eyes) -> list[str]:
    return sorted(s.name or "" for s in eyes.client.schemas.list("wb") if (s.name or "").startswith("brickyard_"))


def runs_named(eyes: Eyes, run: str) -> list[Any]:
    return [r for r in eyes.client.jobs.list_runs() if run in (r.run_name or "")]


def clones(eyes: Eyes, run: str, table: str = "summary", attempt: str = "") -> list[list[str]]:
    """The commits of both clones of a run."""
    sides = (f"brickyard_rehearsal_{run}{attempt}_{side}" for side in ("original", "refactored"))
    return [[c.operation for c in observe.history(eyes, TableName("wb", side, table))] for side in sides]


def test_a_notebook_reconciles_and_no_other_table_has_a_new_version(world: Eyes, migrate: Migrate):
    before = versions(world)
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("reconciled", None)
    assert versions(world) == before
    (table,) = record["reconciliation"]
    assert (table["original"], table["refactored"], table["rows"]) == (
        "hive_metastore.va.summary",
        "wb.loyalty.summary",
        [2, 2],
    )
    assert [c["equal"] for c in table["checks"]] == [True] * 4
    assert len(runs_named(world, record["id"])) == 1


def test_rows_that_differ_are_shown(world: Eyes, migrate: Migrate):
    world.sql(
        "CREATE OR REPLACE TABLE wb.loyalty.member AS SELECT * FROM hive_metastore.va.member WHERE member_id <> 3"
    )
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("differs", "tables-differ")
    (table,) = record["reconciliation"]
    assert table["key"] == ["tier"]
    assert table["cells"] == [{"key": [["tier", "gold"]], "column": "members", "original": "10", "refactored": "9"}]
    assert "wb.loyalty.member has 29 rows" in record["not_proved"][0]


def test_python_views_and_appends_are_rehearsed_from_clones(world: Eyes, migrate: Migrate):
    world.sql("INSERT INTO hive_metastore.va.score VALUES (-1, 0.5)")
    before = versions(world)
    (record,) = migrate({"score.py": SCORE})
    assert ending(record) == ("reconciled", None)
    assert record["rows_compared"] == 11
    assert versions(world) == before


def test_a_notebook_that_another_runs_is_rehearsed_with_it(world: Eyes, migrate: Migrate):
    notebooks = {
        "jobs/main.py": "# Databricks notebook source\n# MAGIC %run ../shared/names\n\n# COMMAND ----------\n\nwrite()\n",
        "shared/names.py": "# Databricks notebook source\nTARGET = 'va.summary'\n\ndef write():\n"
        "    spark.sql(f\"INSERT INTO {TARGET} SELECT 'x', 1\")\n",
    }
    main, shared = migrate(notebooks)
    assert ending(main) == ("reconciled", None)
    assert ending(shared)[0] in ("reconciled", "unproved")


def test_files_go_to_the_rehearsals_own_volume(world: Eyes, migrate: Migrate):
    text = (
        "# Databricks notebook source\n"
        "spark.sql(\"INSERT INTO va.summary SELECT 'x', 1\")\n"
        "import os\nos.makedirs('/dbfs/mnt/out/a', exist_ok=True)\n"
        "with open('/dbfs/mnt/out/a/x.csv', 'w') as f:\n    f.write('1')\n"
    )
    (record,) = migrate({"files.py": text})
    assert ending(record) == ("reconciled", None)
    assert any("/mnt/out/a were not compared" in s for s in record["not_proved"])
    with pytest.raises(Exception, match=r"does not exist|not found|No file"):
        world.client.dbfs.get_status("/mnt/out/a/x.csv")


def test_a_notebook_that_writes_where_nobody_knows_is_not_run(world: Eyes, migrate: Migrate):
    text = "# Databricks notebook source\nimport sys\nspark.sql(f'INSERT INTO va.{sys.argv[0]} SELECT 1')\nspark.sql('INSERT INTO va.score SELECT 1, 2D')\n"
    (record,) = migrate({"unknown.py": text})
    assert ending(record) == ("unproved", "not-isolated")
    assert (rehearsals(world), record["tasks"]) == ([], [])


def test_a_notebook_without_targets_proves_nothing(world: Eyes, migrate: Migrate):
    (record,) = migrate({"look.sql": "-- Databricks notebook source\nSELECT * FROM va.member"})
    assert ending(record) == ("unproved", "no-targets")


TIED = """-- Databricks notebook source
CREATE OR REPLACE TEMP VIEW ranked AS
SELECT member_id, name, ROW_NUMBER() OVER (PARTITION BY m.member_id ORDER BY day DESC) AS rn FROM va.feed m

-- COMMAND ----------

INSERT OVERWRITE va.latest SELECT member_id, name FROM ranked WHERE rn = 1
"""
FEED = "CREATE OR REPLACE TABLE {} AS SELECT * FROM VALUES {} AS t(member_id, name, day)"


@pytest.mark.parametrize(
    ("rows", "outcome", "tied"),
    [
        ("(1, 'b', 5), (1, 'a', 5), (1, 'old', 1), (2, 'c', 3)", "reconciled", 1),
        ("(1, 'z', 5), (1, 'a', 4), (1, 'old', 1), (2, 'c', 3)", "differs", 0),
        ("(1, 'old', 5), (1, 'a', 4), (1, 'b', 1), (2, 'c', 3)", "differs", 0),
    ],
)
def test_another_pick_among_tied_rows_is_no_difference_and_anything_else_is(
    world: Eyes, migrate: Migrate, rows: str, outcome: str, tied: int
):
    world.sql(FEED.format("hive_metastore.va.feed", "(1, 'a', 5), (1, 'b', 5), (1, 'old', 1), (2, 'c', 3)"))
    world.sql(FEED.format("wb.loyalty.feed", rows))
    world.sql("CREATE OR REPLACE TABLE hive_metastore.va.latest (member_id INT, name STRING)")
    (record,) = migrate({"latest.sql": TIED})
    (table,) = record["reconciliation"]
    assert (record["outcome"], table["tied"]) == (outcome, tied)


# ── halts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_critical_finding_halts_before_anything_is_written(world: Eyes, migrate: Migrate):
    world.sql("DROP TABLE wb.loyalty.member")
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("halted", "source-missing")
    assert rehearsals(world) == []
    assert record["not_proved"][0] == "nothing was run: wb.loyalty.member does not exist"


def test_a_source_that_is_refused_is_unreadable_and_never_missing(
    world: Eyes, workspace: LocalWorkspace, migrate: Migrate
):
    workspace.fail_next("statements.execute", 403, "PERMISSION_DENIED", matching="`wb`.`loyalty`.`member`")
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("halted", "source-unreadable")


def test_two_notebooks_that_map_different_tables_to_one_name_halt_both(world: Eyes, migrate: Migrate):
    world.sql("CREATE OR REPLACE TABLE hive_metastore.va.staging_score (member_id BIGINT)")
    rules = {
        "mapping": "workspace_name,catalog_name,src_schema,dst_schema,src_table,dst_table\nw,wb,va,loyalty,staging_score,score\n"
    }
    other = "-- Databricks notebook source\nINSERT INTO va.staging_score SELECT 1"
    found = migrate({"score.py": SCORE, "other.sql": other}, **rules)
    assert [ending(r) for r in found] == [("halted", "mapping-collision")] * 2


@pytest.mark.parametrize(("status", "code"), [(400, "BAD_REQUEST"), (500, "INTERNAL_ERROR")])  # refused · disk full
def test_a_clone_that_fails_half_way_halts_and_everything_made_is_dropped(
    world: Eyes, workspace: LocalWorkspace, migrate: Migrate, status: int, code: str
):
    workspace.fail_next("statements.execute", status, code, matching="_refactored`.`summary` DEEP CLONE")
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("halted", "clone-failed")
    assert rehearsals(world) == []
    assert "what the run had made was dropped" in record["message"]
    with pytest.raises(Exception, match=r"doesn't exist|does not exist"):
        world.client.workspace.get_status(f"/Users/{observe.user_name(world)}/brickyard-rehearsals/{record['id']}-1")


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notebook_that_fails_shows_its_error_and_its_cell(world: Eyes, migrate: Migrate):
    text = "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\nspark.sql('INSERT INTO va.score SELECT 1, 2D')\nraise ValueError('no luck')\n"
    (record,) = migrate({"fails.py": text})
    assert ending(record) == ("failed", "notebook-failed")
    assert record["message"].startswith("the refactored notebook failed in cell 2: ValueError: no luck")
    assert [(t["key"], t["state"], t["cell"]) for t in record["tasks"]] == [
        ("original", "FAILED", 2),
        ("refactored", "FAILED", 2),
    ]


def test_where_the_original_fails_a_replaced_table_is_compared_with_the_legacy_one(world: Eyes, migrate: Migrate):
    """The clause below holds on the side whose sources are views of the legacy schema."""
    world.sql("CREATE OR REPLACE TABLE wb.loyalty.member AS SELECT *, 'new' AS marker FROM hive_metastore.va.member")
    text = (
        "# Databricks notebook source\n"
        "spark.sql('INSERT OVERWRITE va.summary SELECT tier, COUNT(*) FROM va.member GROUP BY tier')\n"
        "assert 'marker' in spark.table('va.member').columns, 'legacy compute'\n"
    )
    (record,) = migrate({"half.py": text})
    assert [t["state"] for t in record["tasks"]] == ["FAILED", "SUCCESS"]
    assert ending(record) == ("reconciled", None)
    (record,) = migrate({"half.py": text.replace("INSERT OVERWRITE", "INSERT INTO")})
    assert ending(record) == ("unproved", "original-failed")


def test_a_token_that_is_wrong_fails_the_run(house: Context, metadata: Any, tmp_path: Path, request_for: Request):
    (tmp_path / "token").write_text("wrong")
    queued = flow.submit(house, request_for({"summary.sql": SUMMARY}))
    flow.follow(house, queued.batch)
    (record,) = flow.record(house, queued.batch)
    assert ending(record) == ("failed", "workspace-unauthorized")


def test_a_workspace_that_does_not_answer_fails_the_run_after_the_retries(
    metadata: Any, tmp_path: Path, request_for: Request
):
    (tmp_path / "token").write_text("x")
    settings = Settings(home=tmp_path, queue_attempts=1)
    workspaces = Workspaces(host="http://127.0.0.1:9", token_file=tmp_path / "token", retry_seconds=0)
    house = Context(workspaces, metadata, Queue(metadata, settings))
    queued = flow.submit(house, request_for({"summary.sql": SUMMARY}))
    flow.follow(house, queued.batch)
    (record,) = flow.record(house, queued.batch)
    assert ending(record) == ("failed", "workspace-down")


# ── lost replies ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("operation", "matching"),
    [
        ("statements.execute", "_original`.`summary` DEEP CLONE"),
        ("workspace.import", "/refactored/"),
        ("jobs.submit", None),
        pytest.param("schemas.create", "_original", marks=pytest.mark.full),
    ],
)
def test_a_lost_reply_makes_nothing_twice(
    world: Eyes, workspace: LocalWorkspace, migrate: Migrate, operation: str, matching: str | None
):
    workspace.drop_reply(operation, matching=matching)
    (record,) = migrate({"summary.sql": SUMMARY})
    assert ending(record) == ("reconciled", None)
    assert len(runs_named(world, record["id"])) == 1
    assert [commits.count("CLONE") for commits in clones(world, record["id"])] == [1, 1]


# ── once at a time, stop, resume ─────────────────────────────────────────────────────────────────────────────────────


def test_a_second_run_of_the_same_notebook_at_the_same_time_is_refused(
    world: Eyes, house: Context, request_for: Request
):
    first = flow.submit(house, request_for({"summary.sql": SUMMARY}))
    with pytest.raises(Conflict, match="being migrated already"):
        flow.submit(house, request_for({"summary.sql": SUMMARY}))
    flow.submit(house, request_for({"summary.sql": SUMMARY}, origin="elsewhere"))
    flow.stop(house, first.batch)
    flow.submit(house, request_for({"summary.sql": SUMMARY}))


def test_a_run_that_was_not_begun_is_stopped_at_once(world: Eyes, house: Context, request_for: Request):
    queued = flow.submit(house, request_for({"a.sql": SUMMARY, "b.sql": SUMMARY}))
    flow.stop(house, queued.batch)
    assert [(r["status"], r["outcome"], r["code"]) for r in flow.record(house, queued.batch)] == [
        ("interrupted", None, "interrupted")
    ] * 2


@pytest.mark.parametrize(
    ("operation", "matching"),
    [
        pytest.param("statements.execute", "DESCRIBE TABLE EXTENDED", marks=pytest.mark.full),
        ("statements.execute", "DEEP CLONE"),
        pytest.param("workspace.import", None, marks=pytest.mark.full),
        pytest.param("jobs.submit", None, marks=pytest.mark.full),
        ("jobs.get_run", None),
    ],
)
def test_ctrl_c_in_a_step_drops_what_was_made_and_the_run_can_be_resumed(
    world: Eyes,
    workspace: LocalWorkspace,
    house: Context,
    request_for: Request,
    operation: str,
    matching: str | None,
):
    workspace.delay(operation, 1.0, matching=matching)
    queued = flow.submit(house, request_for({"summary.sql": SUMMARY}))
    (run,) = queued.runs.values()
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        _follow_until_ctrl_c(house, queued.batch, workspace)
    flow.stop(house, queued.batch)
    (record,) = flow.record(house, queued.batch)
    assert (record["status"], record["outcome"], record["code"]) == ("interrupted", None, "interrupted")
    assert rehearsals(world) == []
    flow.resume(house, queued.batch)
    flow.follow(house, queued.batch)
    (record,) = flow.record(house, queued.batch)
    assert (*ending(record), record["attempt"]) == ("reconciled", None, 2)
    assert [commits.count("CLONE") for commits in clones(world, run, attempt="_2")] == [1, 1]


def _follow_until_ctrl_c(house: Context, batch: str, workspace: LocalWorkspace) -> None:
    """Do the batch here, and get SIGINT while the delayed operation is being answered."""

    def interrupt() -> None:
        while workspace.parts.control.faults.pending():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        flow.follow(house, batch)
    finally:
        wish.clear()


def test_only_what_did_not_end_well_is_resumed(world: Eyes, house: Context, migrate: Migrate):
    (record,) = migrate({"summary.sql": SUMMARY})
    with pytest.raises(Conflict, match="nothing of"):
        flow.resume(house, record["id"])
    with pytest.raises(NotFound):
        flow.resume(house, "nobody")


def test_only_failed_leaves_out_what_has_reconciled(world: Eyes, house: Context, migrate: Migrate):
    bad = "# Databricks notebook source\nspark.sql('INSERT INTO va.score SELECT 1, 2D')\nraise ValueError('x')\n"
    migrate({"summary.sql": SUMMARY, "bad.py": bad})
    again = migrate({"summary.sql": SUMMARY, "bad.py": bad.replace("raise ValueError('x')", "pass")}, only_failed=True)
    assert [(r["path"], r["outcome"]) for r in again] == [("bad.py", "reconciled")]
    with pytest.raises(Conflict, match="every notebook has reconciled"):
        migrate({"summary.sql": SUMMARY}, only_failed=True)


# ── other ways ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cloning_onto_the_targets_is_refused_where_they_have_a_history(world: Eyes, migrate: Migrate):
    world.sql("CREATE OR REPLACE TABLE wb.loyalty.summary AS SELECT 'mine' AS tier, CAST(1 AS BIGINT) AS members")
    (record,) = migrate({"summary.sql": SUMMARY}, onto_targets=True)
    assert ending(record) == ("halted", "target-has-history")
    assert world.sql("SELECT tier FROM wb.loyalty.summary").values == (("mine",),)
    (record,) = migrate({"summary.sql": SUMMARY}, onto_targets=True, replace=True)
    assert ending(record) == ("reconciled", None)
    assert sorted(world.sql("SELECT tier, members FROM wb.loyalty.summary").values) == [("gold", 10), ("red", 20)]
    world.sql("DROP TABLE wb.loyalty.summary")


def test_a_target_that_was_replaced_gets_its_rows_back_when_the_run_cannot_go_on(
    world: Eyes, workspace: LocalWorkspace, migrate: Migrate
):
    world.sql("CREATE OR REPLACE TABLE wb.loyalty.summary AS SELECT 'mine' AS tier, CAST(1 AS BIGINT) AS members")
    workspace.fail_next("workspace.import", 400, "BAD_REQUEST")
    (record,) = migrate({"summary.sql": SUMMARY}, onto_targets=True, replace=True)
    assert ending(record) == ("halted", "rehearsal-failed")
    assert world.sql("SELECT tier FROM wb.loyalty.summary").values == (("mine",),)
    world.sql("DROP TABLE wb.loyalty.summary")


def test_onto_targets_a_table_that_grows_stays_unproved(world: Eyes, migrate: Migrate):
    (record,) = migrate({"score.py": SCORE}, onto_targets=True)
    assert ending(record) == ("unproved", "not-compared")
    world.sql("DROP TABLE wb.loyalty.score")


def test_rehearsals_of_earlier_runs_are_dropped_when_their_time_is_over(
    world: Eyes, house: Context, request_for: Request
):
    def finished(context: Context) -> dict[str, Any]:
        queued = flow.submit(context, request_for({"summary.sql": SUMMARY}, keep_days=1))
        flow.follow(context, queued.batch)
        return flow.record(context, queued.batch)[0]

    first = finished(house)
    second = finished(replace(house, clock=lambda: system_clock() + timedelta(hours=1)))
    assert {name.split("_")[2] for name in rehearsals(world)} == {first["id"], second["id"]}
    third = finished(replace(house, clock=lambda: system_clock() + timedelta(days=1, minutes=30)))
    assert {name.split("_")[2] for name in rehearsals(world)} == {second["id"], third["id"]}


def test_a_job_gives_the_widgets_their_values(world: Eyes, migrate: Migrate):
    from databricks.sdk.service.jobs import NotebookTask, Task

    text = '# Databricks notebook source\ndbutils.widgets.text("db", "nowhere")\ndb = dbutils.widgets.get("db")\nspark.sql(f"INSERT INTO {db}.summary SELECT \'x\', 1")\n'
    task = Task(task_key="t", notebook_task=NotebookTask("/Jobs/widget", base_parameters={"db": "va"}))
    job = world.client.jobs.create(name="widgets", tasks=[task])
    (record,) = migrate({"widget.py": text}, job="widgets")
    assert ending(record) == ("reconciled", None)
    assert [r["original"] for r in record["plan"]["references"]] == ["hive_metastore.va.summary"]
    world.client.jobs.delete(job.job_id or 0)


def test_a_notebook_of_the_workspace_is_migrated_by_its_path(world: Eyes, house: Context, request_for: Request):
    from databricks.sdk.service.workspace import ImportFormat, Language

    world.client.workspace.mkdirs("/Shared/legacy")
    content = base64.b64encode(SUMMARY.encode()).decode()
    world.client.workspace.import_(
        "/Shared/legacy/summary", content=content, format=ImportFormat.SOURCE, language=Language.SQL, overwrite=True
    )
    queued = flow.submit(house, request_for({}, path="/Shared/legacy"))
    flow.follow(house, queued.batch)
    (record,) = flow.record(house, queued.batch)
    assert (record["path"], *ending(record)) == ("summary.sql", "reconciled", None)


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_for_nothing_or_for_two_things_is_refused(house: Context, request_for: Request):
    for fields in ({}, {"path": "/a", "resume": "b"}):
        with pytest.raises(SpecInvalid, match="names one of"):
            flow.submit(house, RunRequest.model_validate(fields))


def test_rules_that_are_not_shipped_are_refused_and_no_file_is_read(house: Context, request_for: Request):
    request = request_for({"a.sql": SUMMARY}, rules="/etc/passwd", rules_text=None)
    with pytest.raises(SpecInvalid, match="no rule pack is named"):
        flow.submit(house, request)


def test_a_plan_that_has_changed_is_refused(house: Context, request_for: Request):
    request = request_for({"a.sql": SUMMARY})
    known = flow.preview(request).hash
    with pytest.raises(GuardRefused, match="the plan is"):
        flow.submit(house, request_for({"a.sql": SUMMARY + "-- more"}, plan_hash=known))


def test_the_hash_of_a_notebook_is_that_of_its_plan_alone_whatever_it_runs(house: Context):
    main, child = "# Databricks notebook source\n# MAGIC %run ./b", "# Databricks notebook source\nx = 1"
    sent = [
        NotebookSource(path="a.py", content=base64.b64encode(main.encode())),
        NotebookSource(path="b.py", content=base64.b64encode(child.encode()), child=True),
    ]
    request = RunRequest(notebooks=tuple(sent))
    plan = plan_notebooks(
        [Source("a.py", main.encode())], flow.options(request), beside=[Source("b.py", child.encode())]
    )
    queued = flow.submit(house, request.model_copy(update={"plan_hash": plan.hash}))
    assert list(queued.runs) == ["a.py"]


@pytest.mark.parametrize("path", ["../a.sql", "/etc/a.sql", "a//b.sql", "a\\b.sql", "a\0.sql"])
def test_a_path_that_leaves_its_folder_is_refused(path: str):
    with pytest.raises(ValueError, match="plain path"):
        RunRequest.model_validate({"notebooks": [{"path": path, "content": "YQ=="}]})


def test_the_timeline_tells_the_whole_story(world: Eyes, migrate: Migrate):
    (record,) = migrate({"summary.sql": SUMMARY})
    kinds = [line["kind"] for line in record["timeline"]]
    assert kinds[0] == "queued"
    assert kinds[-1] == "finished"
    assert [
        k for k in dict.fromkeys(kinds) if k in ("plan", "observe", "check", "clone", "submit", "wait", "reconcile")
    ] == [
        "plan",
        "observe",
        "check",
        "clone",
        "submit",
        "wait",
        "reconcile",
    ]
