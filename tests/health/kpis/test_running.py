"""Jobs and warehouses: rates, recoveries, slower jobs, schedules, idle minutes and waiting, worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.health.kpis.stand import Stand, at, day, lines

from brickyard.health.model.kpi import Status

OK, WARN, CRITICAL, NOT_ASSESSED = Status
RUNS, TASKS, JOBS = "lakeflow.fact_job_run", "lakeflow.fact_job_task_run", "lakeflow.dim_job"
QUERIES, EVENTS = "query_performance.fact_query_history", "query_performance.fact_warehouse_events"
WAREHOUSES = "query_performance.dim_warehouse"


def ran(number: int, start: datetime, minutes: int | None, state: str | None = "SUCCEEDED", **more: Any):
    """A job run; without a state it is not final."""
    end = None if minutes is None else start + timedelta(minutes=minutes)
    plain = {"workspace_id": "w", "job_id": "7", "run_id": f"{number:04d}", "run_type": "JOB_RUN"}
    times = {"run_start_time": start, "run_end_time": end, "run_date": start.date()}
    told = {"result_state": state, "is_final": state is not None, "is_success": state and state == "SUCCEEDED"}
    seconds = None if minutes is None else minutes * 60
    return {**plain, **times, **told, "run_duration_seconds": seconds, **more}


def test_the_success_rate_counts_final_job_runs_alone(stand: Stand):
    rows = [
        *(ran(n, at(2, n), 5) for n in range(17)),
        *(ran(20, at(2, 20), 5, "FAILED"), ran(21, at(2, 21), 5, "CANCELED"), ran(22, at(2, 22), 5, "SKIPPED")),
        ran(23, at(2, 23), None, None),
        ran(24, at(2, 23), 5, "FAILED", run_type="WORKFLOW_RUN"),
        ran(25, at(2, 1), 5, job_id="8"),
    ]
    found = stand.value("success-rate", {RUNS: rows})
    assert lines(found, "job_id", "success_percent", "succeeded", "final_runs", "status") == [
        ("7", 85.0, 17, 20, WARN),
        ("8", 100.0, 1, 1, OK),
    ]
    assert (found.status, found.reason) == (WARN, "1 of 2 rows are WARN")


def test_runs_that_are_not_final_are_no_rate(stand: Stand):
    assert stand.value("success-rate", {RUNS: [ran(1, at(2), None, None)]}).status is NOT_ASSESSED


def test_the_rate_after_retries_judges_the_last_attempt_of_each_task(stand: Stand):
    def task(run: str, attempt: int, last: bool, well: bool | None) -> dict[str, Any]:
        whose = {"workspace_id": "w", "job_id": "7", "job_run_id": run, "run_date": day(2)}
        return {
            **whose,
            "attempt_number": attempt,
            "is_last_attempt": last,
            "is_final": well is not None,
            "is_success": well,
        }

    rows = [
        *(task("1", 1, False, False), task("1", 2, True, True)),
        *(task("2", 1, True, True), task("3", 1, True, True), task("4", 1, True, False), task("5", 1, True, None)),
    ]
    found = stand.value("success-rate-after-retries", {TASKS: rows})
    columns = ("job_id", "success_percent", "first_attempt_percent", "tasks", "retries", "status")
    assert lines(found, *columns) == [("7", 75.0, 50.0, 4, 1, CRITICAL)]


def test_recovery_lasts_from_the_first_failure_to_the_next_success(stand: Stand):
    rows = [
        ran(1, at(2, 1), 0),
        *(ran(2, at(2, 2), 0, "FAILED"), ran(3, at(2, 3), 0, "TIMEDOUT"), ran(4, at(2, 4), 0, "SKIPPED")),
        *(ran(5, at(2, 5), 0), ran(6, at(3, 1), 0, "FAILED"), ran(7, at(3, 2), 0)),
        *(ran(8, at(30, 22), 0, job_id="8"), ran(9, at(30, 23), 0, "FAILED", job_id="8")),
        ran(10, at(30, 22), 0, job_id="9"),
    ]
    found = stand.value("time-to-recover", {RUNS: rows})
    # Job 7: three hours and one. Job 8: open since 23:00, and it is 04:00.
    columns = ("job_id", "hours_to_recover", "recovered", "open_incidents", "open_hours", "worst_hours", "status")
    assert lines(found, *columns) == [
        ("8", None, 0, 1, 5.0, 5.0, WARN),
        ("7", 2.0, 2, 0, None, 2.0, OK),
    ]


def test_no_failure_in_known_runs_is_well_and_no_run_is_unknown(stand: Stand):
    well = stand.value("time-to-recover", {RUNS: [ran(1, at(2, 1), 0)]})
    assert (well.status, well.reason, well.rows) == (OK, "nothing found in 1 final runs", ())
    assert stand.value("time-to-recover", {}).status is NOT_ASSESSED


def test_a_slower_job_needs_a_clear_difference_of_its_last_seven_runs(stand: Stand):
    rows = [ran(n, at(1, 0) + timedelta(hours=6 * n), 10 + n % 2) for n in range(28)]
    rows += [ran(28 + n, at(20, n), 15) for n in range(7)]
    rows += [ran(100 + n, at(1, 0) + timedelta(hours=6 * n), 10 + n % 2, job_id="8") for n in range(35)]
    rows += [ran(200 + n, at(20, n % 24), 15, job_id="9") for n in range(34)]
    found = stand.value("duration-regression", {RUNS: rows})
    # Job 7: the seven slowest hold ranks 29 to 35, together 224; 224 - 126 = 98. Ties of 14, 14 and 7 take
    # (2730 + 2730 + 336) / (35 * 34) = 4.870588 from 36, so the deviation is sqrt(196 / 12 * 31.129412) = 22.549077.
    columns = ("job_id", "regression_percent", "change_percent", "z", "recent_seconds", "earlier_seconds", "status")
    assert lines(found, *columns)[0] == ("7", 42.8571, 42.8571, 4.3461, 900.0, 630.0, WARN)
    assert lines(found, "job_id", "regression_percent", "status")[1:] == [("8", 0.0, OK)]


def scheduled(cron: str, **more: Any) -> dict[str, Any]:
    plain = {"workspace_id": "w", "job_id": "7", "valid_from_open": datetime(1900, 1, 1)}
    zone = {"trigger_schedule_timezone_id": "Europe/Berlin"}
    return {**plain, **zone, "trigger_schedule_quartz_cron_expression": cron, **more}


def test_a_slot_without_a_run_before_the_next_one_was_missed(stand: Stand):
    jobs = [
        scheduled("0 0 6 * * ?"),  # 04:00 UTC in summer
        scheduled("every day", job_id="8"),
        scheduled("0 0 6 * * ?", job_id="9", paused=True),
    ]
    rows = [ran(n, at(n, 4, 1), 5) for n in (24, 25, 26, 28, 29)]  # 27 and 30 are missing
    found = stand.value("missed-schedules", {JOBS: jobs, RUNS: rows})
    assert lines(found, "job_id", "missed", "slots", "first_missed", "status") == [
        ("7", 2, 7, at(27, 4), WARN),
        ("8", None, 0, None, NOT_ASSESSED),
    ]
    assert (found.status, found.reason) == (WARN, "1 of 2 rows are WARN; 1 are not assessed")


def test_jobs_without_a_schedule_miss_nothing_and_are_not_assessed(stand: Stand):
    assert stand.value("missed-schedules", {RUNS: [ran(1, at(28), 5)]}).status is NOT_ASSESSED


def test_a_run_is_late_when_it_ends_after_its_slot_and_its_usual_time(stand: Stand):
    rows = [ran(n, at(n + 1, 4), 10) for n in range(20)]  # before the window: always ten minutes
    rows += [ran(30, at(24, 4), 10), ran(31, at(25, 4), 11), ran(32, at(26, 4, 1), 10), ran(33, at(27, 4), None, None)]
    found = stand.value("sla-misses", {JOBS: [scheduled("0 0 6 * * ?")], RUNS: rows})
    columns = ("job_id", "late_percent", "late_runs", "final_runs", "p95_seconds", "status")
    assert lines(found, *columns) == [("7", 66.6667, 2, 3, 600.0, CRITICAL)]


def test_without_runs_before_the_window_nobody_knows_what_is_late(stand: Stand):
    rows = [ran(30, at(24, 4), 10)]
    found = stand.value("sla-misses", {JOBS: [scheduled("0 0 6 * * ?")], RUNS: rows})
    assert lines(found, "late_percent", "late_runs", "final_runs") == [(None, None, 1)]
    assert found.status is NOT_ASSESSED


def test_time_in_the_queue_that_is_not_reported_is_left_out(stand: Stand):
    rows = [
        ran(1, at(2), 10, queue_duration_seconds=60),
        ran(2, at(3), 10, queue_duration_seconds=120),
        ran(3, at(4), 1000, queue_duration_seconds=None),
        ran(4, at(4), 10, job_id="8", queue_duration_seconds=None),
    ]
    found = stand.value("queue-share", {RUNS: rows})
    assert lines(found, "job_id", "queue_percent", "queue_seconds", "measured_runs", "final_runs", "status") == [
        ("7", 15.0, 180, 2, 3, WARN),
        ("8", None, None, 0, 1, NOT_ASSESSED),
    ]


def test_idle_minutes_are_those_of_a_running_warehouse_without_statements(stand: Stand):
    def told(kind: str, when: datetime, clusters: int = 1, warehouse: str = "h") -> dict[str, Any]:
        whose = {"workspace_id": "w", "warehouse_id": warehouse, "event_date": when.date()}
        return {**whose, "event_type": kind, "event_time": when, "cluster_count": clusters}

    def asked(number: str, begin: datetime, end: datetime | None) -> dict[str, Any]:
        whose = {"workspace_id": "w", "compute_warehouse_id": "h", "statement_id": number}
        return {**whose, "start_time": begin, "end_time": end, "start_date": begin.date()}

    events = [
        *(told("STARTING", at(25, 8)), told("RUNNING", at(25, 8, 5)), told("SCALED_UP", at(25, 8, 30), 2)),
        *(told("STOPPING", at(25, 9, 5)), told("SCALED_DOWN", at(25, 9, 6), 0), told("STOPPED", at(25, 9, 6), 0)),
        told("RUNNING", at(23, 23), warehouse="on"),
        told("STOPPED", at(24, 2), warehouse="on"),
    ]
    statements = [
        *(asked("a", at(25, 8, 0), at(25, 8, 10)), asked("b", at(25, 8, 20), at(25, 8, 40))),
        *(asked("c", at(25, 8, 25), at(25, 8, 45)), asked("d", at(26, 8), at(26, 9))),
    ]
    known = [
        {"workspace_id": "w", "warehouse_id": name, "warehouse_name": name, "is_current": True, "version_number": 1}
        for name in ("h", "silent")
    ]
    found = stand.value("idle-warehouse-minutes", {EVENTS: events, QUERIES: statements, WAREHOUSES: known})
    # h: up for 60 minutes, at work for 5 and 25 of them. on: up from before the window until two hours into it.
    columns = ("warehouse_id", "idle_minutes", "up_minutes", "idle_percent", "warehouse_name", "status")
    rows = [tuple(float(v) if isinstance(v, int | float) else v for v in row) for row in lines(found, *columns)]
    assert [(a, b and float(b), c and float(c), d, e, f) for a, b, c, d, e, f in rows] == [
        ("on", 120.0, 120.0, 100.0, None, OK),
        ("h", 30.0, 60.0, 50.0, "h", OK),
        ("silent", None, None, None, "silent", NOT_ASSESSED),
    ]


def test_a_percentile_of_the_waiting_time_needs_twenty_measured_statements(stand: Stand):
    def waited(number: int, milliseconds: int | None, warehouse: str = "h") -> dict[str, Any]:
        whose = {"workspace_id": "w", "compute_warehouse_id": warehouse, "statement_id": f"{warehouse}{number}"}
        return {**whose, "start_date": day(28), "is_final": True, "queue_duration_ms": milliseconds}

    rows = [waited(n, 1000 * n) for n in range(21)] + [waited(50 + n, None) for n in range(9)]
    rows += [waited(n, 5, "few") for n in range(19)] + [waited(1, None, "serverless")]
    found = stand.value("query-queue-p95", {QUERIES: rows})
    assert lines(found, "warehouse_id", "p95_ms", "measured", "statements", "status") == [
        ("h", 19000.0, 21, 30, WARN),
        ("few", None, 19, 19, NOT_ASSESSED),
        ("serverless", None, 0, 1, NOT_ASSESSED),
    ]
