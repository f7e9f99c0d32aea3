"""The commands of health: the gold layer over the system tables, and what it tells."""

from __future__ import annotations

import typer

from brickyard.health.cli import dashboards, kpis, looking, making, money, running, seeding

app = typer.Typer(help="Build the gold layer over the system tables, and tell what it says.", no_args_is_help=True)

for name, command in (
    ("seed", seeding.seed),
    ("init", running.init),
    ("plan", running.plan),
    ("run", running.run),
    ("status", looking.status),
    ("check", looking.check),
    ("explain", looking.explain),
    ("kpi", kpis.kpi),
    ("alerts", dashboards.alerts),
    ("dashboards", dashboards.dashboards),
    ("report", making.report),
    ("job", making.job),
    ("invoice", money.invoice),
    ("discounts", money.discounts),
    ("export", money.export),
):
    app.command(name)(command)
