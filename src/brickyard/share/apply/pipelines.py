"""Pipelines and the jobs that start them: found by exact name and mark, made, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brickyard.kernel.errors import NotFound
from brickyard.share.apply.hands import MARK, Hands, Result
from brickyard.share.model.current import PipelineSettings, ScheduleSettings
from brickyard.share.model.steps import (
    ChangePipeline,
    ChangeSchedule,
    CreatePipeline,
    CreateSchedule,
    DeletePipeline,
    DeleteSchedule,
)
from brickyard.share.observe.asking import found
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import JobSettings

_PATH = "/api/2.0/pipelines"
_ALERTS = ["on-update-success", "on-update-failure", "on-update-fatal-failure", "on-flow-failure"]
_TASK = "run_pipeline"


def pipeline_spec(settings: PipelineSettings, mark: str, library: str) -> dict[str, Any]:
    """Return a pipeline as the Pipelines API takes it; its configuration is what the notebook reads."""
    return {
        "name": settings.name,
        "catalog": settings.catalog,
        "schema": settings.schema,
        "configuration": {
            "pipelines.source_table": settings.source,
            "pipelines.target_table": settings.target,
            "pipelines.keys": ",".join(settings.keys),
            "pipelines.scd_type": settings.scd_type,
            "pipelines.sequence_by": "_commit_version",
            "pipelines.delete_expr": "_change_type = 'delete'",
            MARK: mark,
        },
        "libraries": [{"notebook": {"path": path}} for path in settings.libraries or (library,)],
        "continuous": settings.continuous,
        "serverless": settings.serverless,
        "edition": "ADVANCED",
        "notifications": [{"email_recipients": list(settings.notifications), "alerts": _ALERTS}]
        if settings.notifications
        else [],
        "tags": dict(settings.tags),
    }


def schedule_settings(settings: ScheduleSettings, pipeline_id: str, mark: str) -> dict[str, Any]:
    """Return the job that starts a pipeline as the Jobs API takes it."""
    people = list(settings.notifications)
    return {
        "name": settings.name,
        "description": settings.description,
        "max_concurrent_runs": 1,
        "tasks": [{"task_key": _TASK, "pipeline_task": {"pipeline_id": pipeline_id}}],
        "schedule": _timing(settings),
        "email_notifications": {"on_success": people, "on_failure": people} if people else {},
        "tags": {**settings.tags, MARK: mark},
    }


def _timing(settings: ScheduleSettings) -> dict[str, str]:
    return {
        "quartz_cron_expression": settings.cron,
        "timezone_id": settings.timezone,
        "pause_status": "PAUSED" if settings.paused else "UNPAUSED",
    }


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def create(hands: Hands, step: CreatePipeline) -> Result:
    """Make a pipeline; Databricks refuses a name that is taken."""
    body = pipeline_spec(step.settings, hands.mark, hands.library)
    with translated(f"create pipeline {step.settings.name}"):
        made: Any = hands.client.api_client.do("POST", _PATH, body=body)
    return {"pipeline_id": made["pipeline_id"]}


def look_created(hands: Hands, step: CreatePipeline) -> Result | None:
    """Return the pipeline of exactly this name that carries our mark."""
    there = _named(hands, step.settings.name, mark=hands.mark)
    return {"pipeline_id": there} if there else None


def change(hands: Hands, step: ChangePipeline) -> Result:
    """Replace a pipeline's settings; a mark that is there stays, and so do notebooks and what else is not changed."""
    now = _spec(hands, step.id)
    if now is None:
        raise NotFound(f"the pipeline {step.settings.name} ({step.id}) is gone", remedy="plan again")
    mark = (now.get("configuration") or {}).get(MARK) or hands.mark
    wanted = _changing(step, mark, hands.library)
    configuration = {**(now.get("configuration") or {}), **wanted["configuration"]}
    with translated(f"change pipeline {step.settings.name}"):
        body = {**now, **wanted, "configuration": configuration, "id": step.id}
        hands.client.api_client.do("PUT", f"{_PATH}/{step.id}", body=body)
    return {"pipeline_id": step.id}


def look_changed(hands: Hands, step: ChangePipeline) -> Result | None:
    """Tell whether a pipeline has the settings that are wanted."""
    now = _spec(hands, step.id)
    if now is None:
        return None
    mark = (now.get("configuration") or {}).get(MARK) or ""
    wanted = _changing(step, mark, hands.library)
    return {"pipeline_id": step.id} if mark and _within(wanted, now) else None


def _changing(step: ChangePipeline, mark: str, library: str) -> dict[str, Any]:
    """Return what a change says: of the libraries only when they are to be others."""
    wanted = pipeline_spec(step.settings, mark, library)
    same = step.settings.libraries == step.before.libraries
    return {name: value for name, value in wanted.items() if not (same and name == "libraries")}


def delete(hands: Hands, step: DeletePipeline) -> Result:
    """Remove a pipeline; without an id, the one of the name that carries our mark."""
    pipeline_id = step.before.id or _named(hands, step.before.settings.name, mark=hands.mark)
    if pipeline_id:
        with translated(f"delete pipeline {step.before.settings.name}"):
            hands.client.pipelines.delete(pipeline_id)
    return {"pipeline_id": pipeline_id}


def look_deleted(hands: Hands, step: DeletePipeline) -> Result | None:
    """Tell whether a pipeline is gone."""
    state = step.before
    there = _spec(hands, state.id) is not None if state.id else _named(hands, state.settings.name, mark=hands.mark)
    return None if there else {}


def _named(hands: Hands, name: str, *, mark: str | None = None) -> str | None:
    """Return the id of the pipeline of exactly this name; the filter of Databricks takes `_` and `%` as wildcards."""
    text = name.replace("'", "''")
    with translated(f"look for pipeline {name}"):
        listed = list(hands.client.pipelines.list_pipelines(filter=f"name LIKE '{text}'"))
    ids = [one.pipeline_id for one in listed if one.pipeline_id and (one.name or "").lower() == name.lower()]
    if mark is None:
        return ids[0] if ids else None
    return next((i for i in ids if ((_spec(hands, i) or {}).get("configuration") or {}).get(MARK) == mark), None)


def _spec(hands: Hands, pipeline_id: str) -> dict[str, Any] | None:
    there = found(f"read the pipeline {pipeline_id}", lambda: hands.client.pipelines.get(pipeline_id))
    return there.spec.as_dict() if there and there.spec else None


def _within(wanted: Any, there: Any) -> bool:
    """Tell whether everything that is wanted is there, whatever else is; nothing and empty are the same."""
    if isinstance(wanted, Mapping):
        return all(_within(value, (there or {}).get(key)) for key, value in wanted.items())
    return (wanted or None) == (there or None)


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────────────────────


def create_schedule(hands: Hands, step: CreateSchedule) -> Result:
    """Make the job that starts a pipeline; looks first, because Databricks lets many jobs have one name."""
    if there := look_scheduled(hands, step):
        return there
    pipeline_id = _named(hands, step.settings.pipeline, mark=hands.mark) or _named(hands, step.settings.pipeline)
    if pipeline_id is None:
        raise NotFound(f"there is no pipeline {step.settings.pipeline} to schedule", remedy="plan again")
    body = schedule_settings(step.settings, pipeline_id, hands.mark)
    with translated(f"create schedule {step.settings.name}"):
        made: Any = hands.client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
    return {"job_id": made["job_id"]}


def look_scheduled(hands: Hands, step: CreateSchedule) -> Result | None:
    """Return the job of exactly this name that carries our mark."""
    job_id = _job(hands, step.settings.name)
    return {"job_id": job_id} if job_id else None


def change_schedule(hands: Hands, step: ChangeSchedule) -> Result:
    """Change when a job runs, whom it tells and its tags; its tasks stay as they are."""
    there = _job_settings(hands, step.job_id)
    if there is None:
        raise NotFound(f"the job {step.settings.name} ({step.job_id}) is gone", remedy="plan again")
    mark = (there.tags or {}).get(MARK) or hands.mark
    wanted = schedule_settings(step.settings, "", mark)
    fields = {name: value for name, value in wanted.items() if name not in ("tasks", "max_concurrent_runs")}
    with translated(f"change schedule {step.settings.name}"):
        body = {"job_id": step.job_id, "new_settings": fields}
        hands.client.api_client.do("POST", "/api/2.2/jobs/update", body=body)
    return {"job_id": step.job_id}


def look_rescheduled(hands: Hands, step: ChangeSchedule) -> Result | None:
    """Tell whether a job has the timing, people and tags that are wanted."""
    there = _job_settings(hands, step.job_id)
    if there is None:
        return None
    mark = (there.tags or {}).get(MARK) or ""
    wanted = schedule_settings(step.settings, "", mark)
    fields = {name: wanted[name] for name in ("name", "description", "schedule", "email_notifications", "tags")}
    return {"job_id": step.job_id} if mark and _within(fields, there.as_dict()) else None


def delete_schedule(hands: Hands, step: DeleteSchedule) -> Result:
    """Remove the job; without an id, the one of the name that carries our mark."""
    job_id = step.before.job_id or _job(hands, step.before.settings.name)
    if job_id:
        with translated(f"delete schedule {step.before.settings.name}"):
            hands.client.jobs.delete(job_id)
    return {"job_id": job_id}


def look_unscheduled(hands: Hands, step: DeleteSchedule) -> Result | None:
    """Tell whether the job is gone."""
    job_id, name = step.before.job_id, step.before.settings.name
    there = _job_settings(hands, job_id) if job_id else _job(hands, name)
    return None if there else {}


def _job(hands: Hands, name: str) -> int | None:
    """Return the id of the job of exactly this name that carries our mark."""
    with translated(f"look for schedule {name}"):
        listed = list(hands.client.jobs.list(name=name))
    same = (one for one in listed if one.settings and one.settings.name == name)
    return next(
        (one.job_id for one in same if one.settings and (one.settings.tags or {}).get(MARK) == hands.mark), None
    )


def _job_settings(hands: Hands, job_id: int) -> JobSettings | None:
    absent = ("INVALID_PARAMETER_VALUE",)  # with which Databricks says of a job that it does not exist
    there = found(f"read the job {job_id}", lambda: hands.client.jobs.get(job_id), absent=absent)
    return there.settings if there else None
