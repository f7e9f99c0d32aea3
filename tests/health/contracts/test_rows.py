"""What the contracts compute, on a few rows by hand: runs from slices, incidents, detections, hours, sensitive actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from brickyard.health.model import source as sources
from brickyard.health.plan import ddl
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.relations import Batch, groups, newest
from brickyard.health.plan.text import Places, names
from brickyard.local import LocalWorkspace
from brickyard.workspace import run_sql

PLACES = Places("gold", "system")
GOLD = compile_all()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Row = Mapping[str, Any]


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        found = workspace.client()
        for name in ("CATALOG gold", "SCHEMA gold.bronze"):
            run_sql(found, f"CREATE {name}")
        yield found


def literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case datetime():
            return f"timestamp'{value:%Y-%m-%d %H:%M:%S.%f}Z'"
        case str():
            return f"'{value}'"
        case Decimal():
            return f"cast('{value:f}' as decimal(38,18))"
        case _:
            return str(value)


def of_rows(client: WorkspaceClient, name: str, rows: Sequence[Row], columns: str) -> list[tuple[Any, ...]]:
    """Put rows into bronze, each with its number as its hash, and return columns of the gold rows made of them."""
    table = GOLD[name]
    assert table.source
    bronze = PLACES.bronze(table.source.bronze)
    run_sql(client, f"DROP TABLE IF EXISTS {bronze}")
    run_sql(client, ddl.create_bronze(Shape(sources.load(table.source.name), {}), PLACES))
    whole = [{"_row_hash": f"{number:03}", "_batch": 1, **row} for number, row in enumerate(rows)]
    filled = sorted({column for row in whole for column in row})
    values = ", ".join(f"({', '.join(literal(row.get(column)) for column in filled)})" for row in whole)
    run_sql(client, f"INSERT INTO {bronze} ({names(filled)}) VALUES {values}")
    made = newest if table.latest else groups
    return [
        tuple(row)
        for row in run_sql(client, f"SELECT {columns} FROM ({made(table, PLACES, Batch(0, 1))}) ORDER BY 1, 2")
    ]


def a_slice(run: str, begin: float, end: float | None, state: str | None = None, **more: Any) -> Row:
    whole = {"workspace_id": "1", "run_id": run, "result_state": state, **more}
    return {**whole, "period_start_time": at(begin), "period_end_time": None if end is None else at(end)}


SLICES = (
    a_slice("long", 60, 120),
    a_slice("long", 120, 150.5, "SUCCEEDED"),  # the outcome comes before the slice that it ends is told
    a_slice("long", 0, 60),
    a_slice("long", 60, 100, "FAILED"),  # an older telling of a slice: the newer one ends later
    a_slice("open", 0, 60),
    a_slice("open", 60, None),
    a_slice("mended", 0, 10, "FAILED"),
    a_slice("mended", 30, 45, "SUCCEEDED"),
    a_slice("backward", 20, 10, "SUCCEEDED"),
)


def test_a_run_is_put_together_from_its_slices_in_whatever_order_they_are_told(client: WorkspaceClient) -> None:
    columns = (
        "run_id, run_start_time, run_end_time, slice_count, result_state, is_final, is_success, run_duration_seconds"
    )
    wanted = [
        ("long", at(0), at(150.5), 3, "SUCCEEDED", True, True, 9030),
        ("mended", at(0), at(45), 2, "SUCCEEDED", True, True, 2700),
        ("open", at(0), at(60), 2, None, False, None, 3600),
    ]
    for told in (SLICES, SLICES[::-1], SLICES + SLICES):
        assert of_rows(client, "lakeflow.fact_job_run", told, columns) == wanted


def test_a_slice_has_the_length_by_which_slices_add_up_and_a_result_only_where_the_run_ends(
    client: WorkspaceClient,
) -> None:
    rows = (
        a_slice("a", 0, 60.01),
        a_slice("a", 60.01, 61, "TIMED_OUT"),
        a_slice("b", 0, None),
        a_slice("c", 720, 721, "SUCCEEDED"),
    )
    columns = "run_id, period_start_time, run_date, run_duration_seconds, run_duration_minutes, is_success"
    assert of_rows(client, "lakeflow.fact_job_run_timeline", rows, columns) == [
        ("a", at(0), date(2026, 3, 1), 3600, 60.0, None),
        ("a", at(60.01), date(2026, 3, 1), 60, 1.0, False),
        ("b", at(0), date(2026, 3, 1), None, None, None),
        ("c", at(720), date(2026, 3, 2), 60, 1.0, True),
    ]


def phases(run: str, setup: int | None, queue: int | None, execution: int | None, whole: int | None) -> Row:
    columns = ("setup_duration_seconds", "queue_duration_seconds", "execution_duration_seconds", "run_duration_seconds")
    return a_slice(run, 0, 1, "SUCCEEDED", **dict(zip(columns, (setup, queue, execution, whole), strict=True)))


@pytest.mark.parametrize("table", ["lakeflow.fact_job_run", "lakeflow.fact_job_run_timeline"])
def test_a_zero_is_not_reported_where_no_phase_is(client: WorkspaceClient, table: str) -> None:
    rows = (
        phases("one task", 0, 0, 60, 60),
        phases("several tasks", 0, 0, 0, 60),
        phases("several tasks, queued", 0, 7, 0, 60),
        phases("told before the columns were there", None, None, None, None),
        phases("without a length", 0, 0, 0, 0),
    )
    columns = "run_id, setup_duration_seconds, queue_duration_seconds, execution_duration_seconds, reported_run_duration_seconds"
    assert of_rows(client, table, rows, columns) == [
        ("one task", 0, 0, 60, 60),
        ("several tasks", None, None, None, 60),
        ("several tasks, queued", None, 7, None, 60),
        ("told before the columns were there", None, None, None, None),
        ("without a length", None, None, None, None),
    ]


def test_attempts_of_a_task_are_counted_within_their_job_run(client: WorkspaceClient) -> None:
    def task(run: str, begin: float, key: str, job_run: str | None) -> Row:
        return a_slice(run, begin, begin + 1, "FAILED", task_key=key, job_run_id=job_run)

    rows = (
        task("3", 20, "load", "r"),
        task("1", 0, "load", "r"),
        task("2", 5, "check", "r"),
        task("4", 0, "load", None),
    )
    assert of_rows(client, "lakeflow.fact_job_task_run", rows, "run_id, attempt_number, is_last_attempt") == [
        ("1", 1, False),
        ("2", 1, True),
        ("3", 2, True),
        ("4", None, None),
    ]


def scan(minutes: float, status: str | None, table: str = "t", **more: Any) -> Row:
    return {"table_id": table, "event_time": at(minutes), "status": status, **more}


def test_scans_one_after_another_with_one_status_are_a_period_and_the_unhealthy_ones_are_incidents(
    client: WorkspaceClient,
) -> None:
    rows = (
        scan(30, "UNHEALTHY", downstream_impact__impact_level=3, table_name="new"),
        scan(0, "Healthy"),
        scan(10, "HEALTHY"),
        scan(20, "Unhealthy", downstream_impact__impact_level=1, freshness__status="Unhealthy", table_name="old"),
        scan(40, None),
        scan(50, None),
        scan(60, "healthy"),
        scan(0, "Unknown", "u"),
    )
    columns = "table_id, valid_from, valid_to, status, scan_count, is_incident, is_current, duration_seconds, max_impact_level, table_name, freshness_incident_count"
    wanted = [
        ("t", at(0), at(20), "HEALTHY", 2, False, False, 1200, None, None, 0),
        ("t", at(20), at(40), "UNHEALTHY", 2, True, False, 1200, 3, "new", 1),
        ("t", at(40), at(60), None, 2, False, False, 1200, None, None, 0),
        ("t", at(60), None, "HEALTHY", 1, False, True, None, None, None, 0),
        ("u", at(0), None, "UNKNOWN", 1, False, True, None, None, None, 0),
    ]
    for told in (rows, rows[::-1]):
        assert of_rows(client, "dqm.fact_dq_monitoring", told, columns) == wanted


def detection(day: int, name: str, confidence: str = "HIGH", value: str | None = None) -> Row:
    key = {"table_id": "t", "column_name": name, "class_tag": "class.name", "class_tag_value": value}
    return {**key, "confidence": confidence, "frequency": day / 10, "_snapshot_at": at(1440 * day)}


DETECTIONS = (
    *(detection(day, "stays") for day in (0, 1, 2, 3)),
    *(detection(day, "goes and comes back") for day in (0, 3)),
    *(detection(day, "changes", "LOW" if day < 2 else "HIGH") for day in (0, 1, 2, 3)),
    *(detection(day, "comes late, then goes", value="gdpr") for day in (1, 2)),
)


def test_detections_appear_change_and_are_cleared_as_the_states_of_the_source_show(client: WorkspaceClient) -> None:
    name = "data_classification.fact_data_classification_results"
    assert of_rows(client, name, DETECTIONS, "column_name, observed_at, event, confidence, class_tag_value") == [
        ("changes", at(0), "APPEARED", "LOW", None),
        ("changes", at(2880), "CHANGED", "HIGH", None),
        ("comes late, then goes", at(1440), "APPEARED", "HIGH", "gdpr"),
        ("comes late, then goes", at(4320), "CLEARED", "HIGH", "gdpr"),
        ("goes and comes back", at(0), "APPEARED", "HIGH", None),
        ("goes and comes back", at(1440), "CLEARED", "HIGH", None),
        ("goes and comes back", at(4320), "APPEARED", "HIGH", None),
        ("stays", at(0), "APPEARED", "HIGH", None),
    ]


def test_what_the_newest_state_does_not_show_is_no_longer_classified(client: WorkspaceClient) -> None:
    name = "data_classification.fact_data_classification"
    assert of_rows(client, name, DETECTIONS, "column_name, frequency, observed_at") == [
        ("changes", 0.3, at(4320)),
        ("goes and comes back", 0.3, at(4320)),
        ("stays", 0.3, at(4320)),
    ]


def test_an_hour_of_a_node_is_made_of_its_minutes_each_once(client: WorkspaceClient) -> None:
    def minute(begin: int, user: float | None, **more: Any) -> Row:
        node = {"workspace_id": "1", "cluster_id": "c", "instance_id": "i", "cpu_user_percent": user, **more}
        return {**node, "cpu_system_percent": 1.0, "start_time": at(begin), "end_time": at(begin + 1)}

    rows = (
        *(minute(at_, float(at_)) for at_ in range(40)),
        minute(5, 90.0),  # told again: the greater hash wins
        minute(60, None, network_sent_bytes=7),
    )
    columns = "hour_start, sample_count, covered_seconds, avg_cpu_percent, max_cpu_percent, p95_cpu_percent, network_sent_bytes"
    assert of_rows(client, "compute.fact_node_hour", rows, columns) == [
        (at(0), 40, 2400, (sum(range(41)) - 5 - 40 + 90 + 40) / 40, 91.0, 39.0, None),
        (at(60), 1, 60, None, None, None, 7),
    ]


def test_an_action_is_sensitive_by_its_service_and_its_whole_name(client: WorkspaceClient) -> None:
    actions = (
        ("accounts", "generateDbToken", 200),
        ("accounts", "tokenLogin", 401),
        ("unityCatalog", "updatePermissions", 400),
        ("jobs", "updatePermissions", None),
        ("unityCatalog", "getTable", 200),
        (None, "setAdmin", 399),
    )
    rows = [
        {"event_id": f"{number}", "service_name": service, "action_name": action, "response__status_code": status}
        for number, (service, action, status) in enumerate(actions)
    ]
    columns = "event_id, is_sensitive_action, is_failed_action"
    assert of_rows(client, "security.fact_audit_logs", rows, columns) == [
        ("0", True, False),
        ("1", False, True),
        ("2", True, True),
        ("3", False, None),
        ("4", False, False),
        ("5", False, False),
    ]


def test_payloads_leave_their_size_and_hash_and_no_text(client: WorkspaceClient) -> None:
    row = {
        "databricks_request_id": "r",
        "request": "é",
        "sampling_fraction": 0.25,
        "request_date": NOON.date().isoformat(),
    }
    empty = {"databricks_request_id": "s", "sampling_fraction": 0.0}
    columns = "databricks_request_id, request_bytes, request_sha256, response_bytes, response_sha256, request_weight"
    digest = "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    assert of_rows(client, "model_serving.fact_payload_logs", [row, empty], columns) == [
        ("r", 2, digest, None, None, 4.0),
        ("s", None, None, None, None, None),
    ]


def test_events_that_are_alike_in_every_column_are_one(client: WorkspaceClient) -> None:
    step = {"listing_id": "l", "event_type": "VIEW_LISTING"}
    rows = [{**step, "_row_hash": "alike"}, {**step, "_row_hash": "alike"}, {**step, "_row_hash": "other"}]
    found = of_rows(client, "marketplace.fact_listing_funnel", rows, "row_hash, listing_id")
    assert found == [("alike", "l"), ("other", "l")]


def test_a_price_that_gold_would_round_is_kept_out(client: WorkspaceClient) -> None:
    key = {
        "account_id": "a",
        "cloud": "AWS",
        "currency_code": "USD",
        "usage_unit": "DBU",
        "price_start_time": NOON,
        "_snapshot_at": NOON,
    }
    seven, five, fine = Decimal("0.07"), Decimal("0.05"), Decimal("0.00000000001")
    rows = [
        {**key, "sku_name": name, "pricing__default": seven, "pricing__effective_list__default": effective}
        for name, effective in (("exact", None), ("listed", five), ("too fine", fine))
    ]
    columns = "sku_name, cast(effective_list_price as string), price_basis"
    assert of_rows(client, "billing.fact_list_prices", rows, columns) == [
        ("exact", "0.0700000000", "list_default"),
        ("listed", "0.0500000000", "list_effective"),
    ]
