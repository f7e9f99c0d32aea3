"""The bill ties out with bronze and with an invoice, to the cent; discounts price usage anew, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from tests.health.flow.conftest import Before, Stand, refuse

from brickyard.health import flow, store
from brickyard.health.flow import Door, billing, telling
from brickyard.health.flow.billing import MonthStatement
from brickyard.health.model.bill import Discount, InvoiceLine
from brickyard.health.model.steps import Negotiate, Skip
from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted, WorkspaceRefused

APRIL = date(2026, 4, 1)


def april(months: tuple[MonthStatement, ...]) -> MonthStatement:
    return next(month for month in months if month.month == APRIL)


def invoice(month: MonthStatement, more: Decimal = Decimal(0)) -> tuple[InvoiceLine, ...]:
    """The bill as gold has it, in cents, the first line with something more."""
    amounts = [(one.sku_name, one.gold.quantize(Decimal("0.01"), ROUND_HALF_UP)) for one in month.skus]
    lines = [InvoiceLine(APRIL, sku, amount, "USD", at) for at, (sku, amount) in enumerate(amounts, 2)]
    return (InvoiceLine(APRIL, lines[0].sku_name, lines[0].amount + more, "USD", 2), *lines[1:])


@pytest.fixture(autouse=True)
def without_invoice(stand: Stand) -> Iterator[None]:
    yield
    stand.door.sql("DELETE FROM synthetic_health.ops.invoices WHERE true")


def test_gold_and_what_is_computed_from_bronze_again_are_equal_to_the_last_decimal(stand: Stand):
    found = billing.statement(stand.door)
    assert [(month.gold, month.ties, month.invoice) for month in found] == [(m.bronze, True, None) for m in found]
    total = stand.door.sql("SELECT sum(effective_cost) AS cost FROM synthetic_health.billing.fact_usage")[0]["cost"]
    assert sum(month.gold for month in found) == total


def test_an_invoice_in_cents_ties_out(stand: Stand):
    lines = invoice(april(billing.statement(stand.door)))
    found = billing.load_invoice(stand.door, "april.csv", lines)
    assert [(month.month, month.ties, month.invoice) for month in found] == [
        (APRIL, True, sum(o.amount for o in lines))
    ]


def test_a_cent_too_much_is_found_with_its_sku(stand: Stand):
    lines = invoice(april(billing.statement(stand.door)), more=Decimal("0.01"))
    billing.load_invoice(stand.door, "april.csv", invoice(april(billing.statement(stand.door))))
    found = april(billing.load_invoice(stand.door, "april.csv", lines))
    wrong = [(one.sku_name, one.difference) for one in found.skus if not one.ties]
    assert (found.ties, wrong) == (False, [(lines[0].sku_name, Decimal("0.01"))])


def test_a_change_of_gold_by_hand_is_found_with_its_day(stand: Stand):
    table = "synthetic_health.billing.fact_usage"
    row = stand.door.sql(
        f"SELECT record_id, usage_date FROM {table} WHERE effective_cost > 0 ORDER BY record_id LIMIT 1"
    )[0]
    where = f"WHERE record_id = '{row['record_id']}'"
    stand.door.sql(f"UPDATE {table} SET effective_cost = effective_cost + 1 {where}")
    try:
        found = [day.day for month in billing.statement(stand.door) for day in month.days if not day.ties]
    finally:
        stand.door.sql(f"UPDATE {table} SET effective_cost = effective_cost - 1 {where}")
    assert found == [row["usage_date"]]
    assert all(month.ties for month in billing.statement(stand.door))


def test_discounts_wait_while_the_account_has_prices_of_its_own(stand: Stand):
    done = billing.load_discounts(stand.door, [Discount("*", "", Decimal(10), None, None, 2)], stand.gold)
    assert (done.used, done.prices) == (False, 0)


def test_discounts_price_usage_where_the_account_has_no_prices(stand: Stand):
    stand.door.sql("DROP TABLE synthetic.billing.account_prices")
    sku = stand.door.sql(
        "SELECT sku_name, sum(effective_cost) AS cost FROM synthetic_health.billing.fact_usage WHERE sku_name NOT IN"
        " (SELECT sku_name FROM synthetic_health.billing.fact_account_prices) GROUP BY sku_name"
        " ORDER BY cost DESC NULLS LAST LIMIT 1"
    )[0]["sku_name"]

    def costs() -> tuple[Decimal, Decimal]:
        return stand.door.sql(
            f"SELECT sum(list_cost) AS l, sum(effective_cost) AS e FROM synthetic_health.billing.fact_usage WHERE sku_name = '{sku}'"
        )[0].values()  # type: ignore[return-value] — a row of two

    before, _ = costs()
    done = billing.load_discounts(stand.door, [Discount(sku, "", Decimal(25), None, None, 2)], stand.gold)
    listed, reduced = costs()
    assert (done.used, listed) == (True, before)
    assert abs(reduced - before * 3 / 4) < Decimal("0.01")
    assert all(month.ties for month in billing.statement(stand.door))
    later = replace(stand.door, at=stand.door.at + timedelta(hours=1))
    billing.load_discounts(later, [Discount("NO_SUCH_SKU", "", Decimal(25), None, None, 2)], stand.gold)
    assert tuple(costs()) == (before, before)


MERGE = "MERGE INTO `synthetic_health`.`billing`.`fact_account_prices`"
EVERY = [Discount("*", "", Decimal(20), None, None, 2)]


def last_run(door: Door) -> tuple[str, str]:
    """How the newest run ended, and why."""
    row = door.sql("SELECT status, message FROM synthetic_health.ops.runs ORDER BY run DESC LIMIT 1")[0]
    return row["status"], row["message"]


def reduced(door: Door) -> set[Decimal]:
    """The ratios of effective and list price of usage."""
    rows = door.sql(
        "SELECT DISTINCT cast(effective_price / list_price as decimal(6,4)) AS share"
        " FROM synthetic_health.billing.fact_usage WHERE list_price > 0"
    )
    return {row["share"] for row in rows}


def test_a_load_that_fails_in_the_middle_ends_failed_with_the_reason_and_the_next_run_mends_it(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    later = replace(stand.door, at=stand.door.at + timedelta(hours=2))
    with pytest.raises(WorkspaceRefused, match="No space left"):
        billing.load_discounts(replace(later, sql=Before(later.sql, MERGE, refuse)), EVERY, stand.gold)
    assert last_run(later) == ("FAILED", "statement-failed: No space left on device")
    states = {one.table: one.failure for one in telling.status(later, stand.gold).tables if one.failure}
    assert states == {"billing.fact_account_prices": "statement-failed: No space left on device"}
    assert flow.run(later, gold=stand.gold).failed == ()
    assert (last_run(later)[0], reduced(later)) == ("SUCCEEDED", {Decimal("0.8")})


def test_a_load_that_is_interrupted_ends_interrupted_and_lets_the_next_one_in(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    later = replace(stand.door, at=stand.door.at + timedelta(hours=3))
    try:
        with pytest.raises(Interrupted):
            half = [Discount("*", "", Decimal(50), None, None, 2)]
            billing.load_discounts(replace(later, sql=Before(later.sql, MERGE, stop.request)), half, stand.gold)
    finally:
        stop.clear()
    assert last_run(later) == ("INTERRUPTED", "stopped on request")
    later = replace(later, at=later.at + timedelta(minutes=1))
    assert billing.load_discounts(later, EVERY, stand.gold).used
    assert (last_run(later)[0], reduced(later)) == ("SUCCEEDED", {Decimal("0.8")})


@pytest.mark.parametrize("begin", [None, date(2026, 4, 10)])
def test_discounts_that_are_back_after_a_load_that_failed_count_again(stand: Stand, begin: date | None):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    later = replace(stand.door, at=stand.door.at + timedelta(hours=3, minutes=30))
    billing.load_discounts(later, EVERY, stand.gold)
    with pytest.raises(WorkspaceRefused, match="No space left"):
        half = [Discount("*", "", Decimal(50), begin, None, 2)]
        billing.load_discounts(replace(later, sql=Before(later.sql, MERGE, refuse)), half, stand.gold)
    billing.load_discounts(later, EVERY, stand.gold)
    assert reduced(later) == {Decimal("0.8")}
    assert all(month.ties for month in billing.statement(later))


def test_a_run_that_is_interrupted_ends_interrupted(stand: Stand):
    later = replace(stand.door, at=stand.door.at + timedelta(hours=4))
    merge = Before(later.sql, "MERGE INTO `synthetic_health`.`billing`.`fact_usage`", stop.request)
    try:
        with pytest.raises(Interrupted):
            flow.run(replace(later, sql=merge), flow.Choice(full=True), stand.gold)
    finally:
        stop.clear()
    assert last_run(later) == ("INTERRUPTED", "stopped on request")
    assert flow.run(later, gold=stand.gold).failed == ()


def test_negotiated_prices_follow_list_prices_at_the_next_run_by_themselves(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    first = replace(stand.door, at=stand.door.at + timedelta(hours=5))
    billing.load_discounts(first, EVERY, stand.gold)
    kind = stand.seeded.account.schema("billing.list_prices", stand.seeded.until.date())["pricing"]
    dearer = "coalesce(pricing.effective_list.default, pricing.default) * 2"
    stand.door.sql(
        f"UPDATE synthetic.billing.list_prices SET pricing = cast(named_struct('default', {dearer}, 'promotional',"
        f" named_struct('default', NULL), 'effective_list', named_struct('default', {dearer})) AS {kind})"
        " WHERE price_end_time IS NULL"
    )
    second = replace(first, at=first.at + timedelta(days=1))
    done = [step for step, _ in flow.run(second, gold=stand.gold).done]
    assert [one for one in done if isinstance(one, Negotiate)] == [Negotiate(*PRICES, first=done_by(second))]
    assert reduced(second) == {Decimal("0.8")}
    assert all(month.ties for month in billing.statement(second))
    again = flow.preview(replace(second, at=second.at + timedelta(hours=1)), gold=stand.gold).steps
    assert [step for step in again if not isinstance(step, Skip)] == []


PRICES = ("billing.fact_account_prices", "billing.fact_list_prices")


def done_by(door: Door) -> int:
    """The run that made the prices of discounts before the last one did."""
    rows = door.sql(
        f"SELECT DISTINCT run FROM synthetic_health.ops.batches WHERE table_name = '{PRICES[0]}'"
        f" AND source = '{PRICES[1]}' ORDER BY run DESC LIMIT 2"
    )
    return rows[1]["run"]


def test_discounts_that_were_loaded_twice_at_one_time_are_the_last_ones(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    now = replace(stand.door, at=stand.door.at + timedelta(days=2))
    for percent in (70, 10, 40):
        billing.load_discounts(now, [Discount("*", "", Decimal(percent), None, None, 2)], stand.gold)
        assert reduced(now) == {(100 - Decimal(percent)) / 100}


def test_a_load_that_fails_while_it_keeps_the_discounts_loses_none(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    now = replace(stand.door, at=stand.door.at + timedelta(days=3))
    billing.load_discounts(now, EVERY, stand.gold)
    kept = store.discounts(now.sql, now.places)
    with pytest.raises(WorkspaceRefused, match="No space left"):
        failing = Before(now.sql, "INSERT INTO `synthetic_health`.`ops`.`discounts`", refuse)
        billing.load_discounts(replace(now, sql=failing), [replace(EVERY[0], percent=Decimal(1))], stand.gold)
    assert store.discounts(now.sql, now.places) == kept == (replace(EVERY[0], line=0),)


def test_discounts_that_were_kept_and_not_priced_are_priced_by_the_next_run(stand: Stand):
    stand.door.sql("DROP TABLE IF EXISTS synthetic.billing.account_prices")
    now = replace(stand.door, at=stand.door.at + timedelta(days=4))
    failing = Before(now.sql, "INSERT INTO `synthetic_health`.`bronze`.`billing_account_prices`", refuse)
    with pytest.raises(WorkspaceRefused, match="No space left"):
        billing.load_discounts(replace(now, sql=failing), [replace(EVERY[0], percent=Decimal(1))], stand.gold)
    assert flow.run(now, gold=stand.gold).failed == ()
    assert reduced(now) == {Decimal("0.99")}
