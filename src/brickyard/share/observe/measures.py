"""Reads how pipelines fare: their updates, when these ended and what broke them, the runs of their jobs, and costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from brickyard.share.model.records import PipelineStatus
from brickyard.share.observe.asking import found
from brickyard.workspace import Rows, run_sql, translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseRun
    from databricks.sdk.service.pipelines import PipelineEvent, UpdateInfo

_LATEST = 25  # updates or runs of one pipeline or job that are looked at
_EVENTS = 1000  # of a pipeline; its updates further back have no known end
_WAITS = ("QUEUED", "CREATED", "WAITING_FOR_RESOURCES", "PENDING", "BLOCKED", "WAITING_FOR_RETRY")
_ENDS = {
    "COMPLETED": PipelineStatus.COMPLETED,
    "SUCCESS": PipelineStatus.COMPLETED,
    "SUCCESS_WITH_FAILURES": PipelineStatus.COMPLETED,
    "FAILED": PipelineStatus.FAILED,
    "TIMEDOUT": PipelineStatus.FAILED,
    "INTERNAL_ERROR": PipelineStatus.FAILED,
    "UPSTREAM_FAILED": PipelineStatus.FAILED,
    "MAXIMUM_CONCURRENT_RUNS_REACHED": PipelineStatus.FAILED,
    "CANCELED": PipelineStatus.CANCELED,
    "UPSTREAM_CANCELED": PipelineStatus.CANCELED,
    "EXCLUDED": PipelineStatus.CANCELED,
    "SKIPPED": PipelineStatus.CANCELED,
}
OVER = (PipelineStatus.COMPLETED, PipelineStatus.FAILED, PipelineStatus.CANCELED)

_NO_TABLE = ("TABLE_DOES_NOT_EXIST", "SCHEMA_DOES_NOT_EXIST", "CATALOG_DOES_NOT_EXIST")
_COSTS = """
    SELECT project, CAST(date_trunc('WEEK', usage_date) AS DATE) AS week, currency, SUM(cost) AS cost
    FROM {table} WHERE usage_date >= :since AND project IS NOT NULL
    GROUP BY project, CAST(date_trunc('WEEK', usage_date) AS DATE), currency
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An update of a pipeline or a run of its job; *end* and *error* are known for what is over."""

    id: str
    status: PipelineStatus
    start: datetime | None
    end: datetime | None = None
    error: str | None = None


def updates(client: WorkspaceClient, pipeline_id: str, known: Collection[str]) -> list[Seen] | None:
    """Return the last updates of a pipeline, those *known* to be over left out; None when there is no such pipeline."""
    what = f"list the updates of pipeline {pipeline_id}"
    answer = found(what, lambda: client.pipelines.list_updates(pipeline_id, max_results=_LATEST))
    if answer is None:
        return None
    news = [one for one in answer.updates or () if one.update_id and one.update_id not in known]
    events = _events(client, pipeline_id) if any(_state(one) in OVER for one in news) else []
    return [_update(one, [event for event in events if _of(event) == one.update_id]) for one in news]


def job_runs(client: WorkspaceClient, job_id: int) -> list[Seen]:
    """Return the last runs of a job, none when there is no such job."""
    listed = found(
        f"list the runs of job {job_id}",
        lambda: list(islice(client.jobs.list_runs(job_id=job_id, limit=_LATEST), _LATEST)),
    )
    return [_run(one) for one in listed or ()]


def costs(client: WorkspaceClient, table: str, since: date) -> Rows | None:
    """Return the costs of projects by week and currency, Mondays from *since* on; None when there is no such table."""
    if found(f"look for {table}", lambda: client.tables.get(table), absent=_NO_TABLE) is None:
        return None
    quoted = ".".join(f"`{part.replace('`', '``')}`" for part in table.split("."))
    return run_sql(client, _COSTS.format(table=quoted), {"since": since})


def _update(one: UpdateInfo, events: list[PipelineEvent]) -> Seen:
    status, start = _state(one), _time(one.creation_time)
    if status not in OVER:
        return Seen(id=one.update_id or "", status=status, start=start)
    ends = [at for event in events if event.event_type == "update_progress" and (at := _iso(event.timestamp))]
    end, error = max(ends, default=None), _error(status, events)
    return Seen(id=one.update_id or "", status=status, start=start, end=end, error=error)


def _state(one: UpdateInfo) -> PipelineStatus:
    return _status(one.state.value if one.state else "")


@translated("read a pipeline's events")
def _events(client: WorkspaceClient, pipeline_id: str) -> list[PipelineEvent]:
    """Read the newest events; Databricks documents no filter for those of one update."""
    return list(islice(client.pipelines.list_pipeline_events(pipeline_id, max_results=_EVENTS // 4), _EVENTS))


def _of(event: PipelineEvent) -> str | None:
    return event.origin.update_id if event.origin else None


def _error(status: PipelineStatus, events: list[PipelineEvent]) -> str | None:
    """Return what broke an update: the first exception of its newest error, or that one's message."""
    if status is not PipelineStatus.FAILED:
        return None
    for event in events:
        if event.error and event.error.exceptions:
            return event.error.exceptions[0].message or event.message
    return next((event.message for event in events if event.level and event.level.value == "ERROR"), None)


def _run(one: BaseRun) -> Seen:
    state: Any = one.state
    result = state.result_state if state else None
    life = state.life_cycle_state if state else None
    status = _status(result.value if result else life.value if life else "")
    over = status in OVER
    error = state.state_message if state and status is PipelineStatus.FAILED else None
    end = _time(one.end_time) if over and one.end_time else None
    return Seen(id=f"job-run-{one.run_id}", status=status, start=_time(one.start_time), end=end, error=error or None)


def _status(state: str) -> PipelineStatus:
    if state in _WAITS:
        return PipelineStatus.QUEUED
    return _ENDS.get(state, PipelineStatus.RUNNING)


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _iso(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def by_project(rows: Rows) -> list[Mapping[str, Any]]:
    """Return the rows of `costs` by column."""
    return list(rows.dicts())
