"""Commands that only look: how the tables stand, what could go wrong, where a column comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.health.cli.options import DONE, FINDINGS, AsOf, Catalog, SourceCatalog, door, output
from brickyard.kernel.terminal import emit, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from brickyard.health.flow.checking import Checked
    from brickyard.health.flow.telling import Status
    from brickyard.health.plan.lineage import Origin


def status(
    ctx: typer.Context, catalog: Catalog = None, source_catalog: SourceCatalog = None, as_of: AsOf = None
) -> None:
    """Show how every gold table stands: rows, newest data, tie-out, quarantine, failures.

    Exit code 1 where a table failed or does not tie out.

    Example: brickyard health status
    """
    from brickyard.health.flow import telling

    found = telling.status(door(ctx, catalog, source_catalog, as_of))
    document = {**plain(found), "tables": [{**plain(one), "state": one.word} for one in found.tables]}
    emit(document, output(ctx), lambda: _status_text(found))
    raise typer.Exit(FINDINGS if any(one.word in ("FAILED", "UNTIED") for one in found.tables) else DONE)


def _status_text(found: Status) -> str:
    last = found.last
    head = [f"{found.catalog}, from {found.source_catalog}", f"run {last.run} of {last.started_at:%Y-%m-%d %H:%M}: {last.status.lower()}"]  # fmt: skip
    head += [f"at work: {found.holder}"] if found.holder else []
    rows = [
        (
            one.table,
            one.word,
            f"{one.rows:,}",
            f"{one.newest:%Y-%m-%d %H:%M}" if one.newest else "-",
            "-" if one.compared is None else f"{one.compared - (one.untied or 0)}/{one.compared}",
            one.quarantined or "",
        )
        for one in found.tables
    ]
    return "\n".join([*head, "", table(("TABLE", "STATE", "ROWS", "NEWEST", "TIES", "QUARANTINE"), rows)])


def check(
    ctx: typer.Context, catalog: Catalog = None, source_catalog: SourceCatalog = None, as_of: AsOf = None
) -> None:
    """Check contracts, what may be read, references without a partner, and the days left before sources forget.

    Exit code 1 where something needs hands.

    Example: brickyard health check --source-catalog system
    """
    from brickyard.health.flow import checking

    found = checking.check(door(ctx, catalog, source_catalog, as_of))
    document = {**plain(found), "coverage": [{**plain(one), "percent": one.percent} for one in found.coverage]}
    emit(document, output(ctx), lambda: _check_text(found))
    raise typer.Exit(DONE if found.sound else FINDINGS)


def _check_text(found: Checked) -> str:
    lines = ["contracts: no faults"]
    for one in found.findings:
        lines += [f"{one.severity.value:<8} {one.subject}: {one.message} ({one.code})"]
        lines += [f"         to do: {one.remedy}"] if one.remedy else []
    covered = [
        (c.table, ", ".join(c.columns), c.to, f"{c.rows:,}", "-" if c.percent is None else f"{c.percent:.2f} %")
        for c in found.coverage
    ]
    left = [
        (m.source, m.retention_days or "for ever", "-" if m.days_left is None else f"{m.days_left:.1f}", "yes" if m.behind else "")
        for m in found.margins
    ]  # fmt: skip
    if covered:
        lines += ["", table(("TABLE", "COLUMNS", "POINT TO", "ROWS", "MATCH"), covered)]
    if left:
        lines += ["", table(("SOURCE", "RETENTION DAYS", "DAYS LEFT", "BEHIND"), left)]
    return "\n".join(lines)


def explain(
    ctx: typer.Context,
    column: Annotated[str, typer.Argument(metavar="TABLE.COLUMN", help="Such as billing.fact_usage.list_cost.")],
) -> None:
    """Show where a gold column comes from, down to the leaves of its sources, with every expression. Asks no workspace.

    Example: brickyard health explain fact_usage.list_cost
    """
    from brickyard.health.flow import telling

    found = telling.explain(column)
    emit(found, output(ctx), lambda: "\n".join(_lines(found, "")))


def _lines(origin: Origin, indent: str) -> Iterator[str]:
    mark = "source " if origin.layer == "source" else ""
    yield f"{indent}{mark}{origin.name}  {origin.type}" + (f"  = {origin.expression}" if origin.expression else "")
    if origin.comment and not indent:
        yield f"  {origin.comment}"
    for one in origin.origins:
        yield from _lines(one, indent + "  ")
