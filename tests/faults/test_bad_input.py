"""Bad input at the command line: refused in full, with its place, a code and what to do.

Where each refusal is tested, at the command line (here), at the HTTP door, and on whole runs:

| what | command line | HTTP, whole runs |
|---|---|---|
| binary file, invalid UTF-8, 50 MB, empty | here | faults/test_refusals |
| folder without notebooks | here | faults/test_refusals (a request without notebooks) |
| one broken cell | here | migrate/plan/test_reading |
| unknown rule-pack key, regex that does not compile | here | faults/test_refusals; migrate/test_rules |
| CSV without a column, two rows for one table | here | faults/test_refusals; migrate/test_rules |
| workspace unreachable, wrong token | faults/test_refusals (full) | migrate/test_flow |
| 403 on one source | faults/test_refusals (full) | migrate/test_flow |
| clone that fails half way | faults/test_refusals (full) | migrate/test_flow |
| notebook that fails | faults/test_refusals (full) | migrate/test_flow |
| SIGINT at any step | faults/test_refusals (one step; all, with and without a worker: full) | migrate/test_flow |
| SIGINT while files are written | here | |
| disk full | here (files, stdout) | faults/test_refusals (under the workspace) |
| second run at the same time | faults/test_refusals (full) | migrate/test_flow, migrate/test_store |
| lost replies | | migrate/test_flow; all of a run at once: faults/test_refusals (full) |
| kill -9 | | faults/test_kill (boundaries), migrate/test_killed (in the midst of a call) |
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brickyard import cli

Text = tuple[int, str, str]
Run = Callable[..., Text]

GOOD = '# Databricks notebook source\nspark.sql("SELECT a FROM va_alms_prd.t")\n'
BROKEN = (
    "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\ny = (\n\n# COMMAND ----------\n\n"
    'spark.sql("SELECT a FROM va_alms_prd.t")\n'
)
RULES = """format: 1
name: mine
original_catalog: hive_metastore
mappings:
  - {id: a, schema: va, to: "wb.l.{name}", frobnicate: 2}
  - {id: b, schema: va, pattern: "(", to: "wb.l.{name}"}
"""
HEADER = "workspace_name,catalog_name,src_schema,dst_schema,src_table,dst_table\n"


@pytest.fixture
def brickyard(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process and return its exit code, stdout and stderr."""

    def run(*arguments: object) -> Text:
        code = cli.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def refused(run: Run, path: Path, *options: object) -> tuple[int, dict[str, Any]]:
    """The exit code and the error of a plan without a workspace."""
    code, out, _ = run("migrate", "plan", path, "--offline", "--output", "json", *options)
    return code, json.loads(out)["error"]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"\x89PNG\r\n\x00\x01", "notebook-binary", "a NUL byte, so this is not a text file (line 2, byte offset 6)"),
        (b"x = '\xff'\n", "notebook-not-utf8", "byte 0xff is not UTF-8 (line 1, byte offset 5)"),
        (b"", "notebook-empty", "holds no cell"),
        (b"a" * 50 * 1024 * 1024, "notebook-too-large", "the notebook has 50 MB; the limit is 10 MB"),
    ],
    ids=["binary", "invalid UTF-8", "empty", "50 MB"],
)
def test_a_file_that_is_no_notebook_is_refused(brickyard: Run, tmp_path: Path, content: bytes, code: str, words: str):
    exit_code, error = refused(brickyard, written(tmp_path, "n.py", content))
    assert (exit_code, error["code"]) == (2, code)
    assert words in error["message"]
    assert error["remedy"]


def test_a_folder_without_notebooks_is_refused(brickyard: Run, tmp_path: Path):
    written(tmp_path, "readme.txt", "nothing here")
    exit_code, error = refused(brickyard, tmp_path)
    assert (exit_code, error["code"]) == (2, "no-notebooks")


def test_bad_files_of_a_folder_do_not_keep_the_others_from_being_planned(brickyard: Run, tmp_path: Path):
    for name, content in (("bin.py", b"\x00"), ("empty.py", b""), ("good.py", GOOD), ("latin.sql", b"\xff")):
        written(tmp_path, name, content)
    exit_code, out, _ = brickyard("migrate", "plan", tmp_path, "--offline", "--output", "json", "--workers", 1)
    document = json.loads(out)
    assert exit_code == 1
    assert [(w["path"], w["outcome"]) for w in document["worklist"]] == [
        ("bin.py", "blocked"),
        ("empty.py", "needs hands"),
        ("good.py", "ready"),
        ("latin.sql", "blocked"),
    ]


def test_one_broken_cell_is_reported_with_its_line_and_the_others_are_refactored(brickyard: Run, tmp_path: Path):
    notebook = written(tmp_path, "n.py", BROKEN)
    exit_code, out, _ = brickyard("migrate", "plan", notebook, "--offline", "--output", "json")
    (planned,) = json.loads(out)["notebooks"]
    broken = [f for f in planned["findings"] if f["code"] == "cell-unparsable"]
    assert exit_code == 1
    assert [(f["severity"], f["line"]) for f in broken] == [("warn", 6)]
    assert [edit["applied"] for edit in planned["edits"]] == [True]


def test_every_fault_of_a_rule_pack_is_named_with_file_and_line(brickyard: Run, tmp_path: Path):
    rules = written(tmp_path, "rules.yaml", RULES)
    exit_code, error = refused(brickyard, written(tmp_path, "n.py", GOOD), "--rules", rules)
    assert (exit_code, error["code"]) == (2, "rule-pack-invalid")
    found = {problem["where"].rsplit(":", 1)[0]: problem["message"] for problem in error["problems"]}
    assert "unknown key 'frobnicate'" in found[f"{rules}:5"]
    assert "unterminated subpattern" in found[f"{rules}:6"]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (HEADER.replace("dst_table", "other"), 1, "the column dst_table is missing"),
        (HEADER + "w,wb,va,l,a,b\nw,wb,VA,l,A,c\n", 3, "va.a is mapped twice"),
    ],
    ids=["missing column", "two rows for one table"],
)
def test_a_mapping_with_a_fault_is_refused_with_its_line(
    brickyard: Run, tmp_path: Path, text: str, where: int, words: str
):
    mapping = written(tmp_path, "m.csv", text)
    exit_code, error = refused(brickyard, written(tmp_path, "n.py", GOOD), "--mapping", mapping)
    assert (exit_code, error["code"]) == (2, "mapping-invalid")
    assert any(words in p["message"] and p["where"] == f"{mapping}:{where}" for p in error["problems"])


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def folder_of_notebooks(tmp_path: Path, large: int) -> Path:
    """Three notebooks, the second so large that its text does not fit."""
    folder = tmp_path / "legacy"
    folder.mkdir()
    for name, padding in (("a", 0), ("b", large), ("c", 0)):
        written(folder, f"{name}.py", GOOD + f"# {'x' * padding}\n")
    return folder


@pytest.mark.parametrize("where", ["--in-place", "--out"])
def test_where_one_notebook_finds_no_room_none_is_written(tmp_path: Path, where: str):
    """A limit on the size of files stands for the full disk: the operating system refuses the write in its midst."""
    folder = folder_of_notebooks(tmp_path, 100_000)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    options = [where] if where == "--in-place" else [where, str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "brickyard", "migrate", "apply", str(folder), "--offline", *options],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 2
    assert "error[output-unwritable]" in done.stderr
    assert "b.py cannot be written: File too large" in done.stderr
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert [file for file in (tmp_path / "out").rglob("*") if file.is_file()] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_result_that_finds_no_room_on_stdout_is_no_success(tmp_path: Path):
    notebook = written(tmp_path, "n.py", GOOD)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "brickyard", "migrate", "plan", str(notebook), "--offline"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_notebooks_are_written_leaves_no_half_file(tmp_path: Path):
    folder = tmp_path / "legacy"
    folder.mkdir()
    for number in range(400):
        written(folder, f"n{number:03}.py", GOOD)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "brickyard",
            "migrate",
            "apply",
            str(folder),
            "--in-place",
            "--offline",
            "--workers",
            "1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    changed = GOOD.replace("va_alms_prd.t", "edp_prd.silver_alms.t")
    while process.poll() is None and (folder / "n000.py").read_text() == GOOD:
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    texts = {file.name: file.read_text() for file in folder.iterdir()}
    assert process.returncode == 130, said
    assert set(texts.values()) <= {GOOD, changed}
    assert len(texts) == 400


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path):
    notebook = written(tmp_path, "n.py", GOOD)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "brickyard", "migrate", "plan", str(notebook), "--offline"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
