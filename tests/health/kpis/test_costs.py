"""Costs: every number is worked out by hand from the few rows above it; an unknown cost is no zero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.health.kpis.stand import Stand, at, day, lines, money, used

from brickyard.health.flow import kpis
from brickyard.health.model.kpi import Status

OK, WARN, CRITICAL, NOT_ASSESSED = Status
USAGE = "billing.fact_usage"
APRIL_2 = day(2)


def test_daily_cost_nets_corrections_and_knows_no_cost_without_a_price(stand: Stand):
    rows = [
        used("a", "10.5", day(2)),
        used("a", "-10.5", day(2), record_type="RETRACTION"),
        used("a", "4.25", day(2), record_type="RESTATEMENT"),
        used("b", "0.0000000000000000001", day(2)),
        used("c", None, day(3)),
        used("d", "99", date(2026, 3, 31)),
        used("e", "99", day(1, month=5)),
    ]
    found = stand.value("daily-cost", {USAGE: rows})
    assert lines(found, "usage_date", "workspace_id", "product", "sku_name", "cost", "unpriced_records", "status") == [
        (day(2), "w", "JOBS", "JOBS", money("4.2500000000000000001"), 0, OK),
        (day(3), "w", "JOBS", "JOBS", None, 1, NOT_ASSESSED),
    ]
    assert (found.status, found.reason) == (OK, "1 rows, no limits; 1 are not assessed")


def test_a_day_on_which_nothing_has_a_price_is_not_assessed(stand: Stand):
    found = stand.value("daily-cost", {USAGE: [used("c", None, day(3))]})
    assert (found.status, found.rows[0]["cost"], found.value) == (NOT_ASSESSED, None, None)


def test_job_cost_tells_serverless_from_classic_under_the_newest_name(stand: Stand):
    job = {"usage_metadata_job_id": "7"}
    rows = [
        used("a", "3", day(2), **job, product_features_is_serverless=True),
        used("b", "4", day(2), **job, product_features_is_serverless=False),
        used("c", "5", day(4), **job, product_features_is_serverless=False),
        used("d", "6", day(4), **job),
        used("e", "100", day(4)),
    ]
    jobs = [
        {"workspace_id": "w", "job_id": "7", "name": "old", "version_number": 1},
        {"workspace_id": "w", "job_id": "7", "name": "load", "version_number": 2},
        {"workspace_id": "x", "job_id": "7", "name": "other", "version_number": 3},
    ]
    found = stand.value("job-cost", {USAGE: rows, "lakeflow.dim_job": jobs})
    assert lines(found, "workspace_id", "job_id", "compute", "cost", "job_name") == [
        ("w", "7", "classic", money("9"), "load"),
        ("w", "7", "unknown", money("6"), "load"),
        ("w", "7", "serverless", money("3"), "load"),
    ]


def test_run_cost_keeps_what_names_no_run_apart(stand: Stand):
    rows = [
        used("a", "1.5", day(28), usage_metadata_job_id="7", usage_metadata_job_run_id="70"),
        used("b", "2", day(29), usage_metadata_job_id="7", usage_metadata_job_run_id="70"),
        used("c", "0.25", day(29), usage_metadata_job_id="7"),
        used("d", "8", day(29)),
    ]
    found = stand.value("run-cost", {USAGE: rows})
    assert lines(found, "job_id", "run_id", "cost", "attributed") == [
        ("7", "70", money("3.5"), True),
        ("7", None, money("0.25"), False),
    ]


def run(number: str, state: str | None, job: str = "7", when: date = APRIL_2) -> dict[str, Any]:
    return {
        "workspace_id": "w",
        "job_id": job,
        "run_id": number,
        "run_date": when,
        "result_state": state,
        "is_final": state is not None,
    }


def test_failed_runs_cost_what_neither_succeeded_nor_was_skipped(stand: Stand):
    rows = [
        used(number, cost, day(2), usage_metadata_job_run_id=number)
        for number, cost in (("1", "90"), ("2", "6"), ("3", "4"), ("4", "50"), ("5", "1"))
    ]
    runs = [
        run("1", "SUCCEEDED"),
        run("2", "FAILED"),
        run("3", "TIMED_OUT"),
        run("4", None),
        run("6", "CANCELED"),
        run("5", "SKIPPED", job="8"),
    ]
    found = stand.value("failed-run-cost", {USAGE: rows, "lakeflow.fact_job_run": runs})
    columns = ("job_id", "failed_cost", "failed_percent", "run_cost", "failed_runs", "failed_runs_without_cost")
    assert lines(found, *columns) == [("7", money("10"), 10.0, money("100"), 3, 1)]
    assert (found.status, found.reason) == (WARN, "1 of 1 rows are WARN")
    assert (found.column, found.value) == ("failed_cost", "10.0000000000000000000")


def test_failed_runs_without_a_cost_are_not_assessed(stand: Stand):
    found = stand.value("failed-run-cost", {"lakeflow.fact_job_run": [run("1", "FAILED")]})
    assert (found.status, found.rows[0]["failed_cost"]) == (NOT_ASSESSED, None)


def test_retries_cost_their_share_of_the_tasks_time(stand: Stand):
    def task(run_id: str, seconds: int, last: bool) -> dict[str, Any]:
        shared = {"workspace_id": "w", "job_id": "7", "run_date": day(2)}
        return {**shared, "job_run_id": run_id, "run_duration_seconds": seconds, "is_last_attempt": last}

    rows = [used(r, "12", day(2), usage_metadata_job_run_id=r) for r in ("1", "2")]
    tasks = [task("1", 100, False), task("1", 200, True), task("1", 100, True), task("2", 50, True)]
    found = stand.value("retry-cost", {USAGE: rows, "lakeflow.fact_job_task_run": tasks})
    assert lines(found, "run_id", "retry_cost", "run_cost", "retries") == [("1", money("3"), money("12"), 1)]


def test_owner_cost_takes_the_owner_as_of_the_usage_and_keeps_the_unknown_apart(stand: Stand):
    rows = [
        used("a", "1", day(2), usage_start_time=at(2), identity_metadata_run_as="ann"),
        used("b", "2", day(2), usage_start_time=at(2), usage_metadata_job_id="7"),
        used("c", "4", day(20), usage_start_time=at(20), usage_metadata_job_id="7"),
        used("d", "8", day(2), usage_start_time=at(2), usage_metadata_cluster_id="k"),
        used("e", "16", day(2), usage_start_time=at(2), usage_metadata_warehouse_id="h"),
        used("f", "32", day(2), usage_start_time=at(2)),
    ]
    old = at(1, month=1)
    jobs = [
        {"workspace_id": "w", "job_id": "7", "run_as_user_name": "bob", "valid_from_open": old, "valid_to": at(10)},
        {"workspace_id": "w", "job_id": "7", "creator_user_name": "eve", "valid_from_open": at(10)},
    ]
    clusters = [{"workspace_id": "w", "cluster_id": "k", "owned_by": "cat", "valid_from_open": old}]
    warehouses = [{"workspace_id": "w", "warehouse_id": "h", "created_by": "dan", "valid_from_open": old}]
    tables = {
        USAGE: rows,
        "lakeflow.dim_job": jobs,
        "compute.dim_cluster": clusters,
        "query_performance.dim_warehouse": warehouses,
    }
    assert lines(stand.value("owner-cost", tables), "owner", "basis", "cost") == [
        ("unknown", "none", money("32")),
        ("dan", "warehouse", money("16")),
        ("cat", "cluster", money("8")),
        ("eve", "job", money("4")),
        ("bob", "job", money("2")),
        ("ann", "run_as", money("1")),
    ]


def test_tag_cost_reads_spellings_of_a_tag_as_one_and_counts_a_record_once_for_each(stand: Stand):
    rows = [
        used("a", "5", day(2), custom_tags={"Cost-Center": "A1 ", "cost_center": "a1", "team": "X"}),
        used("b", "7", day(2), custom_tags={"cost center": "a1"}),
        used("c", "11", day(2), custom_tags={}),
        used("d", "13", day(2)),
    ]
    assert lines(stand.value("tag-cost", {USAGE: rows}), "tag", "tag_value", "cost") == [
        ("cost_center", "a1", money("12")),
        ("team", "x", money("5")),
        (None, None, money("24")),
    ]


def test_untagged_share_alarms_when_attribution_falls_by_five_points(stand: Stand):
    def week(owner: str, when: date, tagged: str, untagged: str) -> list[dict[str, Any]]:
        ran = {"identity_metadata_run_as": owner}
        return [
            used(f"{owner}{when}t", tagged, when, is_tagged=True, **ran),
            used(f"{owner}{when}u", untagged, when, is_tagged=False, **ran),
        ]

    rows = [*week("ann", day(20), "90", "10"), *week("ann", day(28), "84", "16"), *week("bob", day(28), "1", "3")]
    found = stand.value("untagged-share", {USAGE: rows})
    assert lines(found, "owner", "untagged_percent", "change_points", "previous_percent", "status") == [
        ("(all)", 18.2692, 8.2692, 10.0, WARN),
        ("ann", 16.0, 6.0, 10.0, WARN),
        ("bob", 75.0, None, None, NOT_ASSESSED),
    ]
    assert (found.status, found.reason) == (WARN, "2 of 3 rows are WARN; 1 are not assessed")


def test_price_variance_takes_records_with_both_prices(stand: Stand):
    rows = [
        used("a", "8", day(2), list_cost="10"),
        used("b", "0.0000000000000000001", day(2), list_cost="0.0000000000000000003"),
        used("c", None, day(2), list_cost="100"),
    ]
    found = stand.value("price-variance", {USAGE: rows})
    assert lines(found, "sku_name", "cloud", "variance") == [("JOBS", "AWS", money("2.0000000000000000002"))]


def test_unpriced_share_counts_free_usage_as_priced(stand: Stand):
    rows = [
        used("a", "3", day(2), usage_quantity="3", effective_price="1"),
        used("b", None, day(2), usage_quantity="1"),
        used("f", "0", day(2), sku_name="FREE_USAGE", usage_quantity="9", effective_price="0"),
    ]
    found = stand.value("unpriced-share", {USAGE: rows})
    assert lines(found, "sku_name", "unpriced_percent", "unpriced_quantity", "quantity", "status") == [
        ("JOBS", 25.0, Decimal(1), Decimal(4), CRITICAL),
        ("FREE_USAGE", 0.0, Decimal(0), Decimal(9), OK),
    ]


def test_corrections_stand_by_the_month_in_which_they_came_and_name_the_months_they_change(stand: Stand):
    rows = [
        used("a", "100", day(2)),
        used("b", "-10", day(30, month=3), record_type="RETRACTION", ingestion_date=day(5)),
        used("b", "7", day(30, month=3), record_type="RESTATEMENT", ingestion_date=day(5)),
        used("c", "-2", day(3), record_type="RETRACTION", ingestion_date=day(5)),
        used("d", "50", day(28, month=2)),
    ]
    found = stand.value("corrections", {USAGE: rows})
    columns = ("month", "corrected_percent", "retracted_cost", "restated_cost", "restated_months", "status")
    assert lines(found, *columns) == [
        (date(2026, 2, 1), 0.0, money("0"), money("0"), "", OK),
        (date(2026, 4, 1), 12.0, money("12"), money("7"), "2026-03, 2026-04", WARN),
    ]


def test_of_more_rows_than_are_kept_none_that_is_worse_goes_unseen(stand: Stand):
    stand.fill({USAGE: [], "lakeflow.dim_job": []})
    table = stand.door.places.gold(USAGE)
    stand.sql(
        f"INSERT INTO {table} (record_id, usage_date, sku_name, usage_quantity, effective_price)"
        " SELECT cast(id as string), date'2026-04-02', concat('S', cast(id as string)), cast(1 as decimal(28,18)),"
        " CASE WHEN id <> 7 THEN cast(1 as decimal(18,10)) END FROM range(10050)"
    )
    found = kpis.value(stand.door, "unpriced-share")
    assert (found.status, len(found.rows), found.rows[0]["sku_name"], found.value) == (CRITICAL, 10_000, "S7", "100.0")
    assert found.reason == "1 of 10000 rows are CRITICAL; more than 10000 rows, the others are not shown"
