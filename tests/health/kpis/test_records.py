"""Security, data and the product itself: what was audited, monitored and remembered, and what nobody can know."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.health.kpis.stand import AT, Stand, at, day, lines, used

from brickyard.health.flow import kpis
from brickyard.health.model.kpi import Status

OK, WARN, CRITICAL, NOT_ASSESSED = Status
AUDIT, MONITOR = "security.fact_audit_logs", "dqm.fact_dq_monitoring"
RUN = {"run": 1, "run_id": "r", "status": "SUCCEEDED", "started_at": AT - timedelta(days=1)}


def audited(number: str, when: datetime, action: str, failed: bool | None, **more: Any) -> dict[str, Any]:
    service, _, name = action.partition(".")
    plain = {"event_id": number, "event_time": when, "event_date": when.date(), "service_name": service}
    who = {"user_identity_email": "ann", "source_ip_address": "10.0.0.1"}
    return {**plain, **who, "action_name": name, "is_failed_action": failed, **more}


def test_failed_logins_come_in_bursts_and_from_new_addresses(stand: Stand):
    rows = [audited(f"a{n}", at(28, 9, n), "accounts.login", True, source_ip_address="6.6.6.6") for n in range(6)]
    rows += [audited("a9", at(28, 11), "accounts.login", True), audited("a8", at(3), "accounts.login", False)]
    rows += [audited("b", at(28, 9), "accounts.tokenLogin", True, user_identity_email=None, source_ip_address=None)]
    rows += [audited("c", at(28, 9), "accounts.login", False, user_identity_email="bob")]
    rows += [audited("d", at(28, 9), "jobs.create", True)]
    found = stand.value("failed-logins", {AUDIT: rows})
    columns = ("principal", "failed_logins", "most_in_ten_minutes", "addresses", "new_addresses", "last_time", "status")
    assert lines(found, *columns) == [
        ("ann", 7, 6, 2, 1, at(28, 11), WARN),
        ("unknown", 1, 1, 0, 0, at(28, 9), OK),
    ]


def test_logins_that_all_went_well_are_well_and_a_silent_log_is_not(stand: Stand):
    well = stand.value("failed-logins", {AUDIT: [audited("c", at(28, 9), "accounts.login", False)]})
    assert (well.status, well.reason) == (OK, "nothing found in 1 audited logins with a response")
    silent = stand.value("failed-logins", {AUDIT: [audited("c", at(28, 9), "accounts.login", None)]})
    assert silent.status is NOT_ASSESSED


def test_permission_changes_are_listed_actions_and_refused_ones_stand_apart(stand: Stand):
    rows = [
        *(audited(f"g{n}", at(28, n), "unityCatalog.updatePermissions", False) for n in range(2)),
        *(audited(f"r{n}", at(28, n), "unityCatalog.updatePermissions", True) for n in range(3)),
        audited("n", at(29), "jobs.changeJobAcl", None),
        audited("t", at(29), "accounts.tokenLogin", False),
    ]
    found = stand.value("permission-changes", {AUDIT: rows})
    assert lines(found, "service_name", "action_name", "principal", "changes", "refused", "status") == [
        ("unityCatalog", "updatePermissions", "ann", 2, 3, WARN),
        ("jobs", "changeJobAcl", "ann", 1, 0, OK),
    ]
    assert stand.value("permission-changes", {}).status is NOT_ASSESSED


def monitored(table: str, begin: datetime, end: datetime | None, bad: bool) -> dict[str, Any]:
    name = {"catalog_name": "main", "schema_name": "sales", "table_name": table, "table_id": table}
    times = {"valid_from": begin, "valid_to": end, "is_current": end is None}
    return {**name, **times, "is_incident": bad, "freshness_incident_count": 1 if bad else 0}


def test_incidents_are_healed_or_open(stand: Stand):
    rows = [
        *(monitored("a", at(1), at(5), False), monitored("a", at(5), at(5, 6), True)),
        *(monitored("a", at(5, 6), at(9), False), monitored("a", at(9), at(9, 2), True)),
        monitored("a", at(9, 2), None, False),
        *(monitored("b", at(1), at(30, 20), False), monitored("b", at(30, 20), None, True)),
        monitored("old", at(1, month=1), at(1, month=2), True),
    ]
    found = stand.value("freshness-incidents", {MONITOR: rows})
    columns = ("table_full_name", "incidents", "freshness_incidents", "hours_to_heal", "open_incidents", "open_hours")
    assert lines(found, *columns, "status") == [
        ("main.sales.b", 1, 1, None, 1, 8.0, WARN),
        ("main.sales.a", 2, 2, 4.0, 0, 0.0, OK),
    ]
    assert stand.value("freshness-incidents", {}).status is NOT_ASSESSED


def test_drift_that_needs_a_decision_is_critical(stand: Stand):
    def drifted(leaf: str, kind: str, when: datetime) -> dict[str, Any]:
        return {"source": "billing.usage", "leaf": leaf, "kind": kind, "at": when}

    rows = [drifted("b", "ADDED", at(3)), drifted("a", "ADDED", at(4)), drifted("c", "REMOVED", at(5))]
    rows.append(drifted("z", "REMOVED", at(5, month=1)))
    found = stand.value("drift-events", {"ops.drift": rows, "ops.runs": [RUN]})
    assert lines(found, "source", "kind", "events", "breaking", "leaves", "status") == [
        ("billing.usage", "REMOVED", 1, 1, "c", CRITICAL),
        ("billing.usage", "ADDED", 2, 0, "a, b", OK),
    ]
    assert stand.value("drift-events", {"ops.runs": [RUN]}).status is OK
    assert stand.value("drift-events", {}).status is NOT_ASSESSED


def test_rows_in_quarantine_are_counted_by_table_and_rule(stand: Stand):
    rows = [
        {"table_name": "billing.fact_usage", "reason": "interval-forward", "row_hash": n, "at": when}
        for n, when in (("1", at(1, month=1)), ("2", at(3)))
    ]
    found = stand.value("quarantined-rows", {"ops.quarantine": rows, "ops.runs": [RUN]})
    assert lines(found, "table_name", "reason", "quarantined", "since_window", "last_time", "status") == [
        ("billing.fact_usage", "interval-forward", 2, 1, at(3), WARN)
    ]
    assert stand.value("quarantined-rows", {}).status is NOT_ASSESSED


def test_the_product_tells_the_age_of_its_rows_and_the_days_until_a_source_forgets(stand: Stand):
    stand.fill({"ops.runs": [RUN], "ops.batches": []})
    bronze = f"{stand.catalog}.bronze"
    stand.sql(f"CREATE SCHEMA IF NOT EXISTS {bronze}")
    stand.sql(f"CREATE TABLE {bronze}.access_audit (event_time timestamp, event_date date)")
    stand.sql(f"INSERT INTO {bronze}.access_audit VALUES (timestamp'2026-04-29 04:00:00Z', date'2026-04-29')")
    try:
        lag = kpis.value(stand.door, "freshness-lag")
        left = kpis.value(stand.door, "retention-margin")
    finally:
        stand.sql(f"DROP TABLE {bronze}.access_audit")
    first = lines(lag, "source", "lag_hours", "newest", "status")[0]
    assert first in {
        ("access.audit", 48.0, at(29, 4), WARN),
        ("access.audit", 52.0, at(29), WARN),
    }
    assert {row["status"] for row in lag.rows[1:]} == {NOT_ASSESSED}
    assert all(row["retention_days"] for row in left.rows), "a source that keeps its rows has no margin"
    assert lines(left, "source", "days_left", "left_percent", "retention_days", "last_copy", "status")[0] == (
        *("access.audit", 364.0, 99.73, 365, AT - timedelta(days=1)),
        OK,
    )


def test_before_the_first_run_the_product_knows_nothing_of_itself(stand: Stand):
    assert [stand.value(name, {}).status for name in ("freshness-lag", "retention-margin")] == [NOT_ASSESSED] * 2


def test_join_coverage_is_held_against_what_is_usual(stand: Stand):
    job = {"usage_metadata_job_id": "7", "effective_price": "1"}
    usage = [
        used("a", "1", day(2), **job),
        used("b", "1", day(2), workspace_id="x", **job),
        used("c", None, day(2), workspace_id="0"),
    ]
    tables = {
        "billing.fact_usage": usage,
        "shared.dim_workspace": [
            {"workspace_id": "w", "valid_from": at(1)},
            {"workspace_id": "w", "valid_from": at(2)},
        ],
        "lakeflow.dim_job": [{"workspace_id": "w", "job_id": "7"}],
    }
    found = stand.value("join-coverage", tables)
    told = {
        row["reference"]: (row["matched"], row["filled"], row["matched_percent"], row["status"]) for row in found.rows
    }
    assert told == {
        "usage to workspace": (1, 2, 50.0, CRITICAL),
        "usage to price": (2, 3, 66.6667, WARN),
        "usage to job": (1, 2, 50.0, WARN),
        **dict.fromkeys(
            (
                *("usage to cluster", "usage to warehouse", "job run to job", "query to warehouse"),
                *("warehouse event to warehouse", "audit event to workspace"),
            ),
            (0, 0, None, NOT_ASSESSED),
        ),
    }
    assert stand.value("join-coverage", {}).status is NOT_ASSESSED


def test_a_source_that_may_not_be_read_is_told_with_the_grant_to_ask_for(stand: Stand):
    denied = {"source": "access.audit", "presence": "DENIED", "reason": "no SELECT", "remedy": "GRANT SELECT", "run": 1}
    stand.fill({"ops.sources": [denied]})
    try:
        found = stand.value("failed-logins", {AUDIT: [audited("c", at(28, 9), "accounts.login", False)]})
    finally:
        stand.fill({"ops.sources": []})
    assert (found.status, found.reason, found.remedy) == (
        NOT_ASSESSED,
        "access.audit of security.fact_audit_logs is DENIED: no SELECT",
        "GRANT SELECT",
    )
