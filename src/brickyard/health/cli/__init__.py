"""The commands of health: the gold layer over the system tables, and what it tells."""

from __future__ import annotations

import typer

from brickyard.health.cli import running

app = typer.Typer(help="Build the gold layer over the system tables, and tell what it says.", no_args_is_help=True)

for name, command in (
    ("init", running.init),
    ("plan", running.plan),
    ("run", running.run),
):
    app.command(name)(command)
