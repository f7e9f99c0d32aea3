"""The truth of the domain lakeflow: jobs, tasks and pipelines with their history, and their runs in slices and whole."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from brickyard.health.oracle.columns import (
    Columns,
    computed,
    copied,
    day,
    entries,
    flattened,
    is_value,
    json_of,
    table,
    taken,
    without_zero,
)  # fmt: skip
from brickyard.health.oracle.seen import Seen
from brickyard.health.oracle.slices import Runs, lengths, outcome, runs, slices
from brickyard.health.oracle.versions import HISTORY, from_changes

_JOB_RUN = ("workspace_id", "run_id")
_UPDATE = ("workspace_id", "update_id")
_GOOD, _GOOD_UPDATE = "SUCCEEDED", "COMPLETED"
_PHASES = ("setup", "queue", "execution", "cleanup")


def _history(seen: Seen, source: str, key: list[str]) -> pa.Table:
    return from_changes(seen.rows(source), key, "change_time", "delete_time")


def _of_history(told: pa.Table) -> Columns:
    return {name: told.column(name) for name in HISTORY}


def dim_job(seen: Seen) -> pa.Table:
    """Return the versions of jobs."""
    told = _history(seen, "lakeflow.jobs", ["workspace_id", "job_id"])
    return table(
        copied(told, "account_id workspace_id job_id name description creator_id creator_user_name run_as"),
        copied(told, "run_as_user_name tags"),
        {"tags_json": json_of(told.column("tags"))},
        copied(told, "change_time delete_time create_time paused timeout_seconds trigger_type"),
        flattened(told, "trigger"),
        flattened(told, "deployment"),
        {"health_rules_json": json_of(told.column("health_rules"))},
        _of_history(told),
    )


def dim_job_task(seen: Seen) -> pa.Table:
    """Return the versions of tasks of jobs."""
    told = _history(seen, "lakeflow.job_tasks", ["workspace_id", "job_id", "task_key"])
    waits = told.column("depends_on_keys")
    return table(
        copied(told, "account_id workspace_id job_id task_key"),
        {
            "depends_on_keys_json": json_of(waits),
            "depends_on_count": computed(pa.int32(), lambda keys: None if keys is None else len(keys), waits),
        },
        copied(told, "change_time delete_time timeout_seconds"),
        {"health_rules_json": json_of(told.column("health_rules"))},
        _of_history(told),
    )


def dim_pipeline(seen: Seen) -> pa.Table:
    """Return the versions of pipelines."""
    told = _history(seen, "lakeflow.pipelines", ["workspace_id", "pipeline_id"])
    return table(
        copied(told, "account_id workspace_id pipeline_id pipeline_type name created_by run_as tags"),
        {"tags_json": json_of(told.column("tags"))},
        flattened(told, "settings"),
        copied(told, "configuration"),
        {"configuration_json": json_of(told.column("configuration"))},
        copied(told, "change_time delete_time create_time"),
        _of_history(told),
    )


def _phases(rows: pa.Table) -> Columns:
    """Return the phases of runs; 0 is "not reported" where neither setup nor execution took any time."""
    setup, execution = (rows.column(f"{name}_duration_seconds").to_pylist() for name in ("setup", "execution"))
    told = [bool(one or other) for one, other in zip(setup, execution, strict=True)]
    found: Columns = {"reported_run_duration_seconds": without_zero(rows.column("run_duration_seconds"))}
    for phase in _PHASES:
        values = rows.column(f"{phase}_duration_seconds")
        keep = [good or bool(value) for good, value in zip(told, values.to_pylist(), strict=True)]
        found[f"{phase}_duration_seconds"] = taken(values, keep)
    return found


def fact_job_run_timeline(seen: Seen) -> pa.Table:
    """Return the slices of job runs."""
    rows = slices(seen, "lakeflow.job_run_timeline", _JOB_RUN)
    return table(
        copied(rows, "account_id workspace_id job_id run_id period_start_time period_end_time trigger_type run_type"),
        copied(rows, "run_name result_state termination_code termination_type compute_ids job_parameters"),
        copied(rows, "source_task_run_id root_task_run_id"),
        _of_slice(rows, _GOOD),
        _phases(rows),
        {"compute_json": json_of(rows.column("compute"))},
    )


def _of_slice(rows: pa.Table, good: str) -> Columns:
    start, end = rows.column("period_start_time"), rows.column("period_end_time")
    success = is_value(rows.column("result_state"), good)
    return {"run_date": day(start), "is_success": success, **lengths(start, end)}


def fact_job_run(seen: Seen) -> pa.Table:
    """Return job runs put together from their slices."""
    found = runs(slices(seen, "lakeflow.job_run_timeline", _JOB_RUN), _JOB_RUN)
    return table(
        copied(found.last, "account_id workspace_id job_id run_id run_name run_type trigger_type termination_code"),
        copied(found.last, "termination_type compute_ids job_parameters source_task_run_id root_task_run_id"),
        _of_run(found, _GOOD),
        _phases(found.last),
    )


def _of_run(found: Runs, good: str) -> Columns:
    return {**found.columns(), **outcome(found.last.column("result_state"), good), **lengths(found.start, found.end)}


def fact_job_task_run_timeline(seen: Seen) -> pa.Table:
    """Return the slices of task runs."""
    rows = slices(seen, "lakeflow.job_task_run_timeline", _JOB_RUN)
    return table(
        copied(rows, "account_id workspace_id job_id job_run_id parent_run_id run_id task_key period_start_time"),
        copied(rows, "period_end_time result_state termination_code termination_type setup_duration_seconds"),
        copied(rows, "execution_duration_seconds cleanup_duration_seconds task_parameters"),
        _of_slice(rows, _GOOD),
        {
            "compute_ids_json": json_of(rows.column("compute_ids")),
            "compute_json": json_of(rows.column("compute")),
        },
    )


def fact_job_task_run(seen: Seen) -> pa.Table:
    """Return task runs put together from their slices, as attempts of their task in the job run."""
    found = runs(slices(seen, "lakeflow.job_task_run_timeline", _JOB_RUN), _JOB_RUN)
    return table(
        copied(found.last, "account_id workspace_id job_id job_run_id parent_run_id run_id task_key"),
        copied(found.last, "termination_code termination_type setup_duration_seconds execution_duration_seconds"),
        copied(found.last, "cleanup_duration_seconds"),
        _of_run(found, _GOOD),
        _attempts(found),
        {"compute_ids_json": json_of(found.last.column("compute_ids"))},
    )


def _attempts(found: Runs) -> Columns:
    """Number the runs of a task within its job run by begin, then id; none where the job run is not known."""
    names = ("workspace_id", "job_run_id", "task_key", "run_id")
    groups: dict[tuple[str | None, ...], list[tuple[object, str, int]]] = {}
    told = zip(*(found.last.column(name).to_pylist() for name in names), found.start.to_pylist(), strict=True)
    for at, (*whose, run, start) in enumerate(told):
        if whose[1] is not None:
            groups.setdefault(tuple(whose), []).append((start, run, at))
    number: list[int | None] = [None] * found.last.num_rows
    is_last: list[bool | None] = [None] * found.last.num_rows
    for tried in groups.values():
        for place, (_, _, at) in enumerate(sorted(tried), start=1):
            number[at], is_last[at] = place, place == len(tried)
    return {"attempt_number": pa.array(number, pa.int32()), "is_last_attempt": pa.array(is_last, pa.bool_())}


def fact_pipeline_update_timeline(seen: Seen) -> pa.Table:
    """Return the slices of pipeline updates."""
    rows = slices(seen, "lakeflow.pipeline_update_timeline", _UPDATE)
    lists = ("refresh_selection", "full_refresh_selection", "reset_checkpoint_selection")
    return table(
        copied(rows, "account_id workspace_id pipeline_id update_id update_type request_id run_as_user_name"),
        copied(rows, "trigger_type period_start_time period_end_time result_state"),
        flattened(rows, "trigger_details"),
        flattened(rows, "compute"),
        _of_slice(rows, _GOOD_UPDATE),
        {f"{name}_json": json_of(rows.column(name)) for name in lists},
    )


def fact_pipeline_update(seen: Seen) -> pa.Table:
    """Return pipeline updates put together from their slices."""
    found = runs(slices(seen, "lakeflow.pipeline_update_timeline", _UPDATE), _UPDATE)
    asked = entries(found.last.column("full_refresh_selection"))
    return table(
        copied(found.last, "account_id workspace_id pipeline_id update_id update_type request_id run_as_user_name"),
        copied(found.last, "trigger_type"),
        flattened(found.last, "trigger_details"),
        flattened(found.last, "compute"),
        _of_run(found, _GOOD_UPDATE),
        {"is_full_refresh": computed(pa.bool_(), _full, found.last.column("update_type"), asked)},
    )


def _full(kind: str | None, asked: int) -> bool | None:
    if kind == "FULL_REFRESH" or asked:
        return True
    return None if kind is None else False


TABLES: dict[str, Callable[[Seen], pa.Table]] = {
    "lakeflow.dim_job": dim_job,
    "lakeflow.dim_job_task": dim_job_task,
    "lakeflow.dim_pipeline": dim_pipeline,
    "lakeflow.fact_job_run": fact_job_run,
    "lakeflow.fact_job_run_timeline": fact_job_run_timeline,
    "lakeflow.fact_job_task_run": fact_job_task_run,
    "lakeflow.fact_job_task_run_timeline": fact_job_task_run_timeline,
    "lakeflow.fact_pipeline_update": fact_pipeline_update,
    "lakeflow.fact_pipeline_update_timeline": fact_pipeline_update_timeline,
}
