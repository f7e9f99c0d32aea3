"""Negotiated prices from percentages: list prices cut where a discount begins or ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

from brickyard.health.model.bill import EVERY, Discount

_SCALE = Decimal(1).scaleb(-10)  # of a gold price
Series = tuple[str, str, str, str, str]  # account, SKU, cloud, currency, unit


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs from `start` to before `end` (None: until further notice)."""

    series: Series
    start: datetime
    end: datetime | None
    price: Decimal


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
