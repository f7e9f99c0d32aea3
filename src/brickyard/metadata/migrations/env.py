"""Run Alembic on the connection that `brickyard.metadata.migrate` opened and locked."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from brickyard.metadata import METADATA, audit, tokens  # noqa: F401 — the import registers their tables

_BESIDE_THE_VERSION = """
SELECT set_config('search_path', coalesce(
    (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version')),
    quote_ident(current_schema())
), true)
"""
"""Where tables without a schema go: a schema that is named like the user would catch them otherwise."""


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Compare the schemas that some table of ours is in, without the queue's tables, which are procrastinate's."""
    if kind == "schema":
        return name in {table.schema for table in METADATA.tables.values()}
    return kind != "table" or not str(name).startswith("procrastinate_")


connection = context.config.attributes["connection"]
connection.execute(text(_BESIDE_THE_VERSION))
context.configure(
    connection=connection,
    target_metadata=METADATA,
    include_schemas=True,
    include_name=_ours,
    compare_server_default=True,
)
context.run_migrations()
