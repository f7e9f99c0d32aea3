"""The truth of the domain marketplace: what consumers did on listings, and which data they got."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import Columns, copied, is_value, table
from brickyard.health.oracle.seen import Seen, fingerprints

_LISTING = (
    "account_id metastore_id metastore_cloud metastore_region provider_id provider_name listing_id listing_name"
    " event_type event_time event_date consumer_cloud consumer_region"
)
_CONSUMER = (
    "consumer_delta_sharing_recipient_name consumer_delta_sharing_recipient_type consumer_metastore_id consumer_email"
    " consumer_name consumer_company consumer_intended_use consumer_comment"
)


def _hash(rows: pa.Table) -> Columns:
    """Name each row by its content: the sources have no ids."""
    return {"row_hash": pa.array(fingerprints(rows), pa.string())}


def fact_listing_access(seen: Seen) -> pa.Table:
    """Return requests for data and deliveries of data."""
    rows = seen.rows("marketplace.listing_access_events")
    delivered = {"is_delivery": is_value(rows.column("event_type"), "GET_DATA")}
    return table(_hash(rows), copied(rows, _LISTING), copied(rows, _CONSUMER), delivered)


def fact_listing_funnel(seen: Seen) -> pa.Table:
    """Return the steps of consumers on listings."""
    rows = seen.rows("marketplace.listing_funnel_events")
    return table(_hash(rows), copied(rows, _LISTING))


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "marketplace.fact_listing_access": fact_listing_access,
    "marketplace.fact_listing_funnel": fact_listing_funnel,
}
