"""The tables of share, as the migration makes them."""

from __future__ import annotations

from importlib import import_module

from alembic import command
from sqlalchemy import text

from brickyard import rooms
from brickyard.metadata import METADATA, Metadata, migrate
from brickyard.share import tables

COLUMNS = {
    "tenants": 15,
    "tenant_regions": 12,
    "projects": 13,
    "users": 16,
    "ad_groups": 13,
    "databricks_objects": 16,
    "share_packs": 21,
    "requests": 22,
    "recipients": 20,
    "shares": 20,
    "pipelines": 27,
    "job_metrics": 11,
    "project_costs": 13,
    "sync_jobs": 12,
    "notifications": 11,
    "audit_trail": 8,
}


def test_deltashare_has_exactly_the_sixteen_tables_with_their_columns(metadata: Metadata):
    with metadata.read() as tx:
        rows = tx.execute(
            text("""
                SELECT table_name, count(*) AS columns FROM information_schema.columns
                WHERE table_schema = 'deltashare' GROUP BY 1
            """)
        )
        assert {row.table_name: row.columns for row in rows} == COLUMNS


def test_the_migration_makes_exactly_the_tables_of_the_code(metadata: Metadata):
    rooms.load("tables")
    import_module("brickyard.queue.jobs")
    assert tables.SCHEMA in {table.schema for table in METADATA.tables.values()}
    with metadata.transaction() as tx:
        command.check(migrate.config(tx))
