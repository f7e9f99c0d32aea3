"""The command that makes a synthetic account to try everything on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.health.cli.options import Catalog, output
from brickyard.kernel.terminal import emit, note, progress

if TYPE_CHECKING:
    from types import ModuleType

    from brickyard.health.flow import Door
    from brickyard.health.flow.seeding import Seeded
    from brickyard.kernel.progress import Report

SYNTHETIC = "synthetic"


def seed(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=2, help="Days that the account covers, up to 30 April 2026.")] = 60,
    scale: Annotated[
        float, typer.Option("--scale", min=0.001, help="1 is about 400,000 rows in 34 system tables.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal accounts.")] = 7,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Then run, and write bronze, gold and the truth there.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop an account that was seeded before, with its gold.")
    ] = False,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Only what had arrived by then, in UTC."),
    ] = None,
    catalog: Catalog = None,
    source_catalog: Annotated[
        str, typer.Option("--source-catalog", help="The catalog to make for its system tables.")
    ] = SYNTHETIC,
) -> None:
    """Write a synthetic account into a catalog of its own: its true costs are known, and so is everything odd in it.

    Example: brickyard health seed --days 60 --scale 0.1, then brickyard health run --source-catalog synthetic
    """
    from brickyard.health.cli.options import door, moment

    seeding, synthetic = _needed()
    account = synthetic.generate(days, scale, seed)
    opened = door(ctx, catalog, source_catalog)
    with progress() as tell:
        made = seeding.seed(
            opened, ctx.obj.workspace_client(), account, until=moment(until), on_step=tell, replace=replace
        )
        kept = _keep(ctx, opened, made, keep, tell) if keep else {}
    document: dict[str, Any] = {
        "catalog": made.catalog,
        "gold_catalog": made.gold_catalog,
        "until": made.until,
        "rows": made.rows,
        "kept": kept,
    }
    emit(document, output(ctx), lambda: _text(made, kept, keep))


def _needed() -> tuple[ModuleType, ModuleType]:
    """Import what only this command needs, or say what to install."""
    from brickyard.kernel.errors import GuardRefused

    try:
        from brickyard.health import synthetic
        from brickyard.health.flow import seeding
    except ModuleNotFoundError as error:
        raise GuardRefused(
            f"the package {error.name} is not installed",
            code="health-extra-missing",
            remedy="pip install 'brickyard[profile]'",
        ) from error
    return seeding, synthetic


def _keep(ctx: typer.Context, opened: Door, made: Seeded, folder: Path, tell: Report) -> dict[str, int]:
    from dataclasses import replace

    from brickyard.health import flow
    from brickyard.health.cli.running import on_step
    from brickyard.health.flow.keeping import keep

    at = replace(opened, at=made.until)
    outcome = flow.run(at, on_step=on_step("run", tell))
    for step, error in outcome.failed:
        note(f"{type(step).__name__}: {error.message}")
    return keep(at, ctx.obj.workspace_client(), made.account, made.until, folder, on_step=tell)


def _text(made: Seeded, kept: dict[str, int], folder: Path | None) -> str:
    rows = sum(made.rows.values())
    lines = [f"{rows:,} rows in {len(made.rows)} tables of {made.catalog}, as of {made.until:%Y-%m-%d %H:%M} UTC"]
    if kept:
        lines.append(f"{len(kept)} Parquet files below {folder}")
    else:
        at = f"{made.until:%Y-%m-%dT%H:%M}"
        lines.append(f"next: brickyard health run --source-catalog {made.catalog} --as-of {at}")
    return "\n".join(lines)
