"""Commands of what watches KPIs: dashboards as files, and the alerts that ring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.health.cli.options import DONE, FINDINGS, AsOf, Catalog, SourceCatalog, door, output, where
from brickyard.kernel.terminal import emit, plain, plural, table

if TYPE_CHECKING:
    from brickyard.health.flow.kpis import Rang


def dashboards(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder that takes the files.")],
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
) -> None:
    """Write an AI/BI dashboard of the KPIs and a query for each alert, to be imported or deployed by a bundle.

    Example: brickyard health dashboards --out dashboards
    """
    from brickyard.health.flow import dashboards as flow

    written = flow.write(where(catalog, source_catalog), out)
    emit({"written": [str(path) for path in written]}, output(ctx), f"wrote {plural(len(written), 'file')} to {out}")


def alerts(
    ctx: typer.Context,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Evaluate every alert, those that ring first. Exit code 1: at least one rings.

    Example: brickyard health alerts
    """
    from brickyard.health.flow import kpis

    found = kpis.ringing(door(ctx, catalog, source_catalog, as_of))
    lines = [(one.alert.alert, _word(one), one.alert.kpi, one.alert.owner, one.kpi.reason) for one in found]
    document = [
        {"alert": one.alert.alert, "state": _word(one), "kpi": one.alert.kpi, "level": one.alert.level.value,
         "owner": one.alert.owner, "message": one.alert.message, "status": one.kpi.status.value, "reason": one.kpi.reason}
        for one in found
    ]  # fmt: skip
    emit(plain(document), output(ctx), lambda: table(("ALERT", "STATE", "KPI", "OWNER", "WHY"), lines))
    raise typer.Exit(FINDINGS if any(one.rings for one in found) else DONE)


def _word(one: Rang) -> str:
    return {True: "RINGS", False: "quiet", None: "NOT_ASSESSED"}[one.rings]
