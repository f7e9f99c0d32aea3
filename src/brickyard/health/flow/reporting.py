"""The figures of the report: cost, tie-out, freshness, coverage, movers, jobs, security, quarantine, drift; reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from brickyard.health.flow import Door, telling
from brickyard.health.flow.billing import MonthStatement, statement
from brickyard.health.flow.checking import Coverage, coverage
from brickyard.health.flow.kpis import Kpi
from brickyard.health.flow.telling import Comparison, Status
from brickyard.health.plan import reporting as asked
from brickyard.kernel.progress import Report, Step, silent

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Figures:
    """All that the report shows; costs in USD, days in UTC."""

    at: datetime
    status: Status
    months: tuple[MonthStatement, ...]
    untied: tuple[Comparison, ...]
    coverage: tuple[Coverage, ...]
    days: tuple[tuple[date, str, Decimal], ...]
    skus: Rows
    jobs: Rows
    workspaces: Rows
    movers: Rows
    job_health: Rows
    job_days: Rows
    security: Rows
    security_days: Rows
    quarantine: Rows
    drift: Rows
    kpis: tuple[Kpi, ...]

    @property
    def ties(self) -> bool:
        """Whether every month and every comparison ties out."""
        return all(month.ties for month in self.months) and not self.untied

    @property
    def summary(self) -> dict[str, Any]:
        """The figures at the head of the report."""
        return {
            "run": self.status.last.run,
            "tables": len([one for one in self.status.tables if not one.auxiliary]),
            "months": len(self.months),
            "cost": sum((month.gold for month in self.months), Decimal(0)),
            "ties": self.ties,
            "failed": len([one for one in self.status.tables if one.failure]),
            "quarantined": sum(one.quarantined for one in self.status.tables),
        }


def figures(door: Door, *, kpis: bool = True, on_step: Report = silent) -> Figures:
    """Read what the report shows; raise NotFound before the first run. *kpis*: all of them too, which takes longer."""
    on_step(Step("report", 0, 5, "tables"))
    status = telling.status(door)
    on_step(Step("report", 1, 5, "tie-out"))
    months = statement(door)
    untied = telling.reconciliation(door, only_untied=True)
    on_step(Step("report", 2, 5, "coverage"))
    covered = coverage(door)
    on_step(Step("report", 3, 5, "cost, jobs, security"))
    read = {name: door.sql(text) for name, text in asked.questions(door.places).items()}
    on_step(Step("report", 4, 5, "KPIs"))
    days = tuple((row["day"], row["product"] or "unknown", Decimal(row["cost"] or 0)) for row in read.pop("days"))
    return Figures(door.at, status, months, untied, covered, days, kpis=_kpis(door) if kpis else (), **read)


def _kpis(door: Door) -> tuple[Kpi, ...]:
    from brickyard.health.flow import kpis

    return kpis.all(door)
