"""The bill ties out with bronze and with an invoice, to the cent; discounts price usage anew, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from tests.health.flow.conftest import Stand

from brickyard.health.flow import billing
from brickyard.health.flow.billing import MonthStatement
from brickyard.health.model.bill import Discount, InvoiceLine

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
