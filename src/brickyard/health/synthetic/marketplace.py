"""system.marketplace: what consumers do with listings; rows have no id, and identical rows are two events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.draw import DAY, MINUTE, Ints
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.world import CLOUDS, REGIONS, World

_STEPS = (
    "VIEW_LISTING",
    "START_REQUEST_DATA",
    "COMPLETE_REQUEST_DATA",
    "ABANDON_REQUEST_DATA",
    "VIEW_GET_DATA",
    "COMPLETE_GET_DATA",
    "FAIL_GET_DATA",
)


def listing_access_events(world: World, span: Period) -> pa.Table:
    """Return completed requests for data and deliveries; some consumers leave no e-mail."""
    name = "marketplace.listing_access_events"
    rng = world.rng(name, span.first.toordinal())
    size = world.events(8, span, 20)
    got = rng.random(size) < 0.6
    opened = rng.random(size) < 0.3
    who = rng.integers(0, 40, size)
    reachable = ~draw.within(size, draw.some(rng, size, 0.15, 3))
    values, event = _listing(world, span, rng, size)
    values |= {
        "consumer_delta_sharing_recipient_name": draw.only(got, draw.join("recipient_", draw.digits(who))),
        "consumer_delta_sharing_recipient_type": draw.pick(("DATABRICKS", "OPEN"), opened.astype(np.int64)),
        "consumer_cloud": draw.only(~opened, draw.pick(CLOUDS, who % 3)),
        "consumer_region": draw.only(~opened, draw.pick(REGIONS, who % 3)),
        "consumer_metastore_id": draw.only(~opened, draw.join("metastore-", draw.digits(who))),
        "consumer_email": draw.only(reachable, draw.join("buyer", draw.digits(who), "@partner.example")),
        "consumer_name": draw.join("Buyer ", draw.digits(who)),
        "consumer_company": draw.join("Company ", draw.digits(who % 9)),
        "consumer_intended_use": draw.pick(("analytics", "training", None), who % 3),
        "event_type": draw.pick(("REQUEST_DATA", "GET_DATA"), got.astype(np.int64)),
    }
    return _twins(columns.table(name, size, arrival.arrive(rng, world, event), values), name, rng, world)


def listing_funnel_events(world: World, span: Period) -> pa.Table:
    """Return the steps of consumers on the way to a listing's data."""
    name = "marketplace.listing_funnel_events"
    rng = world.rng(name, span.first.toordinal())
    size = world.events(50, span, 40)
    where = rng.integers(0, 4, size)
    values, event = _listing(world, span, rng, size)
    values |= {
        "event_type": draw.pick(_STEPS, draw.choose(rng, (60, 12, 8, 4, 8, 6, 2), size)),
        "consumer_cloud": draw.pick((*CLOUDS, None), where),
        "consumer_region": draw.pick((*REGIONS, None), where),
    }
    return _twins(columns.table(name, size, arrival.arrive(rng, world, event), values), name, rng, world)


def _listing(world: World, span: Period, rng: np.random.Generator, size: int) -> tuple[dict[str, Any], Ints]:
    event = span.start + rng.integers(0, span.days * DAY // MINUTE, size) * MINUTE
    listing = rng.integers(0, 6, size)
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "metastore_id": world.metastore_id,
        "metastore_cloud": CLOUDS[0],
        "metastore_region": REGIONS[0],
        "provider_id": "provider-1",
        "provider_name": "Synthetic Data",
        "listing_id": draw.join("listing-", draw.digits(listing)),
        "listing_name": draw.pick(("Orders", "Weather", "Places", "Rates", "Names", "Codes"), listing),
        "event_time": event,
        "event_date": columns.dates(event),
    }
    return values, event


def _twins(table: pa.Table, name: str, rng: np.random.Generator, world: World) -> pa.Table:
    """Repeat a few rows as events of their own: nothing tells them from their twins, which arrive with them."""
    base = arrival.drifted(table, name, world)
    twins = base.take(pa.array(draw.some(rng, base.num_rows, 0.02, 2)))
    return arrival.by_arrival(pa.concat_tables([base, twins]))
