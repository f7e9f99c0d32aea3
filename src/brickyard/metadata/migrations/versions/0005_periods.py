"""When the tasks that come again and again fall due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of periods."""
    op.create_table(
        "queue_periods",
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lane", "task", name="pk_queue_periods"),
    )
