"""What is kept in step with the workspace: users, groups, objects, how pipelines fare and what projects cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError, Interrupted, MetadataDown
from brickyard.metadata.scd2 import Version
from brickyard.share.flow.submit import workspace_of
from brickyard.share.model.records import NotificationType, PipelineStatus, SyncStatus, SyncType
from brickyard.share.model.runs import Synced
from brickyard.share.observe import directory as seen
from brickyard.share.observe import measures as measured
from brickyard.share.store import directory, entities, measures, notices, packs, tenants
from brickyard.share.store.measures import Cost, PipelineRun
from brickyard.share.tables import databricks_objects

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_WEEKS = 5  # how far back costs are read again: they are corrected for a while
_NEWS = timedelta(days=1)  # people are told of a failure that is no older
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a sync has written, and what it wants to say of it."""

    processed: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


Write = Callable[[Connection], Outcome]


def sync(context: Context, kinds: Iterable[SyncType] = tuple(SyncType)) -> tuple[Synced, ...]:
    """Bring what is remembered of each kind into step; one that cannot be read is FAILED, and what is known of it stays.

    Raises MetadataDown and Interrupted; the next sync marks what they left as INTERRUPTED.
    """
    return tuple(_sync(context, kind) for kind in kinds)


def _sync(context: Context, kind: SyncType) -> Synced:
    with context.metadata.transaction() as tx:
        sync_id = measures.begin_sync(tx, kind, workspace_of(context), context.clock())
    try:
        write = _READERS[kind](context, context.workspaces.client())
        with context.metadata.transaction() as tx:
            context.queue.checkpoint(tx)
            done = write(tx)
            _end(tx, context, sync_id, SyncStatus.COMPLETED, done)
    except (Interrupted, MetadataDown):
        raise
    except BrickyardError as error:
        if error.error_code == "job-taken-over":
            raise
        return _failed(context, kind, sync_id, error.message)
    return Synced(
        kind=kind,
        status=SyncStatus.COMPLETED,
        processed=done.processed,
        created=done.created,
        updated=done.updated,
        failed=done.failed,
        message=str(done.details.get("reason", "")),
    )


def _end(tx: Connection, context: Context, sync_id: UUID, status: SyncStatus, done: Outcome, error: str = "") -> None:
    numbers = {name: getattr(done, name) for name in ("processed", "created", "updated", "failed")}
    measures.end_sync(tx, sync_id, status, context.clock(), error=error, details=done.details, **numbers)


def _failed(context: Context, kind: SyncType, sync_id: UUID, why: str) -> Synced:
    """Remember that a sync failed, and tell the operators unless the one before failed too."""
    log.warning("sync failed", kind=kind, error=why)
    with context.metadata.transaction() as tx:
        _end(tx, context, sync_id, SyncStatus.FAILED, Outcome(), why)
        before = [one for one in measures.syncs(tx, kind, limit=2) if one.id != sync_id]
        if not before or before[0].status is not SyncStatus.FAILED:
            words = f"{kind.replace('_', ' ').lower()} of {workspace_of(context)}"
            people = context.queue.settings.share_operators
            subject = f"Synchronisation failed: {words}"
            notices.notify(tx, NotificationType.SYNC_FAILURE, people, subject, why, context.clock())
    return Synced(kind=kind, status=SyncStatus.FAILED, message=why)


# ── directory and objects ────────────────────────────────────────────────────────────────────────────────────────────


def _users(_: Context, client: WorkspaceClient) -> Write:
    rows = seen.users(client)
    return lambda tx: _changes(directory.sync_users(tx, rows))


def _groups(_: Context, client: WorkspaceClient) -> Write:
    rows = seen.groups(client)
    return lambda tx: _changes(directory.sync_groups(tx, rows))


def _objects(context: Context, client: WorkspaceClient) -> Write:
    """Read all objects; of catalogs and schemas that cannot be read the rows stay as they are."""
    found = seen.objects(client)
    workspace = workspace_of(context)

    def write(tx: Connection) -> Outcome:
        known = [one.fields for one in directory.listed(tx, databricks_objects, workspace_url=workspace)]
        kept = seen.below(known, found.unread)
        done = directory.sync_objects(tx, workspace, [*found.rows, *kept])
        unread = {"unread": dict(found.unread)} if found.unread else {}
        return _changes(done, failed=len(found.unread), **unread)

    return write


def _changes(done: directory.Synced, failed: int = 0, **details: Any) -> Outcome:
    counted = {"processed": done.processed, "created": done.created, "updated": done.updated}
    return Outcome(**counted, failed=failed, details={"deleted": done.deleted, **details})


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _metrics(context: Context, client: WorkspaceClient) -> Write:
    """Read how our pipelines fare since the last look."""
    with context.metadata.read() as tx:
        ours = [one for one in entities.listed(tx, "pipeline") if one.fields["databricks_pipeline_id"]]
        known = {one.key: _known(tx, one) for one in ours}
    found = [(one, run) for one in ours for run in _runs(client, one, known[one.key])]

    def write(tx: Connection) -> Outcome:
        fresh = 0
        for pipeline, run in found:
            before = known[pipeline.key].get(run.run_id)
            fresh += before is None
            measures.save_pipeline_run(tx, run, context.clock())
            if run.status is PipelineStatus.FAILED and (before is None or before.status is not PipelineStatus.FAILED):
                _tell(tx, context, pipeline, run)
        return Outcome(processed=len(found), created=fresh, updated=len(found) - fresh)

    return write


def _known(tx: Connection, pipeline: Version) -> dict[str, PipelineRun]:
    return {one.run_id: one for one in measures.pipeline_runs(tx, pipeline.fields["databricks_pipeline_id"])}


def _runs(client: WorkspaceClient, pipeline: Version, known: Mapping[str, PipelineRun]) -> list[PipelineRun]:
    """Return the updates of a pipeline, and the runs of its job, that are new or were not over."""
    fields = pipeline.fields
    over = {run_id for run_id, run in known.items() if run.status in measured.OVER}
    found = measured.updates(client, fields["databricks_pipeline_id"], over) or []
    if job := fields["databricks_job_id"]:
        found += [run for run in measured.job_runs(client, int(job)) if run.id not in over]
    return [_row(pipeline, one) for one in found]


def _row(pipeline: Version, one: measured.Seen) -> PipelineRun:
    took = (one.end - one.start).total_seconds() if one.start and one.end else None
    return PipelineRun(
        run_id=one.id,
        databricks_pipeline_id=pipeline.fields["databricks_pipeline_id"],
        pipeline_name=pipeline.fields["pipeline_name"],
        status=one.status,
        pipeline_id=pipeline.key,
        start_time=one.start,
        end_time=one.end,
        duration_seconds=took,
        error_message=one.error,
    )


def _tell(tx: Connection, context: Context, pipeline: Version, run: PipelineRun) -> None:
    """Tell the people of a pipeline's pack that it failed lately."""
    pack_id = pipeline.fields["share_pack_id"]
    if pack_id is None or (run.start_time and context.clock() - run.start_time > _NEWS):
        return
    about = packs.config(tx, pack_id).metadata
    people = {
        one.strip() for text in (about.contact_email, about.configurator, about.requestor) for one in text.split(",")
    }
    subject = f"Pipeline failed: {run.pipeline_name}"
    body = f"{run.run_id}: {run.error_message or 'it did not say why'}"
    told = [one for one in people if "@" in one]
    entity = ("pipeline", pipeline.key)
    notices.notify(tx, NotificationType.PIPELINE_FAILURE, told, subject, body, context.clock(), about=entity)


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _costs(context: Context, client: WorkspaceClient) -> Write:
    """Read what projects cost from the gold table, where there is one; else say why not."""
    table = context.queue.settings.share_costs_table
    today = context.clock().date()
    since = today - timedelta(days=today.weekday(), weeks=_WEEKS)
    rows = measured.costs(client, table, since) if table else None
    if rows is None:
        reason = f"there is no table {table}" if table else "no table of costs is configured"
        return lambda tx: Outcome(details={"reason": reason})
    found = measured.by_project(rows)
    return lambda tx: _write_costs(tx, context, found)


def _write_costs(tx: Connection, context: Context, rows: Iterable[Mapping[str, Any]]) -> Outcome:
    """Write a row for each project and week; a tag that means no project, or several, is only counted.

    So is a second currency in a week, because a row has one.
    """
    projects = tenants.projects_named(tx)
    unknown: Counter[str] = Counter()
    written: set[tuple[UUID, date]] = set()
    for row in rows:
        places = projects.get(str(row["project"]).casefold(), ())
        if len(places) != 1 or (places[0].project_id, row["week"]) in written:
            unknown[str(row["project"])] += 1
            continue
        written.add((places[0].project_id, row["week"]))
        where = {"project_id": places[0].project_id, "tenant_id": places[0].tenant_id}
        period = {"period_start": row["week"], "period_end": row["week"] + timedelta(days=6)}
        cost = Cost(**where, **period, databricks_cost=float(row["cost"] or 0), currency=row["currency"] or "USD")
        measures.save_cost(tx, cost, context.clock())
    details = {"not_counted": dict(unknown)} if unknown else {}
    count, failed = len(written), unknown.total()
    return Outcome(processed=count + failed, created=count, failed=failed, details=details)


_READERS: Mapping[SyncType, Callable[[Context, WorkspaceClient], Write]] = {
    SyncType.AD_USERS: _users,
    SyncType.AD_GROUPS: _groups,
    SyncType.DATABRICKS_OBJECTS: _objects,
    SyncType.JOB_METRICS: _metrics,
    SyncType.PROJECT_COSTS: _costs,
}
