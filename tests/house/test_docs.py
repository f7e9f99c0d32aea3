"""The documentation is true: the reference is what the code says, and the commands in the text can be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from brickyard.cli import app

TOP = Path(__file__).parents[2]
TEXTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "AGENTS.md", *sorted((TOP / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SYNOPSIS = re.compile(r"[\[\]|…]|\.\.\.")
OF_YARD = {"check"}


def commands() -> Iterator[tuple[str, str]]:
    for file in TEXTS:
        if file.name != "reference.md":
            for block in FENCE.findall(file.read_text()):
                lines = [line.strip().removeprefix("$ ") for line in block.splitlines()]
                yield from ((file.name, line) for line in lines if line.startswith(("brickyard ", "./yard ")))


def test_the_reference_says_what_the_code_says():
    spec = spec_from_file_location("generate", TOP / "docs" / "generate.py")
    assert spec and spec.loader
    generate = module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = "docs/reference.md is stale; run .venv/bin/python docs/generate.py"
    assert (TOP / "docs" / "reference.md").read_text() == generate.render(), stale


@pytest.mark.parametrize(("file", "line"), [found for found in commands() if not SYNOPSIS.search(found[1])])
def test_a_command_in_the_text_can_be_run(file: str, line: str):
    words = shlex.split(line, comments=True)[1:]
    if words[:1] and words[0] in OF_YARD:
        return
    command, path = get_command(app), "brickyard"
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name = words.pop(0)
        with command.make_context(path, [name], resilient_parsing=True) as context:
            command, path = command.get_command(context, name), f"{path} {name}"
        assert command is not None, f"{file}: no command {path}"
    if "--help" not in words:
        command.make_context(path, words)


def test_the_readme_starts_with_the_two_commands():
    shown = [line.split("#")[0].strip() for _, line in commands()]
    assert shown[:2] == ["./yard demo", "./yard check"]
