"""Rows of `system.lakeflow` about pipelines: their definitions version by version, their updates slice by slice."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.local.api.scim import user_id
from brickyard.local.catalog.store import HIVE
from brickyard.local.pipelines.model import JsonObject, Pipeline, Update, UpdateState
from brickyard.local.system.model import Row, at_ms
from brickyard.local.system.timeline import Period, timeline_rows

_FLAGS = ("photon", "development", "continuous", "serverless")


def pipeline_row(pipeline: Pipeline, at: int, *, deleted: bool = False) -> Row:
    """The version of a pipeline that took effect *at*, in ms since the epoch."""
    spec = pipeline.spec
    flags = {name: spec.get(name) is True for name in _FLAGS}
    return {
        "pipeline_id": pipeline.pipeline_id,
        "pipeline_type": "ETL_PIPELINE",
        "name": pipeline.name,
        "created_by": pipeline.creator,
        "run_as": user_id(pipeline.run_as),
        "tags": _texts(spec.get("tags")),
        "settings": {**flags, "edition": spec.get("edition"), "channel": spec.get("channel")},
        "configuration": _texts(spec.get("configuration")),
        "change_time": at_ms(at),
        "delete_time": at_ms(at) if deleted else None,
        "create_time": at_ms(pipeline.created),
    }


def update_rows(
    pipeline: Pipeline,
    update: Update,
    run_as: str,
    state: UpdateState,
    job_task: tuple[int, int] | None,
    period: Period,
) -> Iterator[Row]:
    """The slices of a period of an update; *job_task* are the job and the task run that began it."""
    always: Row = {
        "pipeline_id": update.pipeline_id,
        "update_id": update.update_id,
        "update_type": _type(update.request),
        "request_id": update.update_id,
        "run_as_user_name": run_as,
        "trigger_type": update.cause,
        "trigger_details": None if job_task is None else {"job_task": _job_task(*job_task)},
        "refresh_selection": _tables(pipeline, update.request.get("refresh_selection")),
        "full_refresh_selection": _tables(pipeline, update.request.get("full_refresh_selection")),
        "reset_checkpoint_selection": [],
    }
    return timeline_rows(period, always, {"result_state": state.value})


def _job_task(job_id: int, task_run_id: int) -> Row:
    return {"job_id": str(job_id), "job_task_run_id": str(task_run_id), "performance_target": None}


def _type(request: JsonObject) -> str:
    if request.get("validate_only") is True:
        return "VALIDATE"
    return "FULL_REFRESH" if request.get("full_refresh") is True else "REFRESH"


def _tables(pipeline: Pipeline, names: object) -> list[Row]:
    return [_table(pipeline, str(name)) for name in names] if isinstance(names, list) else []


def _table(pipeline: Pipeline, name: str) -> Row:
    spec = pipeline.spec
    schema = str(spec.get("schema") or spec.get("target") or "default")
    default = (str(spec.get("catalog") or HIVE), schema)
    parts = name.split(".")
    catalog, schema, table = (*default[: max(3 - len(parts), 0)], *parts)[-3:]
    return {"table_catalog": catalog, "table_schema": schema, "table_name": table}


def _texts(value: object) -> dict[str, str]:
    return {name: str(text) for name, text in value.items()} if isinstance(value, dict) else {}
