"""The tables of share, as the migration makes them and as it finds them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from tests.share.store.samples import pack

from brickyard import rooms
from brickyard.kernel.errors import GuardRefused
from brickyard.metadata import METADATA, Metadata, migrate
from brickyard.share import tables
from brickyard.share.model.pack import Strategy
from brickyard.share.store import packs

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

FORMER_AD_GROUPS = """
CREATE SCHEMA deltashare;
CREATE TABLE deltashare.ad_groups (
    record_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    group_id UUID NOT NULL,
    group_name VARCHAR(255) NOT NULL,
    ad_object_id VARCHAR(255),
    members JSONB DEFAULT '[]',
    source VARCHAR(50) DEFAULT 'azure_ad',
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    effective_from TIMESTAMPTZ NOT NULL DEFAULT now(),
    effective_to TIMESTAMPTZ NOT NULL DEFAULT 'infinity',
    is_current BOOLEAN NOT NULL DEFAULT TRUE,
    version INT NOT NULL DEFAULT 1,
    created_by VARCHAR(255) NOT NULL DEFAULT 'ad_sync',
    change_reason VARCHAR(500) DEFAULT ''
);
"""
FORMER_ROW = """
INSERT INTO deltashare.ad_groups (group_id, group_name, effective_to)
VALUES ('00000000-0000-0000-0000-000000000001', '{}', '9999-12-31')
"""


@pytest.fixture(autouse=True)
def all_tables() -> None:
    rooms.load("tables")
    import_module("brickyard.queue.jobs")


@pytest.fixture
def metadata(database_url: str) -> Iterator[Metadata]:
    """A database that was empty when it was opened: one that has our schema is opened in it, since it has the user's name."""
    metadata = Metadata(database_url)
    metadata.migrate()
    yield metadata
    metadata.close()


def former(database_url: str, *statements: str) -> Metadata:
    """A database in which another system has made tables before."""
    metadata = Metadata(database_url)
    with metadata.transaction() as tx:
        for statement in statements:
            tx.exec_driver_sql(statement)
    return metadata


def groups(metadata: Metadata) -> list[tuple[str, int]]:
    with metadata.read() as tx:
        rows = tx.execute(text("SELECT group_name, version FROM deltashare.ad_groups ORDER BY 1, 2"))
        return [(row.group_name, row.version) for row in rows]


def test_deltashare_has_exactly_the_sixteen_tables_with_their_columns(metadata: Metadata):
    with metadata.read() as tx:
        rows = tx.execute(
            text("""
                SELECT table_name, count(*) AS columns FROM information_schema.columns
                WHERE table_schema = 'deltashare' GROUP BY 1
            """)
        )
        assert {row.table_name: row.columns for row in rows} == COLUMNS
        assert packs.tables(tx) == 16


def test_the_migration_makes_exactly_the_tables_of_the_code(metadata: Metadata):
    with metadata.transaction() as tx:
        command.check(migrate.config(tx))


def test_a_table_of_the_same_columns_is_adopted_with_its_rows_and_gets_the_guards(database_url: str):
    metadata = former(database_url, FORMER_AD_GROUPS, FORMER_ROW.format("old"))
    metadata.migrate()
    assert groups(metadata) == [("old", 1)]
    with metadata.transaction() as tx:
        assert packs.tables(tx) == 16
        ends = tx.execute(text("SELECT effective_to::text FROM deltashare.ad_groups")).scalar_one()
        indexes = tx.scalars(text("SELECT indexname FROM pg_indexes WHERE tablename = 'ad_groups'")).all()
    assert ends == "infinity"
    assert {"uq_ad_groups_current", "uq_ad_groups_version", "uq_ad_groups_group_name"} <= set(indexes)
    metadata.close()


def test_old_rows_with_words_of_their_own_are_adopted_and_new_ones_are_refused(metadata: Metadata):
    with metadata.transaction() as tx:
        packs.save(tx, pack(), by="ada", strategy=Strategy.NEW)
        _before_share(tx)
        tx.exec_driver_sql("UPDATE deltashare.share_packs SET share_pack_status = 'DONE'")
    metadata.migrate()
    with metadata.read() as tx:
        assert tx.scalars(text("SELECT share_pack_status FROM deltashare.share_packs")).all() == ["DONE"]
    with pytest.raises(IntegrityError), metadata.transaction() as tx:
        tx.exec_driver_sql("UPDATE deltashare.share_packs SET share_pack_status = 'ODD'")


def _before_share(tx: Connection) -> None:
    """Leave the database as another system with these tables would: no constraints, no other tables of ours."""
    tx.exec_driver_sql("DROP SCHEMA brickyard CASCADE")
    tx.exec_driver_sql("DROP FUNCTION deltashare.audit_trail_refuse CASCADE")
    tx.exec_driver_sql("DROP TABLE api_tokens, queue_periods")
    tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    for table in (table for table in METADATA.tables.values() if table.schema == tables.SCHEMA):
        for row in tx.execute(
            text("SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype IN ('c', 'u')"),
            {"name": table.fullname},
        ).all():
            tx.exec_driver_sql(f"ALTER TABLE {table.fullname} DROP CONSTRAINT {row.conname}")


def test_tables_made_by_this_code_are_adopted_by_it(metadata: Metadata):
    with metadata.transaction() as tx:
        pack_id = packs.save(tx, pack(), by="ada", strategy=Strategy.NEW).pack_id
        _before_share(tx)
    metadata.migrate()
    with metadata.transaction() as tx:
        assert packs.get(tx, pack_id).version == 1
        command.check(migrate.config(tx))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("ALTER TABLE deltashare.ad_groups ADD COLUMN extra INT", "deltashare.ad_groups.extra"),
        ("ALTER TABLE deltashare.ad_groups DROP COLUMN members", "deltashare.ad_groups.members"),
        ("ALTER TABLE deltashare.ad_groups ALTER source TYPE TEXT", "deltashare.ad_groups.source"),
        ("ALTER TABLE deltashare.ad_groups ALTER source SET NOT NULL", "deltashare.ad_groups.source"),
        (FORMER_ROW.format("other"), "deltashare.ad_groups"),
    ],
)
def test_a_table_of_another_form_is_refused_and_nothing_is_changed(database_url: str, change: str, where: str):
    metadata = former(database_url, FORMER_AD_GROUPS, FORMER_ROW.format("old"), change)
    before = groups(metadata)
    with pytest.raises(GuardRefused, match="other makers") as refused:
        metadata.migrate()
    assert refused.value.error_code == "share-tables-differ"
    assert {problem.where for problem in refused.value.problems} == {where}
    assert groups(metadata) == before
    with metadata.read() as tx:
        assert tx.execute(text("SELECT to_regclass('alembic_version'), to_regclass('audit_events')")).one() == (
            None,
            None,
        )
    metadata.close()


def test_later_tables_stand_beside_the_version_and_not_in_the_schema_of_the_users_name(metadata: Metadata):
    with metadata.transaction() as tx:
        assert tx.execute(text("SELECT current_user::text")).scalar_one() == tables.OURS
        command.check(migrate.config(tx))
        assert tx.execute(text("SELECT current_schema()")).scalar_one() == "public"
