"""The truth of the domain billing: prices by interval, what each record of usage cost, and the SKUs that were used."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow.compute import call_function

from brickyard.health.oracle.columns import (
    Columns,
    Mask,
    computed,
    copied,
    entries,
    every,
    fits,
    flattened,
    forward,
    is_value,
    known,
    narrowed,
    table,
    where,
)  # fmt: skip
from brickyard.health.oracle.seen import STATE, Seen, frame_of
from brickyard.health.oracle.versions import newest

_PRICE = pa.decimal128(18, 10)
_COST = pa.decimal128(38, 19)
_COST_UNIT = Decimal("1e-19")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)  # a product has 47 digits at the most
_PRICE_KEY = ["account_id", "sku_name", "cloud", "currency_code", "usage_unit", "price_start_time"]
_PRICE_COLUMNS = "account_id price_start_time price_end_time sku_name cloud currency_code usage_unit"
_CURRENCY = "USD"
_FREE = "FREE_USAGE"


def _price_rows(seen: Seen, name: str, narrow: tuple[str, ...]) -> pa.Table:
    """Return the newest row of each price whose interval is not empty and whose amounts gold can hold."""
    rows = seen.rows(name)
    ends, begins = rows.column("price_end_time"), rows.column("price_start_time")
    lasting = call_function("greater", [ends, begins]).fill_null(True)
    return newest(where(rows, lasting, *(fits(rows.column(name), 18, 10) for name in narrow)), _PRICE_KEY, [STATE])


def fact_list_prices(seen: Seen) -> pa.Table:
    """Return the published prices; the one to use is the effective list price, else the default."""
    amounts = ("pricing__default", "pricing__promotional__default", "pricing__effective_list__default")
    rows = _price_rows(seen, "billing.list_prices", amounts)
    default, effective = rows.column("pricing__default"), rows.column("pricing__effective_list__default")
    return table(
        copied(rows, _PRICE_COLUMNS),
        {
            "list_price": narrowed(default, 18, 10),
            "promotional_price": narrowed(rows.column("pricing__promotional__default"), 18, 10),
            "effective_list_price": computed(_PRICE, lambda a, b: b if a is None else a, effective, default),
            "price_basis": computed(
                pa.string(), lambda a: "list_default" if a is None else "list_effective", effective
            ),
        },
    )


def fact_account_prices(seen: Seen) -> pa.Table:
    """Return the negotiated prices."""
    rows = _price_rows(seen, "billing.account_prices", ("pricing__default",))
    return table(copied(rows, _PRICE_COLUMNS), {"account_price": narrowed(rows.column("pricing__default"), 18, 10)})


@dataclass(frozen=True, slots=True)
class _Price:
    begin: datetime
    end: datetime | None
    amount: Decimal | None
    basis: str


_Series = Mapping[tuple[Any, ...], list[_Price]]


def _series(prices: pa.Table, amount: str) -> _Series:
    """Return the prices in US dollars of each account, SKU, cloud and unit; each ends where the next begins, at last."""
    found: dict[tuple[Any, ...], list[_Price]] = {}
    for row in prices.to_pylist():
        if row["currency_code"] == _CURRENCY and row["price_start_time"] is not None:
            whose = (row["account_id"], row["sku_name"], row["cloud"], row["usage_unit"])
            price = _Price(
                row["price_start_time"], row["price_end_time"], row[amount], row.get("price_basis", "account")
            )
            found.setdefault(whose, []).append(price)
    return {whose: _cut(sorted(each, key=lambda price: price.begin)) for whose, each in found.items()}


def _cut(prices: list[_Price]) -> list[_Price]:
    cut = [
        _Price(one.begin, then.begin if one.end is None else min(one.end, then.begin), one.amount, one.basis)
        for one, then in pairwise(prices)
    ]
    return [*cut, prices[-1]]


def _valid(series: _Series, whose: tuple[Any, ...], at: datetime | None) -> _Price | None:
    prices = series.get(whose, [])
    if at is None or None in whose:
        return None
    place = bisect_right(prices, at, key=lambda price: price.begin) - 1
    if place < 0:
        return None
    price = prices[place]
    return price if price.end is None or at < price.end else None


@dataclass(frozen=True, slots=True)
class _Amounts:
    list_price: Decimal | None
    effective_price: Decimal | None
    list_cost: Decimal | None
    effective_cost: Decimal | None
    price_basis: str


def cost(quantity: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Multiply exactly and round once, half away from zero, to 19 decimals."""
    if quantity is None or price is None:
        return None
    return _EXACT.quantize(_EXACT.multiply(quantity, price), _COST_UNIT)


def _amounts(sku: str | None, quantity: Decimal | None, listed: _Price | None, agreed: _Price | None) -> _Amounts:
    free = sku is not None and _FREE in sku
    list_price = listed.amount if listed and listed.amount is not None else (Decimal(0) if free else None)
    account = agreed.amount if agreed else None
    effective = list_price if account is None else account
    basis = _basis(account, listed, free=free)
    return _Amounts(list_price, effective, cost(quantity, list_price), cost(quantity, effective), basis)


def _basis(account: Decimal | None, listed: _Price | None, *, free: bool) -> str:
    if account is not None:
        return "account"
    if listed is None or listed.amount is None:
        return "free" if free else "unpriced"
    return listed.basis


_USAGE_KEY = ["record_id", "record_type", "ingestion_date", "usage_quantity"]


def _good_usage(rows: pa.Table) -> Mask:
    """Tell the rows that a bill can hold: a type, an amount that fits, a retraction that takes back, time forward."""
    quantity = rows.column("usage_quantity")
    adds = call_function("greater", [quantity, pa.scalar(Decimal(0), quantity.type)])
    wrong = call_function("and_kleene", [is_value(rows.column("record_type"), "RETRACTION"), adds]).fill_null(False)
    right = call_function("invert", [wrong])
    typed = known(rows, ["record_type"])
    return every(rows, right, typed, fits(quantity, 28, 18), forward(rows, "usage_start_time", "usage_end_time"))


def fact_usage(seen: Seen) -> pa.Table:
    """Return each record of the bill with the price at its beginning and its cost."""
    rows = seen.rows("billing.usage")
    rows = newest(where(rows, _good_usage(rows)), _USAGE_KEY, ["ingestion_date", "usage_end_time"])
    tags = entries(rows.column("custom_tags"))
    return table(
        copied(rows, "account_id workspace_id record_id sku_name cloud usage_start_time usage_end_time usage_date"),
        copied(rows, "custom_tags usage_unit"),
        {"usage_quantity": narrowed(rows.column("usage_quantity"), 28, 18)},
        flattened(rows, "usage_metadata"),
        flattened(rows, "identity_metadata"),
        copied(rows, "record_type ingestion_date billing_origin_product"),
        flattened(rows, "product_features"),
        copied(rows, "usage_type"),
        {
            "is_tagged": computed(pa.bool_(), lambda count: count > 0, tags),
            "tag_count": tags,
            "is_free": computed(pa.bool_(), lambda sku: None if sku is None else _FREE in sku, rows.column("sku_name")),
        },
        _priced(rows, _series(fact_list_prices(seen), "effective_list_price"), _agreed(seen)),
    )


def _agreed(seen: Seen) -> _Series:
    return _series(fact_account_prices(seen), "account_price")


def _priced(rows: pa.Table, listed: _Series, agreed: _Series) -> Columns:
    names = ("account_id", "sku_name", "cloud", "usage_unit", "usage_start_time", "usage_quantity")
    found: list[_Amounts] = []
    for *whose, at, quantity in zip(*(rows.column(name).to_pylist() for name in names), strict=True):
        series = tuple(whose)
        found.append(_amounts(whose[1], quantity, _valid(listed, series, at), _valid(agreed, series, at)))
    return {
        "list_price": pa.array([one.list_price for one in found], _PRICE),
        "effective_price": pa.array([one.effective_price for one in found], _PRICE),
        "list_cost": pa.array([one.list_cost for one in found], _COST),
        "effective_cost": pa.array([one.effective_cost for one in found], _COST),
        "price_basis": pa.array([one.price_basis for one in found], pa.string()),
    }


def dim_sku(seen: Seen) -> pa.Table:
    """Return every SKU that a row of the source names, the rows that gold refuses included."""
    key = ["sku_name", "cloud", "usage_unit"]
    rows = frame_of(seen.rows("billing.usage"), [*key, "billing_origin_product", "usage_type", "usage_date"])
    skus = rows.group_by(key).agg(
        pl.col("billing_origin_product").max(),
        pl.col("usage_type").max(),
        pl.col("usage_date").min().alias("first_usage_date"),
        pl.col("usage_date").max().alias("last_usage_date"),
    )
    return table({name: _arrow(skus[name]) for name in skus.columns}, _told_by_name(skus["sku_name"].to_list()))


def _arrow(series: pl.Series) -> pa.Array:
    array = series.to_arrow()
    return array.cast(pa.string()) if series.dtype == pl.String else array


def _told_by_name(names: list[str | None]) -> Columns:
    def each(kind: pa.DataType, tell: Callable[[str], Any]) -> pa.Array:
        return pa.array([None if name is None else tell(name) for name in names], kind)

    return {
        "tier": each(pa.string(), _tier),
        "is_serverless": each(pa.bool_(), lambda name: "SERVERLESS" in name),
        "is_photon": each(pa.bool_(), lambda name: "PHOTON" in name),
        "is_free": each(pa.bool_(), lambda name: _FREE in name),
    }


def _tier(name: str) -> str | None:
    found = re.match(r"(STANDARD|PREMIUM|ENTERPRISE)_", name)
    return found.group(1) if found else None


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "billing.dim_sku": dim_sku,
    "billing.fact_account_prices": fact_account_prices,
    "billing.fact_list_prices": fact_list_prices,
    "billing.fact_usage": fact_usage,
}
