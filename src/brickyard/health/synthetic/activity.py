"""What happened in a span: runs, updates and sessions, from which bills, timelines, lineage and logs are all told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import draw
from brickyard.health.synthetic.draw import DAY, HOUR, MINUTE, SECOND, Ints, Mask
from brickyard.health.synthetic.period import Period, clock_offsets
from brickyard.health.synthetic.world import Jobs, World

STATES = ("SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "ERROR", "BLOCKED", "SKIPPED", None)
SUCCEEDED, FAILED, SKIPPED, UNFINISHED = 0, 1, 6, 7
_STATE_WEIGHTS = (90, 4.5, 1.5, 0.7, 0.5, 0.3, 1.5, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Job runs; an attempt is one stretch of work in a run, and a repaired run has two."""

    job: Ints
    number: Ints
    cluster: pa.Array
    attempt_run: Ints
    start: Ints
    stop: Ints
    state: Ints
    last: Mask

    @property
    def attempt_job(self) -> Ints:
        """Return the job of each attempt."""
        return self.job[self.attempt_run]


@dataclass(frozen=True, slots=True, eq=False)
class TaskRuns:
    """Task runs, one for each task in each attempt of its run."""

    attempt: Ints
    task: Ints
    number: Ints
    start: Ints
    stop: Ints
    state: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Stretches in which a cluster, warehouse or endpoint is up."""

    owner: Ints
    start: Ints
    stop: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Updates:
    """Pipeline updates."""

    pipeline: Ints
    id: pa.Array
    request: pa.Array
    start: Ints
    stop: Ints
    state: Ints
    cluster: pa.Array


@lru_cache(maxsize=2)
def job_runs(world: World, span: Period) -> Runs:
    """Return the runs that begin in a span."""
    rng = world.rng("runs", span.first.toordinal())
    job, start = _starts(rng, world.jobs, span)
    size = len(job)
    state = _states(rng, size)
    length = (draw.lognormal(rng, 15 * 60, 1.1, size).clip(20, 9 * 3600) * SECOND).astype(np.int64)
    length[state == UNFINISHED] += 3 * HOUR
    length[state == SKIPPED] = 0
    repaired = draw.some(rng, size, 0.02, 2)
    repaired = repaired[np.isin(state[repaired], (SUCCEEDED, FAILED))]
    run = np.concatenate([np.arange(size, dtype=np.int64), repaired])
    again = start[repaired] + length[repaired] + rng.integers(5 * MINUTE, 3 * HOUR, len(repaired))
    state[repaired] = FAILED
    return Runs(
        job=job,
        number=draw.numbers(rng, size, 15),
        cluster=draw.only(world.jobs.classic[job], _cluster_ids(rng, start)),
        attempt_run=run,
        start=np.concatenate([start, again]),
        stop=np.concatenate([start + length, again + length[repaired] // 2 + MINUTE]),
        state=np.concatenate([state, np.full(len(repaired), SUCCEEDED, dtype=np.int64)]),
        last=np.concatenate([~draw.within(size, repaired), np.ones(len(repaired), dtype=np.bool_)]),
    )


def _starts(rng: np.random.Generator, jobs: Jobs, span: Period) -> tuple[Ints, Ints]:
    counts = np.floor(jobs.per_day + rng.random((span.days, len(jobs.per_day)))).astype(np.int64)
    counts[0, ~jobs.listed] += 1
    day, job = (axis.ravel() for axis in np.indices(counts.shape))
    many = counts.ravel()
    day, job = np.repeat(day, many), np.repeat(job, many)
    ordinal = np.arange(len(job), dtype=np.int64) - np.repeat(np.cumsum(many) - many, many)
    start = span.days_from()[day] + jobs.hour[job] * HOUR + ordinal * DAY // np.repeat(many, many).clip(1)
    start += rng.integers(0, 15 * MINUTE, len(job)) - clock_offsets(span)[jobs.zone[job], day, jobs.hour[job]]
    alive = (start >= jobs.created[job]) & (start < jobs.deleted[job])
    return job[alive].astype(np.int64), start[alive]


def _states(rng: np.random.Generator, size: int) -> Ints:
    state = draw.choose(rng, _STATE_WEIGHTS, size)
    forced = rng.permutation(size)[: 2 * (len(STATES) - 1)]
    state[forced] = 1 + np.arange(len(forced), dtype=np.int64) // 2
    return state


def _cluster_ids(rng: np.random.Generator, start: Ints) -> pa.Array:
    stamp = draw.digits(start // MINUTE % 100_000_000)
    return draw.join(stamp, "-", draw.hex_ids(rng, len(start), 8))


@lru_cache(maxsize=2)
def task_runs(world: World, span: Period) -> TaskRuns:
    """Return the task runs of the runs of a span: tasks of one attempt follow each other and fill its time."""
    rng, runs = world.rng("task runs", span.first.toordinal()), job_runs(world, span)
    many = np.where(runs.state == SKIPPED, 0, world.jobs.tasks[runs.attempt_job])
    attempt = np.repeat(np.arange(len(many), dtype=np.int64), many)
    task = np.arange(len(attempt), dtype=np.int64) - np.repeat(np.cumsum(many) - many, many)
    length = (runs.stop - runs.start)[attempt] // many[attempt]
    start = runs.start[attempt] + task * length
    final = task == many[attempt] - 1
    return TaskRuns(
        attempt=attempt,
        task=task,
        number=draw.numbers(rng, len(attempt), 15),
        start=start,
        stop=start + length,
        state=np.where(final, runs.state[attempt], SUCCEEDED),
    )


def cluster_sessions(world: World, span: Period) -> Sessions:
    """Return when the all-purpose clusters are up, mostly in office hours."""
    return _sessions(world, span, "cluster", world.clusters.active, median_hours=5.0)


def warehouse_sessions(world: World, span: Period) -> Sessions:
    """Return when the warehouses are up."""
    return _sessions(world, span, "warehouse", world.warehouses.active, median_hours=8.0)


def endpoint_sessions(world: World, span: Period) -> Sessions:
    """Return when the endpoints are not scaled to zero."""
    return _sessions(world, span, "endpoint", world.endpoints.active, median_hours=4.0)


def _sessions(world: World, span: Period, kind: str, active: draw.Floats, *, median_hours: float) -> Sessions:
    rng = world.rng(kind, "sessions", span.first.toordinal())
    up = rng.random((span.days, len(active))) < active
    up[0, :] = True
    day, owner = np.nonzero(up)
    start = span.days_from()[day] + (6 * HOUR + rng.random(len(day)) * 5 * HOUR).astype(np.int64)
    length = (draw.lognormal(rng, median_hours, 0.5, len(day)).clip(0.3, 13) * HOUR).astype(np.int64)
    return Sessions(owner.astype(np.int64), start, start + length)


def _requests(pipeline: Ints, start: Ints, state: Ints) -> Ints:
    """Return whose request each update serves: its own, or that of the failed update of the pipeline before it."""
    order = np.lexsort((start, pipeline))
    after_failure = np.zeros(len(order), dtype=np.bool_)
    after_failure[1:] = (pipeline[order][1:] == pipeline[order][:-1]) & (state[order][:-1] == 1)
    request = np.arange(len(order), dtype=np.int64)
    retried = np.flatnonzero(after_failure)
    request[order[retried]] = order[retried - 1]
    return request


@lru_cache(maxsize=2)
def updates(world: World, span: Period) -> Updates:
    """Return the pipeline updates that begin in a span; some are retries of the request before them."""
    rng = world.rng("updates", span.first.toordinal())
    counts = np.floor(world.pipelines.active + rng.random((span.days, len(world.pipelines.active)))).astype(np.int64)
    counts[0, :] = np.maximum(counts[0, :], 1)
    day, pipeline = (axis.ravel() for axis in np.indices(counts.shape))
    day, pipeline = np.repeat(day, counts.ravel()), np.repeat(pipeline, counts.ravel()).astype(np.int64)
    size = len(day)
    start = span.days_from()[day] + rng.integers(0, DAY, size)
    length = (draw.lognormal(rng, 20 * 60, 1.0, size).clip(60, 12 * 3600) * SECOND).astype(np.int64)
    state = draw.choose(rng, (91, 6, 2, 1), size)
    state[rng.permutation(size)[:3]] = (1, 2, 3)
    classic = ~world.pipelines.serverless[pipeline]
    requests = draw.uuids(rng, size)
    return Updates(
        pipeline=pipeline,
        id=draw.uuids(rng, size),
        request=requests.take(pa.array(_requests(pipeline, start, state))),
        start=start,
        stop=start + length,
        state=state,
        cluster=draw.only(classic, _cluster_ids(rng, start)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """SQL statements: on a warehouse, or on serverless compute (warehouse -1), all of them reading a table."""

    id: pa.Array
    warehouse: Ints
    workspace: Ints
    user: Ints
    start: Ints
    stop: Ints
    state: Ints
    table: Ints
    kind: Ints


IDLE_WAREHOUSE = 1  # up, but nobody asks it anything
IDLE_CLUSTER = 1  # up, but it has nothing to do


@lru_cache(maxsize=2)
def statements(world: World, span: Period) -> Statements:
    """Return the statements that begin in a span; four in five run on a warehouse that is up."""
    rng, up = world.rng("statements", span.first.toordinal()), warehouse_sessions(world, span)
    size = world.events(500, span, 60)
    busy = np.flatnonzero(up.owner != IDLE_WAREHOUSE)
    session = busy[rng.integers(0, len(busy), size)]
    serverless = rng.random(size) < 0.2
    start = up.start[session] + (rng.random(size) * (up.stop - up.start)[session]).astype(np.int64)
    start = np.where(serverless, span.start + rng.integers(0, span.days * DAY, size), start)
    length = (draw.lognormal(rng, 900, 1.8, size).clip(5, 7_200_000) * 1_000).astype(np.int64)
    home = world.workspaces.home
    elsewhere = home[rng.integers(0, len(home), size)]
    state = draw.choose(rng, (95, 3.5, 1.5), size)
    state[:4] = (1, 1, 2, 2)
    return Statements(
        id=draw.uuids(rng, size),
        warehouse=np.where(serverless, -1, up.owner[session]),
        workspace=np.where(serverless, elsewhere, world.warehouses.workspace[up.owner[session]]),
        user=rng.integers(0, len(world.users.number), size),
        start=start,
        stop=start + length,
        state=state,
        table=(rng.random(size) ** 2 * len(world.tables.layer)).astype(np.int64),
        kind=draw.choose(rng, (70, 15, 8, 4, 3), size),
    )
