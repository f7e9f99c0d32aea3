"""What migrate remembers: batches, sources, runs, their journal and timeline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of migrate."""
    _batches()
    _sources()
    _runs()
    _steps()
    _events()


def _batches() -> None:
    op.create_table(
        "migrate_batches",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_migrate_batches"),
    )


def _sources() -> None:
    op.create_table(
        "migrate_sources",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("child", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "path", name="pk_migrate_sources"),
        _belongs("sources", "batch"),
    )


def _runs() -> None:
    op.create_table(
        "migrate_runs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("job", sa.BigInteger),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("plan", sa.JSON),
        sa.Column("preflight", sa.JSON),
        sa.Column("collisions", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_migrate_runs"),
        _belongs("runs", "batch"),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'interrupted', 'finished')", name="ck_migrate_runs_status_known"
        ),
        sa.CheckConstraint(
            "outcome IN ('reconciled', 'differs', 'unproved', 'halted', 'failed')", name="ck_migrate_runs_outcome_known"
        ),
        sa.CheckConstraint(
            "(status = 'finished') = (outcome IS NOT NULL)", name="ck_migrate_runs_outcome_when_finished"
        ),
    )
    op.create_index("ix_migrate_runs_batch_id_position", "migrate_runs", ["batch_id", "position"], unique=True)
    op.create_index("ix_migrate_runs_created_at", "migrate_runs", ["created_at"])
    op.create_index(
        "uq_migrate_runs_identity_active",
        "migrate_runs",
        ["identity"],
        unique=True,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )


def _steps() -> None:
    op.create_table(
        "migrate_steps",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("adopted", sa.Boolean, nullable=False),
        sa.Column("result", sa.JSON),
        sa.PrimaryKeyConstraint("run_id", "attempt", "key", name="pk_migrate_steps"),
        _belongs("steps", "run"),
    )


def _events() -> None:
    op.create_table(
        "migrate_events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_migrate_events"),
        _belongs("events", "run"),
    )
    op.create_index("ix_migrate_events_run_id_id", "migrate_events", ["run_id", "id"])


def _belongs(table: str, owner: str) -> sa.ForeignKeyConstraint:
    owners = {"batch": "migrate_batches", "run": "migrate_runs"}[owner]
    return sa.ForeignKeyConstraint(
        [f"{owner}_id"],
        [f"{owners}.id"],
        name=f"fk_migrate_{table}_{owner}_id_{owners}",
        ondelete="CASCADE",
    )
