"""Each mutant of the engine spoils a table: what it breaks would be seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.health.engine.probe import FEW
from tests.health.engine.stand import land, some

from brickyard.health import synthetic
from brickyard.local import LocalWorkspace

TOP = Path(__file__).parents[3]
SOURCE = TOP / "src"
MUTANTS = {m["name"]: m for m in YAML(typ="safe").load((Path(__file__).parent / "mutants.yaml").read_text())}


def changes(mutant: dict[str, Any]) -> list[dict[str, Any]]:
    return [mutant, *([mutant["also"]] if "also" in mutant else [])]


def test_there_are_twenty_mutants() -> None:
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fits_the_code_as_it_is(name: str) -> None:
    for change in changes(MUTANTS[name]):
        text = (SOURCE / "brickyard" / "health" / change["file"]).read_text("utf-8")
        assert text.count(change["old"]) == 1, change["file"]
        if change["file"].endswith(".py"):
            compile(text.replace(change["old"], change["new"]), change["file"], "exec")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home into which all rows have come, and nothing else happened."""
    home = tmp_path_factory.mktemp("landed") / "home"
    with LocalWorkspace(home) as workspace:
        land(workspace.client(), synthetic.generate(scale=0.02), some(*FEW))
    yield home


@pytest.fixture(scope="module")
def right(landed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the engine makes as it is."""
    return probed(landed, tmp_path_factory.mktemp("right"), SOURCE)


def probed(landed: Path, folder: Path, source: Path) -> dict[str, Any]:
    home = folder / "home"
    shutil.copytree(landed, home)
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{TOP}"}
    command = [sys.executable, "-m", "tests.health.engine.probe", str(home)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600)
    shutil.rmtree(home)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_turns_its_table_red(name: str, landed: Path, right: dict[str, Any], tmp_path: Path) -> None:
    mutant, source = MUTANTS[name], tmp_path / "src"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    for change in changes(mutant):
        file = source / "brickyard" / "health" / change["file"]
        file.write_text(file.read_text("utf-8").replace(change["old"], change["new"]), "utf-8")
    found = probed(landed, tmp_path, source)
    assert "refused" in found or found[mutant["red"]] != right[mutant["red"]]
