"""AI/BI dashboards and SQL alerts from the contracts of the KPIs: the same queries over a window that moves. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from brickyard.health.model import source as sources
from brickyard.health.model.kpi import Alert, KpiContract, Page, Status, alerts, contracts
from brickyard.health.plan import kpis
from brickyard.health.plan.text import Places, text

DASHBOARD = "brickyard_health.lvdash.json"
TITLES = {
    Page.COST: "Cost",
    Page.JOBS: "Jobs",
    Page.QUERIES: "Warehouses and queries",
    Page.SECURITY: "Security",
    Page.DATA: "Data quality",
    Page.PRODUCT: "The product itself",
}
_WIDTH = 6  # columns of a page's grid
_COUNTED = (("critical", "Critical"), ("warned", "Warnings"), ("unknown", "Not assessed"))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A query of the dashboard under its name."""

    name: str
    title: str
    sql: str


def files(places: Places) -> Mapping[str, str]:
    """Write the dashboard and every alert's query, by their file names; the same contracts give the same bytes."""
    dashboard = json.dumps(document(places), indent=2, ensure_ascii=False) + "\n"
    return {DASHBOARD: dashboard} | {f"alerts/{one.alert}.sql": alert(one, places) for one in written()}


def shown(page: Page | None = None) -> tuple[KpiContract, ...]:
    """Return the KPIs (of a page) that are shown: all computed ones but those whose query needs schedules worked out."""
    return tuple(
        one for one in contracts().values() if one.computed and not kpis.needs_slots(one) and page in (None, one.page)
    )


def written() -> tuple[Alert, ...]:
    """Return the alerts whose query can stand alone."""
    alone = {one.kpi for one in shown()}
    return tuple(one for one in alerts().values() if one.kpi in alone)


# ── queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def datasets(places: Places) -> tuple[Dataset, ...]:
    """Write the query of every KPI that is shown, each row with its status, and of every page's summary."""
    rows = [Dataset(_name(one), one.title, judged(one, places)) for one in shown()]
    pages = [Dataset(f"summary_{page}", f"{TITLES[page]}: status", summary(page, places)) for page in Page]
    return (*rows, *pages)


def _name(contract: KpiContract) -> str:
    return contract.kpi.replace("-", "_")


@cache
def _made(places: Places) -> Mapping[str, str]:
    bronze = [f"bronze.{sources.load(name).bronze}" for name in kpis.read_from().values()]
    return {kpis.SOURCES: kpis.sources_seen(places, bronze)}


def judged(contract: KpiContract, places: Places) -> str:
    """Write a KPI's query over the window that moves, with the status of each row."""
    sql = kpis.query(contract, places, kpis.rolling(contract.window_days), _made(places))
    return f"SELECT *, {_status(contract)} AS status FROM (\n{sql}\n)"


def _status(contract: KpiContract) -> str:
    column, limits = contract.judged, contract.limits
    if limits is None:
        return f"CASE WHEN {column} IS NULL THEN 'NOT_ASSESSED' ELSE 'OK' END"
    worse = ">=" if limits.worse == "above" else "<"
    return (
        f"CASE WHEN {column} IS NULL THEN 'NOT_ASSESSED' WHEN {column} {worse} {limits.critical} THEN 'CRITICAL'"
        f" WHEN {column} {worse} {limits.warn} THEN 'WARN' ELSE 'OK' END"
    )


def _found(contract: KpiContract, places: Places) -> str:
    return kpis.observed(contract, places, kpis.rolling(contract.window_days), _made(places))


def summary(page: Page, places: Places) -> str:
    """Write the status of every KPI of a page that is shown, and of those that are not: a row each."""
    here = [one for one in contracts().values() if one.page is page]
    lines = [_line(one, places) if one in shown(page) else _unknown(one) for one in here]
    return "\nUNION ALL\n".join(lines) + "\nORDER BY number"


def _line(contract: KpiContract, places: Places) -> str:
    least = contract.evidence.least if contract.evidence else 0
    return (
        f"SELECT {contract.number} AS number, {text(contract.title)} AS kpi, status, row_count, observations,"
        " cast(status = 'CRITICAL' as int) AS critical, cast(status = 'WARN' as int) AS warned,"
        " cast(status = 'NOT_ASSESSED' as int) AS unknown, why FROM (\n"
        f"SELECT CASE WHEN e.found < {least} THEN 'NOT_ASSESSED' WHEN r.critical > 0 THEN 'CRITICAL'"
        " WHEN r.warned > 0 THEN 'WARN' WHEN r.row_count > 0 AND r.known = 0 THEN 'NOT_ASSESSED' ELSE 'OK' END AS status,"
        f" r.row_count, e.found AS observations, CASE WHEN e.found < {least} OR (r.row_count > 0 AND r.known = 0)"
        f" THEN {text(contract.not_assessed)} ELSE '' END AS why\n"
        "FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS critical, count_if(status = 'WARN') AS warned,"
        f" count_if(status <> 'NOT_ASSESSED') AS known FROM (\n{judged(contract, places)}\n)) r\n"
        f"CROSS JOIN ({_found(contract, places)}) e)"
    )


def _unknown(contract: KpiContract) -> str:
    why = f"{contract.not_assessed} Missing: {', '.join(contract.missing)}."
    if contract.computed:
        why = f"Schedules are worked out by the command: brickyard health kpi {contract.kpi}"
    return (
        f"SELECT {contract.number} AS number, {text(contract.title)} AS kpi, 'NOT_ASSESSED' AS status,"
        " cast(0 as bigint) AS row_count, cast(0 as bigint) AS observations, 0 AS critical, 0 AS warned, 1 AS unknown,"
        f" {text(why)} AS why"
    )


def alert(alert: Alert, places: Places) -> str:
    """Write an alert's query: one row with the count of breaches, NULL where the KPI is not assessed; what it means first."""
    contract = contracts()[alert.kpi]
    least = contract.evidence.least if contract.evidence else 0
    bad = "status = 'CRITICAL'" if alert.level is Status.CRITICAL else "status IN ('WARN', 'CRITICAL')"
    return (
        f"-- {alert.title}: {alert.message}\n"
        f"-- KPI {contract.kpi}, level {alert.level}, owner {alert.owner}, looked at by Quartz schedule {alert.cron} UTC.\n"
        "-- It rings when breaches > 0; an empty value means that the KPI is not assessed.\n"
        f"SELECT CASE WHEN e.found >= {least} AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches,"
        " r.row_count, e.found AS observations\n"
        f"FROM (SELECT count(*) AS row_count, count_if({bad}) AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (\n"
        f"{judged(contract, places)}\n)) r\n"
        f"CROSS JOIN ({_found(contract, places)}) e\n"
    )


# ── the dashboard ────────────────────────────────────────────────────────────────────────────────────────────────────


def document(places: Places) -> Json:
    """Return the dashboard as an `.lvdash.json` holds it: datasets, and a page for each part of the account."""
    return {
        "datasets": [
            {"name": one.name, "displayName": one.title, "queryLines": one.sql.splitlines(keepends=True)}
            for one in datasets(places)
        ],
        "pages": [_page(page) for page in Page],
    }


def _page(page: Page) -> Json:
    return {
        "name": page.value,
        "displayName": TITLES[page],
        "pageType": "PAGE_TYPE_CANVAS",
        "layout": list(_layout(page)),
    }


def _layout(page: Page) -> Iterator[Json]:
    for at, (column, title) in enumerate(_COUNTED):
        yield _placed(_sum(f"{page}_{column}", f"summary_{page}", column, title), 2 * at, 0, 2, 2)
    listed = ("number", "kpi", "status", "row_count", "observations", "why")
    yield _placed(_table(f"{page}_status", f"summary_{page}", "Status of every KPI", listed), 0, 2, _WIDTH, 6)
    top = 8
    for contract in shown(page):
        width = 2 if contract.chart == "counter" else 0
        if width:
            yield _placed(_counter(contract), 0, top, width, 5)
        yield _placed(_chart(contract), width, top, _WIDTH - width, 5)
        top += 5


def _placed(widget: Json, x: int, y: int, width: int, height: int) -> Json:
    return {"widget": widget, "position": {"x": x, "y": y, "width": width, "height": height}}


def _widget(name: str, dataset: str, fields: Sequence[tuple[str, str]], spec: Json, *, raw: bool) -> Json:
    query = {
        "datasetName": dataset,
        "fields": [{"name": field, "expression": expression} for field, expression in fields],
        "disaggregated": raw,
    }
    return {"name": name, "queries": [{"name": "main_query", "query": query}], "spec": spec}


def _frame(title: str, description: str = "") -> Json:
    told = {"showDescription": True, "description": description} if description else {}
    return {"showTitle": True, "title": title, **told}


def _sum(name: str, dataset: str, column: str, title: str) -> Json:
    field = f"sum({column})"
    spec = {
        "version": 2,
        "widgetType": "counter",
        "encodings": {"value": {"fieldName": field, "displayName": title}},
        "frame": _frame(title),
    }
    return _widget(name, dataset, [(field, f"SUM(`{column}`)")], spec, raw=False)


def _counter(contract: KpiContract) -> Json:
    value = contract.value or ""
    spec = {
        "version": 2,
        "widgetType": "counter",
        "encodings": {"value": {"fieldName": value, "displayName": f"{value} ({contract.unit})"}},
        "frame": _frame(contract.title),
    }
    return _widget(f"{_name(contract)}_counter", _name(contract), [(value, f"`{value}`")], spec, raw=True)


def _table(name: str, dataset: str, title: str, columns: Sequence[str], description: str = "") -> Json:
    spec = {
        "version": 2,
        "widgetType": "table",
        "encodings": {"columns": [{"fieldName": column, "displayName": column} for column in columns]},
        "frame": _frame(title, description),
    }
    return _widget(name, dataset, [(column, f"`{column}`") for column in columns], spec, raw=True)


def _chart(contract: KpiContract) -> Json:
    name, title = _name(contract), f"{contract.title} ({contract.unit})"
    if contract.chart in ("table", "counter"):
        return _table(f"{name}_table", name, title, (*contract.columns, "status"), contract.definition)
    across, value, color = contract.across, contract.value or "", contract.color
    measure = f"sum({value})" if contract.chart == "line" else value
    scale = "temporal" if contract.chart == "line" else "categorical"
    encodings: Json = {
        "x": {"fieldName": across, "scale": {"type": scale}, "displayName": across},
        "y": {"fieldName": measure, "scale": {"type": "quantitative"}, "displayName": f"{value} ({contract.unit})"},
    }
    fields = [(across, f"`{across}`"), (measure, f"SUM(`{value}`)" if contract.chart == "line" else f"`{value}`")]
    if color:
        encodings["color"] = {"fieldName": color, "scale": {"type": "categorical"}, "displayName": color}
        fields.append((color, f"`{color}`"))
    spec = {
        "version": 3,
        "widgetType": contract.chart,
        "encodings": encodings,
        "frame": _frame(title, contract.definition),
    }
    return _widget(f"{name}_{contract.chart}", name, fields, spec, raw=contract.chart == "bar")
