"""`migrate plan` and `migrate apply` at the terminal: what is printed and written, what is refused, exit codes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from brickyard.cli import run
from brickyard.kernel.explain import explanations
from brickyard.migrate.cli import app
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import Verdict
from brickyard.migrate.model.pack import read_pack
from brickyard.migrate.model.runs import RunRequest
from brickyard.migrate.plan import plan_notebooks
from brickyard.migrate.plan.document import FORMAT

LEGACY = "va_alms_prd"
GOOD = f"# Databricks notebook source\ndf = spark.table('{LEGACY}.account')\n"
DONE = "# Databricks notebook source\ndf = spark.table('edp_prd.silver_alms.account')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb" / "good.py").write_text(GOOD)
    return tmp_path / "nb"


def call(*arguments: object) -> int:
    return run(["migrate", *map(str, arguments)])


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_a_notebook_without_findings_is_planned_with_exit_code_0(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert call("plan", folder / "good.py", "--offline") == 0
    shown = capsys.readouterr().out
    assert "-df = spark.table('va_alms_prd.account')\n+df = spark.table('edp_prd.silver_alms.account')" in shown
    assert "foreign_edp_prd_hive.va_alms_prd.account  edp_prd.silver_alms.account" in shown
    assert (folder / "good.py").read_text() == GOOD


def test_the_json_document_has_the_documented_form(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert call("plan", folder / "good.py", "--offline", "--output", "json") == 0
    made = document(capsys)
    place = {"cell": 1, "line": 2, "column": 19, "end_line": 2, "end_column": 38}
    [notebook] = made["notebooks"]
    assert (made["format"], set(made)) == (FORMAT, {"format", "hash", "notebooks", "summary", "worklist"})
    assert notebook["references"] == [
        {
            "original": "foreign_edp_prd_hive.va_alms_prd.account",
            "refactored": "edp_prd.silver_alms.account",
            "kind": "relation",
            "side": "read",
            "rule": "alms",
            "text": "va_alms_prd.account",
            "verb": "spark.table",
            **place,
        }
    ]
    [edit] = notebook["edits"]
    assert edit.items() >= place.items()
    assert {key: edit[key] for key in ("rule", "class", "verdict", "applied", "before", "after")} == {
        "rule": "alms",
        "class": "exact",
        "verdict": "unproved",
        "applied": True,
        "before": "va_alms_prd.account",
        "after": "edp_prd.silver_alms.account",
    }
    assert notebook["findings"] == []


def test_a_finding_makes_exit_code_1_and_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "warn.sql").write_text("SELECT * FROM t")
    assert call("plan", folder / "warn.sql", "--offline") == 1
    shown = capsys.readouterr().out
    assert "warn  warn.sql:1  schema-unknown: t has no schema" in shown
    assert "to do: write the schema, or give the one it runs in with --schema" in shown
    assert call("plan", folder / "warn.sql", "--offline", "--schema", LEGACY) == 0


def test_a_folder_gets_a_worklist_and_progress_goes_to_stderr(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "b.sql").write_text(f"INSERT INTO {LEGACY}.account SELECT 1")
    assert call("plan", folder, "--offline") == 0
    shown = capsys.readouterr()
    assert "good.py   ready    0      0         b.sql" in shown.out
    assert "planning" in shown.err
    assert "planning" not in shown.out


def test_the_csv_files_are_written_on_request(folder: Path, tmp_path: Path):
    (folder / "x.sql").write_text("SELECT * FROM nowhere.t")
    names = ["mapping-out", "mapping-template", "worklist"]
    call("plan", folder, "--offline", *(part for name in names for part in (f"--{name}", tmp_path / f"{name}.csv")))
    assert [(tmp_path / f"{name}.csv").read_text().splitlines()[1] for name in names] == [
        "foreign_edp_prd_hive.nowhere.t,",
        ",,nowhere,,t,,1",
        "1,good.py,ready,0,0,0,,",
    ]


def test_a_folder_is_planned_the_same_by_several_processes(folder: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(6):
        (folder / f"n{number}.py").write_text(GOOD.replace("account", f"account{number}"))
    hashes = []
    for workers in (1, 2):
        assert call("plan", folder, "--offline", "--workers", workers, "--output", "json") == 0
        hashes.append(document(capsys)["hash"])
    assert hashes[0] == hashes[1]


def test_proofs_do_not_change_the_hash_unless_they_change_what_is_applied():
    source = Source("n.sql", b"TRUNCATE TABLE d.t;\nINSERT INTO d.t SELECT 1")
    chosen = PlanOptions(read_pack("velocity"))
    plain = plan_notebooks([source], chosen)
    groups = {edit.group for edit in plain.notebooks[0].edits}
    proven = plan_notebooks([source], chosen, verdicts=dict.fromkeys(groups, Verdict.PROVEN))
    refuted = plan_notebooks([source], chosen, verdicts=dict.fromkeys(groups, Verdict.COUNTEREXAMPLE))
    assert {edit.verdict for edit in proven.notebooks[0].edits} == {Verdict.PROVEN}
    assert plain.hash == proven.hash
    assert plain.hash != refuted.hash


def test_one_is_not_many(folder: Path, capsys: pytest.CaptureFixture[str]):
    call("plan", folder / "good.py", "--offline")
    assert "1 notebook: 1 ready\n1 reference, 1 of 1 edit applied\n" in capsys.readouterr().out


def test_the_rules_are_the_same_at_both_doors():
    defaults = {
        parameter.default
        for c in get_command(app).commands.values()
        for parameter in c.params
        if parameter.name == "rules"
    }
    assert defaults == {RunRequest(path="/a").rules}


def test_options_give_rules_mapping_and_values(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "w.py").write_text("# Databricks notebook source\nspark.table(f\"{dbutils.widgets.get('db')}.t\")\n")
    (tmp_path / "m.csv").write_text(
        "workspace_name,catalog_name,src_schema,dst_schema,src_table,dst_table\nw,main,s,gold,t,tt\n"
    )
    (tmp_path / "p.txt").write_text("db=other\n")
    options = ["--rules", "default", "--mapping", tmp_path / "m.csv", "--params", tmp_path / "p.txt", "--param", "db=s"]
    assert call("plan", folder / "w.py", "--offline", *options, "--output", "json") == 0
    [row] = document(capsys)["notebooks"][0]["references"]
    assert (row["original"], row["refactored"], row["rule"]) == (
        "hive_metastore.s.t",
        "main.gold.tt",
        f"{tmp_path}/m.csv:2",
    )


BAD: dict[str, tuple[str, bytes, str]] = {
    "binary": ("a.py", b"\x89PNG\0\0", "notebook-binary"),
    "not UTF-8": ("a.py", b"x = '\xff'", "notebook-not-utf8"),
    "no code": ("a.py", b"# Databricks notebook source\n\n", "notebook-empty"),
    "empty": ("a.sql", b"", "notebook-empty"),
    "broken JSON": ("a.ipynb", b"{", "notebook-json"),
}


@pytest.mark.parametrize("name, data, code", BAD.values(), ids=BAD)
def test_a_single_file_that_is_no_notebook_is_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, code: str
):
    (folder / name).write_bytes(data)
    assert call("plan", folder / name, "--offline") == 2
    assert f"error[{code}]" in capsys.readouterr().err


@pytest.mark.parametrize("name, data, code", BAD.values(), ids=BAD)
def test_in_a_folder_it_is_reported_and_the_others_are_planned(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, code: str
):
    (folder / name).write_bytes(data)
    assert call("plan", folder, "--offline", "--output", "json") == 1
    found = {n["path"]: [f["code"] for f in n["findings"]] for n in document(capsys)["notebooks"]}
    assert found == {name: [code], "good.py": []}


def test_a_notebook_of_50_mb_is_refused_without_being_read(folder: Path, capsys: pytest.CaptureFixture[str]):
    with (folder / "big.py").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    assert call("plan", folder / "big.py", "--offline") == 2
    assert "the notebook has 50 MB; the limit is 10 MB" in capsys.readouterr().err
    assert call("plan", folder, "--offline", "--output", "json") == 1
    assert [refused["path"] for refused in document(capsys)["summary"]["refused"]] == ["big.py"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--rules", "nope"], "rule-pack-unknown"),
        (["--mapping", "gone.csv"], "input-missing"),
        (["--param", "nonsense"], "param-invalid"),
        (["--dbr", "new"], "spec-invalid"),
    ],
)
def test_bad_options_are_refused_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: str
):
    assert call("plan", folder / "good.py", "--offline", *options) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_a_path_that_does_not_exist_and_a_folder_without_notebooks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert call("plan", tmp_path / "gone", "--offline") == 2
    assert "error[input-missing]" in capsys.readouterr().err
    assert call("plan", tmp_path, "--offline") == 2
    assert "error[no-notebooks]" in capsys.readouterr().err


def test_apply_in_place_writes_once_and_keeps_the_mode(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "good.py").chmod(0o640)
    assert call("apply", folder, "--in-place", "--offline") == 0
    assert (folder / "good.py").read_text() == DONE
    assert stat.S_IMODE((folder / "good.py").stat().st_mode) == 0o640
    capsys.readouterr()
    assert call("apply", folder, "--in-place", "--offline") == 0
    assert capsys.readouterr().out == "nothing to do\n"
    assert os.listdir(folder) == ["good.py"]


def test_apply_writes_beside_and_over_nothing_that_differs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert call("apply", folder, "--out", out, "--offline") == 0
    assert ((out / "good.py").read_text(), (folder / "good.py").read_text()) == (DONE, GOOD)
    assert call("apply", folder, "--out", out, "--offline") == 0
    (out / "good.py").write_text("mine")
    assert call("apply", folder, "--out", out, "--offline") == 4
    assert "error[output-exists]" in capsys.readouterr().err
    assert (out / "good.py").read_text() == "mine"


def test_apply_leaves_out_what_is_skipped_and_what_is_blocked(folder: Path, capsys: pytest.CaptureFixture[str]):
    bad = "SELECT * FROM velocity_analytics_foundation.stage_x JOIN velocity_analytics_foundation.staging_x USING (a)"
    (folder / "bad.sql").write_text(bad)
    call("plan", folder / "good.py", "--offline", "--output", "json")
    [edit] = document(capsys)["notebooks"][0]["edits"]
    assert call("apply", folder, "--in-place", "--offline", "--skip", edit["id"]) == 5
    assert ((folder / "good.py").read_text(), (folder / "bad.sql").read_text()) == (GOOD, bad)
    assert call("apply", folder / "bad.sql", "--in-place", "--offline") == 4


def test_apply_refuses_another_plan_than_the_one_that_was_seen(folder: Path, capsys: pytest.CaptureFixture[str]):
    call("plan", folder, "--offline", "--output", "json")
    seen = document(capsys)["hash"]
    (folder / "good.py").write_text(GOOD + "# more\n")
    assert call("apply", folder, "--in-place", "--offline", "--hash", seen) == 4
    assert "error[plan-changed]" in capsys.readouterr().err
    assert (folder / "good.py").read_text() == GOOD + "# more\n"


def test_apply_wants_to_be_told_where(folder: Path):
    assert call("apply", folder, "--offline") == 2
    assert call("apply", folder, "--offline", "--in-place", "--out", "x") == 2


def test_every_code_a_plan_can_say_is_explained():
    said = {"name-unknown", "schema-unknown", "path-unknown", "name-computed", "cell-unparsable", "evaluation-limit"}
    assert said <= explanations().keys()
