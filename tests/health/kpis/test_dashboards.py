"""The dashboard and the alerts' queries: the same files every time, and every query runs and says what the KPI says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.health.kpis.stand import Stand, gold, used

from brickyard.health.flow import dashboards
from brickyard.health.model.kpi import Page, Status, alerts, contracts
from brickyard.health.plan import bronze, ddl
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.dashboards import alert, datasets, document, files, shown, written
from brickyard.health.plan.kpis import needed
from brickyard.health.plan.text import Places

GOLDEN = Path(__file__).with_name("golden")
PLACES = Places("system_health", "system")


def test_the_files_are_those_that_were_looked_at(tmp_path: Path):
    """Write them anew with `brickyard health dashboards --out tests/health/kpis/golden`, and read the difference."""
    paths = dashboards.write(PLACES, tmp_path)
    found = {str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8") for path in paths}
    kept = {str(p.relative_to(GOLDEN)): p.read_text(encoding="utf-8") for p in GOLDEN.rglob("*") if p.is_file()}
    assert found == kept
    assert files(PLACES) == kept


def widgets() -> list[dict[str, Any]]:
    return [placed["widget"] for page in document(PLACES)["pages"] for placed in page["layout"]]


def test_every_widget_shows_columns_of_its_query_under_a_name_of_its_own():
    columns = {one.kpi.replace("-", "_"): {*one.columns, "status"} for one in shown()}
    summary = {"number", "kpi", "status", "row_count", "observations", "why", "critical", "warned", "unknown"}
    columns |= {f"summary_{page}": summary for page in Page}
    names = [widget["name"] for widget in widgets()]
    assert len(names) == len(set(names))
    for widget in widgets():
        query = widget["queries"][0]["query"]
        read = {field["expression"].split("`")[1] for field in query["fields"]}
        assert read <= columns[query["datasetName"]], widget["name"]
        told = json.dumps(widget["spec"]["encodings"])
        assert all(f'"fieldName": "{field["name"]}"' in told for field in query["fields"])


def test_pages_hold_every_kpi_and_nothing_lies_over_anything_else():
    dashboard = document(PLACES)
    assert [page["name"] for page in dashboard["pages"]] == [page.value for page in Page]
    for page in dashboard["pages"]:
        taken: set[tuple[int, int]] = set()
        for placed in page["layout"]:
            at = placed["position"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["width"]) for y in range(at["height"])}
            assert at["x"] + at["width"] <= 6
            assert not taken & cells
            taken |= cells
    assert {w["spec"]["widgetType"] for w in widgets()} == {"counter", "line", "bar", "table"}
    drawn = {widget["queries"][0]["query"]["datasetName"] for widget in widgets()}
    assert drawn == {one.name for one in datasets(PLACES)}


def test_only_alerts_on_schedules_have_no_query_of_their_own():
    assert set(alerts()) - {one.alert for one in written()} == {"schedule-missed"}


@pytest.fixture(scope="module")
def built(stand: Stand) -> Stand:
    """All tables that KPIs read, and bronze, without rows but for some usage of yesterday."""
    stand.fill(dict.fromkeys(sorted(needed(contracts().values())), ()))
    stand.sql(f"CREATE SCHEMA {stand.catalog}.bronze")
    for source in {table.source.name: table.source for table in gold() if table.source}.values():
        shape = Shape(source, bronze.live_leaves(source.columns))
        stand.sql(ddl.create_bronze(shape, stand.door.places))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    stand.fill({"billing.fact_usage": [used("a", "5", yesterday), used("b", None, yesterday)]})
    return stand


def test_every_query_of_the_dashboard_runs_and_unknown_is_not_assessed(built: Stand):
    found = {one.name: built.sql(one.sql) for one in datasets(built.door.places)}
    assert [(row["product"], row["status"]) for row in found["daily_cost"]] == [("JOBS", "OK")]
    lines = [row for page in Page for row in found[f"summary_{page}"]]
    assert {row["number"]: row["status"] for row in lines} == dict.fromkeys(range(1, 76), "NOT_ASSESSED") | {
        **dict.fromkeys((1, 6, 7, 9, 17), "OK"),
        10: "CRITICAL",  # half of the usage has no price
        11: "OK",
        71: "CRITICAL",  # ... nor a workspace that is known
    }
    assert all(row["why"] for row in lines if row["status"] == "NOT_ASSESSED")


def test_every_alert_runs_and_an_unknown_kpi_is_neither_ringing_nor_quiet(built: Stand):
    found = {one.alert: built.sql(alert(one, built.door.places))[0]["breaches"] for one in written()}
    assert found == dict.fromkeys(found) | {"usage-unpriced": 1}
    assert alerts()["usage-unpriced"].level is Status.CRITICAL
