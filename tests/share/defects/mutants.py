"""Each defect put back into a copy of the code by one small change, and its test run against that copy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from ruamel.yaml import YAML

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
_TEST = re.compile(r"^def (test_defect_(\d\d)_\w+)", re.MULTILINE)
_SECONDS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect put back: in *file*, *old* becomes *new*; its test then fails with *says* in its message."""

    defect: int
    what: str
    file: str
    old: str
    new: str
    says: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of pytest ended: its exit code, what its failure says, and all it wrote."""

    code: int
    failure: str
    errors: int
    output: str


@cache
def mutants() -> dict[int, Mutant]:
    """Return the mutants by the numbers of their defects."""
    found = [Mutant(**entry) for entry in YAML(typ="safe").load(HERE / "mutations.yaml")]
    return {one.defect: one for one in found}


@cache
def cases() -> dict[int, str]:
    """Return the tests, as pytest names them, by the numbers of their defects."""
    files = sorted(HERE.glob("test_defects_*.py"))
    named = [(file, match) for file in files for match in _TEST.finditer(file.read_text("utf-8"))]
    assert len({match[2] for _, match in named}) == len(named), "two tests have one number"
    return {int(match[2]): f"{file.relative_to(ROOT).as_posix()}::{match[1]}" for file, match in named}


def copied(folder: Path) -> Path:
    """Copy the code, compiled files too, which stay valid where a source is not changed."""
    return shutil.copytree(ROOT / "src", folder / "src")


def mutated(folder: Path, mutant: Mutant) -> Path:
    """Copy the code with one defect put back."""
    source = copied(folder)
    file = folder / mutant.file
    text = file.read_text("utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file} is another one now"
    file.write_text(text.replace(mutant.old, mutant.new), "utf-8")
    return source


def run(source: Path, *tests: str) -> Outcome:
    """Run tests against a copy of the code in a process of their own."""
    report = source.parent / "report.xml"
    options = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"--basetemp={source.parent / 'run'}",
        f"--junitxml={report}",
    )
    command = [sys.executable, "-m", "pytest", "-vvv", "--tb=short", *options, *tests]
    ended = subprocess.run(
        command, cwd=ROOT, env=_environment(source), capture_output=True, text=True, timeout=_SECONDS * len(tests)
    )
    suite = ElementTree.parse(report).getroot().find("testsuite") if report.exists() else None
    failures = [] if suite is None else [f"{one.get('message')}\n{one.text}" for one in suite.iter("failure")]
    errors = 0 if suite is None else int(suite.get("errors", "0"))
    return Outcome(ended.returncode, "\n".join(failures), errors, ended.stdout + ended.stderr)


def loaded_from(source: Path) -> str:
    """Return where a process that is to use a copy finds the code."""
    command = [sys.executable, "-c", "import brickyard; print(brickyard.__file__)"]
    return subprocess.run(command, env=_environment(source), capture_output=True, text=True, check=True).stdout.strip()


def _environment(source: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "BRICKYARD"))}
    return {**own, "PYTHONPATH": str(source)}
