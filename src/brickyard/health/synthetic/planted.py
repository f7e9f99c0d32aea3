"""What is wrong, odd or rare in the synthetic account on purpose: where, how often at the least, and how to find it.

The texts are SQL over one table per source, named with `_` for the dot (`billing_usage`). A source that grows holds
all its arrivals with `_arrived_at`; a snapshot holds all its states with `_state_day`. Each text yields one count. The
least counts hold at every scale of 0.02 and more over the default 60 days.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted case of a source: at least *at_least* finds of the query *sql*."""

    source: str
    case: str
    at_least: int
    sql: str


def _rows(source: str, case: str, at_least: int, condition: str) -> Planted:
    return Planted(source, case, at_least, f"SELECT count(*) FROM {source.replace('.', '_')} t WHERE {condition}")


def _groups(source: str, case: str, at_least: int, keys: str, having: str, condition: str = "true") -> Planted:
    table = source.replace(".", "_")
    return Planted(
        source,
        case,
        at_least,
        f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} GROUP BY {keys} HAVING {having})",
    )


_ORIGINAL_OF = (
    "EXISTS (SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'ORIGINAL' "
    "AND o.usage_quantity = -t.usage_quantity)"
)
_RESTATED = "EXISTS (SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'RESTATEMENT')"
_LIST_PRICE = (
    "SELECT 1 FROM billing_list_prices p WHERE p.sku_name = t.sku_name AND p.cloud = t.cloud "
    "AND p.currency_code = 'USD'"
)
_USAGE = "billing.usage"
_LIST = "billing.list_prices"

BILLING: tuple[Planted, ...] = (
    _rows(_USAGE, "retraction with the id of its original", 10, f"record_type = 'RETRACTION' AND {_ORIGINAL_OF}"),
    _rows(
        _USAGE,
        "retraction with an id of its own",
        6,
        "record_type = 'RETRACTION' AND usage_quantity < 0 AND NOT EXISTS "
        "(SELECT 1 FROM billing_usage o WHERE o.record_id = t.record_id AND o.record_type = 'ORIGINAL')",
    ),
    _rows(_USAGE, "retraction and restatement of one id", 10, f"record_type = 'RETRACTION' AND {_RESTATED}"),
    _rows(_USAGE, "retraction without restatement", 3, f"record_type = 'RETRACTION' AND NOT {_RESTATED}"),
    _groups(
        _USAGE,
        "two rounds of one id",
        3,
        "record_id",
        "count(DISTINCT usage_quantity) > 1",
        "record_type = 'RETRACTION'",
    ),
    _rows(
        _USAGE,
        "correction ingested weeks later",
        4,
        "record_type <> 'ORIGINAL' AND ingestion_date > usage_date + INTERVAL 14 DAY",
    ),
    _rows(
        _USAGE,
        "correction in the month after",
        6,
        "record_type <> 'ORIGINAL' AND date_trunc('month', ingestion_date) > date_trunc('month', usage_date)",
    ),
    _rows(
        _USAGE,
        "original that is days late",
        2,
        "record_type = 'ORIGINAL' AND _arrived_at > usage_end_time + INTERVAL 28 HOUR",
    ),
    _groups(
        _USAGE,
        "exact row delivered twice",
        2,
        "record_id, record_type, usage_quantity, ingestion_date, custom_tags",
        "count(*) > 1",
    ),
    _groups(
        _USAGE,
        "two contents of one key and sequence",
        1,
        "record_id, record_type, usage_quantity, ingestion_date, usage_end_time",
        "count(DISTINCT custom_tags::VARCHAR) > 1 OR (count(custom_tags) BETWEEN 1 AND count(*) - 1)",
    ),
    _rows(_USAGE, "retraction that adds", 1, "record_type = 'RETRACTION' AND usage_quantity > 0"),
    _rows(_USAGE, "quantity too large for decimal(28,18)", 1, "abs(usage_quantity) >= 10000000000"),
    _rows(
        _USAGE, "quantity of 18 decimals", 100, "(usage_quantity * 1000000000) <> trunc(usage_quantity * 1000000000)"
    ),
    _rows(_USAGE, "quantity of 0.000004", 1, "usage_quantity < 0.0001 AND usage_quantity > 0"),
    _rows(_USAGE, "no workspace", 2, "workspace_id IS NULL"),
    _rows(_USAGE, "workspace '0'", 1, "workspace_id = '0'"),
    _rows(
        _USAGE,
        "workspace deleted before the period",
        5,
        "workspace_id <> '0' AND workspace_id NOT IN (SELECT workspace_id FROM access_workspaces_latest)",
    ),
    _rows(_USAGE, "free usage", 3, "sku_name LIKE '%_FREE_USAGE'"),
    _rows(_USAGE, "SKU without a price", 2, f"sku_name NOT LIKE '%_FREE_USAGE' AND NOT EXISTS ({_LIST_PRICE})"),
    _rows(
        _USAGE,
        "SKU priced in another unit only",
        2,
        f"EXISTS ({_LIST_PRICE}) AND NOT EXISTS ({_LIST_PRICE} AND p.usage_unit = t.usage_unit)",
    ),
    _rows(_USAGE, "tokens billed in DBU", 10, "usage_type = 'TOKEN' AND usage_unit = 'DBU'"),
    _rows(_USAGE, "drift of an enum: NETWORK_BYTE", 2, "usage_type = 'NETWORK_BYTE'"),
    _rows(_USAGE, "drift of an enum: NETWORK_BYTES", 2, "usage_type = 'NETWORK_BYTES'"),
    _rows(_USAGE, "field that came with the drift", 3, "identity_metadata.run_by IS NOT NULL"),
    _rows(
        _USAGE, "hour of summer time in America", 1, "date_trunc('hour', usage_start_time) = '2026-03-08 07:00:00+00'"
    ),
    _rows(
        _USAGE, "hour of summer time in Europe", 1, "date_trunc('hour', usage_start_time) = '2026-03-29 01:00:00+00'"
    ),
    _rows(
        _USAGE,
        "price that changes inside the interval",
        1,
        "EXISTS (SELECT 1 FROM billing_list_prices p WHERE p.sku_name = t.sku_name AND p.cloud = t.cloud "
        "AND p.price_start_time > t.usage_start_time AND p.price_start_time < t.usage_end_time)",
    ),
    _rows(
        _USAGE,
        "usage between a price and its showing",
        3,
        f"EXISTS ({_LIST_PRICE} AND t.usage_start_time >= p.price_start_time AND t.usage_start_time < "
        "(SELECT min(q._state_day) FROM billing_list_prices q WHERE q.sku_name = p.sku_name AND q.cloud = p.cloud "
        "AND q.price_start_time = p.price_start_time) AND p.price_start_time > '2026-01-01 00:00:00+00')",
    ),
    _rows(_LIST, "price that starts inside an hour", 2, "minute(price_start_time) <> 0"),
    _rows(_LIST, "price in a second currency", 10, "currency_code = 'EUR'"),
    _rows(_LIST, "promotional price", 2, "pricing.promotional.default IS NOT NULL"),
    _rows(
        _LIST, "effective list price that is not the default", 2, "pricing.effective_list.default <> pricing.default"
    ),
    _groups(
        _LIST,
        "open price closed in place",
        6,
        "sku_name, cloud, currency_code, usage_unit, price_start_time",
        "count(DISTINCT coalesce(price_end_time, '9999-01-01 00:00:00+00')) > 1",
    ),
    _rows("billing.account_prices", "negotiated price", 4, "currency_code = 'USD'"),
    _rows("billing.account_prices", "agreement that ends", 1, "price_end_time IS NOT NULL"),
    _rows("billing.account_prices", "price shown after it began", 2, "_state_day > price_start_time + INTERVAL 1 DAY"),
    _groups("access.workspaces_latest", "workspace renamed", 1, "workspace_id", "count(DISTINCT workspace_name) > 1"),
    _rows(
        "access.workspaces_latest",
        "workspace that vanishes",
        1,
        "_state_day = (SELECT min(_state_day) FROM access_workspaces_latest) AND workspace_id NOT IN (SELECT "
        "workspace_id FROM access_workspaces_latest WHERE _state_day = (SELECT max(_state_day) FROM access_workspaces_latest))",
    ),
    _rows(
        "access.workspaces_latest",
        "workspace that appears",
        1,
        "_state_day = (SELECT max(_state_day) FROM access_workspaces_latest) AND workspace_id NOT IN (SELECT "
        "workspace_id FROM access_workspaces_latest WHERE _state_day = (SELECT min(_state_day) FROM access_workspaces_latest))",
    ),
)

PLANTED: tuple[Planted, ...] = (*BILLING,)
