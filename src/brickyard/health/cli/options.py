"""What the commands of health have in common: the catalogs, the time, and the door to the workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.kernel.terminal import Output

if TYPE_CHECKING:
    from brickyard.health.flow import Door
    from brickyard.health.plan.text import Places

DONE, FINDINGS, BUSY, PARTLY = 0, 1, 4, 5

Catalog = Annotated[
    str | None, typer.Option("--catalog", help="The gold catalog; the source catalog's name and _health by default.")
]
SourceCatalog = Annotated[
    str | None, typer.Option("--source-catalog", help="The catalog of the system tables; `system` by default.")
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="The time to take for now, in UTC.",
    ),
]
Tables = Annotated[
    list[str] | None, typer.Option("--table", metavar="DOMAIN.TABLE", help="Only this table; may be repeated.")
]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="Only the tables of this domain; may be repeated.")]
Full = Annotated[bool, typer.Option("--full", help="Judge every row again, not only the new ones.")]
Failed = Annotated[bool, typer.Option("--failed", help="Only the tables that failed last.")]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept-drift", metavar="SOURCE", help="Go on with a source whose columns were removed or renamed."),
]


def output(ctx: typer.Context) -> Output:
    """Return how to print the result."""
    return ctx.obj.output


def where(catalog: str | None, source_catalog: str | None) -> Places:
    """Return the catalogs that are meant: what the options say, else the settings."""
    from brickyard.health.flow.door import places
    from brickyard.settings import Settings

    known = Settings()
    return places(source_catalog or known.health_source_catalog, catalog or known.health_catalog)


def door(ctx: typer.Context, catalog: str | None, source_catalog: str | None, as_of: datetime | None = None) -> Door:
    """Open the workspace of the command."""
    from brickyard.health.flow.door import through

    context = ctx.obj.context()
    return through(context.workspaces.client(), where(catalog, source_catalog), moment(as_of) or context.clock())


def moment(as_of: datetime | None) -> datetime | None:
    """Read a time that was given without a zone as UTC."""
    return as_of.replace(tzinfo=UTC) if as_of else None
