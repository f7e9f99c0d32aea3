"""What is measured and collected: runs of pipelines, costs of projects, and the synchronisations that brought them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from brickyard.metadata import scd2
from brickyard.share.model.records import PeriodType, PipelineStatus, SyncStatus, SyncType
from brickyard.share.tables import job_metrics, project_costs, sync_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One update of a pipeline; durations in seconds."""

    run_id: str
    databricks_pipeline_id: str
    pipeline_name: str
    status: PipelineStatus
    pipeline_id: UUID | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration_seconds: float | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a project cost in a period; *total_cost* is the database's own sum."""

    project_id: UUID
    tenant_id: UUID
    period_start: date
    period_end: date
    period_type: PeriodType = PeriodType.WEEKLY
    databricks_cost: float = 0.0
    azure_cost: float = 0.0
    network_cost: float = 0.0
    io_cost: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """One synchronisation as it is remembered."""

    id: UUID
    kind: SyncType
    workspace_url: str | None
    status: SyncStatus
    started_at: datetime
    completed_at: datetime | None
    records_processed: int
    records_created: int
    records_updated: int
    records_failed: int
    error_message: str
    details: dict[str, Any]


def save_pipeline_run(tx: Connection, run: PipelineRun, at: datetime) -> None:
    """Remember a pipeline's update as it stands now."""
    values = {name: getattr(run, name) for name in PipelineRun.__slots__}
    line = insert(job_metrics).values(**values, collected_at=at)
    news = {name: line.excluded[name] for name in (*values, "collected_at") if name != "run_id"}
    tx.execute(line.on_conflict_do_update(index_elements=[job_metrics.c.run_id], set_=news))


def pipeline_runs(tx: Connection, databricks_pipeline_id: str, limit: int = 100) -> tuple[PipelineRun, ...]:
    """Return the last updates of a pipeline, newest first."""
    mine = sa.select(job_metrics).where(job_metrics.c.databricks_pipeline_id == databricks_pipeline_id)
    rows = tx.execute(mine.order_by(job_metrics.c.start_time.desc().nulls_last()).limit(limit))
    return tuple(PipelineRun(**_fields(row, PipelineRun, status=PipelineStatus)) for row in rows)


def save_cost(tx: Connection, cost: Cost, at: datetime) -> None:
    """Remember what a project cost in a period, in place of what was known of that period."""
    scd2.lock(tx, "deltashare.project_costs", str(cost.project_id))
    values = {name: getattr(cost, name) for name in Cost.__slots__}
    period = ("project_id", "period_start", "period_end", "period_type")
    tx.execute(sa.delete(project_costs).where(*(project_costs.c[name] == values[name] for name in period)))
    tx.execute(sa.insert(project_costs).values(**values, collected_at=at))


def costs(tx: Connection, project_id: UUID) -> tuple[tuple[Cost, float], ...]:
    """Return the costs of a project by period, each with its total."""
    mine = sa.select(project_costs).where(project_costs.c.project_id == project_id)
    rows = tx.execute(mine.order_by(project_costs.c.period_start, project_costs.c.period_end))
    return tuple((Cost(**_fields(row, Cost, period_type=PeriodType)), row.total_cost) for row in rows)


def begin_sync(tx: Connection, kind: SyncType, workspace_url: str | None, at: datetime) -> UUID:
    """Remember that a synchronisation begins; one of the kind that still seems to run was interrupted."""
    lost = (sync_jobs.c.sync_type == kind) & (sync_jobs.c.status == SyncStatus.RUNNING)
    same = sync_jobs.c.workspace_url.is_not_distinct_from(workspace_url)
    over = sa.update(sync_jobs).where(lost, same)
    tx.execute(over.values(status=SyncStatus.INTERRUPTED, completed_at=at, error_message="its worker died"))
    line = sa.insert(sync_jobs).values(sync_type=kind, workspace_url=workspace_url, started_at=at)
    return tx.execute(line.returning(sync_jobs.c.sync_job_id)).scalar_one()


def end_sync(
    tx: Connection,
    sync_id: UUID,
    status: SyncStatus,
    at: datetime,
    *,
    processed: int = 0,
    created: int = 0,
    updated: int = 0,
    failed: int = 0,
    error: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Remember how a synchronisation ended."""
    numbers = {
        "records_processed": processed,
        "records_created": created,
        "records_updated": updated,
        "records_failed": failed,
    }
    values = {"status": status, "completed_at": at, "error_message": error, "details": dict(details or {})}
    tx.execute(sa.update(sync_jobs).where(sync_jobs.c.sync_job_id == sync_id).values(**values, **numbers))


def syncs(tx: Connection, kind: SyncType | None = None, limit: int = 50) -> tuple[SyncJob, ...]:
    """Return the last synchronisations, newest first."""
    found = sa.select(sync_jobs)
    if kind:
        found = found.where(sync_jobs.c.sync_type == kind)
    rows = tx.execute(found.order_by(sync_jobs.c.started_at.desc(), sync_jobs.c.sync_job_id).limit(limit))
    return tuple(map(_sync, rows))


def _sync(row: Any) -> SyncJob:
    named = {"id": row.sync_job_id, "kind": SyncType(row.sync_type), "status": SyncStatus(row.status)}
    rest = {name: getattr(row, name) for name in SyncJob.__slots__ if name not in named}
    return SyncJob(**named, **rest)


def _fields(row: Any, of: type[Any], **enums: Any) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in of.__slots__}
    return plain | {name: kind(plain[name]) for name, kind in enums.items()}
