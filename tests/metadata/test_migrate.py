"""Migrations on start-up."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from brickyard import rooms
from brickyard.kernel.errors import GuardRefused
from brickyard.metadata import METADATA, Metadata, audit, migrate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
QUEUE_SCHEMA = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"  # of procrastinate 3.10: when it changes, its migrations become one of ours
START = """
import sys
from brickyard.metadata import Metadata
sys.stdin.readline()
Metadata(sys.argv[1]).migrate()
"""


def test_an_empty_database_gets_the_audit_trail_and_the_queue(database_url: str):
    metadata = Metadata(database_url)
    metadata.migrate()
    with metadata.read() as tx:
        found = tx.execute(text("SELECT to_regclass('audit_events')::text, to_regclass('procrastinate_jobs')::text"))
        assert tuple(found.one()) == ("audit_events", "procrastinate_jobs")
    metadata.close()


def test_migrating_again_keeps_everything(metadata: Metadata):
    with metadata.transaction() as tx:
        head = audit.record(tx, at=NOW, actor="ada", action="create", subject="table a.b.c")
    metadata.migrate()
    with metadata.read() as tx:
        assert audit.head(tx) == head


def test_processes_that_start_together_migrate_once(database_url: str):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, database_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [(p.communicate(timeout=120)[1], p.returncode) for p in processes] == [("", 0)] * 4
    metadata = Metadata(database_url)
    with metadata.read() as tx:
        assert migrate.is_current(tx)
    metadata.close()


def test_a_newer_schema_is_refused_and_left_alone(metadata: Metadata):
    with metadata.transaction() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GuardRefused, match="9999") as refused:
        metadata.migrate()
    assert refused.value.error_code == "database-newer"
    with metadata.read() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str):
    metadata = Metadata(database_url)
    metadata.migrate()
    rooms.load("tables")
    import_module("brickyard.queue.jobs")
    with metadata.transaction() as tx:
        command.check(migrate.config(tx))
    metadata.close()


def test_a_table_that_no_migration_makes_is_noticed(metadata: Metadata):
    table = sa.Table("forgotten", METADATA, sa.Column("id", sa.Integer, primary_key=True))
    with pytest.raises(CommandError, match="forgotten"), metadata.transaction() as tx:
        command.check(migrate.config(tx))
    METADATA.remove(table)


def test_the_queue_schema_is_the_one_the_first_migration_was_written_for():
    assert hashlib.sha256(SchemaManager.get_schema().encode()).hexdigest() == QUEUE_SCHEMA
