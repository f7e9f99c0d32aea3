"""The bill: what gold says, what bronze says computed again, what the invoice says, by month; discounts; FOCUS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from brickyard.health import observe, store
from brickyard.health.apply import Work
from brickyard.health.flow import Door, leasing, looking
from brickyard.health.flow.recording import begun, done, recorded
from brickyard.health.flow.telling import last_run
from brickyard.health.model.bill import Discount, InvoiceLine
from brickyard.health.model.steps import LookUpAgain
from brickyard.health.plan import billing
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.discounts import ACCOUNT, SOURCE, Price, again
from brickyard.health.plan.text import moment, text

CURRENCY = "USD"
_AT_ONCE = 500  # rows of one statement
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SkuLine:
    """A SKU in a month: costs in gold and from bronze, what the invoice says (None: nothing), and whether they agree.

    `difference` is the invoice less gold, where there is an invoice of the month.
    """

    sku_name: str
    rows: int
    list_cost: Decimal
    gold: Decimal
    bronze: Decimal
    invoice: Decimal | None
    difference: Decimal | None
    unpriced: int
    ties: bool


@dataclass(frozen=True, slots=True)
class DayLine:
    """A day: rows and cost in gold, and on both sides a hash of all its records with their costs."""

    day: date
    rows: int
    gold: Decimal
    gold_hash: str
    bronze_hash: str
    ties: bool


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """The bill of one month, from which both of its sides can be checked."""

    month: date
    skus: tuple[SkuLine, ...]
    days: tuple[DayLine, ...]
    list_cost: Decimal
    gold: Decimal
    bronze: Decimal
    invoice: Decimal | None
    hash: str
    ties: bool


def statement(door: Door, month: date | None = None) -> tuple[MonthStatement, ...]:
    """Return the tie-out of every month (of this one), computed now; raise NotFound before the first run."""
    last_run(door)
    rows = door.sql(billing.by_day_and_sku(door.places))
    invoiced = _invoiced(door)
    months = {row["day"].replace(day=1) for row in rows if row["day"]} | {found for found, _ in invoiced}
    return tuple(
        _month(one, [row for row in rows if row["day"] and row["day"].replace(day=1) == one], invoiced)
        for one in sorted(months)
        if month in (None, one)
    )


def _invoiced(door: Door) -> dict[tuple[date, str], Decimal]:
    rows = door.sql(f"SELECT month, sku_name, sum(amount) AS amount FROM {door.places.ops('invoices')} GROUP BY 1, 2")
    return {(row["month"], row["sku_name"]): Decimal(row["amount"]) for row in rows}


def _month(
    month: date, rows: Sequence[Mapping[str, Any]], invoiced: Mapping[tuple[date, str], Decimal]
) -> MonthStatement:
    amounts = {sku: amount for (of, sku), amount in invoiced.items() if of == month}
    by_sku, by_day = _grouped(rows, "sku_name"), _grouped(rows, "day")
    skus = tuple(_sku(sku, by_sku.get(sku, ()), amounts) for sku in sorted({*by_sku, *amounts}))
    days = tuple(_day(day, by_day[day]) for day in sorted(by_day))
    return MonthStatement(
        month=month,
        skus=skus,
        days=days,
        list_cost=_sum(rows, "list_cost"),
        gold=_sum(rows, "gold_cost"),
        bronze=_sum(rows, "cost"),
        invoice=sum(amounts.values(), Decimal(0)) if amounts else None,
        hash=_mark(rows, "gold_mark"),
        ties=all(one.ties for one in (*skus, *days)),
    )


def _grouped(rows: Iterable[Mapping[str, Any]], column: str) -> dict[Any, list[Mapping[str, Any]]]:
    found: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return dict(found)


def _sku(sku: str, rows: Sequence[Mapping[str, Any]], amounts: Mapping[str, Decimal]) -> SkuLine:
    gold, again = _sum(rows, "gold_cost"), _sum(rows, "cost")
    amount = amounts.get(sku)
    unit = _CENT if amount is None else Decimal(1).scaleb(min(int(amount.normalize().as_tuple().exponent), -2))
    rounded = gold.quantize(unit, ROUND_HALF_UP)
    difference = (amount or Decimal(0)) - rounded if amounts else None
    found = sum(int(row["gold_rows"] or 0) for row in rows)
    same = gold == again and found == sum(int(row["found"] or 0) for row in rows)
    unpriced = sum(int(row["unpriced"] or 0) for row in rows)
    return SkuLine(
        sku, found, _sum(rows, "list_cost"), gold, again, amount, difference, unpriced, same and not difference
    )


def _day(day: date, rows: Sequence[Mapping[str, Any]]) -> DayLine:
    ours, theirs = _mark(rows, "gold_mark"), _mark(rows, "mark")
    found = sum(int(row["gold_rows"] or 0) for row in rows)
    return DayLine(day, found, _sum(rows, "gold_cost"), ours, theirs, ours == theirs)


def _sum(rows: Iterable[Mapping[str, Any]], column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows if row[column] is not None), Decimal(0))


def _mark(rows: Iterable[Mapping[str, Any]], column: str) -> str:
    """Add up the marks of records: equal sets of records have equal sums, in whatever order they came."""
    return f"{sum(int(Decimal(row[column])) for row in rows if row[column] is not None):x}"


# ── the invoice ──────────────────────────────────────────────────────────────────────────────────────────────────────


def load_invoice(door: Door, name: str, lines: Sequence[InvoiceLine]) -> tuple[MonthStatement, ...]:
    """Keep the lines of an invoice in the place of those of the same name, and return the tie-out of its months."""
    last_run(door)
    door.sql(f"DELETE FROM {door.places.ops('invoices')} WHERE invoice = {text(name)}")
    for part in _parts(lines):
        values = ", ".join(
            f"({text(name)}, date'{one.month}', {text(one.sku_name)}, {text(one.currency)},"
            f" cast('{one.amount}' as decimal(38,10)), {one.line}, {moment(door.at)})"
            for one in part
        )
        door.sql(f"INSERT INTO {door.places.ops('invoices')} VALUES {values}")
    months = {one.month for one in lines}
    return tuple(one for one in statement(door) if one.month in months)


def _parts(lines: Sequence[Any]) -> Iterator[Sequence[Any]]:
    yield from (lines[at : at + _AT_ONCE] for at in range(0, len(lines), _AT_ONCE))


# ── discounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Discounted:
    """What came of discounts: whether the account's own price table is there (then they wait), and how many prices."""

    discounts: int
    used: bool
    prices: int
    told: tuple[str, ...] = ()


def preview_discounts(door: Door, discounts: Sequence[Discount]) -> tuple[Price, ...]:
    """Return the prices that discounts would make; reads only."""
    last_run(door)
    return observe.negotiated_prices(door.sql, door.places, discounts)


def load_discounts(door: Door, discounts: Sequence[Discount], gold: Gold | None = None) -> Discounted:
    """Keep these discounts, at least one, in the place of all earlier ones, and price the usage that they concern anew.

    Runs follow from then on when list prices change. This is a short run itself, recorded like any.
    """
    last_run(door)
    waits = observe.look(door.sql, door.places, [SOURCE])[SOURCE].presence.readable
    with leasing.held(door) as lease:
        now = begun(lease.sql, door.places, lease.holder, door.at)
        with recorded(lease.sql, door.places, now) as ending:
            ending.message = "discounts"
            store.keep_discounts(lease.sql, door.places, discounts, now)
            if waits:
                return Discounted(len(discounts), False, 0)
            return _priced(Work(lease.sql, door.places, gold or compile_all(), {}, now), len(discounts))


def _priced(work: Work, discounts: int) -> Discounted:
    state = store.state(work.sql, work.places, looking.bronze_in(observe.tables(work.sql, work.places.catalog)))
    looked = state.gold.get((billing.USAGE, ACCOUNT))
    steps = (*again(state), LookUpAgain(billing.USAGE, ACCOUNT, looked.last if looked else 0))
    told = tuple(done(work, step) for step in steps)
    found = observe.negotiated_prices(work.sql, work.places, store.discounts(work.sql, work.places))
    return Discounted(discounts, True, len(found), told)


# ── FOCUS ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def focus(door: Door) -> Iterator[Mapping[str, Any]]:
    """Yield usage by day as rows with the columns of FOCUS 1.0; raise NotFound before the first run."""
    last_run(door)
    yield from door.sql(billing.focus(door.places))
