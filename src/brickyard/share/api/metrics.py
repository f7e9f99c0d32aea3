"""What the runs of a pipeline did: its updates from the pipeline's own events, and the runs of the jobs that start it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from brickyard.share.api.contract import ContractRoute, answers
from brickyard.share.api.feeding import PipelineName, jobs_of, pipeline_id
from brickyard.share.api.workspaces import Working
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseRun, Job
    from databricks.sdk.service.pipelines import GetPipelineResponse, UpdateInfo

router = APIRouter(prefix="/pipelines", tags=["metrics"], route_class=ContractRoute)

Start = Annotated[datetime | None, Query(description="Only what began at or after this moment.")]
_MOST = 100  # updates or runs that are looked at
_ENDED = ("COMPLETED", "FAILED", "CANCELED")


class TableMetrics(BaseModel):
    """What an update wrote to one table."""

    table_name: str
    source_table: str | None
    rows_output: int = 0
    rows_upserted: int = 0
    rows_deleted: int = 0
    bytes_output: int = 0


class PipelineMetrics(BaseModel):
    """One update of a pipeline; durations in seconds."""

    pipeline_id: str
    pipeline_name: str
    pipeline_state: str | None
    catalog: str | None
    target_schema: str | None
    update_id: str | None
    run_status: str | None
    triggered_by: str | None
    is_full_refresh: bool
    start_time: datetime | None
    end_time: datetime | None
    duration_seconds: float | None
    creation_time: datetime | None
    tables: list[TableMetrics]
    total_rows_output: int
    total_rows_upserted: int
    total_rows_deleted: int
    total_rows_failed: int


class JobRunMetrics(BaseModel):
    """One run of a job that starts the pipeline."""

    job_id: int
    job_name: str
    run_id: int
    run_by: str | None
    run_status: str | None
    result_state: str | None
    job_schedule: dict[str, Any] | None
    rows_processed: int | None
    start_time: datetime | None
    end_time: datetime | None
    duration_seconds: float | None


@router.get("/{pipeline_name}/metrics", responses=answers(403))
def pipeline_metrics(
    context: Working, pipeline_name: PipelineName, start_timestamp: Start = None
) -> list[PipelineMetrics]:
    """Return the last updates of a pipeline, the newest first."""
    client = context.workspaces.client()
    found = pipeline_id(client, pipeline_name)
    with translated(f"read the updates of the pipeline {pipeline_name}"):
        pipeline = client.pipelines.get(found)
        updates = client.pipelines.list_updates(found, max_results=_MOST).updates or []
        events = list(_events(client, found))
    since = _milliseconds(start_timestamp)
    return [_metrics(pipeline, update, events) for update in updates if (update.creation_time or 0) >= since]


@router.get("/{pipeline_name}/job-runs/metrics", responses=answers(403))
def job_run_metrics(
    context: Working, pipeline_name: PipelineName, start_timestamp: Start = None
) -> list[JobRunMetrics]:
    """Return the last runs of the jobs that start a pipeline, the newest first of each job."""
    client = context.workspaces.client()
    found = pipeline_id(client, pipeline_name)
    jobs = jobs_of(client, found)
    with translated(f"read the job runs of the pipeline {pipeline_name}"):
        pairs = [(job, run) for job in jobs for run in _runs(client, job)]
        rows = _rows_by_update(list(_events(client, found)))
    since = _milliseconds(start_timestamp)
    return [_run(job, run, rows) for job, run in pairs if (run.start_time or 0) >= since]


def _runs(client: WorkspaceClient, job: Job) -> Iterator[BaseRun]:
    for number, run in enumerate(client.jobs.list_runs(job_id=job.job_id, expand_tasks=True)):
        if number == _MOST:
            return
        yield run


def _run(job: Job, run: BaseRun, rows: Mapping[str, int]) -> JobRunMetrics:
    state = run.state
    updates = [_update_of(task) for task in run.tasks or ()]
    counted = [rows[update] for update in updates if update in rows]
    schedule = job.settings.schedule if job.settings else None
    return JobRunMetrics(
        job_id=job.job_id or 0,
        job_name=(job.settings.name if job.settings else None) or "",
        run_id=run.run_id or 0,
        run_by=run.creator_user_name,
        run_status=state.life_cycle_state.value if state and state.life_cycle_state else None,
        result_state=state.result_state.value if state and state.result_state else None,
        job_schedule=schedule.as_dict() if schedule else None,
        rows_processed=sum(counted) if counted else None,
        start_time=_moment(run.start_time),
        end_time=_moment(run.end_time),
        duration_seconds=_seconds(run.start_time, run.end_time),
    )


def _update_of(task: Any) -> str | None:
    """Return the update that a pipeline task began; the SDK does not name it, its raw answer may."""
    return (task.as_dict().get("pipeline_task") or {}).get("update_id")


def _events(client: WorkspaceClient, found: str) -> Iterator[Mapping[str, Any]]:
    """Yield the raw events of a pipeline, the newest first: the SDK's own class leaves out what they count."""
    query: dict[str, Any] = {"max_results": 250}
    for _ in range(20):
        answer: Any = client.api_client.do("GET", f"/api/2.0/pipelines/{found}/events", query=query)
        yield from answer.get("events", ())
        if not answer.get("next_page_token"):
            return
        query = {"page_token": answer["next_page_token"]}


def _metrics(pipeline: GetPipelineResponse, update: UpdateInfo, events: Iterable[Mapping[str, Any]]) -> PipelineMetrics:
    mine = [event for event in events if event.get("origin", {}).get("update_id") == update.update_id]
    tables, failed = _tables(pipeline, mine)
    status = update.state.value if update.state else None
    ended = max((str(event["timestamp"]) for event in mine), default=None) if status in _ENDED else None
    end, spec = _read(ended), pipeline.spec
    start = _moment(update.creation_time)
    return PipelineMetrics(
        pipeline_id=pipeline.pipeline_id or "",
        pipeline_name=pipeline.name or "",
        pipeline_state=pipeline.state.value if pipeline.state else None,
        catalog=spec.catalog if spec else None,
        target_schema=(spec.schema or spec.target) if spec else None,
        update_id=update.update_id,
        run_status=status,
        triggered_by=update.cause.value if update.cause else None,
        is_full_refresh=bool(update.full_refresh),
        start_time=start,
        end_time=end,
        duration_seconds=(end - start).total_seconds() if start and end else None,
        creation_time=start,
        tables=tables,
        total_rows_output=sum(table.rows_output for table in tables),
        total_rows_upserted=sum(table.rows_upserted for table in tables),
        total_rows_deleted=sum(table.rows_deleted for table in tables),
        total_rows_failed=failed,
    )


def _tables(pipeline: GetPipelineResponse, events: Iterable[Mapping[str, Any]]) -> tuple[list[TableMetrics], int]:
    """Add up what the flows of an update counted, by target; and the rows that failed its expectations."""
    configuration = (pipeline.spec.configuration if pipeline.spec else None) or {}
    totals: dict[str, dict[str, int]] = {}
    failed = 0
    for event in events:
        progress = (event.get("details") or {}).get("flow_progress") or {}
        metrics = progress.get("metrics") or {}
        table = (event.get("origin") or {}).get("dataset_name") or (event.get("origin") or {}).get("flow_name")
        expectations = (progress.get("data_quality") or {}).get("expectations") or ()
        failed += sum(int(expectation.get("failed_records") or 0) for expectation in expectations)
        if table and metrics:
            sums = totals.setdefault(table, {})
            for name, value in metrics.items():
                if isinstance(value, int):
                    sums[name] = sums.get(name, 0) + value
    source = configuration.get("pipelines.source_table")
    return [_table(name, source, sums) for name, sums in sorted(totals.items())], failed


def _table(name: str, source: str | None, sums: Mapping[str, int]) -> TableMetrics:
    return TableMetrics(
        table_name=name,
        source_table=source,
        rows_output=sums.get("num_output_rows", 0),
        rows_upserted=sums.get("num_upserted_rows", 0),
        rows_deleted=sums.get("num_deleted_rows", 0),
        bytes_output=sums.get("num_output_bytes", 0),
    )


def _rows_by_update(events: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for event in events:
        metrics = ((event.get("details") or {}).get("flow_progress") or {}).get("metrics") or {}
        update = (event.get("origin") or {}).get("update_id")
        if update and isinstance(metrics.get("num_output_rows"), int):
            rows[update] = rows.get(update, 0) + metrics["num_output_rows"]
    return rows


def _milliseconds(moment: datetime | None) -> float:
    if moment is None:
        return 0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _seconds(start: int | None, end: int | None) -> float | None:
    return (end - start) / 1000 if start and end else None


def _read(timestamp: str | None) -> datetime | None:
    return datetime.fromisoformat(timestamp) if timestamp else None
