"""What the commands of share have in common: their options, and how they speak of an error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.kernel.terminal import Output, progress

if TYPE_CHECKING:
    from brickyard.context import Context
    from brickyard.share.model.runs import RunRecord, Submitted

PackId = Annotated[str, typer.Argument(metavar="ID", help="A pack's id or name, as `apply` and `list` print them.")]
Compat = Annotated[bool | None, typer.Option("--compat/--strict", help="Take unknown keys as warnings, or as errors.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over what others have made.")]
Replace = Annotated[bool, typer.Option("--replace", help="Make anew what cannot be changed, though its tokens die.")]
PlanHash = Annotated[str | None, typer.Option("--plan-hash", metavar="HASH", help="Refuse any other plan than this.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def output(ctx: typer.Context) -> Output:
    """Return how to print the result."""
    return ctx.obj.output


def house(ctx: typer.Context) -> Context:
    """Return the context with its database at this version's schema."""
    context = ctx.obj.context()
    context.metadata.migrate()
    return context


def followed(context: Context, submitted: Submitted) -> RunRecord:
    """Wait for a run's end, doing it here where no worker is alive; who breaks off is told how it goes on."""
    from brickyard.kernel.errors import Interrupted
    from brickyard.share import flow

    try:
        with progress() as tell:
            return flow.wait(context, submitted.run_id, tell)
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted(
            f"stopped on request; run {submitted.run_id} is kept",
            remedy="a worker brings it to its end, or the same command again; "
            f"`brickyard share status {submitted.pack_id}` says how far it is",
        ) from error


def coloured() -> bool:
    """Tell whether the result goes to a terminal whose owner has not said NO_COLOR (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def explained(text: str, code: str | None) -> str:
    """Return a run in words, and where a code ended it, what says more of that code."""
    return f"{text}\nmore:  brickyard explain {code}" if code else text


def workspace_of(ctx: typer.Context) -> str:
    """Return the address of the workspace that the command would work on, without starting one.

    A home that is new chooses its address for good; what a profile stands for is not looked up.
    """
    from brickyard.share.model.samples import WORKSPACE

    return ctx.obj.address() or WORKSPACE
