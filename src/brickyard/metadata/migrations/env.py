"""Run Alembic on the connection that `brickyard.metadata.migrate` opened and locked."""

from __future__ import annotations

from alembic import context

from brickyard.metadata import METADATA, audit  # noqa: F401 — the import registers the audit table


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the queue's tables, which are procrastinate's, out of the comparison."""
    return kind != "table" or not str(name).startswith("procrastinate_")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_name=_ours,
    compare_server_default=True,
)
context.run_migrations()
