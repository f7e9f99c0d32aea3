"""`./yard check`: every step is run, one that fails fails the whole, pytest's summary comes last."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).parents[2]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("check", TOP / ".ci" / "check.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check", module)  # a dataclass looks for its module there
    spec.loader.exec_module(module)
    return module


def steps_of(check: ModuleType, *programs: str) -> list[object]:
    return [check.Step(f"step{n}", ("python", "-c", program)) for n, program in enumerate(programs)]


def test_one_failing_step_fails_the_whole_after_all_have_run(check: ModuleType, capsys: pytest.CaptureFixture[str]):
    code = check.run_all(steps_of(check, "exit(1)", "print('2 failed, 3 passed in 0.1s')"))
    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert [line.split()[::2] for line in lines if line.startswith("step")] == [["step0", "FAILED"], ["step1", "ok"]]
    assert lines[-1] == "2 failed, 3 passed in 0.1s"


def test_all_steps_passing_is_zero(check: ModuleType):
    assert check.run_all(steps_of(check, "pass", "pass")) == 0


def test_the_long_suites_run_only_when_asked_for(check: ModuleType):
    short, full = check.steps(full=False, rest=[])[-1], check.steps(full=True, rest=["-x"])[-1]
    assert ("not full" in short.command, "not full" in full.command, full.command[-1]) == (True, False, "-x")
    assert [step.name for step in check.steps(full=False, rest=[])] == ["format", "lint", "types", "imports", "tests"]
