"""How rooms hang in the command line: imported when one of their commands is asked for, with the options all share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as as_command
from typer.main import get_group as as_group

from brickyard.kernel.terminal import Output


def _remember(name: str) -> Callable[[typer.Context, Any], Any]:
    """Return a callback that keeps an option in the session."""

    def keep(ctx: typer.Context, value: Any) -> Any:
        if value is not None and ctx.obj is not None:
            setattr(ctx.obj, name, value)
        return value

    return keep


def _shared_options(
    home: Annotated[
        Path | None,
        typer.Option("--home", expose_value=False, callback=_remember("home_folder"), help="Home folder."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", expose_value=False, callback=_remember("profile"), help="Databricks profile to work on."
        ),
    ] = None,
    output: Annotated[
        Output,
        typer.Option("--output", expose_value=False, callback=_remember("output"), help="How to print the result."),
    ] = Output.TEXT,
) -> None:
    """Carry the options that every command of a room has."""


class LazyRoom(TyperGroup):
    """The commands of `brickyard.<name>.cli`, imported when they are listed or run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the room's commands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the room's command of that name, or None."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self.commands:
            app = import_module(f"brickyard.{self.name}.cli").app
            app.rich_markup_mode = self.rich_markup_mode
            room = as_group(app)
            self.commands.update({name: with_shared_options(command) for name, command in room.commands.items()})


def with_shared_options(command: Any) -> Any:
    """Add the shared options that the command does not declare itself; in a group, to each of its commands."""
    if isinstance(command, TyperGroup):
        command.commands = {name: with_shared_options(inner) for name, inner in command.commands.items()}
        return command
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_shared_options)
    declared = {option for parameter in command.params for option in parameter.opts}
    command.params.extend(new for new in as_command(carrier).params if not declared.intersection(new.opts))
    return command
