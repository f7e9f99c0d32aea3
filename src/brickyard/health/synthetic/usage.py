"""billing.usage: what every product bills for the activity of a span, with corrections, odd rows and strangers' rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, corrections, draw
from brickyard.health.synthetic.draw import DAY, HOUR, MINUTE, NANO, Floats, Ints
from brickyard.health.synthetic.period import Period, clock_changes, midnight, pieces
from brickyard.health.synthetic.skus import SKU_KEYS, SKUS, price_changes
from brickyard.health.synthetic.workspaces import created
from brickyard.health.synthetic.world import (
    ACCOUNT,
    CLOUDS,
    NOBODY,
    REGIONS,
    TAGS,
    World,
    node_type_names,
    workspace_ids,
)

NAME = "billing.usage"
FOREIGN = {"jobs": 0.16, "all_purpose": 0.30, "sql_serverless": 0.32, "dlt": 0.38, "serving": 0.86}
TINY = 4_000  # nanos: 0.000004 units, what one request of tokens costs
_TIED_TAGS = ([("team", "told twice")], [("team", "told again")])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Usage of one product: positions of SKU and workspace, interval, nanos and 1e-18 parts of the quantity, ids."""

    sku: Ints
    workspace: Ints
    start: Ints
    stop: Ints
    nanos: Ints
    metadata: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    user: Ints | None = None
    tags: Ints | None = None


def usage(world: World, span: Period) -> pa.Table:
    """Return the rows of billing.usage that a span's activity leads to, in the order of their arrival."""
    rng = world.rng("usage", span.first.toordinal())
    parts = [
        *_jobs(world, span, rng),
        *_clusters(world, span, rng),
        *_warehouses(world, span, rng),
        *_pipelines(world, span, rng),
        *_serving(world, span, rng),
        *_background(world, span, rng),
    ]
    rows = pa.concat_tables([_rows(world, rng, part) for part in parts])
    base = arrival.drifted(rows, NAME, world)
    extra = [
        *corrections.corrections(world, span, rng, base),
        arrival.repeats(base, rng, world),
        arrival.ties(base, rng, world, "custom_tags", _TIED_TAGS),
    ]
    return arrival.by_arrival(pa.concat_tables([base, *extra]))


def _nanos(rate: Floats, start: Ints, stop: Ints) -> Ints:
    return (rate * ((stop - start) / HOUR) * NANO).astype(np.int64).clip(1)


def _sku(key: str) -> int:
    return SKU_KEYS.index(key)


def _jobs(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    runs = activity.job_runs(world, span)
    worked = np.flatnonzero(runs.stop > runs.start)
    owner, start, stop = pieces(runs.start[worked], runs.stop[worked], aligned=True)
    run = runs.attempt_run[worked[owner]]
    job = runs.job[run]
    classic = world.jobs.classic[job]
    photon = (job % 3 == 0) & classic
    sku = np.where(classic, np.where(photon, _sku("jobs_photon"), _sku("jobs")), _sku("jobs_serverless"))
    cloud = world.workspaces.cloud[world.jobs.workspace[job]]
    rate = 1.5 + world.jobs.node[job] * 2.0 + rng.random(len(job))
    own = Part(
        sku=sku,
        workspace=world.jobs.workspace[job],
        start=start,
        stop=stop,
        nanos=_nanos(rate, start, stop),
        metadata={
            "cluster_id": runs.cluster.take(pa.array(run)),
            "job_id": draw.digits(world.jobs.number[job]),
            "job_run_id": draw.digits(runs.number[run]),
            "job_name": world.jobs.name.take(pa.array(job)),
            "node_type": draw.only(classic, node_type_names(cloud, world.jobs.node[job])),
            "usage_policy_id": "policy-default",
        },
        features={
            "jobs_tier": draw.only(classic, pa.array(["CLASSIC"] * len(job))),
            "is_serverless": ~classic,
            "is_photon": photon | ~classic,
            "performance_target": draw.only(~classic, pa.array(["PERFORMANCE_OPTIMIZED"] * len(job))),
        },
        user=world.jobs.owner[job],
        tags=world.jobs.tags[job],
    )
    away = _elsewhere(world, span, rng, "jobs", len(job), 3.0)
    ids = draw.numbers(rng, len(away.sku), 15)
    cluster = draw.only(rng.random(len(ids)) < 0.4, _cluster(rng, len(ids)))
    metadata = {"job_id": draw.digits(ids), "job_run_id": draw.digits(ids + 7), "cluster_id": cluster}
    return [own, _with(away, metadata)]


def _cluster(rng: np.random.Generator, size: int) -> pa.Array:
    return draw.join("0101-000000-", draw.hex_ids(rng, size, 8))


def _with(part: Part, metadata: Mapping[str, Any]) -> Part:
    return Part(part.sku, part.workspace, part.start, part.stop, part.nanos, metadata)


def _elsewhere(world: World, span: Period, rng: np.random.Generator, key: str, own: int, rate: float) -> Part:
    """Return usage of the other region, or of deleted workspaces, whose ids no regional table knows."""
    size = max(3, round(own * FOREIGN[key] / (1 - FOREIGN[key])))
    return _hourly(world, span, rng, key, size, rate, _strangers(world, rng, size))


def _strangers(world: World, rng: np.random.Generator, size: int) -> Ints:
    away = world.workspaces.away[rng.integers(0, len(world.workspaces.away), size)]
    gone = world.workspaces.gone[rng.integers(0, len(world.workspaces.gone), size)]
    return np.where(rng.random(size) < 0.08, gone, away)


def _hourly(
    world: World, span: Period, rng: np.random.Generator, key: str, size: int, rate: float, workspace: Ints
) -> Part:
    start = span.start + rng.integers(0, span.days * 24, size) * HOUR
    telling = [*clock_changes(span), *(at // HOUR * HOUR for at in price_changes(world, key) if span.holds(at))]
    start[: len(telling)] = telling[:size]
    nanos = _nanos(rate * (0.5 + rng.random(size)), start, start + HOUR)
    return Part(np.full(size, _sku(key)), workspace, start, start + HOUR, nanos)


def _clusters(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    sessions = activity.cluster_sessions(world, span)
    owner, start, stop = pieces(sessions.start, sessions.stop, aligned=True)
    at, own = sessions.owner[owner], world.clusters
    photon = at % 4 == 0
    workspace = own.workspace[at]
    part = Part(
        sku=np.where(photon, _sku("all_purpose_photon"), _sku("all_purpose")),
        workspace=workspace,
        start=start,
        stop=stop,
        nanos=_nanos(own.rate[at] * own.size[at], start, stop),
        metadata={
            "cluster_id": own.id.take(pa.array(at)),
            "node_type": node_type_names(world.workspaces.cloud[workspace], own.size[at] % 3),
        },
        features={"is_serverless": False, "is_photon": photon},
        user=own.owner[at],
        tags=own.tags[at],
    )
    away = _elsewhere(world, span, rng, "all_purpose", len(at), 6.0)
    return [part, _with(away, {"cluster_id": _cluster(rng, len(away.sku))})]


def _warehouses(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    sessions = activity.warehouse_sessions(world, span)
    owner, start, stop = pieces(sessions.start, sessions.stop, aligned=True)
    at, own = sessions.owner[owner], world.warehouses
    serverless = own.serverless[at]
    part = Part(
        sku=np.where(serverless, _sku("sql_serverless"), _sku("sql_pro")),
        workspace=own.workspace[at],
        start=start,
        stop=stop,
        nanos=_nanos(own.rate[at] * 2.0 ** own.size[at], start, stop),
        metadata={"warehouse_id": own.id.take(pa.array(at))},
        features={
            "sql_tier": draw.pick(("PRO", "SERVERLESS"), serverless.astype(np.int64)),
            "is_serverless": serverless,
            "is_photon": True,
        },
        user=own.owner[at],
        tags=own.tags[at],
    )
    away = _elsewhere(world, span, rng, "sql_serverless", len(at), 12.0)
    return [part, _with(away, {"warehouse_id": draw.hex_ids(rng, len(away.sku), 16)})]


def _pipelines(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    updates = activity.updates(world, span)
    owner, start, stop = pieces(updates.start, updates.stop, aligned=True)
    at, own = updates.pipeline[owner], world.pipelines
    serverless = own.serverless[at]
    part = Part(
        sku=np.where(serverless, _sku("dlt_serverless"), _sku("dlt")),
        workspace=own.workspace[at],
        start=start,
        stop=stop,
        nanos=_nanos(own.rate[at], start, stop),
        metadata={
            "dlt_pipeline_id": own.id.take(pa.array(at)),
            "dlt_update_id": updates.id.take(pa.array(owner)),
            "cluster_id": updates.cluster.take(pa.array(owner)),
        },
        features={"dlt_tier": "ADVANCED", "is_serverless": serverless, "is_photon": True},
        user=own.owner[at],
        tags=own.tags[at],
    )
    away = _elsewhere(world, span, rng, "dlt", len(at), 4.0)
    size = len(away.sku)
    cluster = draw.only(rng.random(size) < 0.15, _cluster(rng, size))
    return [part, _with(away, {"dlt_pipeline_id": draw.uuids(rng, size), "cluster_id": cluster})]


def _serving(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    sessions = activity.endpoint_sessions(world, span)
    owner, start, stop = pieces(sessions.start, sessions.stop, aligned=True)
    at, own = sessions.owner[owner], world.endpoints
    part = Part(
        sku=np.full(len(at), _sku("serving")),
        workspace=own.workspace[at],
        start=start,
        stop=stop,
        nanos=_nanos(np.full(len(at), 4.0), start, stop),
        metadata={"endpoint_id": own.id.take(pa.array(at)), "endpoint_name": own.name.take(pa.array(at))},
        features={"serving_type": "MODEL", "is_serverless": True, "model_serving": {"offering_type": "CPU"}},
        user=own.owner[at],
    )
    away = _elsewhere(world, span, rng, "serving", len(at), 2.0)
    hosted = _with(away, {"endpoint_id": draw.hex_ids(rng, len(away.sku)), "endpoint_name": "databricks-hosted"})
    return [part, hosted, _tokens(world, span, rng)]


def _tokens(world: World, span: Period, rng: np.random.Generator) -> Part:
    size = world.events(70, span, 20)
    start = span.start + rng.integers(0, span.days * 24 * 60, size) * MINUTE
    metadata = {
        "endpoint_name": "databricks-chat",
        "ai_gateway": {"endpoint_name": "databricks-chat", "destination_model": "chat-large"},
        "operation": "chat",
    }
    return Part(
        sku=np.full(size, _sku("tokens")),
        workspace=_anywhere(world, rng, size),
        start=start,
        stop=start + MINUTE,
        nanos=TINY * rng.integers(1, 40, size) ** 2,
        metadata=metadata,
        features={"serving_type": "FOUNDATION_MODEL", "is_serverless": True, "genie": {"offering_type": "STANDARD"}},
        user=rng.integers(0, len(world.users.number), size),
    )


def _anywhere(world: World, rng: np.random.Generator, size: int) -> Ints:
    return rng.integers(0, len(world.workspaces.away) + len(world.workspaces.home), size)


_BACKGROUND = {  # rows a day at scale 1, units per row, and how many a span has at least
    "interactive": (70, 1.6, 3),
    "storage": (72, 40.0, 6),
    "network": (48, 3.3, 4),
    "optimization": (50, 0.8, 3),
    "vector": (24, 4.0, 2),
    "monitoring": (20, 0.6, 2),
    "classification": (8, 0.9, 2),
    "apps": (24, 0.5, 2),
    "database": (24, 2.2, 2),
    "gateway": (10, 0.01, 2),
    "genie_free": (12, 0.05, 3),
}
_RARE = {"egress": (2.0, 2), "preview": (1.1, 2), "one_off": (4.0, 1)}  # units per row, rows in a span


def _background(world: World, span: Period, rng: np.random.Generator) -> list[Part]:
    many = [
        _everyday(world, span, rng, key, world.events(a_day, span, least), units)
        for key, (a_day, units, least) in _BACKGROUND.items()
    ]
    rare = [_everyday(world, span, rng, key, rows, units) for key, (units, rows) in _RARE.items()]
    return [*many, *rare]


def _everyday(world: World, span: Period, rng: np.random.Generator, key: str, size: int, units: float) -> Part:
    workspace = _anywhere(world, rng, size)
    if key in {"storage", "network"}:
        gone = world.workspaces.gone[rng.integers(0, len(world.workspaces.gone), size)]
        workspace = np.where(rng.random(size) < 0.15, gone, workspace)
        workspace[: max(2, size // 10)] = NOBODY
        workspace[: max(1, size // 50)] = ACCOUNT
    part = _hourly(world, span, rng, key, size, units, workspace)
    metadata = _BACKGROUND_METADATA.get(key, {})
    return Part(part.sku, part.workspace, part.start, part.stop, part.nanos, metadata, {"is_serverless": True})


_BACKGROUND_METADATA: dict[str, Mapping[str, Any]] = {
    "interactive": {"notebook_path": "/Workspace/Shared/explore", "interactive_source": "NOTEBOOK"},
    "storage": {"uc_table_catalog": "main", "storage_api_type": "TIER_1", "data_source": "managed"},
    "network": {"source_region": REGIONS[0], "destination_region": REGIONS[1], "networking_client": "serverless"},
    "apps": {"app_id": "app-1", "app_name": "orders-desk"},
    "genie_free": {"genie": {"surface": "SPACE", "channel": "UI"}},
}


def _rows(world: World, rng: np.random.Generator, part: Part) -> pa.Table:
    size = len(part.sku)
    workspace = _not_before_creation(world, part.workspace, part.start)
    arrived = arrival.arrive(rng, world, part.stop, latest=14 * DAY)
    user = None if part.user is None else world.users.email.take(pa.array(part.user))
    tags = np.full(size, len(TAGS) - 1) if part.tags is None else part.tags
    rest = rng.integers(0, NANO, size)
    rest[(part.nanos % TINY == 0) | (rng.random(size) < 0.2)] = 0
    skus = [SKUS[key] for key in SKU_KEYS]
    values = {
        "account_id": world.account_id,
        "workspace_id": workspace_ids(world, workspace),
        "record_id": draw.uuids(rng, size),
        "sku_name": draw.pick([sku.name for sku in skus], part.sku),
        "cloud": draw.pick(CLOUDS, np.where(workspace < 0, 0, world.workspaces.cloud[workspace])),
        "usage_start_time": part.start,
        "usage_end_time": part.stop,
        "usage_date": columns.dates(part.start),
        "custom_tags": draw.pick(TAGS, tags, pa.map_(pa.string(), pa.string())),
        "usage_unit": draw.pick([sku.unit for sku in skus], part.sku),
        "usage_quantity": draw.decimals(part.nanos, rest),
        "usage_metadata": part.metadata,
        "identity_metadata": {"run_as": user, "created_by": user, "owned_by": user, "run_by": user},
        "record_type": "ORIGINAL",
        "ingestion_date": columns.dates(arrived),
        "billing_origin_product": draw.pick([sku.product for sku in skus], part.sku),
        "product_features": part.features,
        "usage_type": draw.pick([sku.usage_type for sku in skus], part.sku),
    }
    return columns.table(NAME, size, arrived, values)


def _not_before_creation(world: World, workspace: Ints, start: Ints) -> Ints:
    newest = int(world.workspaces.away[-1])
    early = (workspace == newest) & (start < midnight(created(world, newest).date()) + DAY)
    return np.where(early, world.workspaces.away[0], workspace)
