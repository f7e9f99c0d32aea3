"""The command that tells KPIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.health.cli.options import AsOf, Catalog, SourceCatalog, door, output
from brickyard.kernel.terminal import emit, plain, table

if TYPE_CHECKING:
    from brickyard.health.flow.kpis import Kpi

_SHOWN = 20  # rows of a KPI in text


def kpi(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One KPI; without a name, all of them.")] = None,
    catalog: Catalog = None,
    source_catalog: SourceCatalog = None,
    as_of: AsOf = None,
) -> None:
    """Show KPIs with their status; one by its name with its rows.

    Example: brickyard health kpi
    """
    from brickyard.health.flow import kpis

    opened = door(ctx, catalog, source_catalog, as_of)
    if name:
        found = kpis.value(opened, name)
        emit(plain(found), output(ctx), lambda: _text(found))
        return
    every = kpis.all(opened)
    rows = [(k.number, k.name, k.status.value, k.value or "-", k.unit.value, k.reason) for k in every]
    emit(plain(every), output(ctx), lambda: table(("NO", "KPI", "STATUS", "VALUE", "UNIT", "WHY"), rows))


def _text(found: Kpi) -> str:
    head = f"{found.number} {found.title}: {found.value or '-'} {found.unit.value}, {found.status.value}"
    lines = [head, *([found.reason] if found.reason else []), *([f"to do: {found.remedy}"] if found.remedy else [])]
    if found.rows:
        names = list(found.rows[0])
        lines += ["", table([n.upper() for n in names], [[row[n] for n in names] for row in found.rows[:_SHOWN]])]
    return "\n".join(lines)
