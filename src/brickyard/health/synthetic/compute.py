"""system.compute: clusters with their nodes by the minute, warehouses with their events, and the node types."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, draw
from brickyard.health.synthetic.activity import IDLE_CLUSTER, SKIPPED, Sessions
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import HOUR, MINUTE, SECOND, Floats, Ints
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.versions import ALIVE, Versions, out_of_order, versions
from brickyard.health.synthetic.world import NODE_TYPES, TAGS, World, node_type_names

_TAG_MAP = pa.map_(pa.string(), pa.string())
_SAMPLE = 15 * MINUTE  # between two told minutes of a node
_SIZES = ("2X_SMALL", "X_SMALL", "SMALL", "MEDIUM", "LARGE")
_RUNTIMES = ("15.4.x-scala2.12", "16.4.x-scala2.12", "11.3.x-scala2.12", "17.0.x-photon-scala2.13")


def clusters(world: World, span: Period) -> pa.Table:
    """Return the versions of clusters: the shared ones, in the first span, and one for each classic run or update."""
    name = "compute.clusters"
    tables = [_run_clusters(world, span), _update_clusters(world, span)]
    if span.start == world.period.start:
        tables.append(_shared_clusters(world))
    return arrival.told(pa.concat_tables(tables), name, world, tie=("dbr_version", ("14.3.x", "13.3.x")))


def _shared_clusters(world: World) -> pa.Table:
    own, rng = world.clusters, world.rng("shared clusters")
    deleted = np.full(len(own.created), ALIVE)
    deleted[-1] = world.period.start + int((world.period.stop - world.period.start) * 0.85)
    told = versions(rng, world, own.created, 1.5, deleted)
    at = told.owner
    given = {
        "cluster_name": own.name.take(pa.array(at)),
        "cluster_source": draw.pick(("UI", "API"), at % 2),
        "auto_termination_minutes": draw.pick((60, 0, None, 120), at % 4),
        "owned_by": world.users.email.take(pa.array(own.owner[at])),
        "tags": draw.pick(TAGS, (own.tags[at] + told.ordinal) % len(TAGS), _TAG_MAP),
        "data_security_mode": "USER_ISOLATION",
        "policy_id": draw.pick(("policy-shared", None), told.ordinal % 2),
    }
    arrived = out_of_order(arrival.arrive(rng, world, told.changed), told)
    return _cluster_rows(world, told, own.id, own.workspace, own.size, own.created, arrived, given)


def _run_clusters(world: World, span: Period) -> pa.Table:
    runs, rng = activity.job_runs(world, span), world.rng("run clusters", span.first.toordinal())
    chosen = world.jobs.classic[runs.job] & (runs.state[: len(runs.job)] != SKIPPED)
    chosen &= ~draw.within(len(chosen), draw.some(rng, len(chosen), 0.001, 0))
    at = np.flatnonzero(chosen)
    end = np.zeros(len(runs.job), dtype=np.int64)
    np.maximum.at(end, runs.attempt_run, runs.stop)
    job = runs.job[at]
    given = {
        "cluster_name": draw.join("job-", draw.digits(world.jobs.number[job]), "-run"),
        "cluster_source": "JOB",
        "owned_by": world.users.email.take(pa.array(world.jobs.owner[job])),
        "tags": draw.pick(TAGS, world.jobs.tags[job], _TAG_MAP),
        "data_security_mode": "SINGLE_USER",
    }
    lives = Sessions(np.arange(len(at), dtype=np.int64), runs.start[at], end[at] + MINUTE)
    ids = runs.cluster.take(pa.array(at))
    return _short_lived(world, rng, lives, ids, world.jobs.workspace[job], world.jobs.node[job] + 1, given)


def _update_clusters(world: World, span: Period) -> pa.Table:
    updates, rng = activity.updates(world, span), world.rng("update clusters", span.first.toordinal())
    at = np.flatnonzero(~world.pipelines.serverless[updates.pipeline])
    pipeline = updates.pipeline[at]
    given = {
        "cluster_name": draw.join("dlt-execution-", world.pipelines.id.take(pa.array(pipeline))),
        "cluster_source": "PIPELINE",
        "owned_by": world.users.email.take(pa.array(world.pipelines.owner[pipeline])),
        "tags": draw.pick(TAGS, world.pipelines.tags[pipeline], _TAG_MAP),
        "data_security_mode": "SINGLE_USER",
    }
    lives = Sessions(np.arange(len(at), dtype=np.int64), updates.start[at], updates.stop[at] + MINUTE)
    ids = updates.cluster.take(pa.array(at))
    return _short_lived(
        world, rng, lives, ids, world.pipelines.workspace[pipeline], world.pipelines.size[pipeline], given
    )


def _short_lived(
    world: World,
    rng: np.random.Generator,
    lives: Sessions,
    ids: pa.Array,
    workspace: Ints,
    size: Ints,
    given: dict[str, Any],
) -> pa.Table:
    """Return two versions of each cluster that lives for one piece of work: its beginning and its end."""
    owner = np.repeat(lives.owner, 2)
    ends = np.arange(len(owner)) % 2 == 1
    told = Versions(owner, ends.astype(np.int64), np.where(ends, lives.stop[owner], lives.start[owner]), ends)
    twice = {
        name: value.take(pa.array(owner)) if isinstance(value, pa.Array) else value for name, value in given.items()
    }
    arrived = arrival.arrive(rng, world, told.changed)
    return _cluster_rows(world, told, ids, workspace, size, lives.start, arrived, twice)


def _cluster_rows(
    world: World,
    told: Versions,
    ids: pa.Array,
    workspace: Ints,
    size: Ints,
    created: Ints,
    arrived: Ints,
    given: dict[str, Any],
) -> pa.Table:
    at = told.owner
    cloud = world.workspaces.cloud[workspace[at]]
    node = node_type_names(cloud, size[at] % 3)
    scaling = at % 3 == 0
    values = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(workspace[at])),
        "cluster_id": ids.take(pa.array(at)),
        "create_time": created[at],
        "delete_time": draw.only(told.ends, columns.instants(told.changed)),
        "driver_node_type": node,
        "worker_node_type": node,
        "worker_count": draw.only(~scaling, pa.array(size[at] + told.ordinal % 2)),
        "min_autoscale_workers": draw.only(scaling, pa.array(size[at])),
        "max_autoscale_workers": draw.only(scaling, pa.array(size[at] * 3)),
        "enable_elastic_disk": True,
        "init_scripts": draw.pick(([], ["/Volumes/main/scripts/init.sh"], None), at % 3, pa.list_(pa.string())),
        **_cloud_attributes(cloud),
        "dbr_version": draw.pick(_RUNTIMES, (at + told.ordinal) % len(_RUNTIMES)),
        "change_time": told.changed,
        "change_date": columns.dates(told.changed),
        **given,
    }
    return columns.table("compute.clusters", len(at), arrived, values)


def _cloud_attributes(cloud: Ints) -> dict[str, Where]:
    return {
        "aws_attributes": Where(
            cloud == 0,
            {
                "first_on_demand": 1,
                "availability": "SPOT_WITH_FALLBACK",
                "zone_id": "us-east-1a",
                "spot_bid_price_percent": 100,
                "ebs_volume_count": 1,
                "ebs_volume_size": 100,
            },
        ),
        "azure_attributes": Where(
            cloud == 1,
            {"first_on_demand": 1, "availability": "ON_DEMAND_AZURE", "spot_bid_max_price": -1.0},
        ),
        "gcp_attributes": Where(
            cloud == 2,
            {"use_preemptible_executors": False, "boot_disk_size": 100, "availability": "ON_DEMAND_GCP"},
        ),
    }


def node_timeline(world: World, span: Period) -> pa.Table:
    """Return minutes of nodes: every fifteenth minute of each shared cluster, and of the longer runs' clusters."""
    name = "compute.node_timeline"
    tables = [_shared_nodes(world, span), _run_nodes(world, span)]
    return arrival.told(pa.concat_tables(tables), name, world)


def _shared_nodes(world: World, span: Period) -> pa.Table:
    rng, own = world.rng("shared nodes", span.first.toordinal()), world.clusters
    sessions = activity.cluster_sessions(world, span)
    minutes, node = _minutes(sessions, own.size[sessions.owner] + 1)
    at = sessions.owner[minutes.owner]
    cpu = draw.lognormal(rng, 35, 0.6, len(at)).clip(0, 95)
    cpu = np.where(at == IDLE_CLUSTER, rng.random(len(at)) * 2.5, cpu)
    lost = draw.join("0101-000000-", draw.digits(at), "lost")
    unknown = draw.within(len(at), draw.some(rng, len(at), 0.003, 2))
    ids = draw.either(unknown, lost, own.id.take(pa.array(at)))
    return _node_rows(world, rng, minutes, node, ids, own.workspace[at], own.size[at], cpu)


def _run_nodes(world: World, span: Period) -> pa.Table:
    rng, runs = world.rng("run nodes", span.first.toordinal()), activity.job_runs(world, span)
    long = np.flatnonzero(world.jobs.classic[runs.attempt_job] & (runs.stop - runs.start > 20 * MINUTE))
    sessions = Sessions(long, runs.start[long], np.minimum(runs.stop[long], runs.start[long] + 3 * HOUR))
    minutes, node = _minutes(sessions, np.full(len(long), 2))
    run = runs.attempt_run[long[minutes.owner]]
    job = runs.job[run]
    cpu = draw.lognormal(rng, 60, 0.4, len(run)).clip(0, 97)
    ids = runs.cluster.take(pa.array(run))
    return _node_rows(world, rng, minutes, node, ids, world.jobs.workspace[job], world.jobs.node[job] + 1, cpu)


def _minutes(sessions: Sessions, nodes: Ints) -> tuple[Sessions, Ints]:
    """Return the told minutes of each session's nodes, and the number of each node in its cluster."""
    samples = np.maximum(1, (sessions.stop - sessions.start) // _SAMPLE)
    many = samples * nodes
    owner = np.repeat(np.arange(len(many), dtype=np.int64), many)
    within = np.arange(len(owner), dtype=np.int64) - np.repeat(np.cumsum(many) - many, many)
    start = sessions.start[owner] // MINUTE * MINUTE + within // nodes[owner] * _SAMPLE
    return Sessions(owner, start, start + MINUTE), within % nodes[owner]


def _node_rows(
    world: World,
    rng: np.random.Generator,
    minutes: Sessions,
    node: Ints,
    cluster: pa.Array,
    workspace: Ints,
    size: Ints,
    cpu: Floats,
) -> pa.Table:
    count = len(node)
    disks = ([("/", 80 << 30), ("/local_disk0", 200 << 30)], [("/", 70 << 30)])
    values = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(workspace)),
        "cluster_id": cluster,
        "instance_id": draw.join("i-", cluster, "-", draw.digits(node)),
        "start_time": minutes.start,
        "end_time": minutes.stop,
        "driver": node == 0,
        "cpu_user_percent": np.round(cpu, 3),
        "cpu_system_percent": np.round(cpu * 0.1, 3),
        "cpu_wait_percent": np.round(rng.random(count), 3),
        "mem_used_percent": np.round(20 + 60 * rng.random(count), 3),
        "mem_swap_percent": 0.0,
        "network_sent_bytes": rng.integers(0, 1 << 24, count),
        "network_received_bytes": rng.integers(0, 1 << 26, count),
        "disk_free_bytes_per_mount_point": draw.pick(disks, node % 2, pa.map_(pa.string(), pa.int64())),
        "node_type": node_type_names(world.workspaces.cloud[workspace], size % 3),
        "private_ip": draw.join("10.0.0.", draw.digits(node + 4)),
    }
    return columns.table("compute.node_timeline", count, arrival.arrive(rng, world, minutes.stop), values)


def warehouses(world: World) -> pa.Table:
    """Return the versions of warehouse definitions."""
    name, own = "compute.warehouses", world.warehouses
    rng = world.rng(name)
    deleted = np.full(len(own.created), ALIVE)
    deleted[-1] = world.period.start + int((world.period.stop - world.period.start) * 0.9)
    told = versions(rng, world, own.created, 1.2, deleted)
    at = told.owner
    values: dict[str, Any] = {
        "warehouse_id": own.id.take(pa.array(at)),
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "account_id": world.account_id,
        "warehouse_name": own.name.take(pa.array(at)),
        "warehouse_type": draw.pick(("PRO", "SERVERLESS"), own.serverless[at].astype(np.int64)),
        "warehouse_channel": draw.pick(("CURRENT", "PREVIEW"), told.ordinal % 2),
        "warehouse_size": draw.pick(_SIZES, np.minimum(own.size[at] + told.ordinal % 2, len(_SIZES) - 1)),
        "min_clusters": np.ones(len(at), dtype=np.int32),
        "max_clusters": (1 + own.size[at]).astype(np.int32),
        "auto_stop_minutes": draw.pick((10, 0, 45, 120), at % 4),
        "tags": draw.pick(TAGS, own.tags[at], _TAG_MAP),
        "change_time": told.changed,
        "delete_time": draw.only(told.ends, columns.instants(told.changed)),
        "created_by": world.users.email.take(pa.array(own.owner[at])),
    }
    arrived = out_of_order(arrival.arrive(rng, world, told.changed), told)
    return arrival.told(columns.table(name, len(at), arrived, values), name, world)


_EVENTS = ("STARTING", "RUNNING", "SCALED_UP", "SCALED_DOWN", "STOPPING", "STOPPED")


def warehouse_events(world: World, span: Period) -> pa.Table:
    """Return how warehouses start, scale and stop; a stop and the last step down share their instant."""
    name, own = "compute.warehouse_events", world.warehouses
    rng, up = world.rng(name, span.first.toordinal()), activity.warehouse_sessions(world, span)
    scalings = np.minimum(1 + (up.stop - up.start) // HOUR, 9)
    kind, owner, moment, clusters_up = _session_events(rng, up)
    scaled = np.repeat(np.arange(len(up.owner), dtype=np.int64), scalings)
    step = up.start[scaled] + (rng.random(len(scaled)) * (up.stop - up.start)[scaled]).astype(np.int64)
    step = step // SECOND * SECOND
    higher = rng.random(len(scaled)) < 0.5
    kind = np.concatenate([kind, np.where(higher, 2, 3)])
    owner = np.concatenate([owner, scaled])
    at = up.owner[owner]
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "warehouse_id": own.id.take(pa.array(at)),
        "event_type": draw.pick(_EVENTS, kind),
        "cluster_count": np.concatenate([clusters_up, np.where(higher, 2, 1)]).astype(np.int32),
        "event_time": np.concatenate([moment, step]),
    }
    table = columns.table(name, len(at), arrival.arrive(rng, world, np.concatenate([moment, step])), values)
    return arrival.told(table, name, world, tie=("cluster_count", (7, 8)))


def _session_events(rng: np.random.Generator, up: Sessions) -> tuple[Ints, Ints, Ints, Ints]:
    """Return kind, session, instant and clusters of what every session has: start, run, step down, stop."""
    size = len(up.owner)
    session = np.tile(np.arange(size, dtype=np.int64), 5)
    kind = np.repeat(np.asarray([0, 1, 3, 4, 5], dtype=np.int64), size)
    running = up.start + rng.integers(2, 200, size) * SECOND
    moment = np.concatenate([up.start, running, up.stop, up.stop, up.stop + 20 * SECOND])
    return kind, session, moment, np.repeat(np.asarray([0, 1, 1, 0, 0], dtype=np.int64), size)


@lru_cache(maxsize=4)
def node_types(world: World) -> tuple[tuple[date, pa.Table], ...]:
    """Return the states of compute.node_types: one type is added in the period and one gets more memory."""
    first, added, grown = world.period.first, world.period.day(0.35), world.period.day(0.65)
    days = sorted({first, added, grown})
    return tuple((day, _node_type_state(world, new=day >= added, grown=day >= grown)) for day in days)


def _node_type_state(world: World, *, new: bool, grown: bool) -> pa.Table:
    names = [name for cloud in NODE_TYPES for name in cloud] + (["g5.xlarge"] if new else [])
    rows = [
        {
            "account_id": world.account_id,
            "node_type": name,
            "core_count": float(4 + 4 * (at % 2)),
            "memory_mb": 16_384 * (1 + at % 3) + (8_192 if grown and at == 0 else 0),
            "gpu_count": int(name.startswith("g5")),
        }
        for at, name in enumerate(names)
    ]
    return pa.Table.from_pylist(rows, schema=source("compute.node_types").schema())
