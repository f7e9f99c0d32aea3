"""The commands of share as far as they need no workspace: samples, and what is wrong before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from brickyard import cli
from brickyard.home.doors import LazyRoom
from brickyard.rooms import ROOMS
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


def test_every_command_has_an_example_in_its_help(run):
    names = ["sample", "plan", "apply", "batch", "list", "status", "history", "drift", "rollback", "approve", "decline"]
    for words in [*([name] for name in (*names, "verify", "import", "access", "deliver", "rotate")), ["tenants", "import"]]:
        text = run(*words, "--help")[1]
        assert f"Example: brickyard share {' '.join(words)}" in text
        assert "--output" in text
