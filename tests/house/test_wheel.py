"""The wheel, in an empty environment, does what the checkout does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def uv() -> str:
    found = shutil.which("uv") or next((str(path) for path in sorted((TOP / ".yard").glob("uv-*/bin/uv"))), None)
    if found is None:
        pytest.skip("uv is neither on the path nor in .yard")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([uv(), "build", "--quiet", "--wheel", "--out-dir", folder, TOP], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def brickyard(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("empty") / "env"
    subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([uv(), "pip", "install", "--quiet", "--python", python, f"{wheel}[all]"], check=True)
    return environment / "bin" / "brickyard"


def test_the_wheel_holds_every_asset_and_no_test(wheel: Path):
    source = TOP / "src"
    assets = {str(path.relative_to(source)) for path in source.glob("brickyard/*/assets/**/*") if path.is_file()}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {asset for asset in assets if "__pycache__" not in asset} - held == set()
    assert [name for name in held if name.startswith("tests")] == []


def test_the_wheel_shows_its_help(brickyard: Path, tmp_path: Path):
    done = subprocess.run([brickyard, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "migrate" in done.stdout


def test_the_wheel_runs_the_demo_from_any_folder(brickyard: Path, tmp_path: Path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BRICKYARD_", "VIRTUAL_ENV"))}
    command = [brickyard, "demo", "--output", "json"]
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["notebooks"]) == 10
    assert Path(said["report"]).is_file()
