"""Write docs/reference.md from the code: commands, exit codes, settings, routes and codes.

`.venv/bin/python docs/generate.py` writes it; a test fails when it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from typer.core import TyperGroup
from typer.main import get_command

from brickyard import rooms
from brickyard.cli import app
from brickyard.context import build
from brickyard.kernel.explain import explanations
from brickyard.settings import Settings
from brickyard.web.app import create
from brickyard.web.gate import Rules

TARGET = Path(__file__).with_name("reference.md")
HEAD = """# Reference

Written by `docs/generate.py` from the code; do not edit. [Commands](#commands) · [Exit codes](#exit-codes) ·
[Settings](#settings) · [Routes](#routes) · [Codes](#codes)
"""
EXIT_CODES = (
    ("0", "done, or nothing to do"),
    ("1", "findings"),
    ("2", "bad usage or input"),
    ("3", "the platform failed after retries"),
    ("4", "refused by a guard"),
    ("5", "partly done"),
    ("130", "interrupted"),
)


def table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def one_line(text: str | None) -> str:
    """Return the text without line breaks."""
    return " ".join((text or "").split())


def commands(command: Any, path: str = "brickyard") -> Iterator[tuple[str, Any]]:
    """Yield every command that can be run, with the words that call it."""
    if isinstance(command, TyperGroup):
        context = typer.Context(command, info_name=path)
        for name in sorted(command.list_commands(context)):
            yield from commands(command.get_command(context, name), f"{path} {name}")
    else:
        yield path, command


def command_section(path: str, command: Any) -> str:
    """Return what a command does and takes."""
    context = typer.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [(f"`{one_line(names)}`", one_line(text)) for names, text in filter(None, records)]
    return f"### {path}\n\n{one_line(command.help)}\n\n```\n{usage}\n```\n\n{table(('option', 'meaning'), rows)}\n"


def setting_row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    """Return the environment variables, default and meaning of one setting."""
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias or f"BRICKYARD_{name.upper()}"]
    default = "the user's data folder" if field.default_factory else field.get_default()
    return (
        " or ".join(f"`{one}`" for one in names),
        "" if default is None else f"`{default}`",
        one_line(field.description),
    )


def route_rows() -> list[tuple[str, str, str]]:
    """Return method, path and summary of every route of the web service."""
    settings = Settings()
    service = create(build(settings), Rules(token="", hosts=frozenset(), body_bytes=0), rooms.routers(settings))
    paths = service.openapi()["paths"]
    return [
        (f"`{method.upper()}`", f"`{path}`", one_line(operation.get("summary")))
        for path, methods in sorted(paths.items())
        for method, operation in methods.items()
    ]


def code_section() -> str:
    """Return every code with its meaning, cause and remedy."""
    rows = [
        (f"`{e.code}`", e.package, one_line(e.title), one_line(e.cause), one_line(e.remedy))
        for e in explanations().values()
    ]
    return table(("code", "of", "meaning", "cause", "what to do"), rows)


def render() -> str:
    """Return the whole reference."""
    settings = [setting_row(name, field) for name, field in Settings.model_fields.items()]
    parts = [
        HEAD,
        "## Commands\n\n`./yard ANYTHING` is `brickyard ANYTHING`. Every command takes `--output text|json`.\n",
        *(command_section(path, command) for path, command in commands(get_command(app))),
        "## Exit codes\n\n" + table(("code", "meaning"), list(EXIT_CODES)) + "\n",
        "## Settings\n\nRead from the environment.\n\n" + table(("variable", "default", "meaning"), settings) + "\n",
        "## Routes\n\n" + table(("method", "path", "what"), route_rows()) + "\n",
        "## Codes\n\nErrors and findings; `brickyard explain CODE` prints one.\n\n" + code_section() + "\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(f"{TARGET}: {TARGET.write_text(render())} characters\n")
