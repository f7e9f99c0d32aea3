"""The bill: what gold says, what bronze says computed again, what the invoice says, by month; discounts; FOCUS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from brickyard.health import observe, store
from brickyard.health.apply import Work
from brickyard.health.flow import Door, leasing, looking
from brickyard.health.flow.recording import begun, done, recorded
from brickyard.health.flow.telling import last_run
from brickyard.health.model import source as sources
from brickyard.health.model.bill import Discount, InvoiceLine
from brickyard.health.model.source import Source
from brickyard.health.model.state import Presence, State
from brickyard.health.model.steps import LookUpAgain, Merge, Reconcile
from brickyard.health.plan import billing, bronze
from brickyard.health.plan import text as texts
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.discounts import Price, Series, negotiated
from brickyard.health.plan.text import moment, text

CURRENCY = "USD"
_ACCOUNT, _LIST, _SOURCE = "billing.fact_account_prices", "billing.fact_list_prices", "billing.account_prices"
_SERIES = ("account_id", "sku_name", "cloud", "currency_code", "usage_unit")
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
    return negotiated(_listed(door), discounts, _known(door))


def load_discounts(door: Door, discounts: Sequence[Discount], gold: Gold | None = None) -> Discounted:
    """Keep these discounts in the place of all earlier ones, and price the usage that they concern anew."""
    last_run(door)
    door.sql(f"DELETE FROM {door.places.ops('discounts')} WHERE true")
    for part in _parts(discounts):
        values = ", ".join(
            f"({text(one.sku_name)}, {text(one.cloud)}, cast('{one.percent}' as decimal(9,6)),"
            f" {_date(one.valid_from)}, {_date(one.valid_to)}, {moment(door.at)})"
            for one in part
        )
        door.sql(f"INSERT INTO {door.places.ops('discounts')} VALUES {values}")
    return _price(door, discounts, gold or compile_all())


def _date(day: date | None) -> str:
    return f"date'{day}'" if day else "cast(NULL as date)"


def _price(door: Door, discounts: Sequence[Discount], gold: Gold) -> Discounted:
    there = observe.look(door.sql, door.places, [_SOURCE])[_SOURCE]
    if there.presence is Presence.PRESENT:
        return Discounted(len(discounts), False, 0)
    prices = negotiated(_listed(door), discounts, _known(door))
    if set(prices) == set(_told(door, _ACCOUNT, "account_price")):
        return Discounted(len(discounts), True, len(prices))
    return Discounted(len(discounts), True, len(prices), _merge(door, prices, gold) if prices else ())


def _listed(door: Door) -> tuple[Price, ...]:
    return _told(door, _LIST, "effective_list_price")


def _known(door: Door) -> dict[Series, list[datetime]]:
    found: dict[Series, list[datetime]] = defaultdict(list)
    for price in _told(door, _ACCOUNT, "account_price"):
        found[price.series].append(price.start)
    return dict(found)


def _told(door: Door, table: str, column: str) -> tuple[Price, ...]:
    rows = door.sql(f"SELECT * FROM {door.places.gold(table)} WHERE {column} IS NOT NULL")
    return tuple(
        Price(
            tuple(row[c] for c in _SERIES),  # type: ignore[arg-type] — five columns make the five parts of a series
            row["price_start_time"].astimezone(UTC),
            row["price_end_time"].astimezone(UTC) if row["price_end_time"] else None,
            Decimal(row[column]),
        )
        for row in rows
    )


def _merge(door: Door, prices: Sequence[Price], gold: Gold) -> tuple[str, ...]:
    """Put the prices into bronze as the account's own table would have told them, and take them up: one short run."""
    with leasing.held(door) as lease:
        state = store.state(door.sql, door.places, looking.bronze_in(observe.tables(door.sql, door.places.catalog)))
        now = begun(lease.sql, door.places, lease.holder, door.at)
        work = Work(lease.sql, door.places, gold, {_SOURCE: Shape(sources.load(_SOURCE), {})}, now)
        with recorded(lease.sql, door.places, now) as ending:
            ending.message = "discounts"
            _into_bronze(work, prices)
            told = tuple(done(work, step) for step in _steps(state))
    return told


def _into_bronze(work: Work, prices: Sequence[Price]) -> None:
    shape = work.shapes[_SOURCE]
    for part in _parts(prices):
        work.sql(bronze.insert(shape, work.places, _relation(part, shape.source), work.now))
    store.copied(work.sql, work.places, shape.source.bronze, _SOURCE, len(prices), work.now, 0)


def _steps(state: State) -> tuple[Merge, LookUpAgain, Reconcile]:
    done, looked = state.gold.get((_ACCOUNT, _SOURCE)), state.gold.get((billing.USAGE, _ACCOUNT))
    return (
        Merge(_ACCOUNT, done.last if done else 0, "discounts"),
        LookUpAgain(billing.USAGE, _ACCOUNT, looked.last if looked else 0),
        Reconcile(billing.USAGE),
    )


def _relation(prices: Sequence[Price], source: Source) -> str:
    """Write prices as rows of the account's price table."""
    values = ", ".join(f"({', '.join(map(text, one.series))}, {_times(one)}, '{one.price}')" for one in prices)
    columns = ", ".join((*_SERIES, "price_start_time", "price_end_time", "price"))
    kept = ", ".join((*_SERIES, "price_start_time", "price_end_time"))
    rows = (
        f"SELECT {kept}, cast(price as decimal(38,18)) AS pricing__default, '' AS _misfits"
        f" FROM VALUES {values} AS v({columns})"
    )
    return f"SELECT *, {texts.hash_of_row(source.leaves)} AS _row_hash FROM ({rows})"


def _times(price: Price) -> str:
    return f"{moment(price.start)}, {moment(price.end) if price.end else 'cast(NULL as timestamp)'}"


# ── FOCUS ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def focus(door: Door) -> Iterator[Mapping[str, Any]]:
    """Yield usage by day as rows with the columns of FOCUS 1.0; raise NotFound before the first run."""
    last_run(door)
    yield from door.sql(billing.focus(door.places))
