"""Commands that make files of gold: the job's definition and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brickyard.health.cli.options import AsOf, Catalog, SourceCatalog, door, output, where
from brickyard.health.plan.jobs import By, Target
from brickyard.kernel.terminal import emit, progress

RESOURCE = Path("resources/gold_merge_job.yml")


def job(
    ctx: typer.Context,
    target: Annotated[Target, typer.Option("--target", help="dev: the schedule is paused; prod: daily at 04:00 UTC.")],
    by: Annotated[By, typer.Option("--by", help="A task for each domain, or for each table.")] = By.DOMAIN,
    email: Annotated[
        list[str] | None, typer.Option("--email", help="Who is told of start, success and failure; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The bundle's resource file to write.")] = RESOURCE,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
) -> None:
    """Write the Databricks job that does on a schedule what `run` does, as a bundle's resource. Asks no workspace.

    Its tasks run this package's wheel, in the order of the contracts. A file that was not made by this command is never
    written over.

    Example: brickyard health job --target dev
    """
    from brickyard.health.plan.compile import compile_all
    from brickyard.health.plan.jobs import Wanted, as_yaml, resource
    from brickyard.kernel.files import write_whole

    places = where(catalog, source_catalog)
    wanted = Wanted(target, places.catalog, places.source_catalog, by)
    if email:
        wanted = Wanted(target, places.catalog, places.source_catalog, by, tuple(email))
    document = resource(compile_all(), wanted)
    _refuse_other(out)
    write_whole({out: as_yaml(document).encode()})
    emit({"written": str(out), **document}, output(ctx), f"wrote {out}")


def _refuse_other(out: Path) -> None:
    from brickyard.health.plan.jobs import HEAD
    from brickyard.kernel.errors import GuardRefused

    if out.exists() and not out.read_text(encoding="utf-8", errors="replace").startswith(HEAD):
        raise GuardRefused(
            f"{out} is there and was not made by this command", code="health-file-not-ours", remedy="give another --out"
        )


def report(
    ctx: typer.Context,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the page goes.")] = Path("health.html"),
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Write one page that needs no network: cost, tie-out, freshness, coverage, movers, jobs, security, quarantine, drift.

    Example: brickyard health report --html health.html
    """
    from brickyard.health import report as pages
    from brickyard.health.flow import reporting
    from brickyard.kernel.files import write_whole

    with progress() as tell:
        figures = reporting.figures(door(ctx, catalog, source_catalog, as_of), on_step=tell)
    write_whole({html: pages.page(figures).encode()})
    emit({"written": str(html), "summary": figures.summary}, output(ctx), f"wrote {html}")
