"""What migrate remembers: batches, the notebooks sent with them, runs, their journal and their timeline."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from brickyard.metadata import METADATA
from brickyard.migrate.model.nouns import Outcome
from brickyard.migrate.model.runs import RunStatus

ONE_AT_A_TIME = "uq_migrate_runs_identity_active"

_NOW = sa.DateTime(timezone=True)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


batches = sa.Table(
    "migrate_batches",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created_at", _NOW, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("request", sa.JSON(none_as_null=True), nullable=False),  # without the notebooks
)

sources = sa.Table(
    "migrate_sources",
    METADATA,
    sa.Column("batch_id", sa.Text, sa.ForeignKey("migrate_batches.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("child", sa.Boolean, nullable=False),
)

runs = sa.Table(
    "migrate_runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, sa.ForeignKey("migrate_batches.id", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),  # workspace, origin and path: what may run once at a time
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("job", sa.BigInteger),  # the queue's id, once it is queued
    sa.Column("created_at", _NOW, nullable=False),
    sa.Column("started_at", _NOW),
    sa.Column("finished_at", _NOW),
    sa.Column("plan", sa.JSON(none_as_null=True)),
    sa.Column("preflight", sa.JSON(none_as_null=True)),
    sa.Column("collisions", sa.JSON(none_as_null=True)),  # findings that only the whole batch shows
    sa.Column("result", sa.JSON(none_as_null=True)),  # reconciliation, output, what was not proved
    sa.CheckConstraint(f"status IN ({_listed(RunStatus)})", name="status_known"),
    sa.CheckConstraint(f"outcome IN ({_listed(Outcome)})", name="outcome_known"),
    sa.CheckConstraint("(status = 'finished') = (outcome IS NOT NULL)", name="outcome_when_finished"),
)
sa.Index("ix_migrate_runs_batch_id_position", runs.c.batch_id, runs.c.position, unique=True)
sa.Index("ix_migrate_runs_created_at", runs.c.created_at)
sa.Index(
    ONE_AT_A_TIME,
    runs.c.identity,
    unique=True,
    postgresql_where=sa.text("status IN ('queued', 'running')"),
)

steps = sa.Table(
    "migrate_steps",
    METADATA,
    sa.Column("run_id", sa.Text, sa.ForeignKey("migrate_runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("intended_at", _NOW, nullable=False),
    sa.Column("done_at", _NOW),
    sa.Column("adopted", sa.Boolean, nullable=False),
    sa.Column("result", sa.JSON(none_as_null=True)),
)

events = sa.Table(
    "migrate_events",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("migrate_runs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", _NOW, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON(none_as_null=True)),
)
sa.Index("ix_migrate_events_run_id_id", events.c.run_id, events.c.id)
