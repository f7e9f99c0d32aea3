"""The `./yard` script: what it needs, what it says, and that it does nothing the second time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "cksum", "date", "dirname", "rm", "ls")


def machine(folder: Path, **programs: str) -> str:
    """Return a PATH with the usual small tools and programs of our own, and nothing else."""
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def checkout(folder: Path) -> Path:
    folder.mkdir()
    for name in ("yard", "pyproject.toml", "uv.lock"):
        shutil.copy(TOP / name, folder)
    return folder / "yard"


def run(command: list[object], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BRICKYARD_", "VIRTUAL_ENV"))}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=kept | environment, capture_output=True, text=True)


def test_the_scripts_can_be_run():
    assert [path for path in ("yard", ".ci/run") if not os.access(TOP / path, os.X_OK)] == []
    assert subprocess.run(["sh", "-n", TOP / "yard"], check=True).returncode == 0


def test_a_python_that_is_too_old_is_refused_with_what_to_do(tmp_path: Path):
    old = 'case "$1" in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac'
    done = run([checkout(tmp_path / "a b"), "version"], tmp_path, PATH=machine(tmp_path / "bin", python3=old))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "yard: Python 3.11 or newer is needed; found Python 3.9.2",
        "to do: install Python 3.11 or newer, or uv (https://docs.astral.sh/uv), and run this again",
    ]


def test_a_machine_without_python_is_told_so(tmp_path: Path):
    done = run([checkout(tmp_path / "c"), "version"], tmp_path, PATH=machine(tmp_path / "bin"))
    assert done.returncode == 3
    assert "found no python3" in done.stderr


def test_a_python_that_cannot_make_environments_is_told_what_to_install(tmp_path: Path):
    bare = 'case "$1" in -m) exit 1 ;; esac'
    done = run([checkout(tmp_path / "c"), "version"], tmp_path, PATH=machine(tmp_path / "bin", python3=bare))
    assert done.returncode == 3
    assert "python3-venv" in done.stderr


def test_an_environment_that_cannot_be_made_is_an_error_of_the_platform(tmp_path: Path):
    uv = 'case "$*" in *--version*) echo "uv 0.13.8" ;; *) echo "no network" >&2; exit 2 ;; esac'
    done = run([checkout(tmp_path / "c"), "version"], tmp_path, PATH=machine(tmp_path / "bin", uv=uv))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no network" in done.stderr


@pytest.mark.full
def test_a_fresh_clone_with_a_space_in_its_path_sets_itself_up_once_and_then_needs_no_network(tmp_path: Path):
    clone = tmp_path / "a clone"
    subprocess.run(["git", "clone", "--quiet", TOP, clone], check=True)
    first = run([clone / "yard", "version"], tmp_path)
    assert (first.returncode, first.stdout) == (0, "0.1.0\n"), first.stderr
    offline = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "PATH": machine(tmp_path / "bin")}
    second = run([clone / "yard", "version"], Path("/"), **offline)
    assert (second.returncode, second.stdout, second.stderr) == (0, "0.1.0\n", "")
