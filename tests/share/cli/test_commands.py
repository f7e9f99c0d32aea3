"""The commands of share as far as they need no workspace: samples, and what is wrong before anything starts."""

from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path

import pytest
import typer

from brickyard import cli
from brickyard.home.doors import LazyRoom
from brickyard.home.folder import Home
from brickyard.rooms import ROOMS
from brickyard.share.cli.options import coloured, explained
from brickyard.share.model.parse import parse


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run a command in an empty home; returns its exit code and what it printed."""
    monkeypatch.setenv("BRICKYARD_HOME", str(tmp_path / "home"))
    if "share" not in ROOMS:
        monkeypatch.setattr(cli.app, "registered_groups", [*cli.app.registered_groups])
        cli.app.add_typer(typer.Typer(cls=LazyRoom), name="share", help="share")

    def ran(*words: str) -> tuple[int, str]:
        code = cli.run(["share", *words])
        return code, capsys.readouterr().out

    return ran


def test_the_sample_is_a_pack_without_a_warning(run):
    code, text = run("sample")
    assert (code, parse("pack.yaml", text.encode()).warnings) == (0, ())


@pytest.mark.parametrize("layout", ["A", "B", "C"])
def test_a_sample_workbook_of_each_layout_is_the_same_pack(run, tmp_path: Path, layout: str):
    file = tmp_path / "pack.xlsx"
    assert run("sample", "--out", str(file), "--layout", layout)[0] == 0
    wanted = parse("pack.yaml", run("sample")[1].encode())
    assert parse(file.name, file.read_bytes()).content_hash == wanted.content_hash


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_bad_pack_is_refused_whole_and_nothing_is_started(run, tmp_path: Path, command: str):
    file = tmp_path / "bad.yaml"
    file.write_text("metadata:\n  contact_emial: ada@example.com\nrecipient: []\n")
    code, text = run(command, str(file), "--output", "json")
    error = json.loads(text)["error"]
    assert (code, error["code"], len(error["problems"]) > 3) == (2, "share-pack-invalid", True)
    assert not (tmp_path / "home").exists()


def test_what_excludes_each_other_is_said(run, tmp_path: Path):
    assert run("drift", "x", "--all")[0] == 2
    assert run("apply", str(tmp_path), "--plan-hash", "x")[0] == 2
    assert run("batch", str(tmp_path / "nowhere"))[0] == 2
    assert run("plan")[0] == run("plan", "pack.yaml", "--pack", "x")[0] == run("plan", "--pack", "x", "--adopt")[0] == 2
    assert run("rotate", "--dry-run")[0] == run("rotate", "--plan-hash", "x")[0] == 2


def test_every_command_has_an_example_in_its_help(run):
    names = ["sample", "plan", "apply", "batch", "list", "status", "history", "drift", "rollback", "approve", "decline"]
    for words in [
        *([name] for name in (*names, "verify", "import", "access", "deliver", "rotate")),
        ["tenants", "import"],
    ]:
        text = run(*words, "--help")[1]
        assert f"Example: brickyard share {' '.join(words)}" in text
        assert "--output" in text


def test_the_first_sample_of_a_new_home_names_the_workspace_that_the_home_will_have(run, tmp_path: Path):
    _, text = run("sample")
    assert parse("pack.yaml", text.encode()).pack.metadata.workspace_url == Home(tmp_path / "home").addresses.workspace


def test_a_sample_is_for_the_workspace_that_was_said_and_then_no_home_is_made(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABRICKS_HOST", "https://adb-7.7.azuredatabricks.net")
    _, text = run("sample")
    url = parse("pack.yaml", text.encode()).pack.metadata.workspace_url
    assert (url, (tmp_path / "home").exists()) == ("https://adb-7.7.azuredatabricks.net", False)


def test_who_says_no_color_gets_none(monkeypatch: pytest.MonkeyPatch):
    leader, follower = pty.openpty()
    with os.fdopen(leader), os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.delenv("NO_COLOR", raising=False)
        wanted = coloured()
        monkeypatch.setenv("NO_COLOR", "1")
        assert (wanted, coloured()) == (True, False)


def test_a_run_that_ended_with_a_code_says_where_more_of_it_is():
    assert explained("failed", "share-plan-stale") == "failed\nmore:  brickyard explain share-plan-stale"
    assert explained("completed", None) == "completed"


def test_tenants_that_are_no_file_are_missed_by_what_they_should_be(run, tmp_path: Path):
    code, text = run("tenants", "import", str(tmp_path / "nowhere.csv"), "--output", "json")
    error = json.loads(text)["error"]
    assert (code, error["remedy"]) == (2, "give the path of business lines as .yaml, .csv or .xlsx")
    assert not (tmp_path / "home").exists()
