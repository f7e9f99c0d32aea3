"""The price list: SKUs with their units, and the dated states of list and account prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa

from brickyard.health.synthetic.period import microseconds
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.world import CLOUDS, World

ACCOUNT_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Sku:
    """One SKU: its product, the unit it is used in, the unit it is priced in and its price (None: no price row)."""

    name: str
    product: str
    unit: str
    price: str | None
    usage_type: str = "COMPUTE_TIME"
    price_unit: str | None = None


_US = "US_EAST_N_VIRGINIA"
SKUS: dict[str, Sku] = {
    "jobs": Sku("PREMIUM_JOBS_COMPUTE", "JOBS", "DBU", "0.15"),
    "jobs_photon": Sku("PREMIUM_JOBS_COMPUTE_(PHOTON)", "JOBS", "DBU", "0.15"),
    "jobs_serverless": Sku(f"PREMIUM_JOBS_SERVERLESS_COMPUTE_{_US}", "JOBS", "DBU", "0.35"),
    "all_purpose": Sku("PREMIUM_ALL_PURPOSE_COMPUTE", "ALL_PURPOSE", "DBU", "0.55"),
    "all_purpose_photon": Sku("PREMIUM_ALL_PURPOSE_COMPUTE_(PHOTON)", "ALL_PURPOSE", "DBU", "0.55"),
    "interactive": Sku(f"PREMIUM_ALL_PURPOSE_SERVERLESS_COMPUTE_{_US}", "INTERACTIVE", "DBU", "0.75"),
    "sql_serverless": Sku(f"PREMIUM_SERVERLESS_SQL_COMPUTE_{_US}", "SQL", "DBU", "0.70"),
    "sql_pro": Sku(f"PREMIUM_SQL_PRO_COMPUTE_{_US}", "SQL", "DBU", "0.55"),
    "dlt": Sku("PREMIUM_DLT_ADVANCED_COMPUTE", "DLT", "DBU", "0.36"),
    "dlt_serverless": Sku(f"PREMIUM_DELTA_LIVE_TABLES_SERVERLESS_{_US}", "DLT", "DBU", "0.45"),
    "serving": Sku(f"PREMIUM_SERVERLESS_REAL_TIME_INFERENCE_{_US}", "MODEL_SERVING", "DBU", "0.07"),
    "tokens": Sku(f"PREMIUM_FOUNDATION_MODEL_TOKENS_{_US}", "MODEL_SERVING", "DBU", "0.07", "TOKEN"),
    "storage": Sku(f"PREMIUM_DATABRICKS_STORAGE_{_US}", "DEFAULT_STORAGE", "DSU", "0.023", "STORAGE_SPACE"),
    "network": Sku(f"PREMIUM_PUBLIC_CONNECTIVITY_DATA_PROCESSED_{_US}", "NETWORKING", "GB", "0.09", "NETWORK_BYTE"),
    "egress": Sku(f"PREMIUM_INTERNET_EGRESS_{_US}", "NETWORKING", "GB", "90", "NETWORK_BYTES", price_unit="TB"),
    "optimization": Sku(f"PREMIUM_PREDICTIVE_OPTIMIZATION_{_US}", "PREDICTIVE_OPTIMIZATION", "DBU", "0.35"),
    "vector": Sku(f"PREMIUM_VECTOR_SEARCH_{_US}", "VECTOR_SEARCH", "DBU", "0.28"),
    "monitoring": Sku(f"PREMIUM_DATA_QUALITY_MONITORING_{_US}", "DATA_QUALITY_MONITORING", "DBU", "0.35"),
    "classification": Sku(f"PREMIUM_DATA_CLASSIFICATION_{_US}", "DATA_CLASSIFICATION", "DBU", "0.35"),
    "apps": Sku(f"PREMIUM_APPS_{_US}", "APPS", "DBU", "0.75"),
    "database": Sku(f"PREMIUM_DATABASE_SERVERLESS_COMPUTE_{_US}", "DATABASE", "DBU", "0.40"),
    "gateway": Sku(f"PREMIUM_AI_GATEWAY_{_US}", "AI_GATEWAY", "DBU", "0.10", "API_CALLS"),
    "genie_free": Sku("PREMIUM_GENIE_FREE_USAGE", "AI_FUNCTIONS", "DBU", None, "API_CALLS"),
    "preview": Sku("PREMIUM_AGENT_EVALUATION_PREVIEW", "AGENT_EVALUATION", "DBU", None),
    "one_off": Sku(f"PREMIUM_SERVERLESS_GPU_TRAINING_{_US}", "AI_RUNTIME", "DBU", "2.50", "GPU_TIME"),
}
SKU_KEYS = tuple(SKUS)
PRICED_FOR_THE_ACCOUNT = ("jobs", "jobs_serverless", "all_purpose", "sql_serverless", "serving")


@dataclass(frozen=True, slots=True)
class _Price:
    sku: str
    cloud: str
    currency: str
    start: datetime
    end: datetime | None
    default: Decimal
    promotional: Decimal | None = None

    def row(self, account_id: str, *, listed: bool) -> dict[str, Any]:
        pricing: dict[str, Any] = {"default": self.default}
        if listed:
            pricing["promotional"] = {"default": self.promotional}
            pricing["effective_list"] = {"default": self.default if self.promotional is None else self.promotional}
        sku = SKUS[self.sku]
        return {
            "account_id": account_id,
            "price_start_time": self.start,
            "price_end_time": self.end,
            "sku_name": sku.name,
            "cloud": self.cloud,
            "currency_code": self.currency,
            "usage_unit": sku.price_unit or sku.unit,
            "pricing": pricing,
        }


@dataclass(frozen=True, slots=True)
class _Change:
    """From *at* on a SKU costs *factor* times its price, or nothing more is agreed (None); seen from *shown* on."""

    sku: str
    at: datetime
    shown: date
    factor: Decimal | None
    promotional: Decimal | None = None

    def apply(self, prices: Iterable[_Price]) -> list[_Price]:
        return [after for price in prices for after in self._around(price)]

    def _around(self, price: _Price) -> list[_Price]:
        if price.sku != self.sku or price.end is not None:
            return [price]
        closed = replace(price, end=self.at)
        if self.factor is None:
            return [closed]
        promotional = None if self.promotional is None else price.default * self.promotional
        return [closed, replace(price, start=self.at, default=price.default * self.factor, promotional=promotional)]


def _list_changes(world: World) -> list[_Change]:
    day = world.period.day
    return [
        _change(world, "sql_serverless", day(0.2), time(10, 37), -1, "0.9"),
        _change(world, "all_purpose", day(0.3), time(0), 9, "1.2"),
        _change(world, "jobs_serverless", day(0.4), time(0), 0, "1", promotional="0.5"),
        _change(world, "jobs", day(0.55), time(15, 20, 30), 2, "0.8"),
        _change(world, "tokens", day(0.6), time(6, 30), 1, "1.25"),
        _change(world, "jobs_serverless", day(0.7), time(0), 0, "1"),
    ]


def price_changes(world: World, sku: str) -> list[int]:
    """Return the instants at which the list price of a SKU changes, in microseconds since 1970."""
    return [microseconds(change.at) for change in _list_changes(world) if change.sku == sku]


def _account_changes(world: World) -> list[_Change]:
    day = world.period.day
    return [
        _change(world, "sql_serverless", day(0.5), time(12, 15), 1, "0.95"),
        _change(world, "jobs_serverless", day(0.8), time(0), 4, None),
    ]


def _change(
    world: World, sku: str, day: date, at: time, shown_after: int, factor: str | None, promotional: str | None = None
) -> _Change:
    last = world.period.first + timedelta(days=world.period.days - 1)
    shown = min(max(day + timedelta(days=shown_after), world.period.first), last)
    share = None if promotional is None else Decimal(promotional)
    return _Change(sku, datetime.combine(day, at, UTC), shown, None if factor is None else Decimal(factor), share)


_FIRST_LIST = datetime(2024, 1, 1, tzinfo=UTC)
_SECOND_LIST = datetime(2025, 6, 1, tzinfo=UTC)
_ABROAD = {"USD": Decimal(1), "EUR": Decimal("0.92")}
_CLOUD_FACTOR = {"AWS": Decimal(1), "AZURE": Decimal("1.05"), "GCP": Decimal("1.1")}


def _first_list() -> list[_Price]:
    prices: list[_Price] = []
    for key, sku in SKUS.items():
        for cloud in CLOUDS:
            for currency, rate in _ABROAD.items():
                if sku.price is not None:
                    amount = Decimal(sku.price) * _CLOUD_FACTOR[cloud] * rate
                    prices.append(_Price(key, cloud, currency, _FIRST_LIST, _SECOND_LIST, amount * 2))
                    prices.append(_Price(key, cloud, currency, _SECOND_LIST, None, amount))
    return prices


def _first_account_prices() -> list[_Price]:
    return [
        _Price(key, cloud, ACCOUNT_CURRENCY, _SECOND_LIST, None, Decimal(SKUS[key].price or 0) * Decimal("0.85"))
        for key in PRICED_FOR_THE_ACCOUNT
        if key != "serving"
        for cloud in CLOUDS[:2]
    ]


def _agreed_later(world: World) -> tuple[date, list[_Price]]:
    """Return the account prices of serving, which begin five days before anybody can see them."""
    at = datetime.combine(world.period.day(0.25), time(), UTC)
    last = world.period.first + timedelta(days=world.period.days - 1)
    shown = min(at.date() + timedelta(days=5), last)
    amount = Decimal(SKUS["serving"].price or 0) * Decimal("0.8")
    return shown, [_Price("serving", cloud, ACCOUNT_CURRENCY, at, None, amount) for cloud in CLOUDS[:2]]


@lru_cache(maxsize=4)
def list_prices(world: World) -> tuple[tuple[date, pa.Table], ...]:
    """Return the states of billing.list_prices by day."""
    changes = _list_changes(world)
    days = sorted({world.period.first, *(change.shown for change in changes)})
    states = [(day, _after(_first_list(), changes, day)) for day in days]
    return tuple((day, _table(world, "billing.list_prices", prices)) for day, prices in states)


@lru_cache(maxsize=4)
def account_prices(world: World) -> tuple[tuple[date, pa.Table], ...]:
    """Return the states of billing.account_prices by day."""
    changes, (later_day, later) = _account_changes(world), _agreed_later(world)
    days = sorted({world.period.first, later_day, *(change.shown for change in changes)})
    first = _first_account_prices()
    states = [(day, _after(first, changes, day) + (later if day >= later_day else [])) for day in days]
    return tuple((day, _table(world, "billing.account_prices", prices)) for day, prices in states)


def _after(prices: list[_Price], changes: list[_Change], day: date) -> list[_Price]:
    for change in changes:
        if change.shown <= day:
            prices = change.apply(prices)
    return prices


def _table(world: World, name: str, prices: list[_Price]) -> pa.Table:
    listed = name == "billing.list_prices"
    rows = [price.row(world.account_id, listed=listed) for price in prices]
    return pa.Table.from_pylist(rows, schema=source(name).schema())
