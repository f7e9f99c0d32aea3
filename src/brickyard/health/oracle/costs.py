"""What usage cost, by a path of its own: straight from the raw rows, fractions instead of decimals, prices by search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

from brickyard.health.oracle.seen import STATE, Seen, leaves_of
from brickyard.health.oracle.text import fingerprint

_EXACT = Context(prec=60)
_FIELDS = [
    "account_id",
    "workspace_id",
    "record_id",
    "sku_name",
    "cloud",
    "usage_start_time",
    "usage_end_time",
    "usage_date",
    "custom_tags",
    "usage_unit",
    "usage_quantity",
    "usage_metadata__job_id",
    "usage_metadata__warehouse_id",
    "usage_metadata__cluster_id",
    "record_type",
    "ingestion_date",
]
_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of the bill that counts, and what it cost in units of 1e-19; None where it has no price."""

    row: _Row
    quantity: int  # in units of 1e-18
    listed: int | None
    effective: int | None


_STRING = pa.string()
_TAGGED = "tag"
_BY: dict[str, tuple[tuple[str, pa.DataType, Callable[[_Row], Any]], ...]] = {
    "day": (("usage_date", pa.date32(), lambda row: row["usage_date"]),),
    "month": (("month", pa.date32(), lambda row: _month(row["usage_date"])),),
    "workspace": (("workspace_id", _STRING, lambda row: row["workspace_id"]),),
    "sku": tuple((name, _STRING, lambda row, name=name: row[name]) for name in ("sku_name", "cloud", "usage_unit")),
    "job": (
        ("workspace_id", _STRING, lambda row: row["workspace_id"]),
        ("job_id", _STRING, lambda row: row["usage_metadata__job_id"]),
    ),
    "warehouse": (
        ("workspace_id", _STRING, lambda row: row["workspace_id"]),
        ("warehouse_id", _STRING, lambda row: row["usage_metadata__warehouse_id"]),
    ),
    "cluster": (
        ("workspace_id", _STRING, lambda row: row["workspace_id"]),
        ("cluster_id", _STRING, lambda row: row["usage_metadata__cluster_id"]),
    ),
    _TAGGED: (
        ("tag_key", _STRING, lambda row: row["_tag"][0]),
        ("tag_value", _STRING, lambda row: row["_tag"][1]),
    ),
}
WAYS = tuple(_BY)


def _month(day: date | None) -> date | None:
    return None if day is None else day.replace(day=1)


def costs(seen: Seen, by: Sequence[str]) -> pa.Table:
    """Sum usage by some of `WAYS`: records, quantity, list and effective cost, and the quantity that has no price.

    A cost is null where nothing in the group has a price. By tag, a row counts once for each of its tags, and a row
    without tags under a null tag. Raises KeyError for another way.
    """
    columns = [column for way in by for column in _BY[way]]
    sums: dict[tuple[Any, ...], _Sum] = {}
    for record in records(seen):
        for row in _tagged(record.row) if _TAGGED in by else (record.row,):
            whose = tuple(tell(row) for _, _, tell in columns)
            sums.setdefault(whose, _Sum()).add(record)
    keys = {name: pa.array([whose[at] for whose in sums], kind) for at, (name, kind, _) in enumerate(columns)}
    return pa.table({**keys, **_columns(list(sums.values()))})


def _tagged(row: _Row) -> Iterator[_Row]:
    for tag in row["custom_tags"] or [(None, None)]:
        yield {**row, "_tag": tag}


@dataclass(slots=True)
class _Sum:
    """Sums of integers: quantities in units of 1e-18, costs in units of 1e-19."""

    records: int = 0
    quantity: int = 0
    listed: int | None = None
    effective: int | None = None
    unpriced: int = 0

    def add(self, record: _Record) -> None:
        self.records += 1
        self.quantity += record.quantity
        self.listed = _total(self.listed, record.listed)
        self.effective = _total(self.effective, record.effective)
        self.unpriced += record.quantity if record.effective is None else 0


def _total(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more


def _columns(sums: list[_Sum]) -> dict[str, pa.Array]:
    return {
        "records": pa.array([one.records for one in sums], pa.int64()),
        "usage_quantity": _decimals([one.quantity for one in sums], 18),
        "list_cost": _decimals([one.listed for one in sums], 19),
        "effective_cost": _decimals([one.effective for one in sums], 19),
        "unpriced_quantity": _decimals([one.unpriced for one in sums], 18),
    }


def _decimals(units: list[int | None], scale: int) -> pa.Array:
    values = [None if unit is None else Decimal(unit).scaleb(-scale, _EXACT) for unit in units]
    return pa.array(values, pa.decimal128(38, scale))


# Records ----------------------------------------------------------------------------------------------------------


def records(seen: Seen) -> Iterator[_Record]:
    """Yield what counts of the raw rows: one of each record, none that a bill cannot hold."""
    rows = seen.rows("billing.usage")
    plain = rows.select(_FIELDS).to_pylist()
    listed = _Prices(seen, "billing.list_prices", "pricing__effective_list__default")
    agreed = _Prices(seen, "billing.account_prices", "pricing__default")
    for at in _counting(rows, plain):
        row = plain[at]
        price = listed.at(row)
        if price is None and "FREE_USAGE" in (row["sku_name"] or ""):
            price = Fraction(0)
        own = agreed.at(row)
        quantity = Fraction(row["usage_quantity"] or 0)
        yield _Record(
            row, int(quantity * 10**18), _cost(quantity, price), _cost(quantity, price if own is None else own)
        )


def _cost(quantity: Fraction, price: Fraction | None) -> int | None:
    """Round half away from zero to units of 1e-19."""
    if price is None:
        return None
    units = abs(quantity * price) * 10**19 + Fraction(1, 2)
    return int(units) if quantity * price >= 0 else -int(units)


def _counting(rows: pa.Table, plain: list[dict[str, Any]]) -> list[int]:
    """Return the positions of the rows that count: the one that was ingested last, ended last, or has the greater hash."""
    found: dict[tuple[Any, ...], int] = {}
    for at, row in enumerate(plain):
        if _billable(row):
            key = (row["record_id"], row["record_type"], row["ingestion_date"], row["usage_quantity"])
            rival = found.setdefault(key, at)
            if rival != at and _after(rows, plain, at, rival):
                found[key] = at
    return list(found.values())


def _after(rows: pa.Table, plain: list[dict[str, Any]], at: int, rival: int) -> bool:
    ends, others = plain[at]["usage_end_time"], plain[rival]["usage_end_time"]
    if ends != others:
        return others is None or (ends is not None and ends > others)
    return fingerprint(leaves_of(rows, at)) > fingerprint(leaves_of(rows, rival))


def _billable(row: _Row) -> bool:
    quantity, begin, end = row["usage_quantity"], row["usage_start_time"], row["usage_end_time"]
    adds = row["record_type"] == "RETRACTION" and quantity is not None and quantity > 0
    backward = begin is not None and end is not None and end < begin
    return row["record_type"] is not None and abs(quantity or 0) < 10**10 and not adds and not backward


_SERIES = ("account_id", "sku_name", "cloud", "usage_unit")


class _Prices:
    """The prices in US dollars as the newest state shows them, with those that older states alone show."""

    def __init__(self, seen: Seen, source: str, amount: str) -> None:
        states = sorted(seen.rows(source).to_pylist(), key=lambda row: row[STATE])
        newest = {(*(row[name] for name in _SERIES), row["price_start_time"]): row for row in states if _usable(row)}
        self._amount = amount
        self._rows: dict[tuple[Any, ...], list[_Row]] = {}
        for row in newest.values():
            self._rows.setdefault(tuple(row[name] for name in _SERIES), []).append(row)

    def at(self, row: _Row) -> Fraction | None:
        """Return the price that began last before a row's usage, if it had not ended."""
        when: datetime | None = row["usage_start_time"]
        series = self._rows.get(tuple(row[name] for name in _SERIES), [])
        begun = [price for price in series if when is not None and price["price_start_time"] <= when]
        last = max(begun, key=lambda price: price["price_start_time"], default=None)
        if last is None or (last["price_end_time"] is not None and when >= last["price_end_time"]):
            return None
        amount = last[self._amount] if last[self._amount] is not None else last["pricing__default"]
        return None if amount is None else Fraction(amount)


def _usable(row: _Row) -> bool:
    end = row["price_end_time"]
    return row["currency_code"] == "USD" and (end is None or end > row["price_start_time"])
