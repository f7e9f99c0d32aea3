"""The bill a second time: costs from bronze by another way than the merges, and the FOCUS columns. SQL text, pure."""

from __future__ import annotations

from brickyard.health.plan.text import Places, canonical, money, quote

USAGE = "billing.fact_usage"
_KEY = "record_id, record_type, ingestion_date, usage_quantity"
_SERIES = "account_id, sku_name, cloud, currency_code, usage_unit"
_OPEN = "timestamp'9999-12-31 00:00:00Z'"


def by_day_and_sku(places: Places) -> str:
    """Ask rows, list and effective cost, and a hash of the records, by day and SKU: in gold, and computed from bronze."""
    return (
        "SELECT coalesce(g.day, r.day) AS day, coalesce(g.sku_name, r.sku_name) AS sku_name,"
        " g.found AS gold_rows, g.list_cost AS list_cost, g.cost AS gold_cost, g.mark AS gold_mark,"
        " r.found AS found, r.cost AS cost, r.mark AS mark, g.unpriced AS unpriced"
        f" FROM ({_summed(_gold(places))}) g FULL OUTER JOIN ({_summed(_recomputed(places))}) r"
        " ON g.day <=> r.day AND g.sku_name <=> r.sku_name ORDER BY 1, 2"
    )


def _summed(relation: str) -> str:
    record = (
        "md5(concat_ws('|', record_id, record_type, cast(ingestion_date as string),"
        " cast(usage_quantity as string), coalesce(cast(effective_cost as string), '')))"
    )
    mark = f"sum(cast(conv(substr({record}, 1, 12), 16, 10) as decimal(20,0)))"
    return (
        "SELECT usage_date AS day, sku_name, count(*) AS found, sum(list_cost) AS list_cost, sum(effective_cost) AS cost,"
        f" cast({mark} as string) AS mark, count_if(effective_cost IS NULL) AS unpriced FROM ({relation}) GROUP BY 1, 2"
    )


def _gold(places: Places) -> str:
    return f"SELECT {_KEY}, usage_date, sku_name, list_cost, effective_cost FROM {places.gold(USAGE)}"


def _recomputed(places: Places) -> str:
    """Newest row of each record that is not in quarantine, and the newest prices that were valid at its beginning."""
    list_price = "coalesce(p.price, CASE WHEN u.sku_name LIKE '%FREE_USAGE%' THEN cast(0 as decimal(18,10)) END)"
    price = f"coalesce(a.price, {list_price})"
    return (
        f"SELECT {', '.join('u.' + quote(c) for c in _KEY.split(', '))}, u.usage_date, u.sku_name,"
        f" {_cost(list_price)} AS list_cost, {_cost(price)} AS effective_cost"
        f" FROM ({_usage(places)}) u"
        f" LEFT JOIN ({_prices(places, 'billing_list_prices', _EFFECTIVE_LIST)}) p ON {_valid('p')}"
        f" LEFT JOIN ({_prices(places, 'billing_account_prices', 'pricing__default')}) a ON {_valid('a')}"
    )


_EFFECTIVE_LIST = "coalesce(pricing__effective_list__default, pricing__default)"


def _cost(price: str) -> str:
    return money("u.usage_quantity", price)


def _usage(places: Places) -> str:
    quantity = "try_cast(usage_quantity as decimal(28,18)) AS usage_quantity"
    faulty = f"SELECT row_hash FROM {places.ops('quarantine')} WHERE table_name = '{USAGE}'"
    rows = (
        f"SELECT record_id, record_type, ingestion_date, {quantity}, usage_date, usage_start_time, usage_end_time,"
        f" account_id, sku_name, cloud, usage_unit, _row_hash FROM {places.bronze('billing_usage')}"
    )
    good = f"SELECT b.* FROM ({rows}) b LEFT ANTI JOIN ({faulty}) q ON b._row_hash = q.row_hash"
    newest = f"row_number() OVER (PARTITION BY {_KEY} ORDER BY usage_end_time DESC NULLS LAST, _row_hash DESC)"
    return f"SELECT * FROM (SELECT *, {newest} AS _at FROM ({good})) WHERE _at = 1"


def _prices(places: Places, table: str, price: str) -> str:
    key = f"{_SERIES}, price_start_time"
    newest = f"row_number() OVER (PARTITION BY {key} ORDER BY _snapshot_at DESC, _row_hash DESC)"
    whole = "price_end_time IS NULL OR price_end_time > price_start_time"
    last = f"SELECT * FROM (SELECT *, {newest} AS _at FROM {places.bronze(table)} WHERE {whole}) WHERE _at = 1"
    following = f"lead(price_start_time) OVER (PARTITION BY {_SERIES} ORDER BY price_start_time)"
    return (
        f"SELECT {_SERIES}, price_start_time AS begins, try_cast({price} as decimal(18,10)) AS price,"
        f" least(coalesce(price_end_time, {_OPEN}), coalesce({following}, {_OPEN})) AS ends"
        f" FROM ({last}) WHERE currency_code = 'USD'"
    )


def _valid(alias: str) -> str:
    same = " AND ".join(f"{alias}.{c} = u.{c}" for c in ("account_id", "sku_name", "cloud", "usage_unit"))
    return f"{same} AND u.usage_start_time >= {alias}.begins AND u.usage_start_time < {alias}.ends"


# ── FOCUS ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_RESOURCES = (
    ("Job", "usage_metadata_job_id"),
    ("SQL warehouse", "usage_metadata_warehouse_id"),
    ("Pipeline", "usage_metadata_dlt_pipeline_id"),
    ("Model serving endpoint", "usage_metadata_endpoint_id"),
    ("Cluster", "usage_metadata_cluster_id"),
)
_AI = "'MODEL_SERVING', 'VECTOR_SEARCH', 'AI_GATEWAY', 'AI_FUNCTIONS', 'AGENT_EVALUATION', 'FINE_TUNING'"
_MONTH = "cast(trunc(usage_date, 'MM') as timestamp)"

FOCUS: dict[str, str | None] = {
    "AvailabilityZone": None,
    "BilledCost": "sum(effective_cost)",
    "BillingAccountId": "account_id",
    "BillingAccountName": None,
    "BillingCurrency": "'USD'",
    "BillingPeriodEnd": "cast(add_months(trunc(usage_date, 'MM'), 1) as timestamp)",
    "BillingPeriodStart": _MONTH,
    "ChargeCategory": "'Usage'",
    "ChargeClass": "CASE WHEN record_type <> 'ORIGINAL' AND trunc(ingestion_date, 'MM') > trunc(usage_date, 'MM') THEN 'Correction' END",
    "ChargeDescription": "sku_name",
    "ChargeFrequency": "'Usage-Based'",
    "ChargePeriodEnd": "cast(date_add(usage_date, 1) as timestamp)",
    "ChargePeriodStart": "cast(usage_date as timestamp)",
    "CommitmentDiscountCategory": None,
    "CommitmentDiscountId": None,
    "CommitmentDiscountName": None,
    "CommitmentDiscountStatus": None,
    "CommitmentDiscountType": None,
    "ConsumedQuantity": "sum(usage_quantity)",
    "ConsumedUnit": "usage_unit",
    "ContractedCost": "sum(effective_cost)",
    "ContractedUnitPrice": "effective_price",
    "EffectiveCost": "sum(effective_cost)",
    "InvoiceIssuerName": "CASE WHEN cloud = 'AZURE' THEN 'Microsoft' ELSE 'Databricks' END",
    "ListCost": "sum(list_cost)",
    "ListUnitPrice": "list_price",
    "PricingCategory": "'Standard'",
    "PricingQuantity": "sum(usage_quantity)",
    "PricingUnit": "usage_unit",
    "ProviderName": "'Databricks'",
    "PublisherName": "'Databricks'",
    "RegionId": None,
    "RegionName": None,
    "ResourceId": f"coalesce({', '.join(column for _, column in _RESOURCES)})",
    "ResourceName": None,
    "ResourceType": f"CASE {' '.join(f'WHEN {column} IS NOT NULL THEN {kind!r}' for kind, column in _RESOURCES)} END",
    "ServiceCategory": f"CASE WHEN billing_origin_product IN ({_AI}) THEN 'AI and Machine Learning' ELSE 'Analytics' END",
    "ServiceName": "billing_origin_product",
    "SkuId": "sku_name",
    "SkuPriceId": None,
    "SubAccountId": "workspace_id",
    "SubAccountName": None,
    "Tags": canonical("custom_tags", "map<string,string>"),
}
"""The columns of FOCUS 1.0 (focus.finops.org) over fact_usage, by their names; None: nothing here tells it truthfully."""

EMPTY = tuple(name for name, sql in FOCUS.items() if sql is None)


def focus(places: Places) -> str:
    """Ask usage by day as FOCUS rows; a cost that is not known is NULL, never 0."""
    grouped = [sql for sql in FOCUS.values() if sql and not sql.startswith(("sum(", "'"))]
    shown = ", ".join(f"{sql or 'cast(NULL as string)'} AS {quote(name)}" for name, sql in FOCUS.items())
    groups = ", ".join(dict.fromkeys(grouped))
    return f"SELECT {shown} FROM {places.gold(USAGE)} GROUP BY {groups} ORDER BY ChargePeriodStart, SkuId, SubAccountId, ResourceId"
