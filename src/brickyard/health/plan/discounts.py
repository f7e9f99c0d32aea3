"""Negotiated prices from percentages: list prices cut where a discount begins or ends, and when that is due. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

from brickyard.health.model.bill import EVERY, Discount
from brickyard.health.model.source import Source
from brickyard.health.model.state import Looked, State
from brickyard.health.model.steps import Merge, Negotiate
from brickyard.health.plan.text import hash_of_row, moment, text

ACCOUNT, LIST, SOURCE = "billing.fact_account_prices", "billing.fact_list_prices", "billing.account_prices"
RULES = "ops.discounts"
SERIES = ("account_id", "sku_name", "cloud", "currency_code", "usage_unit")
_SCALE = Decimal(1).scaleb(-10)  # of a gold price
Series = tuple[str, str, str, str, str]  # account, SKU, cloud, currency, unit


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs from `start` to before `end` (None: until further notice)."""

    series: Series
    start: datetime
    end: datetime | None
    price: Decimal


def due(state: State, source: Looked | None, moving: Collection[str]) -> tuple[Negotiate | Merge, ...]:
    """Return the steps that follow discounts or list prices (*moving*: in this very run) that changed since prices were made.

    None where no discounts were ever kept, and while the account's own price table can be read, which counts before them.
    """
    rules, done = state.changed.get(RULES), state.gold.get((ACCOUNT, LIST))
    if rules is None or source is None or source.presence.readable:
        return ()
    last = done.last if done else 0
    return again(state) if LIST in moving or max(rules, state.changed.get(LIST, 0)) > last else ()


def again(state: State) -> tuple[Negotiate | Merge, ...]:
    """Return the steps that make the account's prices anew and take them up."""
    made, merged = state.gold.get((ACCOUNT, LIST)), state.gold.get((ACCOUNT, SOURCE))
    return (
        Negotiate(ACCOUNT, LIST, made.last if made else 0),
        Merge(ACCOUNT, merged.last if merged else 0, "discounts or list prices changed"),
    )


def relation(prices: Sequence[Price], source: Source) -> str:
    """Write prices as rows of the account's price table, as bronze takes them."""
    kept = ", ".join((*SERIES, "price_start_time", "price_end_time"))
    values = ", ".join(f"({', '.join(map(text, one.series))}, {_times(one)}, '{one.price}')" for one in prices)
    rows = (
        f"SELECT {kept}, cast(price as decimal(38,18)) AS pricing__default, '' AS _misfits"
        f" FROM VALUES {values} AS v({kept}, price)"
    )
    return f"SELECT *, {hash_of_row(source.leaves)} AS _row_hash FROM ({rows})"


def _times(price: Price) -> str:
    return f"{moment(price.start)}, {moment(price.end) if price.end else 'cast(NULL as timestamp)'}"


def negotiated(
    listed: Iterable[Price], discounts: Sequence[Discount], known: Mapping[Series, Iterable[datetime]]
) -> tuple[Price, ...]:
    """Return the prices of every SKU that has a discount or had one: the list price less what is valid at the time.

    *known* are the begins of prices that were made earlier. Each is made again, at the list price where no discount is
    left, since a price once told is only ever replaced, never taken back.
    """
    return tuple(piece for price in listed for piece in _pieces(price, discounts, known.get(price.series, ())))


def _pieces(price: Price, discounts: Sequence[Discount], known: Iterable[datetime]) -> Iterator[Price]:
    mine = [one for one in discounts if _concerns(one, price)]
    earlier = [at for at in known if _inside(at, price)]
    if not mine and not earlier:
        return
    edges = {_midnight(day) for one in mine for day in (one.valid_from, one.valid_to) if day}
    cuts = sorted({price.start, *(at for at in (*edges, *earlier) if _inside(at, price))})
    for start, end in zip(cuts, [*cuts[1:], price.end], strict=True):
        yield Price(price.series, start, end, _reduced(price.price, _best(mine, start)))


def _concerns(discount: Discount, price: Price) -> bool:
    _, sku, cloud, _, _ = price.series
    return discount.sku_name in (sku, EVERY) and discount.cloud in (cloud, "")


def _inside(at: datetime, price: Price) -> bool:
    return price.start <= at and (price.end is None or at < price.end)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _best(discounts: Iterable[Discount], at: datetime) -> Discount | None:
    """The discount that is valid then: one for the SKU before one for every SKU, one for the cloud before one for all."""
    valid = [
        one
        for one in discounts
        if (one.valid_from is None or _midnight(one.valid_from) <= at)
        and (one.valid_to is None or at < _midnight(one.valid_to))
    ]
    return max(valid, key=lambda one: (one.sku_name != EVERY, one.cloud != ""), default=None)


def _reduced(price: Decimal, discount: Discount | None) -> Decimal:
    if discount is None:
        return price
    return (price * (100 - discount.percent) / 100).quantize(_SCALE, ROUND_HALF_UP)
