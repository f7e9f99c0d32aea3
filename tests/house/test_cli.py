"""The command line: exit codes, what goes to stdout, and what stays unloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from brickyard import cli
from brickyard.kernel.errors import GuardRefused, Interrupted, WorkspaceRefused


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """A command that raises what the test gives it."""

    def fail(error: BaseException) -> None:
        def raise_it() -> None:
            raise error

        monkeypatch.setattr(cli.app, "registered_commands", [*cli.app.registered_commands])
        cli.app.command("fail")(raise_it)

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [(WorkspaceRefused("no"), 3), (GuardRefused("no"), 4), (Interrupted("stop"), 130), (KeyboardInterrupt(), 130)],
)
def test_every_error_has_its_exit_code(failing, error: BaseException, code: int):
    failing(error)
    assert cli.run(["fail"]) == code


def test_a_refusal_is_said_on_stderr(failing, capsys: pytest.CaptureFixture[str]):
    failing(GuardRefused("stale source", remedy="wait"))
    cli.run(["fail"])
    said = capsys.readouterr()
    assert said.out == ""
    expected = "error[guard-refused]: stale source\nto do: wait\nmore:  brickyard explain guard-refused\n"
    assert said.err == expected


@pytest.mark.parametrize("arguments", [["--output", "json"], ["--output=json"]])
def test_an_error_is_an_object_on_stdout_when_json_is_asked_for(arguments, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["explain", "nothing-like-it", *arguments]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown-code"


def test_wrong_usage_is_exit_code_2_with_the_usage(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["up", "--hom", "x"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error[usage]: No such option: --hom (Possible options: --home)",
        "Usage: brickyard up [OPTIONS]",
    ]


def test_a_misspelt_command_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["explan", "x", "--output", "json"]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert message == "No such command 'explan'. Did you mean 'explain'?"


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]):
    assert cli.run([]) == 2
    assert "Usage: brickyard" in capsys.readouterr().err


def test_status_of_a_home_that_does_not_run_is_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["status", "--home", str(tmp_path), "--output", "json"]) == 1
    assert [service["running"] for service in json.loads(capsys.readouterr().out)["services"]] == [False] * 4
    assert list(tmp_path.iterdir()) == []


def test_down_of_a_home_that_does_not_run_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["down", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "nothing was running\n"


def test_the_help_loads_no_room_and_no_heavy_library():
    program = "import sys; from brickyard import cli; cli.run(['--help']); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"databricks", "fastapi", "pydantic", "sqlalchemy", "rich", "sqlglot", "psutil", "brickyard.migrate.cli"}
    assert heavy & set(done.stdout.splitlines()) == set()


def test_what_nobody_expected_is_one_line_and_its_traceback_is_kept(failing, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BRICKYARD_HOME", str(tmp_path))
    monkeypatch.delenv("BRICKYARD_LOG_LEVEL", raising=False)
    failing(ZeroDivisionError("division by zero"))
    assert cli.run(["fail"]) == 3
    log = tmp_path / "logs" / "faults.log"
    assert capsys.readouterr().err.splitlines() == [
        f"error[internal-error]: ZeroDivisionError: division by zero (the traceback is in {log})",
        "more:  brickyard explain internal-error",
    ]
    assert "raise error" in log.read_text()


def test_a_traceback_goes_to_stderr_where_everything_is_to_be_seen(failing, capsys, monkeypatch):
    monkeypatch.setenv("BRICKYARD_LOG_LEVEL", "debug")
    failing(RuntimeError("token=dapi0123456789abcdef"))
    assert cli.run(["fail"]) == 3
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert "0123456789" not in said


def test_a_setting_with_a_wrong_value_is_named(capsys, monkeypatch):
    monkeypatch.setenv("BRICKYARD_LOG_LEVEL", "loud")
    assert cli.run(["status"]) == 2
    assert "log_level: Input should be 'debug', 'info', 'warning' or 'error'" in capsys.readouterr().err
