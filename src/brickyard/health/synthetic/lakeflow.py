"""system.lakeflow: definitions of jobs, tasks and pipelines, and the slices of their runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, draw
from brickyard.health.synthetic.activity import STATES, UNFINISHED
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import SECOND, Ints, Mask
from brickyard.health.synthetic.period import ZONES, Period, pieces
from brickyard.health.synthetic.sources import source
from brickyard.health.synthetic.versions import ALIVE, Versions, out_of_order, versions
from brickyard.health.synthetic.world import TAGS, Jobs, World

_TAG_MAP = pa.map_(pa.string(), pa.string())
_TERMINATION_CODES = (
    "SUCCESS",
    "RUN_EXECUTION_ERROR",
    "USER_CANCELED",
    "TIMED_OUT",
    "INTERNAL_ERROR",
    "MAX_CONCURRENT_RUNS_EXCEEDED",
    "SKIPPED",
    None,
)
_TERMINATION_TYPES = (
    "SUCCESS",
    "CLIENT_ERROR",
    "SUCCESS",
    "CLIENT_ERROR",
    "INTERNAL_ERROR",
    "CLIENT_ERROR",
    "SUCCESS",
    None,
)
_UPDATE_STATES = ("COMPLETED", "FAILED", "CANCELED", None)
_RULES = ([{"metric": "RUN_DURATION_SECONDS", "operator": "GREATER_THAN", "value": 3600}], None, [])
_PARAMETERS = ([("named", [("day", "today"), ("mode", "full")])], [], None)


def jobs(world: World) -> pa.Table:
    """Return the versions of job definitions."""
    name, own = "lakeflow.jobs", world.jobs
    rng = world.rng(name)
    told = _listed(versions(rng, world, own.created, 0.8, own.deleted), own.listed)
    at, size = told.owner, len(told.owner)
    owner = own.owner[at]
    scheduled = own.per_day[at] <= 1.0
    renamed = draw.join(own.name.take(pa.array(at)), " v", draw.digits(told.ordinal + 1))
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "job_id": draw.digits(own.number[at]),
        "name": draw.either((at == 3) & (told.ordinal > 0), renamed, own.name.take(pa.array(at))),
        "creator_id": draw.digits(world.users.number[owner]),
        "tags": draw.pick(TAGS, (own.tags[at] + told.ordinal // 2) % len(TAGS), _TAG_MAP),
        "run_as": draw.digits(world.users.number[owner]),
        "change_time": told.changed,
        "delete_time": _deleted(told),
        "description": draw.pick(("", None, "Loads the day"), rng.integers(0, 3, size)),
        "trigger": _triggers(own, at, scheduled),
        "trigger_type": draw.pick(("PERIODIC", "CRON"), scheduled.astype(np.int64)),
        "run_as_user_name": world.users.email.take(pa.array(owner)),
        "creator_user_name": world.users.email.take(pa.array(owner)),
        "paused": told.ordinal % 5 == 4,
        "timeout_seconds": draw.pick((0, 7200, None), at % 3),
        "health_rules": draw.pick(_RULES, at % 3, source(name).schema().field("health_rules").type),
        "deployment": Where(at % 2 == 0, {"kind": "BUNDLE", "metadata_file_path": "/Workspace/bundle/metadata.json"}),
        "create_time": own.created[at],
    }
    arrived = out_of_order(arrival.arrive(rng, world, told.changed), told)
    table = columns.table(name, size, arrived, values)
    return arrival.told(table, name, world, tie=("description", ("said twice", "said again")))


def _triggers(jobs: Jobs, at: Ints, scheduled: Mask) -> dict[str, Where]:
    """Return the trigger of each job: the hour of its local clock, or every hour where it runs more than daily."""
    clock = {
        "quartz_cron_expression": draw.join("0 0 ", draw.digits(jobs.hour[at]), " * * ?"),
        "timezone_id": draw.pick(ZONES, jobs.zone[at]),
    }
    nothing = Where(np.zeros(len(at), dtype=np.bool_), {})
    return {
        "schedule": Where(scheduled, clock),
        "periodic": Where(~scheduled, {"interval": 1, "units": "HOURS"}),
        **dict.fromkeys(("file_arrival", "continuous", "table_update"), nothing),
    }


def _listed(told: Versions, listed: Mask) -> Versions:
    keep = listed[told.owner]
    return Versions(told.owner[keep], told.ordinal[keep], told.changed[keep], told.ends[keep])


def _deleted(told: Versions) -> pa.Array:
    return draw.only(told.ends, columns.instants(told.changed))


def job_tasks(world: World) -> pa.Table:
    """Return the versions of task definitions."""
    name, own = "lakeflow.job_tasks", world.jobs
    rng = world.rng(name)
    job = np.repeat(np.arange(len(own.tasks), dtype=np.int64), own.tasks)
    task = np.arange(len(job), dtype=np.int64) - np.repeat(np.cumsum(own.tasks) - own.tasks, own.tasks)
    told = _listed(versions(rng, world, own.created[job], 0.3, own.deleted[job]), own.listed[job])
    at, size = told.owner, len(told.owner)
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[job[at]])),
        "job_id": draw.digits(own.number[job[at]]),
        "task_key": task_keys(task[at]),
        "depends_on_keys": _lists(task[at] > 0, task_keys(np.maximum(task[at] - 1, 0))),
        "change_time": told.changed,
        "delete_time": _deleted(told),
        "timeout_seconds": draw.pick((0, 3600, None), (at + told.ordinal) % 3),
        "health_rules": draw.pick(_RULES, at % 3, source(name).schema().field("health_rules").type),
    }
    arrived = out_of_order(arrival.arrive(rng, world, told.changed), told)
    return arrival.told(columns.table(name, size, arrived, values), name, world)


def task_keys(task: Ints) -> pa.Array:
    """Return the keys of tasks by their place in the job."""
    return draw.join("task_", draw.digits(task + 1))


def _lists(mask: Mask, values: pa.Array) -> pa.Array:
    """Return lists of one value under the mask, and empty lists elsewhere."""
    offsets = np.concatenate([[0], np.cumsum(mask)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values.filter(pa.array(mask)))


def pipelines(world: World) -> pa.Table:
    """Return the versions of pipeline definitions."""
    name, own = "lakeflow.pipelines", world.pipelines
    rng = world.rng(name)
    deleted = np.full(len(own.created), ALIVE)
    deleted[-1] = world.period.start + int((world.period.stop - world.period.start) * 0.75)
    told = versions(rng, world, own.created, 0.7, deleted)
    at, size = told.owner, len(told.owner)
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "pipeline_id": own.id.take(pa.array(at)),
        "pipeline_type": draw.pick(("ETL", "MATERIALIZED_VIEW", "INGESTION"), at % 3),
        "name": own.name.take(pa.array(at)),
        "created_by": world.users.email.take(pa.array(own.owner[at])),
        "run_as": world.users.email.take(pa.array(own.owner[at])),
        "tags": draw.pick(TAGS, own.tags[at], _TAG_MAP),
        "settings": {
            "photon": True,
            "development": told.ordinal == 0,
            "continuous": at % 7 == 6,
            "serverless": own.serverless[at],
            "edition": "ADVANCED",
            "channel": draw.pick(("CURRENT", "PREVIEW"), told.ordinal % 2),
        },
        "configuration": draw.pick(([("pipelines.trigger", "1 hour")], []), at % 2, _TAG_MAP),
        "change_time": told.changed,
        "delete_time": _deleted(told),
        "create_time": own.created[at],
    }
    arrived = out_of_order(arrival.arrive(rng, world, told.changed), told)
    return arrival.told(columns.table(name, size, arrived, values), name, world)


def job_run_timeline(world: World, span: Period) -> pa.Table:
    """Return the slices of the job runs that begin in a span; only the last slice of an attempt has a result."""
    name, runs, own = "lakeflow.job_run_timeline", activity.job_runs(world, span), world.jobs
    rng = world.rng(name, span.first.toordinal())
    attempt, start, stop = pieces(runs.start, runs.stop, aligned=False)
    final = _final(attempt, runs.state)
    run = runs.attempt_run[attempt]
    job = runs.job[run]
    cluster = runs.cluster.take(pa.array(run))
    classic = own.classic[job]
    kind = _run_types(world, span, len(runs.job))[run]
    nested = kind == 2
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[job])),
        "job_id": draw.digits(own.number[job]),
        "run_id": draw.digits(runs.number[run]),
        "period_start_time": start,
        "period_end_time": stop,
        "trigger_type": draw.pick(("CRON", "MANUAL", "RETRY"), np.where(runs.start[attempt] % 11 == 0, 1, 0)),
        "result_state": draw.only(final, draw.pick(STATES, runs.state[attempt])),
        "run_type": draw.pick(("JOB_RUN", "SUBMIT_RUN", "WORKFLOW_RUN"), kind),
        "run_name": draw.only(kind == 1, own.name.take(pa.array(job))),
        "compute_ids": _compute_ids(cluster, classic, rng),
        "termination_code": draw.only(final, draw.pick(_TERMINATION_CODES, runs.state[attempt])),
        "job_parameters": draw.pick(_PARAMETERS, job % 3, pa.map_(pa.string(), _TAG_MAP)),
        "source_task_run_id": draw.only(nested, draw.digits(runs.number[run] - 2)),
        "root_task_run_id": draw.only(nested, draw.digits(runs.number[run] - 1)),
        "compute": _compute(cluster, classic),
        "termination_type": draw.only(final, draw.pick(_TERMINATION_TYPES, runs.state[attempt])),
        **_durations(rng, runs.start[attempt], runs.stop[attempt], final, own.tasks[job] > 1),
    }
    table = columns.table(name, len(attempt), arrival.arrive(rng, world, stop), values)
    return arrival.told(table, name, world, tie=("trigger_type", ("PERIODIC", "FILE_ARRIVAL")))


def _run_types(world: World, span: Period, size: int) -> Ints:
    kind = draw.choose(world.rng("run type", span.first.toordinal()), (93, 4, 3), size)
    kind[:4] = (1, 2, 1, 2)[:size]
    return kind


def _final(owner: Ints, state: Ints) -> Mask:
    """Tell the last slice of each finished stretch of work."""
    last = np.ones(len(owner), dtype=np.bool_)
    last[:-1] = owner[:-1] != owner[1:]
    return last & (state[owner] != UNFINISHED)


def _compute_ids(cluster: pa.Array, classic: Mask, rng: np.random.Generator) -> pa.Array:
    lists = _lists(classic, cluster)
    return draw.only(classic | (rng.random(len(classic)) < 0.5), lists)


def _compute(cluster: pa.Array, classic: Mask) -> pa.Array:
    kinds = draw.pick(("SERVERLESS", "JOB_CLUSTER"), classic.astype(np.int64))
    kind = source("lakeflow.job_run_timeline").schema().field("compute").type
    used = columns.fill(kind.value_type, len(classic), {"type": kinds, "cluster_id": cluster})
    return pa.ListArray.from_arrays(pa.array(np.arange(len(classic) + 1, dtype=np.int32)), used)


def _durations(rng: np.random.Generator, start: Ints, stop: Ints, final: Mask, multi: Mask) -> dict[str, pa.Array]:
    """Return the phases of a run in seconds: known at its end, and 0, "not reported", where it has several tasks."""
    total = (stop - start) // SECOND
    setup = np.minimum(total, rng.integers(0, 180, len(total)))
    phases = {
        "setup_duration_seconds": setup,
        "queue_duration_seconds": rng.integers(0, 90, len(total)) * (rng.random(len(total)) < 0.2),
        "cleanup_duration_seconds": np.minimum(total - setup, 2),
        "execution_duration_seconds": np.maximum(total - setup - 2, 0),
    }
    known = {name: np.where(multi, 0, seconds) for name, seconds in phases.items()}
    return {name: draw.only(final, pa.array(each)) for name, each in {**known, "run_duration_seconds": total}.items()}


def job_task_run_timeline(world: World, span: Period) -> pa.Table:
    """Return the slices of the task runs of a span."""
    name, own = "lakeflow.job_task_run_timeline", world.jobs
    runs, tasks = activity.job_runs(world, span), activity.task_runs(world, span)
    rng = world.rng(name, span.first.toordinal())
    owner, start, stop = pieces(tasks.start, tasks.stop, aligned=False)
    final = _final(owner, tasks.state)
    run = runs.attempt_run[tasks.attempt[owner]]
    job = runs.job[run]
    cluster = runs.cluster.take(pa.array(run))
    classic = own.classic[job]
    length = (tasks.stop - tasks.start)[owner] // SECOND
    parent = draw.digits(runs.number[run])
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[job])),
        "job_id": draw.digits(own.number[job]),
        "run_id": draw.digits(tasks.number[owner]),
        "period_start_time": start,
        "period_end_time": stop,
        "task_key": task_keys(tasks.task[owner]),
        "compute_ids": _compute_ids(cluster, classic, rng),
        "result_state": draw.only(final, draw.pick(STATES, tasks.state[owner])),
        "job_run_id": parent,
        "parent_run_id": parent,
        "termination_code": draw.only(final, draw.pick(_TERMINATION_CODES, tasks.state[owner])),
        "compute": _compute(cluster, classic),
        "termination_type": draw.only(final, draw.pick(_TERMINATION_TYPES, tasks.state[owner])),
        "task_parameters": draw.pick(_PARAMETERS, job % 3, pa.map_(pa.string(), _TAG_MAP)),
        "setup_duration_seconds": draw.only(final, pa.array(np.minimum(length, 30))),
        "cleanup_duration_seconds": draw.only(final, pa.array(np.zeros(len(owner), dtype=np.int64))),
        "execution_duration_seconds": draw.only(final, pa.array(np.maximum(length - 30, 0))),
    }
    table = columns.table(name, len(owner), arrival.arrive(rng, world, stop), values)
    return arrival.told(table, name, world)


def pipeline_update_timeline(world: World, span: Period) -> pa.Table:
    """Return the slices of the pipeline updates that begin in a span."""
    name, updates, own = "lakeflow.pipeline_update_timeline", activity.updates(world, span), world.pipelines
    rng = world.rng(name, span.first.toordinal())
    owner, start, stop = pieces(updates.start, updates.stop, aligned=False)
    at = updates.pipeline[owner]
    last = np.ones(len(owner), dtype=np.bool_)
    last[:-1] = owner[:-1] != owner[1:]
    schema = source(name).schema()
    values: dict[str, Any] = {
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[at])),
        "pipeline_id": own.id.take(pa.array(at)),
        "update_id": updates.id.take(pa.array(owner)),
        "update_type": draw.pick(("REFRESH", "FULL_REFRESH"), (owner % 40 == 0).astype(np.int64)),
        "request_id": updates.request.take(pa.array(owner)),
        "run_as_user_name": world.users.email.take(pa.array(own.owner[at])),
        "trigger_type": draw.pick(("SCHEDULE", "JOB_TASK"), at % 2),
        "trigger_details": {"job_task": Where(at % 2 == 1, _job_task(world, at))},
        "result_state": draw.only(last, draw.pick(_UPDATE_STATES, updates.state[owner])),
        "compute": {
            "type": draw.pick(("CLUSTER", "SERVERLESS"), own.serverless[at].astype(np.int64)),
            "cluster_id": updates.cluster.take(pa.array(owner)),
        },
        "period_start_time": start,
        "period_end_time": stop,
        "refresh_selection": draw.pick(
            ([{"table_catalog": "main", "table_schema": "clean", "table_name": "orders_8"}], [], None),
            owner % 3,
            schema.field("refresh_selection").type,
        ),
        "full_refresh_selection": draw.pick((None, []), owner % 2, schema.field("full_refresh_selection").type),
        "account_id": world.account_id,
    }
    table = columns.table(name, len(owner), arrival.arrive(rng, world, stop), values)
    return arrival.told(table, name, world)


def _job_task(world: World, pipeline: Ints) -> dict[str, Any]:
    job = pipeline % len(world.jobs.number)
    return {"job_id": draw.digits(world.jobs.number[job]), "performance_target": "PERFORMANCE_OPTIMIZED"}
