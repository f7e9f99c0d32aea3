"""What share remembers: the sixteen tables of `deltashare`, and the work on packs in `brickyard`.

Where a system before this one has made tables of the sixteen names, those with the same columns are adopted with all their
rows, and one with other columns is refused before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import AddConstraint, CreateIndex

from brickyard.kernel.errors import GuardRefused, Problem
from brickyard.metadata.database import METADATA

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "deltashare"
OURS = "brickyard"

_TABLES = sa.MetaData(naming_convention=METADATA.naming_convention)
_TIME = sa.DateTime(timezone=True)
_JSON = JSONB(none_as_null=True)
_NOW = sa.func.now()
_CURRENT = sa.text("is_current")
_ACTIVE = sa.text("is_current AND NOT is_deleted")

_APPEND_ONLY = """
CREATE FUNCTION deltashare.audit_trail_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_trail can only grow';
END;
$$;
CREATE TRIGGER audit_trail_only_grow BEFORE UPDATE OR DELETE ON deltashare.audit_trail
    FOR EACH ROW EXECUTE FUNCTION deltashare.audit_trail_refuse();
CREATE TRIGGER audit_trail_no_truncate BEFORE TRUNCATE ON deltashare.audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION deltashare.audit_trail_refuse();
"""


def upgrade() -> None:
    """Create the tables, or adopt the ones that are there already."""
    tx = op.get_bind()
    found = _found(tx)
    _refuse_others(tx, found)
    for schema in (SCHEMA, OURS):
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in _TABLES.sorted_tables:
        if table.schema == SCHEMA and table.name in found:
            _adopt(tx, table)
        else:
            table.create(tx)
    op.execute(_APPEND_ONLY)


# ── tables that are there already ────────────────────────────────────────────────────────────────────────────────────


def _found(tx: sa.Connection) -> set[str]:
    """Return which of the sixteen names are taken, by a table or by anything else."""
    taken = tx.scalars(sa.text("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('deltashare')"))
    return set(taken) & {table.name for table in _TABLES.tables.values() if table.schema == SCHEMA}


def _refuse_others(tx: sa.Connection, found: set[str]) -> None:
    problems = [problem for name in sorted(found) for problem in _differences(tx, name)]
    if problems:
        raise GuardRefused(
            "the database has tables of other makers in schema deltashare",
            code="share-tables-differ",
            remedy="move them away (ALTER SCHEMA deltashare RENAME TO …), or give Brickyard another database",
            problems=tuple(problems),
        )


def _differences(tx: sa.Connection, name: str) -> Iterator[Problem]:
    """Tell what keeps a table from being adopted: other columns, or entities with two current versions."""
    table = _TABLES.tables[f"{SCHEMA}.{name}"]
    wanted, there = {column.name: _type(column) for column in table.c}, _columns(tx, name)
    for column in sorted(wanted.keys() | there.keys()):
        if wanted.get(column) != there.get(column):
            want, have = wanted.get(column, "no such column"), there.get(column, "no such column")
            yield Problem(f"expected {want}, found {have}", where=f"{SCHEMA}.{name}.{column}")
    if wanted == there:
        yield from _doubles(tx, table)


def _type(column: sa.Column[Any]) -> str:
    text = column.type.compile(dialect=op.get_bind().dialect).lower()
    return text.replace("varchar(", "character varying(") + ("" if column.nullable else " not null")


def _columns(tx: sa.Connection, name: str) -> dict[str, str]:
    rows = tx.execute(
        sa.text("""
            SELECT attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS type
            FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped
        """),
        {"name": f"{SCHEMA}.{name}"},
    )
    return {row.attname: row.type for row in rows}


def _doubles(tx: sa.Connection, table: sa.Table) -> Iterator[Problem]:
    for columns, where in _unique(table):
        grouped = f"SELECT 1 FROM {table.fullname} WHERE {where} GROUP BY {columns} HAVING count(*) > 1"
        times = tx.scalar(sa.text(f"SELECT count(*) FROM ({grouped}) AS doubled"))
        if times:
            yield Problem(f"{times} value(s) of ({columns}) stand in more than one row where {where}", table.fullname)


def _unique(table: sa.Table) -> Iterator[tuple[str, str]]:
    """Yield the columns of everything unique, and the condition under which they are."""
    for index in table.indexes:
        if index.unique:
            where = index.dialect_options["postgresql"]["where"]
            yield ", ".join(column.name for column in index.columns), "true" if where is None else str(where)
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield ", ".join(column.name for column in constraint.columns), "true"


def _adopt(tx: sa.Connection, table: sa.Table) -> None:
    """Give a table of the same columns our constraints and indexes; old rows need not pass the checks."""
    if "effective_to" in table.c:
        tx.execute(sa.text(f"UPDATE {table.fullname} SET effective_to = 'infinity' WHERE is_current"))
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            tx.execute(AddConstraint(constraint))
        elif isinstance(constraint, sa.CheckConstraint):
            _check(tx, table, constraint)
    for index in table.indexes:
        tx.execute(CreateIndex(index, if_not_exists=True))


def _check(tx: sa.Connection, table: sa.Table, constraint: sa.CheckConstraint) -> None:
    test = constraint.sqltext
    fails = tx.scalar(sa.text(f"SELECT EXISTS (SELECT 1 FROM {table.fullname} WHERE NOT ({test}))"))
    only_new = " NOT VALID" if fails else ""
    tx.execute(sa.text(f"ALTER TABLE {table.fullname} ADD CONSTRAINT {constraint.name} CHECK ({test}){only_new}"))


# ── the tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _versioned(name: str, key: str, *own: sa.schema.SchemaItem, schema: str, author: str | None = None) -> sa.Table:
    return sa.Table(
        name,
        _TABLES,
        _own_id("record_id"),
        _id(key, needed=True),
        *own,
        sa.Column("is_deleted", sa.Boolean, nullable=False, server_default=sa.false()),
        _when("effective_from", needed=True, now=True),
        sa.Column("effective_to", _TIME, nullable=False, server_default=sa.text("'infinity'")),
        sa.Column("is_current", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        _text("created_by", 255, default=author, needed=True),
        _text("change_reason", 500, default=""),
        sa.UniqueConstraint(key, "version", name=f"uq_{name}_version"),
        sa.CheckConstraint("effective_to > effective_from", name="interval"),
        sa.Index(f"uq_{name}_current", key, unique=True, postgresql_where=_CURRENT),
        schema=schema,
    )


def _known(column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(map(repr, values.split()))})", name=f"{column}_known")


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


_versioned(
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

_versioned(
    "tenant_regions",
    "tenant_region_id",
    _id("tenant_id", needed=True),
    _text("region", 10, needed=True),
    _text("workspace_url", 500, needed=True),
    sa.Index("uq_tenant_regions_tenant_id_region", "tenant_id", "region", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

_versioned(
    "projects",
    "project_id",
    _text("project_name", 255, needed=True),
    _id("tenant_id", needed=True),
    _json("approver", "[]"),
    _json("configurator", "[]"),
    sa.Index("uq_projects_tenant_id_project_name", "tenant_id", "project_name", unique=True, postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

_versioned(
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

_versioned(
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

_versioned(
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

_versioned(
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
    _known("strategy", "NEW UPDATE DELETE"),
    _known("share_pack_status", "IN_PROGRESS COMPLETED FAILED VALIDATION_FAILED"),
    _known("request_source", "share_pack api sync"),
    sa.Index("ix_share_packs_active", "share_pack_id", postgresql_where=_ACTIVE),
    sa.Index("ix_share_packs_share_pack_status", "share_pack_status", postgresql_where=_CURRENT),
    sa.Index("ix_share_packs_tenant_id", "tenant_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

_versioned(
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
    _known("status", "IN_PROGRESS COMPLETED FAILED PENDING_APPROVAL"),
    _known("request_type", "NEW UPDATE DELETE"),
    _known("approver_status", "approved declined request_more_info pending"),
    sa.Index("ix_requests_project_id", "project_id", postgresql_where=_CURRENT),
    sa.Index("ix_requests_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

_versioned(
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
    _known("recipient_type", "D2D D2O OIDC"),
    _known("request_source", "share_pack api sync"),
    sa.Index("ix_recipients_active", "recipient_id", postgresql_where=_ACTIVE),
    sa.Index("uq_recipients_recipient_name", "recipient_name", unique=True, postgresql_where=_ACTIVE),
    sa.Index("ix_recipients_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

_versioned(
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
    _known("request_source", "share_pack api sync"),
    sa.Index("ix_shares_active", "share_id", postgresql_where=_ACTIVE),
    sa.Index("ix_shares_databricks_share_id", "databricks_share_id", postgresql_where=_ACTIVE),
    sa.Index("ix_shares_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    schema=SCHEMA,
)

_versioned(
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
    _known("scd_type", "1 2 full_refresh"),
    _known("request_source", "share_pack api sync"),
    sa.Index("ix_pipelines_active", "pipeline_id", postgresql_where=_ACTIVE),
    sa.Index("ix_pipelines_share_id", "share_id", postgresql_where=_CURRENT),
    sa.Index("ix_pipelines_share_pack_id", "share_pack_id", postgresql_where=_CURRENT),
    sa.Index("ix_pipelines_databricks_pipeline_id", "databricks_pipeline_id", postgresql_where=_ACTIVE),
    sa.Index("ix_pipelines_databricks_job_id", "databricks_job_id", postgresql_where=_ACTIVE),
    schema=SCHEMA,
)

sa.Table(
    "job_metrics",
    _TABLES,
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
    _known("status", "QUEUED RUNNING COMPLETED FAILED CANCELED"),
    sa.Index("ix_job_metrics_databricks_pipeline_id", "databricks_pipeline_id"),
    sa.Index("ix_job_metrics_collected_at", sa.text("collected_at DESC")),
    sa.Index("uq_job_metrics_run_id", "run_id", unique=True),
    schema=SCHEMA,
)

sa.Table(
    "project_costs",
    _TABLES,
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
    _known("period_type", "weekly monthly daily"),
    sa.CheckConstraint("period_end >= period_start", name="period"),
    sa.Index("ix_project_costs_project_id", "project_id"),
    sa.Index("ix_project_costs_period", "period_start", "period_end"),
    schema=SCHEMA,
)

sa.Table(
    "sync_jobs",
    _TABLES,
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
    _known("sync_type", "AD_USERS AD_GROUPS DATABRICKS_OBJECTS JOB_METRICS PROJECT_COSTS"),
    _known("status", "RUNNING COMPLETED FAILED INTERRUPTED"),
    sa.Index("ix_sync_jobs_sync_type_started_at", "sync_type", sa.text("started_at DESC")),
    sa.Index("ix_sync_jobs_status", "status", postgresql_where=sa.text("status IN ('FAILED', 'INTERRUPTED')")),
    schema=SCHEMA,
)

sa.Table(
    "notifications",
    _TABLES,
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
    _known(
        "notification_type",
        "PROVISION_SUCCESS PROVISION_FAILURE VALIDATION_FAILURE SYNC_FAILURE PIPELINE_FAILURE APPROVAL_REQUIRED",
    ),
    _known("status", "PENDING SENT FAILED"),
    sa.Index("ix_notifications_status", "status"),
    schema=SCHEMA,
)

sa.Table(
    "audit_trail",
    _TABLES,
    _own_id("audit_id"),
    _text("entity_type", 50, needed=True),
    _id("entity_id", needed=True),
    _text("action", 50, needed=True),
    _text("performed_by", 255, needed=True),
    sa.Column("old_values", _JSON),
    sa.Column("new_values", _JSON),
    _when("timestamp", needed=True, now=True),
    _known("action", "CREATED UPDATED DELETED STATUS_CHANGED PROVISIONED RECREATED APPROVED DECLINED"),
    sa.Index("ix_audit_trail_entity_type_entity_id", "entity_type", "entity_id"),
    sa.Index("ix_audit_trail_timestamp", sa.text("timestamp DESC")),
    schema=SCHEMA,
)

sa.Table(
    "share_pack_hashes",
    _TABLES,
    sa.Column("pack_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _long("hash", needed=True),
    _long("business_line", needed=True),
    _long("project", needed=True),
    sa.Column("names", ARRAY(sa.Text), nullable=False),
    sa.ForeignKeyConstraint(
        ["pack_id", "version"], [f"{SCHEMA}.share_packs.share_pack_id", f"{SCHEMA}.share_packs.version"]
    ),
    sa.Index("ix_share_pack_hashes_business_line_project", "business_line", "project"),
    schema=OURS,
)

sa.Table(
    "share_runs",
    _TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    _long("kind", needed=True),
    _long("status", needed=True),
    sa.Column("pack_id", sa.Uuid),
    sa.Column("version", sa.Integer),
    _long("workspace", needed=True),
    _long("requested_by", needed=True),
    _id("request_id"),
    sa.Column("options", _JSON, nullable=False),
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
    _known("kind", "apply rollback direct rotation expiry"),
    _known("status", "pending-approval queued waiting running completed failed validation-failed superseded"),
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


sa.Table(
    "share_steps",
    _TABLES,
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
    _known("status", "intended done compensated not-compensated"),
    schema=OURS,
)

sa.Table(
    "share_events",
    _TABLES,
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

sa.Table(
    "share_approvals",
    _TABLES,
    _of_run(key=True),
    sa.Column("by", sa.Text, primary_key=True),
    _long("plan_hash", needed=True),
    _when("at", needed=True),
    _long("reason", needed=True),
    schema=OURS,
)

sa.Table(
    "share_claims",
    _TABLES,
    sa.Column("pack_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("parent", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    _of_run(),
    _when("at", needed=True),
    sa.Index("ix_share_claims_kind_parent_name", "kind", "parent", "name"),
    schema=OURS,
)

sa.Table(
    "share_leases",
    _TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    _of_run(),
    _when("at", needed=True),
    sa.Index("ix_share_leases_run_id", "run_id"),
    schema=OURS,
)

sa.Table(
    "share_links",
    _TABLES,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _long("workspace", needed=True),
    _long("recipient", needed=True),
    _long("token", needed=True),
    sa.Column("sealed", sa.LargeBinary),
    _when("created_at", needed=True),
    _when("taken_at"),
    _long("taken_by"),
    sa.CheckConstraint("(sealed IS NULL) = (taken_at IS NOT NULL)", name="erased_when_taken"),
    sa.UniqueConstraint("workspace", "recipient", "token"),
    schema=OURS,
)

sa.Table(
    "share_outbox",
    _TABLES,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _long("kind", needed=True),
    sa.Column("payload", _JSON, nullable=False),
    _long("status", needed=True, default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    _when("created_at", needed=True),
    _when("due_at", needed=True),
    _when("sent_at"),
    _long("error"),
    _known("kind", "queue notification"),
    _known("status", "pending sent failed"),
    sa.Index("ix_share_outbox_due_at", "due_at", postgresql_where=sa.text("status = 'pending'")),
    schema=OURS,
)

sa.Table(
    "share_idempotency",
    _TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("actor", sa.Text, primary_key=True),
    _long("hash", needed=True),
    sa.Column("answer", _JSON, nullable=False),
    _when("created_at", needed=True),
    schema=OURS,
)
