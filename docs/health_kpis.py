"""Write docs/health-kpis.md from the contracts of the KPIs and alerts.

`.venv/bin/python docs/health_kpis.py` writes it; a test fails when it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from brickyard.health.model.kpi import KpiContract, Page, alerts, contracts
from brickyard.health.plan.dashboards import TITLES

TARGET = Path(__file__).with_name("health-kpis.md")
HEAD = """# KPIs of health

Written by `docs/health_kpis.py` from `src/brickyard/health/assets/kpis` and `assets/alerts`; do not edit.

Each KPI is a query over gold, in whole UTC days up to yesterday unless a window is given (`brickyard health kpi NAME`,
`GET /health/kpis/NAME?since=…&until=…`). A row is OK, WARN or CRITICAL by its limits, and NOT_ASSESSED where its value is
not known. The KPI takes the worst status of its rows. It is NOT_ASSESSED, with the reason, where a table was not built,
a source cannot be read, there is too little to judge, or no row has a value: nothing unknown is ever taken for zero.
Costs are US dollars, decimal from end to end, corrections netted; what belongs to nobody is a row of its own.

`brickyard health dashboards --out DIR` writes all of them as an AI/BI dashboard, and a query for each alert;
`brickyard health alerts` evaluates the alerts.
"""


def text() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_table(), *_computed(), *_missing(), *_alerts()]).rstrip() + "\n"


def _table() -> Iterator[str]:
    yield "| No. | KPI | What it measures | Unit | Computed |"
    yield "| --- | --- | --- | --- | --- |"
    for one in contracts().values():
        name = f"[`{one.kpi}`](#{one.kpi})" if one.computed else f"`{one.kpi}`"
        yield f"| {one.number} | {name} | {one.title} | {one.unit} | {'yes' if one.computed else 'no'} |"
    yield ""


def _computed() -> Iterator[str]:
    for page in Page:
        yield f"## {TITLES[page]}\n"
        for one in contracts().values():
            if one.computed and one.page is page:
                yield from _one(one)


def _one(one: KpiContract) -> Iterator[str]:
    yield f"### {one.kpi}\n"
    yield f"{one.number}. {one.title}. {one.definition.strip()}\n"
    yield f"- Grain: {one.grain}"
    yield f"- Value: `{one.value}` in {one.unit}; over {one.window_days} days by default"
    yield f"- Filter: {one.filter}"
    yield f"- Limits: {_limits(one)}"
    evidence = one.evidence
    if evidence:
        yield f"- Rests on: {evidence.what}, at least {evidence.least}"
    yield f"- Not assessed: {one.not_assessed}"
    yield f"- Reads: {', '.join(f'`{table}`' for table in one.needs)}"
    yield f"- Owner: {one.owner}"
    yield from (f"- Mind: {caveat}" for caveat in one.caveats)
    yield ""


def _limits(one: KpiContract) -> str:
    if one.limits is None:
        return "none; a known value is OK"
    word = "from {} on" if one.limits.worse == "above" else "below {}"
    return f"`{one.judged}` is WARN {word.format(one.limits.warn)}, CRITICAL {word.format(one.limits.critical)}"


def _missing() -> Iterator[str]:
    yield "## Not computed\n"
    yield "| No. | KPI | Why | Missing |"
    yield "| --- | --- | --- | --- |"
    for one in contracts().values():
        if not one.computed:
            yield f"| {one.number} | `{one.kpi}` | {one.not_assessed} | {', '.join(one.missing)} |"
    yield ""


def _alerts() -> Iterator[str]:
    yield "## Alerts\n"
    yield "| Alert | KPI | Rings at | Owner | What it means |"
    yield "| --- | --- | --- | --- | --- |"
    for one in alerts().values():
        yield f"| `{one.alert}` | [`{one.kpi}`](#{one.kpi}) | {one.level} | {one.owner} | {one.message} |"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET.name}\n")
