"""What a command prints, and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from brickyard.kernel import terminal
from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.kernel.progress import Step
from brickyard.kernel.terminal import Output, emit


@dataclass(frozen=True)
class Sample:
    name: str
    at: datetime
    where: tuple[Path, ...]
    kind: Output = Output.TEXT


SAMPLE = Sample("ä", datetime(2026, 1, 2, tzinfo=UTC), (Path("a/b"),))


def test_json_reduces_dataclasses_dates_paths_and_enums(capsys: pytest.CaptureFixture[str]):
    emit(SAMPLE, Output.JSON)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"name": "ä", "at": "2026-01-02T00:00:00+00:00", "where": ["a/b"], "kind": "text"}
    assert ("ä" in printed.out, printed.err) == (True, "")


def test_text_is_what_the_command_says_or_lines_made_from_the_data(capsys: pytest.CaptureFixture[str]):
    emit({"a": 1}, Output.TEXT, lambda: "one")
    emit({"a": 1, "b": None})
    emit([{"a": 1}, {"a": 22, "b": "x"}])
    assert capsys.readouterr().out == "one\na: 1\nb: -\na   b\n1   -\n22  x\n"


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]):
    terminal.note("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_an_error_says_every_problem_with_its_place_and_remedy():
    problems = (Problem("unknown key", "pack.yaml:3", "remove it"), Problem("no name"))
    error = SpecInvalid("the pack is wrong", code="pack-invalid", remedy="mend the file", problems=problems)
    assert terminal.error_text(error).splitlines() == [
        "error[pack-invalid]: the pack is wrong",
        "  pack.yaml:3: unknown key",
        "    to do: remove it",
        "  no name",
        "to do: mend the file",
        "more:  brickyard explain pack-invalid",
    ]
    assert terminal.error_document(error)["error"] == {
        "code": "pack-invalid",
        "message": "the pack is wrong",
        "remedy": "mend the file",
        "problems": [
            {"message": "unknown key", "where": "pack.yaml:3", "remedy": "remove it"},
            {"message": "no name", "where": None, "remedy": None},
        ],
        "exit_code": 2,
    }


def test_without_a_terminal_progress_is_a_line_for_each_new_name(capsys: pytest.CaptureFixture[str]):
    with terminal.progress() as report:
        for done in range(3):
            report(Step("clone", done, 3))
        report(Step("run", detail="task 1"))
    assert capsys.readouterr() == ("", "clone 0/3\nrun · task 1\n")
