"""Forecast, anomalies, change, shares and the cost of queries: worked out by hand, and adding up to the bill."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.health.kpis.stand import Stand, at, day, lines, money, used

from brickyard.health.model.kpi import Status

OK, WARN, CRITICAL, NOT_ASSESSED = Status
USAGE, QUERIES = "billing.fact_usage", "query_performance.fact_query_history"


def test_the_forecast_repeats_the_weekday_with_its_trend(stand: Stand):
    """Every Thursday (30 April is one) costs 7 more than the one before, every other day always 10."""
    first, rows = date(2026, 2, 26), []
    for back in range(63):
        when = first + timedelta(days=back)
        thursday = when.weekday() == 3
        rows.append(used(f"r{back}", str(100 + 7 * (back // 7)) if thursday else "10", when))
    found = stand.value("cost-forecast", {USAGE: rows}, until=day(30))
    # So far: 29 days, four Thursdays (2, 9, 16, 23 April: 135, 142, 149, 156) and 25 others. Then 30 April: 156 + 7.
    columns = ("month", "month_to_date", "days_left", "forecast", "low", "high", "mape_percent", "status")
    assert lines(found, *columns) == [
        (day(1), money("832"), 1, Decimal("995.00"), Decimal("995.00"), Decimal("995.00"), 0.0, OK)
    ]


def test_without_eight_weeks_there_is_no_forecast(stand: Stand):
    found = stand.value("cost-forecast", {USAGE: [used("a", "5", day(2))]})
    assert (found.status, found.rows) == (NOT_ASSESSED, ())
    assert found.reason.startswith("1 days with a known cost in the window, at least 56 are needed")


def test_an_anomaly_is_far_from_its_weekday_and_worth_fifty_dollars(stand: Stand):
    rows, jump = [], day(29)
    for weeks, cost in ((1, "100"), (2, "110"), (3, "90"), (4, "100")):
        rows.append(used(f"j{weeks}", cost, jump - timedelta(weeks=weeks)))
        rows.append(used(f"s{weeks}", "1", jump - timedelta(weeks=weeks), billing_origin_product="SQL"))
    rows += [used("now", "200", jump), used("sql", "40", jump, billing_origin_product="SQL")]
    rows.append(used("new", "500", jump, billing_origin_product="NEW"))
    found = stand.value("cost-anomalies", {USAGE: rows}, since=jump, until=day(30))
    # JOBS: median of 100, 110, 90, 100 is 100; deviations 0, 10, 10, 0: their median is 5; 0.6745 * 100 / 5 = 13.49.
    columns = ("product", "anomaly_score", "median_cost", "difference", "robust_z", "weeks", "status")
    assert lines(found, *columns) == [
        ("JOBS", 13.49, 100.0, 100.0, 13.49, 4, CRITICAL),
        ("SQL", 0.0, 1.0, 39.0, 26.3055, 4, OK),
        ("NEW", None, None, None, None, 0, NOT_ASSESSED),
    ]


def test_the_change_of_cost_is_split_without_a_rest(stand: Stand):
    def part(sku: str, when: date, quantity: str, cost: str) -> dict[str, Any]:
        return used(f"{sku}{when}", cost, when, sku_name=sku, usage_quantity=quantity)

    before, now = day(5), day(15)
    rows = [
        *(part("A", before, "10", "10"), part("A", now, "20", "30")),
        *(part("B", before, "30", "60"), part("B", now, "40", "80")),
        *(part("C", before, "1", "5"), part("D", now, "1", "7.0000000000000000001")),
    ]
    found = stand.value("cost-change", {USAGE: rows}, since=day(11), until=day(21))
    # A and B last: together 40 units before, 60 now, half as much again. A: volume 10 * 0.5 = 5, price 30 - 1 * 20 = 10,
    # the rest of its 20 is mix. B: volume 30, price 80 - 2 * 40 = 0, mix -10.
    assert lines(found, "sku_name", "change", "volume", "price", "mix", "new", "gone") == [
        ("A", money("20"), money("5"), money("10"), money("5"), money("0"), money("0")),
        ("B", money("20"), money("30"), money("0"), money("-10"), money("0"), money("0")),
        *[
            (
                "D",
                money("7.0000000000000000001"),
                *[money("0")] * 3,
                money("7.0000000000000000001"),
                money("0"),
            )
        ],
        ("C", money("-5"), *[money("0")] * 3, money("0"), money("-5")),
    ]


def test_the_parts_of_a_change_add_up_to_it_to_the_last_decimal(stand: Stand):
    rng, rows = Random(3), list[dict[str, Any]]()
    for sku in range(20):
        for when in (day(5), day(15)):
            cost, quantity = (Decimal(rng.randint(1, 10**22)).scaleb(-19) for _ in range(2))
            more = {"sku_name": f"S{sku}", "usage_quantity": f"{quantity:f}"}
            rows.append(used(f"{sku}{when}", f"{cost:f}", when, **more))
    found = stand.value("cost-change", {USAGE: rows}, since=day(11), until=day(21))
    for row in found.rows:
        assert row["change"] == row["cost"] - row["cost_before"]
        assert sum(row[part] for part in ("volume", "price", "mix", "new", "gone")) == row["change"]
        assert row["volume"] == round(row["volume"], 6)


def test_nothing_before_leaves_the_change_unknown(stand: Stand):
    assert stand.value("cost-change", {USAGE: [used("a", "5", day(20))]}, since=day(11)).status is NOT_ASSESSED


def test_serverless_share_is_unknown_where_no_record_tells(stand: Stand):
    told = {"product_features_is_serverless": True, "product_features_is_photon": False}
    rows = [
        used("a", "3", day(2), **told),
        used("b", "5", day(2), product_features_is_serverless=False, product_features_is_photon=True),
        used("c", "2", day(2)),
        used("d", "9", day(2), billing_origin_product="STORAGE"),
    ]
    found = stand.value("serverless-share", {USAGE: rows})
    assert lines(found, "product", "serverless_percent", "photon_percent", "unknown_cost", "status") == [
        ("JOBS", 30.0, 50.0, money("2"), OK),
        ("STORAGE", None, None, money("9"), NOT_ASSESSED),
    ]


def test_focus_rows_add_up_to_the_usage(stand: Stand):
    rows = [used("a", "3", day(2), usage_quantity="2"), used("b", "4", day(2), list_cost="5"), used("c", None, day(3))]
    found = stand.value("focus-cost", {USAGE: rows})
    columns = ("chargeperiodstart", "skuid", "billedcost", "listcost", "consumedquantity", "status")
    assert lines(found, *columns) == [
        (day(2), "JOBS", money("7"), money("8"), Decimal(3), OK),
        (day(3), "JOBS", None, None, Decimal(1), NOT_ASSESSED),
    ]


def bill(record: str, cost: str | None, hour: int, **more: Any) -> dict[str, Any]:
    times = {"usage_start_time": at(30, hour), "usage_end_time": at(30, hour) + timedelta(hours=1)}
    return used(record, cost, day(30), usage_metadata_warehouse_id="h", **times, **more)


def asked(number: str, end: Any, milliseconds: int | None, **more: Any) -> dict[str, Any]:
    plain = {"workspace_id": "w", "compute_warehouse_id": "h", "statement_id": number, "executed_by": "ann"}
    return {**plain, "end_time": end, "execution_duration_ms": milliseconds, **more}


def test_queries_share_the_busy_part_of_their_hour_and_the_rest_is_idle(stand: Stand):
    rows = [bill("a", "10", 9), bill("b", "2", 9, sku_name="PHOTON"), bill("c", "5", 11), bill("d", None, 12)]
    statements = [
        asked("q1", at(30, 9, 10), 600_000),  # 09:00 to 09:10
        asked("q2", at(30, 9, 15), 600_000),  # 09:05 to 09:15, so that the hour is busy for 15 minutes of 60
        asked("q3", at(30, 9, 40), None),
        asked("q4", at(30, 10, 30), 1_000),
        asked("q5", at(30, 12, 30), 1_800_000),
    ]
    found = stand.value("query-cost", {USAGE: rows, QUERIES: statements})
    # 12 * 15/60 = 3 for 20 minutes of execution, half of it each; nine stay idle. No bill at 10, no price at 12.
    assert lines(found, "hour", "statement_id", "line", "cost", "status") == [
        (at(30, 9), "q1", "query", money("1.5"), OK),
        (at(30, 9), "q2", "query", money("1.5"), OK),
        (at(30, 9), None, "idle", money("9"), OK),
        (at(30, 11), None, "idle", money("5"), OK),
        (at(30, 12), "q5", "query", None, NOT_ASSESSED),
        (at(30, 12), None, "idle", None, NOT_ASSESSED),
    ]


def test_the_lines_of_every_hour_add_up_to_its_bill_to_the_last_decimal(stand: Stand):
    rng, bills, rows, statements = Random(7), dict[datetime, Decimal](), list[dict[str, Any]](), list[dict[str, Any]]()
    for hour in range(24):
        for part in range(rng.randint(1, 3)):
            cost = Decimal(rng.randint(1, 10 ** rng.randint(1, 24))).scaleb(-19)
            bills[at(30, hour)] = bills.get(at(30, hour), Decimal(0)) + cost
            rows.append(bill(f"{hour}-{part}", f"{cost:f}", hour))
        for nth in range(rng.choice((0, 1, 2, 3, 7, 30))):
            end = at(30, hour) + timedelta(seconds=rng.randint(0, 3600))
            statements.append(asked(f"{hour}-{nth}", end, rng.choice((1, 3, 1000, 333_333, 5_000_000))))
    sums: dict[datetime, Decimal] = {}
    found = stand.value("query-cost", {USAGE: rows, QUERIES: statements})
    for row in found.rows:
        assert row["cost"] >= 0
        sums[row["hour"]] = sums.get(row["hour"], Decimal(0)) + row["cost"]
    assert sums == bills


def test_without_a_bill_of_a_warehouse_queries_have_no_cost(stand: Stand):
    found = stand.value("query-cost", {QUERIES: [asked("q1", at(30, 9, 10), 600_000)]})
    assert (found.status, found.rows) == (NOT_ASSESSED, ())
