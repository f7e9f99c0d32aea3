"""Negotiated prices are list prices less what is valid, cut where discounts begin and end."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.health.model.bill import Discount
from brickyard.health.model.state import Done, Looked, Presence, State
from brickyard.health.model.steps import Merge, Negotiate
from brickyard.health.plan.discounts import ACCOUNT, LIST, RULES, SOURCE, Price, due, negotiated

JOBS = ("account", "JOBS", "AWS", "USD", "DBU")


def at(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def discount(
    percent: str, begin: date | None = None, end: date | None = None, sku: str = "JOBS", cloud: str = ""
) -> Discount:
    return Discount(sku, cloud, Decimal(percent), begin, end, 1)


LISTED = (Price(JOBS, at(1), at(6), Decimal("0.40")), Price(JOBS, at(6), None, Decimal("0.50")))


def test_a_price_is_cut_where_a_discount_begins_and_ends():
    found = negotiated(LISTED, [discount("10", date(2026, 3, 1), date(2026, 7, 1))], {})
    assert found == (
        Price(JOBS, at(1), at(3), Decimal("0.40")),
        Price(JOBS, at(3), at(6), Decimal("0.36")),
        Price(JOBS, at(6), at(7), Decimal("0.45")),
        Price(JOBS, at(7), None, Decimal("0.50")),
    )


def test_the_discount_for_the_sku_and_the_cloud_comes_first():
    every, sku, cloud = discount("50", sku="*"), discount("25"), discount("10", cloud="AWS")
    first = Price(JOBS, at(1), at(6), Decimal("0.36"))
    assert negotiated(LISTED[:1], [every, sku, cloud], {}) == (first,)
    assert negotiated(LISTED[:1], [every, sku], {}) == (Price(JOBS, at(1), at(6), Decimal("0.30")),)
    assert negotiated(LISTED[:1], [every], {}) == (Price(JOBS, at(1), at(6), Decimal("0.20")),)


def test_a_sku_without_a_discount_has_no_price_of_its_own():
    assert negotiated(LISTED, [discount("10", sku="SQL"), discount("10", cloud="GCP")], {}) == ()


def test_a_price_that_was_told_is_told_again_when_its_discount_is_gone():
    assert negotiated(LISTED[:1], [], {JOBS: [at(1), at(3)]}) == (
        Price(JOBS, at(1), at(3), Decimal("0.40")),
        Price(JOBS, at(3), at(6), Decimal("0.40")),
    )


days = st.dates(date(2026, 1, 1), date(2026, 12, 31)) | st.none()


@given(st.lists(st.tuples(st.sampled_from(["JOBS", "*"]), st.integers(0, 100), days, days), max_size=4))
def test_the_pieces_of_a_price_cover_it_without_gap(drawn: list[tuple[str, int, date | None, date | None]]):
    discounts = [discount(str(percent), begin, end, sku) for sku, percent, begin, end in drawn]
    found = negotiated(LISTED[:1], discounts, {})
    edges = [(piece.start, piece.end) for piece in found]
    assert not found or (edges[0][0], edges[-1][1]) == (at(1), at(6))
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    assert all(Decimal(0) <= piece.price <= Decimal("0.40") for piece in found)


GONE = Looked(SOURCE, Presence.ABSENT)
MADE = {(ACCOUNT, LIST): Done(5, ""), (ACCOUNT, SOURCE): Done(5, "")}
AGAIN = (Negotiate(ACCOUNT, LIST, 5), Merge(ACCOUNT, 5, "discounts or list prices changed"))


@pytest.mark.parametrize(
    ("changed", "moving", "due_now"),
    [
        ({RULES: 5, LIST: 4}, (), ()),
        ({RULES: 5, LIST: 6}, (), AGAIN),
        ({RULES: 6, LIST: 4}, (), AGAIN),
        ({RULES: 5, LIST: 4}, (LIST,), AGAIN),
        ({LIST: 6}, (LIST,), ()),
    ],
)
def test_prices_are_made_anew_when_discounts_or_list_prices_are_younger(
    changed: dict[str, int], moving: tuple[str, ...], due_now: tuple[Negotiate | Merge, ...]
):
    assert due(State(6, "system", gold=MADE, changed=changed), GONE, moving) == due_now


def test_discounts_that_were_never_priced_are_priced_from_the_beginning():
    steps = (Negotiate(ACCOUNT, LIST, 0), Merge(ACCOUNT, 0, "discounts or list prices changed"))
    assert due(State(changed={RULES: 1}), GONE, ()) == steps


@pytest.mark.parametrize("source", [Looked(SOURCE, Presence.PRESENT), Looked(SOURCE, Presence.EMPTIED), None])
def test_the_accounts_own_price_table_counts_before_discounts(source: Looked | None):
    assert due(State(6, "system", gold=MADE, changed={RULES: 6, LIST: 6}), source, (LIST,)) == ()
