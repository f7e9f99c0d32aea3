"""system.mlflow: experiments and runs as they are rewritten in place, and every metric point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import arrival, columns, draw
from brickyard.health.synthetic.draw import DAY, HOUR, MINUTE, SECOND, Ints, Mask
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.versions import ALIVE, versions
from brickyard.health.synthetic.world import World

EXPERIMENTS = "mlflow.experiments_latest"
RUNS = "mlflow.runs_latest"
METRICS = "mlflow.run_metrics_history"
_POINTS = 11
_METRICS = ("loss", "accuracy")
_TAG_MAP = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class _Experiments:
    number: Ints
    workspace: Ints
    created: Ints


@lru_cache(maxsize=4)
def _experiments(world: World) -> _Experiments:
    rng = world.rng("experiments")
    size = max(8, round(60 * world.scale))
    home = world.workspaces.home
    created = world.period.start - rng.integers(-5 * DAY, 90 * DAY, size)
    return _Experiments(draw.numbers(rng, size, 16), home[rng.integers(0, len(home), size)], created)


def experiments_latest(world: World) -> pa.Table:
    """Return the states of experiments: renamed now and then, the last two deleted."""
    own, rng = _experiments(world), world.rng(EXPERIMENTS)
    deleted = np.full(len(own.number), ALIVE)
    deleted[-2:] = world.period.start + int((world.period.stop - world.period.start) * 0.6)
    told = versions(rng, world, own.created, 1.0, deleted)
    at = told.owner
    values = {
        "account_id": world.account_id,
        "update_time": told.changed,
        "delete_time": draw.only(told.ends, columns.instants(told.changed)),
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "experiment_id": draw.digits(own.number[at]),
        "name": draw.join("/Shared/forecast-", draw.digits(at), "-v", draw.digits(told.ordinal + 1)),
        "create_time": own.created[at],
    }
    arrived = arrival.arrive(rng, world, told.changed)
    return arrival.drifted(columns.table(EXPERIMENTS, len(at), arrived, values), EXPERIMENTS, world)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    id: pa.Array
    experiment: Ints
    known: Mask
    user: Ints
    start: Ints
    stop: Ints
    failed: Mask


@lru_cache(maxsize=2)
def _runs(world: World, span: Period) -> _Runs:
    rng = world.rng("mlflow runs", span.first.toordinal())
    size = world.events(42, span, 24)
    start = span.start + rng.integers(0, span.days * DAY, size)
    return _Runs(
        id=draw.hex_ids(rng, size),
        experiment=rng.integers(0, len(_experiments(world).number), size),
        known=~draw.within(size, draw.some(rng, size, 0.016, 1)),
        user=rng.integers(0, len(world.users.number), size),
        start=start,
        stop=start + (draw.lognormal(rng, 1_200, 0.8, size) * SECOND).astype(np.int64),
        failed=rng.random(size) < 0.07,
    )


def runs_latest(world: World, span: Period) -> pa.Table:
    """Return the states of the runs that begin in a span: begun, ended, for some tagged later or deleted."""
    runs, rng = _runs(world, span), world.rng(RUNS, span.first.toordinal())
    size = len(runs.start)
    every = np.arange(size, dtype=np.int64)
    tagged, deleted = draw.some(rng, size, 0.1, 4), draw.some(rng, size, 0.03, 3)
    at = np.concatenate([every, every, tagged, deleted])
    step = np.repeat(np.arange(4, dtype=np.int64), [size, size, len(tagged), len(deleted)])
    ends = runs.stop[at]
    updated = np.choose(step, [runs.start[at], ends, ends + 2 * HOUR, ends + 8 * HOUR])
    state = np.where(step == 0, 0, 1 + runs.failed[at])
    own = _experiments(world)
    experiment = own.number[runs.experiment[at]] + np.where(runs.known[at], 0, 1)
    pool = (
        [{"metric_name": "loss", "min_value": 0.1, "max_value": 0.9, "latest_value": 0.1}],
        [],
    )
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "update_time": updated,
        "delete_time": draw.only(step == 3, columns.instants(updated)),
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[runs.experiment[at]])),
        "run_id": runs.id.take(pa.array(at)),
        "experiment_id": draw.digits(experiment),
        "created_by": world.users.email.take(pa.array(runs.user[at])),
        "start_time": runs.start[at],
        "end_time": draw.only(step > 0, columns.instants(ends)),
        "run_name": draw.join("run-", draw.digits(at)),
        "status": draw.pick(("RUNNING", "FINISHED", "FAILED"), state),
        "params": draw.pick(([("depth", "6"), ("rate", "0.1")], []), at % 2, _TAG_MAP),
        "tags": draw.pick(([("stage", "trial")], [("stage", "candidate")]), (step >= 2).astype(np.int64), _TAG_MAP),
        "aggregated_metrics": draw.pick(
            pool, (step == 0).astype(np.int64), source(RUNS).schema().field("aggregated_metrics").type
        ),
    }
    return arrival.drifted(columns.table(RUNS, len(at), arrival.arrive(rng, world, updated), values), RUNS, world)


def run_metrics_history(world: World, span: Period) -> pa.Table:
    """Return eleven points a run: steps that share their time, and one point logged twice under two ids."""
    runs, rng = _runs(world, span), world.rng(METRICS, span.first.toordinal())
    at = np.repeat(np.arange(len(runs.start), dtype=np.int64), _POINTS)
    point = np.tile(np.arange(_POINTS, dtype=np.int64), len(runs.start))
    step = np.minimum(point, _POINTS - 2) // 2
    moment = runs.start[at] + step // 2 * MINUTE
    own = _experiments(world)
    values = {
        "account_id": world.account_id,
        "insert_time": moment + 5 * SECOND + point,
        "record_id": draw.uuids(rng, len(at)),
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[runs.experiment[at]])),
        "experiment_id": draw.digits(own.number[runs.experiment[at]] + np.where(runs.known[at], 0, 1)),
        "run_id": runs.id.take(pa.array(at)),
        "metric_name": draw.pick(_METRICS, np.minimum(point, _POINTS - 2) % 2),
        "metric_time": moment,
        "metric_step": step,
        "metric_value": np.round(1.0 / (1 + step) + (at % 10) / 100, 6),
    }
    arrived = arrival.arrive(rng, world, moment)
    return arrival.told(columns.table(METRICS, len(at), arrived, values), METRICS, world)
