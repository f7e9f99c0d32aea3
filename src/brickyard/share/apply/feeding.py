"""Steps on what feeds a share: target schemas, change feeds, the pipelines' notebook, pipelines and their schedules."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, assert_never

from brickyard.kernel.assets import read_text
from brickyard.kernel.errors import NotFound
from brickyard.kernel.names import TableName
from brickyard.share.apply.hands import MARK, Hands
from brickyard.share.model.current import PipelineSettings, ScheduleSettings, ScheduleState
from brickyard.share.model.steps import (
    ChangePipeline,
    ChangeSchedule,
    CreatePipeline,
    CreateSchedule,
    CreateSchema,
    DeletePipeline,
    DeleteSchedule,
    EnableChangeFeed,
    ImportLibrary,
)
from brickyard.share.observe import feeding as there
from brickyard.workspace import run_sql, translated

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import CronSchedule, JobEmailNotifications, Task
    from databricks.sdk.service.pipelines import Notifications, PipelineLibrary

FeedingStep = (
    CreateSchema
    | EnableChangeFeed
    | ImportLibrary
    | CreatePipeline
    | ChangePipeline
    | DeletePipeline
    | CreateSchedule
    | ChangeSchedule
    | DeleteSchedule
)
_ALERTS = ["on-update-success", "on-update-failure", "on-update-fatal-failure", "on-flow-failure"]


def perform(hands: Hands, step: FeedingStep) -> dict[str, Any]:
    """Do a step on what feeds a share."""
    match step:
        case CreateSchema(catalog, schema):
            with translated(f"create the schema {catalog}.{schema}"):
                hands.client.schemas.create(schema, catalog, comment=hands.marked("For the pipelines of a share pack"))
        case EnableChangeFeed(table):
            name = TableName.parse(table).sql
            run_sql(hands.client, f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
        case ImportLibrary(path):
            _import(hands, path)
        case CreatePipeline(settings):
            return _create_pipeline(hands, settings)
        case ChangePipeline(id_, settings):
            _change_pipeline(hands, id_, settings)
        case DeletePipeline(before):
            _delete_pipeline(hands, before.id or _pipeline_named(hands, before.settings.name), before.settings.name)
        case CreateSchedule(settings):
            return _create_schedule(hands, settings)
        case ChangeSchedule(job_id, settings):
            _change_schedule(hands, job_id, settings)
        case DeleteSchedule(before):
            _delete_schedule(hands, before)
        case _:
            assert_never(step)
    return {}


def look(hands: Hands, step: FeedingStep) -> dict[str, Any] | None:
    """Tell whether a step on what feeds a share is done."""
    match step:
        case CreateSchema(catalog, schema):
            return {} if there.schema_exists(hands.client, catalog, schema) else None
        case EnableChangeFeed(table):
            return {} if there.has_change_feed(hands.client, table) else None
        case ImportLibrary(path, digest):
            return {} if there.library(hands.client, path) == digest else None
        case CreatePipeline(settings):
            made = there.pipeline(hands.client, settings.name)
            return {"pipeline": made.id} if made and made.mark == hands.mark else None
        case ChangePipeline(_, settings):
            changed = there.pipeline(hands.client, settings.name)
            return {} if changed and changed.settings == settings else None
        case DeletePipeline(before):
            return {} if there.pipeline(hands.client, before.settings.name) is None else None
        case CreateSchedule(settings):
            job = there.schedule(hands.client, settings.name)
            return {"job": job.job_id} if job and job.mark == hands.mark else None
        case ChangeSchedule(_, settings):
            timed = there.schedule(hands.client, settings.name)
            return {} if timed and timed.settings == settings else None
        case DeleteSchedule(before):
            return {} if there.schedule(hands.client, before.settings.name) is None else None
    assert_never(step)


def notebook() -> str:
    """The notebook that every pipeline runs."""
    return read_text("share", "pipeline.py")


def _import(hands: Hands, path: str) -> None:
    from databricks.sdk.service.workspace import ImportFormat, Language

    with translated(f"put the pipelines' notebook at {path}"):
        hands.client.workspace.mkdirs(path.rpartition("/")[0])
        source = io.BytesIO(notebook().encode())
        hands.client.workspace.upload(
            path, source, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
        )


def _create_pipeline(hands: Hands, settings: PipelineSettings) -> dict[str, Any]:
    with translated(f"create the pipeline {settings.name}"):
        made = hands.client.pipelines.create(
            name=settings.name,
            catalog=settings.catalog,
            schema=settings.schema,
            configuration=_configuration(settings),
            libraries=_libraries(hands),
            continuous=settings.continuous,
            serverless=settings.serverless or None,
            notifications=_alerts(settings),
            tags=_tags(hands, settings.tags),
        )
    return {"pipeline": made.pipeline_id}


def _change_pipeline(hands: Hands, pipeline_id: str, settings: PipelineSettings) -> None:
    with translated(f"change the pipeline {settings.name}"):
        hands.client.pipelines.update(
            pipeline_id or _pipeline_named(hands, settings.name),
            name=settings.name,
            catalog=settings.catalog,
            schema=settings.schema,
            configuration=_configuration(settings),
            libraries=_libraries(hands),
            continuous=settings.continuous,
            serverless=settings.serverless or None,
            notifications=_alerts(settings),
            tags=_tags(hands, settings.tags),
        )


def _pipeline_named(hands: Hands, name: str) -> str:
    found = there.pipeline(hands.client, name)
    if found is None:
        raise NotFound(f"there is no pipeline {name}")
    return found.id


def _delete_pipeline(hands: Hands, pipeline_id: str, name: str) -> None:
    """Delete a pipeline and leave what it has written: the partner's rows are not ours to drop."""
    with translated(f"delete the pipeline {name}"):
        hands.client.pipelines.delete(pipeline_id, cascade=False)


def _configuration(settings: PipelineSettings) -> dict[str, str]:
    return {
        "pipelines.source_table": settings.source,
        "pipelines.target_table": settings.target,
        "pipelines.keys": ",".join(settings.keys),
        "pipelines.scd_type": settings.scd_type,
        "pipelines.sequence_by": "_commit_version",
        "pipelines.delete_expr": "_change_type = 'delete'",
    }


def _libraries(hands: Hands) -> list[PipelineLibrary]:
    from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary

    return [PipelineLibrary(notebook=NotebookLibrary(hands.library_path))]


def _alerts(settings: PipelineSettings) -> list[Notifications] | None:
    from databricks.sdk.service.pipelines import Notifications

    return [Notifications(_ALERTS, list(settings.notifications))] if settings.notifications else None


def _tags(hands: Hands, tags: Mapping[str, str]) -> dict[str, str]:
    return {**tags, MARK: hands.mark}


def _create_schedule(hands: Hands, settings: ScheduleSettings) -> dict[str, Any]:
    pipeline = _pipeline_named(hands, settings.pipeline)
    with translated(f"create the schedule {settings.name}"):
        made = hands.client.jobs.create(
            name=settings.name,
            description=settings.description or None,
            tasks=[_task(pipeline)],
            schedule=_cron(settings),
            email_notifications=_mails(settings),
            tags=_tags(hands, settings.tags),
            max_concurrent_runs=1,
        )
    return {"job": made.job_id}


def _change_schedule(hands: Hands, job_id: int, settings: ScheduleSettings) -> None:
    from databricks.sdk.service.jobs import JobSettings

    changed = JobSettings(
        schedule=_cron(settings),
        email_notifications=_mails(settings),
        tags=_tags(hands, settings.tags),
        description=settings.description or None,
    )
    with translated(f"change the schedule {settings.name}"):
        hands.client.jobs.update(job_id or _job_named(hands, settings.name), new_settings=changed)


def _delete_schedule(hands: Hands, before: ScheduleState) -> None:
    with translated(f"delete the schedule {before.settings.name}"):
        hands.client.jobs.delete(before.job_id or _job_named(hands, before.settings.name))


def _job_named(hands: Hands, name: str) -> int:
    found = there.schedule(hands.client, name)
    if found is None:
        raise NotFound(f"there is no schedule {name}")
    return found.job_id


def _task(pipeline_id: str) -> Task:
    from databricks.sdk.service.jobs import PipelineTask, Task

    return Task(task_key="run_pipeline", pipeline_task=PipelineTask(pipeline_id))


def _cron(settings: ScheduleSettings) -> CronSchedule:
    from databricks.sdk.service.jobs import CronSchedule, PauseStatus

    paused = PauseStatus.PAUSED if settings.paused else PauseStatus.UNPAUSED
    return CronSchedule(settings.cron, settings.timezone, paused)


def _mails(settings: ScheduleSettings) -> JobEmailNotifications | None:
    from databricks.sdk.service.jobs import JobEmailNotifications

    people = list(settings.notifications)
    return JobEmailNotifications(on_success=people, on_failure=people) if people else None
