"""The command line: mounts the rooms, keeps the home running, and turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from brickyard.demo.rooms import Which
from brickyard.home.doors import LazyRoom
from brickyard.home.session import Session
from brickyard.kernel import stop, terminal
from brickyard.kernel.errors import BrickyardError, Interrupted, SpecInvalid
from brickyard.kernel.terminal import Output, emit
from brickyard.rooms import ROOMS

app = typer.Typer(
    name="brickyard",
    help="The work around a Databricks lakehouse, on a laptop or against a real workspace.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for room in ROOMS:
    app.add_typer(typer.Typer(cls=LazyRoom), name=room, help=import_module(f"brickyard.{room}").__doc__)

token = typer.Typer(
    help="Named tokens of the web service: who has one acts under their own name.", no_args_is_help=True
)
app.add_typer(token, name="token")


class Engine(StrEnum):
    """What runs the SQL of the local workspace."""

    SAIL = "sail"
    SPARK = "spark"


HomeFolder = Annotated[Path | None, typer.Option("--home", help="Home folder instead of the user's own.")]
OutputKind = Annotated[Output, typer.Option("--output", help="How to print the result.")]


@app.callback()
def root(ctx: typer.Context) -> None:
    """The work around a Databricks lakehouse, on a laptop or against a real workspace."""
    ctx.obj = Session()


@app.command()
def up(
    home: HomeFolder = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop everything at Ctrl-C.")] = False,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="What runs the SQL of the local workspace, from now on.")
    ] = None,
    output: OutputKind = Output.TEXT,
) -> None:
    """Start PostgreSQL, the local workspace, the web service and a worker, and keep them running."""
    from brickyard.home import control, report, supervisor

    where = Session(home).home
    try:
        state = control.up(where, detached=not foreground, engine=engine)
        emit(state, output, report.status_text(state))
        if foreground:
            supervisor.until_signalled(where)
    finally:
        if foreground:
            control.down(where)


@app.command()
def down(home: HomeFolder = None, output: OutputKind = Output.TEXT) -> None:
    """Stop everything that runs in the home."""
    from brickyard.home import control

    stopped = control.down(Session(home).home)
    emit({"stopped": stopped}, output, f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(home: HomeFolder = None, output: OutputKind = Output.TEXT) -> None:
    """Show what runs, where it answers, and where the tokens are."""
    from brickyard.home import control, report

    state = control.status(Session(home).home)
    emit(state, output, report.status_text(state))
    raise typer.Exit(0 if state.complete else 1)


@app.command()
def demo(
    which: Annotated[
        Which, typer.Argument(metavar="ROOM", help="`migrate`, `share`, `health`, or `all` rooms one after the other.")
    ] = (Which.MIGRATE),
    home: Annotated[
        Path | None, typer.Option("--home", help="Keep it all in this home and leave it running; else nothing stays.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Where the HTML report goes; brickyard-demo.html by default.")
    ] = None,
    output: OutputKind = Output.TEXT,
) -> None:
    """Show what a room does on a sample lakehouse, from nothing to the report.

    migrate takes ten legacy notebooks; share serves three partners and reads as they do; health builds 38 gold tables of a
    synthetic account and compares them with its true costs.
    """
    from brickyard.demo import stage, story

    with terminal.progress() as say:
        result = story.show(which, home, report, say)
    emit(result, output, lambda: story.as_text(which, result))
    try:
        story.expect(which, result)
    except stage.DemoSurprised as error:  # the result stays the last thing on stdout
        terminal.note(terminal.error_text(error))
        raise typer.Exit(error.exit_code) from error


@app.command()
def explain(
    code: Annotated[str | None, typer.Argument(help="The code; without one, all are listed.")] = None,
    output: OutputKind = Output.TEXT,
) -> None:
    """Say what an error or finding code means, why it comes about and what to do."""
    from brickyard.kernel import explain as codes

    if code is None:
        known = codes.explanations().values()
        emit(list(known), output, terminal.table(("CODE", "MEANING"), [(entry.code, entry.title) for entry in known]))
    else:
        entry = codes.explain(code)
        emit(entry, output, str(entry))


@token.command("add")
def add_token(
    email: Annotated[str, typer.Argument(help="Whose token it is: ada@example.com.")],
    home: HomeFolder = None,
    output: OutputKind = Output.TEXT,
) -> None:
    """Make a token for a person and print it, this once; only its digest is kept."""
    from brickyard.home import tokens

    made = tokens.add(Session(home).home, email)
    terminal.note(f"token {made.id} of {made.email}; it is not shown again")
    emit({"id": made.id, "email": made.email, "token": made.secret}, output, made.secret)


@token.command("list")
def list_tokens(home: HomeFolder = None, output: OutputKind = Output.TEXT) -> None:
    """List the tokens that were made, without their secrets."""
    from brickyard.home import tokens

    found = tokens.listed(Session(home).home)
    emit(found, output, None if found else "no token was made yet")


@token.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(metavar="ID|EMAIL", help="The token's id, or whose tokens.")],
    home: HomeFolder = None,
    output: OutputKind = Output.TEXT,
) -> None:
    """Revoke a token, or all of a person's; running services refuse it within seconds."""
    from brickyard.home import tokens

    revoked = tokens.revoke(Session(home).home, name)
    emit({"revoked": revoked}, output, f"revoked {', '.join(revoked)}")


@app.command()
def version(output: OutputKind = Output.TEXT) -> None:
    """Print the version."""
    from importlib.metadata import version

    emit({"version": version("brickyard")}, output, version("brickyard"))


def main() -> None:
    """Run the command line and end the process with its exit code; being told to end is like Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where SIGINT is ignored, as in what a script starts beside it
        signal.signal(number, interrupt)
    sys.exit(run(sys.argv[1:]))


def interrupt(*_: object) -> None:
    """Break off what is being done; who misses that hears it at the next safe point."""
    stop.request()
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; what is refused is said on stderr, and on stdout too when it is JSON."""
    try:
        code = app(arguments, prog_name="brickyard", standalone_mode=False)
    except BrickyardError as error:
        return refuse(error, arguments)
    except typer.TyperException as error:
        return refuse_usage(error, arguments)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except Exception as error:  # noqa: BLE001 — the outermost frame: what nobody expected is said in our words too
        return broken(error, arguments)
    if code == Interrupted.exit_code:
        terminal.note("interrupted")
    return code if isinstance(code, int) else 0


def broken(error: Exception, arguments: list[str]) -> int:
    """Say in one line that something broke which nobody expected, and where its traceback is kept.

    A value that a setting or a request does not take is no such thing: it is named.
    """
    from pydantic import ValidationError

    from brickyard.home import faults
    from brickyard.kernel.logs import redact

    if isinstance(error, ValidationError):
        return refuse(faults.invalid(error), arguments)
    kept = faults.keep(error, home_named(arguments))
    message = redact(f"{type(error).__name__}: {error}".splitlines()[0])
    return refuse(BrickyardError(f"{message} ({kept})", code="internal-error"), arguments)


def home_named(arguments: list[str]) -> Path | None:
    """The home folder that the arguments name, even when they are otherwise wrong."""
    named = [b for a, b in pairwise(arguments) if a == "--home"]
    named += [a.partition("=")[2] for a in arguments if a.startswith("--home=")]
    return Path(named[-1]) if named else None


def refuse(error: BrickyardError, arguments: list[str]) -> int:
    """Say what, where, why and what to do."""
    terminal.note(terminal.error_text(error))
    if wants_json(arguments):
        emit(terminal.error_document(error), Output.JSON)
    return error.exit_code


def refuse_usage(error: typer.TyperException, arguments: list[str]) -> int:
    """Say how the command is used; a group without a command carries its help as the message."""
    context, message = getattr(error, "ctx", None), error.format_message()
    if message.startswith("Usage:"):
        terminal.note(message)
        return error.exit_code
    terminal.note(f"error[usage]: {message}" + (f"\n{context.get_usage()}" if context else ""))
    if wants_json(arguments):
        emit(terminal.error_document(SpecInvalid(message, code="usage")), Output.JSON)
    return error.exit_code


def wants_json(arguments: list[str]) -> bool:
    """Say whether the arguments ask for JSON, even when they are otherwise wrong."""
    return "--output=json" in arguments or ("--output", "json") in pairwise(arguments)
