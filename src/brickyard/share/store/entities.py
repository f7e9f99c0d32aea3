"""Recipients, shares and pipelines as rows: what was made, for which pack, under which ids, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.metadata import scd2
from brickyard.share.model.current import Current, PipelineState, RecipientState, ScheduleState, ShareState
from brickyard.share.model.pack import RecipientSpec, SharePack, ShareSpec
from brickyard.share.store import audit, naming
from brickyard.share.tables import pipelines, recipients, shares

_NAMED: dict[str, tuple[sa.Table, str]] = {
    "recipient": (recipients, "recipient_name"),
    "share": (shares, "share_name"),
    "pipeline": (pipelines, "pipeline_name"),
}


def record(tx: Connection, pack_id: UUID, pack: SharePack, after: Current, *, by: str, reason: str) -> None:
    """Write a row for everything that a pack names and that is there after its run."""
    for spec in sorted(pack.recipient, key=lambda one: one.name.lower()):
        if state := after.recipients.get(spec.name.lower()):
            record_recipient(tx, state, spec=spec, pack_id=pack_id, by=by, reason=reason)
    for share in sorted(pack.share, key=lambda one: one.name.lower()):
        if there := after.shares.get(share.name.lower()):
            record_share(tx, there, spec=share, pack_id=pack_id, by=by, reason=reason)
        for name in sorted(one.name_prefix.lower() for one in share.pipelines):
            if fed := after.pipelines.get(name):
                schedule = _schedule(after, name)
                record_pipeline(tx, fed, schedule, share=share.name, pack_id=pack_id, by=by, reason=reason)


def record_recipient(
    tx: Connection,
    state: RecipientState,
    *,
    by: str,
    reason: str,
    spec: RecipientSpec | None = None,
    pack_id: UUID | None = None,
    source: str = "share_pack",
) -> scd2.Written:
    """Write the row of a recipient as it is; the pack that wrote it first keeps it."""
    fields: dict[str, Any] = {
        "recipient_type": state.type,
        "recipient_databricks_org": state.metastore,
        "recipient_databricks_id": state.id,
        "description": state.comment,
        "client_ip_addresses": sorted(state.ip_addresses),
    }
    if spec:
        fields |= {
            "recipient_contact_email": spec.recipient,
            "token_expiry_days": spec.token_expiry,
            "token_rotation": spec.token_rotation,
        }
    return _write(tx, "recipient", state.name, fields, pack_id, source, by, reason)


def record_share(
    tx: Connection,
    state: ShareState,
    *,
    by: str,
    reason: str,
    spec: ShareSpec | None = None,
    pack_id: UUID | None = None,
    source: str = "share_pack",
) -> scd2.Written:
    """Write the row of a share as it is; the pack that wrote it first keeps it."""
    fields: dict[str, Any] = {
        "description": state.comment,
        "share_assets": sorted(one.name for one in state.objects),
        "recipients": sorted(state.readers),
    }
    if spec and (target := spec.delta_share):
        fields |= {
            "ext_catalog_name": target.ext_catalog_name,
            "ext_schema_name": target.ext_schema_name,
            "prefix_assetname": target.prefix_assetname,
            "share_tags": list(target.tags),
        }
    return _write(tx, "share", state.name, fields, pack_id, source, by, reason)


def record_pipeline(
    tx: Connection,
    state: PipelineState,
    schedule: ScheduleState | None = None,
    *,
    by: str,
    reason: str,
    share: str | None = None,
    pack_id: UUID | None = None,
    source: str = "share_pack",
) -> scd2.Written:
    """Write the row of a pipeline as it is, with the job that starts it; the pack that wrote it first keeps it."""
    made = state.settings
    timing = schedule.settings if schedule else None
    fields: dict[str, Any] = {
        "databricks_pipeline_id": state.id,
        "databricks_job_id": str(schedule.job_id) if schedule else None,
        "name_prefix": made.name,
        "asset_name": made.source,
        "source_table": made.source,
        "target_table": f"{made.catalog}.{made.schema}.{made.target}",
        "scd_type": made.scd_type,
        "key_columns": ",".join(made.keys),
        "schedule_type": "CONTINUOUS" if made.continuous else "CRON",
        "cron_expression": timing.cron if timing else None,
        "cron_timezone": timing.timezone if timing else None,
        "notification_list": sorted(made.notifications),
        "tags": dict(made.tags),
        "serverless": made.serverless,
    }
    if share:
        fields["share_id"] = naming.find(tx, shares, "share_name", share)
    return _write(tx, "pipeline", made.name, fields, pack_id, source, by, reason)


def forget(tx: Connection, kind: str, name: str, *, by: str, reason: str) -> bool:
    """Mark the row of a `recipient`, `share` or `pipeline` as deleted; False when there is none."""
    table, column = _NAMED[kind]
    key = naming.find(tx, table, column, name)
    return key is not None and audit.delete(tx, table, key, by=by, reason=reason).changed


def known(tx: Connection, kind: str) -> frozenset[str]:
    """Return the folded names of all recipients, shares or pipelines that have a row."""
    table, column = _NAMED[kind]
    return frozenset(tx.scalars(sa.select(sa.func.lower(table.c[column])).where(scd2.active(table))))


def listed(tx: Connection, kind: str, pack_id: UUID | None = None) -> tuple[scd2.Version, ...]:
    """Return the rows of all recipients, shares or pipelines, or of those of one pack, by name."""
    table, column = _NAMED[kind]
    mine = [table.c.share_pack_id == pack_id] if pack_id else []
    found = sa.select(table).where(scd2.active(table), *mine).order_by(table.c[column])
    return tuple(scd2.version(table, row._mapping) for row in tx.execute(found))


def get(tx: Connection, kind: str, name: str) -> scd2.Version | None:
    """Return the row of a name, or None."""
    table, column = _NAMED[kind]
    key = naming.find(tx, table, column, name)
    return scd2.current(tx, table, key) if key else None


def as_of(tx: Connection, kind: str, name: str, at: Any) -> scd2.Version | None:
    """Return what was true of a name at a time, or None."""
    table, column = _NAMED[kind]
    key = naming.find(tx, table, column, name, deleted=True)
    return scd2.as_of(tx, table, key, at) if key else None


def _write(
    tx: Connection,
    kind: str,
    name: str,
    fields: Mapping[str, Any],
    pack_id: UUID | None,
    source: str,
    by: str,
    reason: str,
) -> scd2.Written:
    table, column = _NAMED[kind]
    key, _ = naming.claim(tx, table, column, name)
    last = scd2.current(tx, table, key)
    first = {column: name, "share_pack_id": pack_id, "request_source": source}
    if last and not last.is_deleted:
        first = {"share_pack_id": last.fields["share_pack_id"] or pack_id}
    return audit.write(tx, table, key, {**first, **fields}, by=by, reason=reason)


def _schedule(after: Current, pipeline: str) -> ScheduleState | None:
    mine = (one for one in after.schedules.values() if one.settings.pipeline.lower() == pipeline)
    return min(mine, key=lambda one: one.job_id, default=None)
