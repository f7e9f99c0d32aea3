"""What share remembers: sixteen tables of packs and what they made in `deltashare`, the work on them in `brickyard`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from brickyard.metadata import METADATA
from brickyard.metadata.scd2 import versioned
from brickyard.share.model.pack import RecipientType, Strategy
from brickyard.share.model.records import (
    NotificationStatus,
    NotificationType,
    PeriodType,
    PipelineStatus,
    SyncStatus,
    SyncType,
    TrailAction,
)
from brickyard.share.model.runs import ApproverStatus, PackStatus, RequestStatus, RunKind, RunStatus, StepStatus

SCHEMA = "deltashare"
OURS = "brickyard"

_TIME = sa.DateTime(timezone=True)
_JSON = JSONB(none_as_null=True)
_NOW = sa.func.now()
_CURRENT = sa.text("is_current")
_ACTIVE = sa.text("is_current AND NOT is_deleted")
_SOURCES = ("share_pack", "api", "sync")


def _known(column: str, values: Iterable[str]) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"{column} IN ({', '.join(repr(str(value)) for value in values)})", name=f"{column}_known"
    )


def _text(name: str, length: int, *, default: str | None = None, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=not needed, server_default=default)


def _json(name: str, default: str, *, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _JSON, nullable=not needed, server_default=sa.text(f"'{default}'::jsonb"))


def _long(name: str, *, default: str | None = None, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=not needed, server_default=default)


def _id(name: str, *, needed: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid, nullable=not needed)


def _own_id(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()"))


def _flag(name: str, *, default: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=True, server_default=sa.true() if default else sa.false())


def _when(name: str, *, needed: bool = False, now: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _TIME, nullable=not needed, server_default=_NOW if now else None)


def _count(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, server_default=sa.text("0"))


def _amount(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Double, server_default=sa.text("0"))


def _source() -> sa.Column[Any]:
    return _text("request_source", 50, default="share_pack")


# ── deltashare: what is true, and since when ─────────────────────────────────────────────────────────────────────────

tenants = versioned(
    "tenants",
    "tenant_id",
    _text("business_line_name", 255, needed=True),
    _text("short_name", 50),
    _json("executive_team", "[]"),
    _json("configurator_ad_group", "[]"),
    _text("owner", 255),
    _text("contact_email", 255),
    sa.Index("ix_tenants_active", "tenant_id", postgresql_where=_ACTIVE),
    sa.Index("ix_tenants_business_line_name", "business_line_name", postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

tenant_regions = versioned(
    "tenant_regions",
    "tenant_region_id",
    _id("tenant_id", needed=True),
    _text("region", 10, needed=True),
    _text("workspace_url", 500, needed=True),
    sa.Index("uq_tenant_regions_tenant_id_region", "tenant_id", "region", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

projects = versioned(
    "projects",
    "project_id",
    _text("project_name", 255, needed=True),
    _id("tenant_id", needed=True),
    _json("approver", "[]"),
    _json("configurator", "[]"),
    sa.Index("uq_projects_tenant_id_project_name", "tenant_id", "project_name", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

users = versioned(
    "users",
    "user_id",
    _text("email", 255, needed=True),
    _text("display_name", 255),
    _text("job_title", 255),
    _text("department", 255),
    _flag("is_active", default=True),
    _text("ad_object_id", 255),
    _text("source", 50, default="azure_ad"),
    sa.Index("uq_users_email", "email", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
    author="ad_sync",
)

ad_groups = versioned(
    "ad_groups",
    "group_id",
    _text("group_name", 255, needed=True),
    _text("ad_object_id", 255),
    _json("members", "[]"),
    _text("source", 50, default="azure_ad"),
    sa.Index("uq_ad_groups_group_name", "group_name", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
    author="ad_sync",
)

databricks_objects = versioned(
    "databricks_objects",
    "object_id",
    _text("workspace_url", 500, needed=True),
    _text("full_name", 500, needed=True),
    _text("object_type", 50, needed=True),
    _text("catalog_name", 255),
    _text("schema_name", 255),
    _text("table_name", 255),
    _text("owner", 255),
    sa.Index(
        "uq_databricks_objects_workspace_url_full_name",
        "workspace_url",
        "full_name",
        unique=True,
        postgresql_where=_ACTIVE,
    ),
    schema=SCHEMA,
    author="dbrx_sync",
)

share_packs = versioned(
    "share_packs",
    "share_pack_id",
    _text("share_pack_name", 255, needed=True),
    _text("requested_by", 255, needed=True),
    _text("strategy", 20, default="NEW", needed=True),
    _text("share_pack_status", 30, default="IN_PROGRESS", needed=True),
    _long("provisioning_status", default=""),
    _long("error_message", default=""),
    sa.Column("config", _JSON, nullable=False),
    _text("file_format", 10, default="yaml"),
    _text("original_filename", 500),
    _id("tenant_id"),
    _id("project_id"),
    _source(),
    _known("strategy", Strategy),
    _known("share_pack_status", PackStatus),
    _known("request_source", _SOURCES),
    sa.Index("ix_share_packs_active", "share_pack_id", postgresql_where=_ACTIVE),
    sa.Index("ix_share_packs_share_pack_status", "share_pack_status", postgresql_where=_CURRENT),
    sa.Index("ix_share_packs_tenant_id", "tenant_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

requests = versioned(
    "requests",
    "request_id",
    _id("project_id", needed=True),
    _id("share_pack_id", needed=True),
    _text("requested_by", 255, needed=True),
    _text("approved_by", 255),
    _text("assigned_to", 255),
    _text("service_now_ticket", 100),
    _text("ado_ticket", 100),
    _long("request_description", needed=True),
    _text("status", 30, default="IN_PROGRESS", needed=True),
    _text("request_type", 20, default="NEW", needed=True),
    _text("approver_status", 30, default="approved"),
    _when("assigned_datetime"),
    _when("approved_datetime"),
    _known("status", RequestStatus),
    _known("request_type", Strategy),
    _known("approver_status", ApproverStatus),
    sa.Index("ix_requests_project_id", "project_id", postgresql_where=_CURRENT),
    sa.Index("ix_requests_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

recipients = versioned(
    "recipients",
    "recipient_id",
    _id("share_pack_id"),
    _text("recipient_name", 255, needed=True),
    _text("recipient_contact_email", 255),
    _text("recipient_type", 10, needed=True),
    _text("recipient_databricks_org", 500),
    _text("recipient_databricks_id", 255),
    _long("description"),
    _json("client_ip_addresses", "[]"),
    sa.Column("token_expiry_days", sa.Integer),
    _flag("token_rotation", default=False),
    _source(),
    _known("recipient_type", RecipientType),
    _known("request_source", _SOURCES),
    sa.Index("ix_recipients_active", "recipient_id", postgresql_where=_ACTIVE),
    sa.Index("uq_recipients_recipient_name", "recipient_name", unique=True, postgresql_where=_ACTIVE),
    sa.Index("ix_recipients_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

shares = versioned(
    "shares",
    "share_id",
    _id("share_pack_id"),
    _text("share_name", 255, needed=True),
    _text("databricks_share_id", 255),
    _long("description", default=""),
    _json("share_assets", "[]", needed=True),
    _json("recipients", "[]", needed=True),
    _text("ext_catalog_name", 255),
    _text("ext_schema_name", 255),
    _text("prefix_assetname", 100),
    _json("share_tags", "[]"),
    _source(),
    _known("request_source", _SOURCES),
    sa.Index("ix_shares_active", "share_id", postgresql_where=_ACTIVE),
    sa.Index("ix_shares_databricks_share_id", "databricks_share_id", postgresql_where=_ACTIVE),
    sa.Index("ix_shares_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

pipelines = versioned(
    "pipelines",
    "pipeline_id",
    _id("share_pack_id"),
    _id("share_id"),
    _text("pipeline_name", 255, needed=True),
    _text("databricks_pipeline_id", 255),
    _text("databricks_job_id", 255),
    _text("name_prefix", 255),
    _text("asset_name", 500, needed=True),
    _text("source_table", 500, needed=True),
    _text("target_table", 500, needed=True),
    _text("scd_type", 20, default="2"),
    _text("key_columns", 500),
    _text("schedule_type", 20, needed=True),
    _text("cron_expression", 100),
    _text("cron_timezone", 100, default="UTC"),
    _json("notification_list", "[]"),
    _json("tags", "{}"),
    _flag("serverless", default=False),
    _source(),
    _known("scd_type", ("1", "2", "full_refresh")),
    _known("request_source", _SOURCES),
    sa.Index("ix_pipelines_active", "pipeline_id", postgresql_where=_ACTIVE),
    sa.Index("ix_pipelines_share_id", "share_id", postgresql_where=_CURRENT),
    sa.Index("ix_pipelines_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    sa.Index("ix_pipelines_databricks_pipeline_id", "databricks_pipeline_id", postgresql_where=_ACTIVE),
    sa.Index("ix_pipelines_databricks_job_id", "databricks_job_id", postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

# ── deltashare: what happened ────────────────────────────────────────────────────────────────────────────────────────

job_metrics = sa.Table(
    "job_metrics",
    METADATA,
    _own_id("metrics_id"),
    _id("pipeline_id"),
    _text("databricks_pipeline_id", 255, needed=True),
    _text("pipeline_name", 255, needed=True),
    _when("start_time"),
    _when("end_time"),
    sa.Column("duration_seconds", sa.Double),
    _text("status", 50, needed=True),
    _text("run_id", 255),
    _long("error_message"),
    _when("collected_at", needed=True, now=True),
    _known("status", PipelineStatus),
    sa.Index("ix_job_metrics_databricks_pipeline_id", "databricks_pipeline_id"),
    sa.Index("ix_job_metrics_collected_at", sa.text("collected_at DESC")),
    sa.Index("uq_job_metrics_run_id", "run_id", unique=True),
    schema=SCHEMA,
)

project_costs = sa.Table(
    "project_costs",
    METADATA,
    _own_id("cost_id"),
    _id("project_id", needed=True),
    _id("tenant_id", needed=True),
    sa.Column("period_start", sa.Date, nullable=False),
    sa.Column("period_end", sa.Date, nullable=False),
    _text("period_type", 20, default="weekly", needed=True),
    _amount("databricks_cost"),
    _amount("azure_cost"),
    _amount("network_cost"),
    _amount("io_cost"),
    sa.Column(
        "total_cost",
        sa.Double,
        sa.Computed(
            "coalesce(databricks_cost, 0) + coalesce(azure_cost, 0) + coalesce(network_cost, 0) + coalesce(io_cost, 0)",
            persisted=True,
        ),
    ),
    _text("currency", 10, default="USD"),
    _when("collected_at", needed=True, now=True),
    _known("period_type", PeriodType),
    sa.CheckConstraint("period_end >= period_start", name="period"),
    sa.Index("ix_project_costs_project_id", "project_id"),
    sa.Index("ix_project_costs_period", "period_start", "period_end"),
    schema=SCHEMA,
)

sync_jobs = sa.Table(
    "sync_jobs",
    METADATA,
    _own_id("sync_job_id"),
    _text("sync_type", 50, needed=True),
    _text("workspace_url", 500),
    _text("status", 20, default="RUNNING", needed=True),
    _when("started_at", needed=True, now=True),
    _when("completed_at"),
    _count("records_processed"),
    _count("records_created"),
    _count("records_updated"),
    _count("records_failed"),
    _long("error_message", default=""),
    _json("details", "{}"),
    _known("sync_type", SyncType),
    _known("status", SyncStatus),
    sa.Index("ix_sync_jobs_sync_type_started_at", "sync_type", sa.text("started_at DESC")),
    sa.Index("ix_sync_jobs_status", "status", postgresql_where=sa.text("status IN ('FAILED', 'INTERRUPTED')")),
    schema=SCHEMA,
)

notifications = sa.Table(
    "notifications",
    METADATA,
    _own_id("notification_id"),
    _text("notification_type", 50, needed=True),
    _text("recipient_email", 255, needed=True),
    _text("subject", 500, needed=True),
    _long("body", needed=True),
    _text("related_entity_type", 50),
    _id("related_entity_id"),
    _text("status", 20, default="PENDING", needed=True),
    _when("sent_at"),
    _long("error_message"),
    _when("created_at", needed=True, now=True),
    _known("notification_type", NotificationType),
    _known("status", NotificationStatus),
    sa.Index("ix_notifications_status", "status"),
    schema=SCHEMA,
)

audit_trail = sa.Table(
    "audit_trail",
    METADATA,
    _own_id("audit_id"),
    _text("entity_type", 50, needed=True),
    _id("entity_id", needed=True),
    _text("action", 50, needed=True),
    _text("performed_by", 255, needed=True),
    sa.Column("old_values", _JSON),
    sa.Column("new_values", _JSON),
    _when("timestamp", needed=True, now=True),
    _known("action", TrailAction),
    sa.Index("ix_audit_trail_entity_type_entity_id", "entity_type", "entity_id"),
    sa.Index("ix_audit_trail_timestamp", sa.text("timestamp DESC")),
    schema=SCHEMA,
)

# ── brickyard: the work on packs ─────────────────────────────────────────────────────────────────────────────────────

versions = sa.Table(
    "share_pack_hashes",
    METADATA,
    sa.Column("pack_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _long("hash", needed=True),
    _long("business_line", needed=True),  # folded
    _long("project", needed=True),  # folded
    sa.Column("names", ARRAY(sa.Text), nullable=False),  # shares and recipients, folded
    sa.ForeignKeyConstraint(
        ["pack_id", "version"], [f"{SCHEMA}.share_packs.share_pack_id", f"{SCHEMA}.share_packs.version"]
    ),
    sa.Index("ix_share_pack_hashes_business_line_project", "business_line", "project"),
    schema=OURS,
)

runs = sa.Table(
    "share_runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    _long("kind", needed=True),
    _long("status", needed=True),
    sa.Column("pack_id", sa.Uuid),
    sa.Column("version", sa.Integer),
    _long("workspace", needed=True),
    _long("requested_by", needed=True),
    _id("request_id"),
    sa.Column("options", _JSON, nullable=False),  # what the sender allows and was told
    sa.Column("plan", _JSON),
    _long("plan_hash"),
    sa.Column("result", _JSON),
    _long("code"),
    _long("message"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("job", sa.BigInteger),
    sa.Column("wants", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    _when("created_at", needed=True),
    _when("started_at"),
    _when("finished_at"),
    sa.ForeignKeyConstraint(
        ["pack_id", "version"], [f"{SCHEMA}.share_packs.share_pack_id", f"{SCHEMA}.share_packs.version"]
    ),
    _known("kind", RunKind),
    _known("status", RunStatus),
    sa.CheckConstraint("(pack_id IS NULL) = (version IS NULL)", name="version_of_pack"),
    sa.CheckConstraint(
        "(status IN ('completed', 'failed', 'validation-failed', 'superseded')) = (finished_at IS NOT NULL)",
        name="finished_when_final",
    ),
    sa.Index("ix_share_runs_pack_id_created_at", "pack_id", "created_at"),
    sa.Index("ix_share_runs_created_at", "created_at"),
    sa.Index(
        "ix_share_runs_open",
        "status",
        postgresql_where=sa.text("status IN ('pending-approval', 'queued', 'waiting', 'running')"),
    ),
    schema=OURS,
)


def _of_run(*, key: bool = False) -> sa.Column[Any]:
    return sa.Column("run_id", sa.Text, sa.ForeignKey(f"{OURS}.share_runs.id"), primary_key=key, nullable=False)


steps = sa.Table(
    "share_steps",
    METADATA,
    _of_run(key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    _long("kind", needed=True),
    sa.Column("step", _JSON, nullable=False),
    sa.Column("before", _JSON),
    _long("status", needed=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    _when("intended_at", needed=True),
    _when("done_at"),
    sa.Column("adopted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("result", _JSON),
    _when("compensated_at"),
    _long("compensation"),
    _known("status", StepStatus),
    schema=OURS,
)

events = sa.Table(
    "share_events",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _of_run(),
    sa.Column("pack_id", sa.Uuid),
    _when("at", needed=True),
    _long("kind", needed=True),
    _long("message", needed=True),
    _long("by"),
    sa.Column("detail", _JSON),
    sa.Index("ix_share_events_run_id_id", "run_id", "id"),
    sa.Index("ix_share_events_pack_id_id", "pack_id", "id"),
    schema=OURS,
)

approvals = sa.Table(
    "share_approvals",
    METADATA,
    _of_run(key=True),
    sa.Column("by", sa.Text, primary_key=True),
    _long("plan_hash", needed=True),
    _when("at", needed=True),
    _long("reason", needed=True),
    schema=OURS,
)

claims = sa.Table(
    "share_claims",
    METADATA,
    sa.Column("pack_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("parent", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    _of_run(),
    _when("at", needed=True),
    sa.Index("ix_share_claims_kind_parent_name", "kind", "parent", "name"),
    schema=OURS,
)

leases = sa.Table(
    "share_leases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    _of_run(),
    _when("at", needed=True),
    sa.Index("ix_share_leases_run_id", "run_id"),
    schema=OURS,
)

links = sa.Table(
    "share_links",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _long("workspace", needed=True),
    _long("recipient", needed=True),  # folded
    _long("token", needed=True),  # id of the token, never the token
    sa.Column("sealed", sa.LargeBinary),  # erased when it is taken
    _when("created_at", needed=True),
    _when("taken_at"),
    _long("taken_by"),
    sa.CheckConstraint("(sealed IS NULL) = (taken_at IS NOT NULL)", name="erased_when_taken"),
    sa.UniqueConstraint("workspace", "recipient", "token"),
    schema=OURS,
)

outbox = sa.Table(
    "share_outbox",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _long("kind", needed=True),
    sa.Column("payload", _JSON, nullable=False),
    _long("status", needed=True, default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    _when("created_at", needed=True),
    _when("due_at", needed=True),
    _when("sent_at"),
    _long("error"),
    _known("kind", ("queue", "notification")),
    _known("status", ("pending", "sent", "failed")),
    sa.Index("ix_share_outbox_due_at", "due_at", postgresql_where=sa.text("status = 'pending'")),
    schema=OURS,
)

idempotency = sa.Table(
    "share_idempotency",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("actor", sa.Text, primary_key=True),
    _long("hash", needed=True),
    sa.Column("answer", _JSON, nullable=False),
    _when("created_at", needed=True),
    schema=OURS,
)
