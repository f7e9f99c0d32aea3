"""Transactions, snapshots and outages."""

from __future__ import annotations

import socket
from datetime import UTC

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from brickyard.kernel.errors import MetadataDown, SpecInvalid
from brickyard.metadata import Metadata


@pytest.fixture
def database(database_url: str):
    metadata = Metadata(database_url)
    with metadata.transaction() as tx:
        tx.execute(sa.text("CREATE TABLE item (id int PRIMARY KEY)"))
    yield metadata
    metadata.close()


def _count(metadata: Metadata) -> int:
    with metadata.read() as tx:
        return tx.execute(sa.text("SELECT count(*) FROM item")).scalar_one()


def test_a_transaction_commits_at_its_end(database: Metadata):
    with database.transaction() as tx:
        tx.execute(sa.text("INSERT INTO item VALUES (1)"))
    assert _count(database) == 1


def test_a_transaction_that_raises_leaves_nothing(database: Metadata):
    with pytest.raises(ZeroDivisionError), database.transaction() as tx:
        tx.execute(sa.text("INSERT INTO item VALUES (1)"))
        1 / 0
    assert _count(database) == 0


def test_a_reader_sees_one_snapshot_and_cannot_write(database: Metadata):
    with database.read() as reader:
        before = reader.execute(sa.text("SELECT count(*) FROM item")).scalar_one()
        with database.transaction() as writer:
            writer.execute(sa.text("INSERT INTO item VALUES (1)"))
        assert reader.execute(sa.text("SELECT count(*) FROM item")).scalar_one() == before == 0
        with pytest.raises(DBAPIError, match="read-only"):
            reader.execute(sa.text("INSERT INTO item VALUES (2)"))
    assert _count(database) == 1


def test_a_broken_rule_of_the_schema_is_not_an_outage(database: Metadata):
    with pytest.raises(IntegrityError), database.transaction() as tx:
        tx.execute(sa.text("INSERT INTO item VALUES (1), (1)"))


@pytest.mark.parametrize(
    ("sql_state", "error"),
    [("53100", MetadataDown), ("53300", MetadataDown), ("57P01", MetadataDown), ("57014", DBAPIError)],
    ids=["disk full", "too many connections", "shutdown", "statement cancelled"],
)
def test_no_room_and_no_service_are_outages_and_a_cancelled_statement_is_not(
    database: Metadata, sql_state: str, error: type[Exception]
):
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'own words' USING ERRCODE = '{sql_state}'; END $$"
    with pytest.raises(error, match="own words"), database.transaction() as tx:
        tx.execute(sa.text(raising))


def test_time_stamps_come_in_utc(database: Metadata):
    with database.read() as tx:
        assert tx.execute(sa.text("SELECT now()")).scalar_one().utcoffset() == UTC.utcoffset(None)


def test_a_server_that_is_away_is_said_to_be_down():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        metadata = Metadata(f"postgresql://ada:s3cret@127.0.0.1:{taken.getsockname()[1]}/x")
        with pytest.raises(MetadataDown) as down, metadata.read():
            pass
    assert (down.value.error_code, down.value.exit_code, "s3cret" in str(down.value)) == ("database-down", 3, False)


def test_a_connection_cut_in_a_transaction_is_an_outage_and_the_next_one_works(database: Metadata):
    with pytest.raises(MetadataDown), database.transaction() as tx:
        own = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with database.transaction() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": own})
        tx.execute(sa.text("INSERT INTO item VALUES (1)"))
    assert _count(database) == 0


def test_pooled_connections_that_died_meanwhile_are_replaced_unseen(database: Metadata):
    assert _count(database) == 0
    with database.transaction() as tx:
        others = sa.text("""
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)
        with database.read() as other:
            other.execute(sa.text("SELECT 1"))
        tx.execute(others)
    assert (_count(database), _count(database)) == (0, 0)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:///x.db", "postgresql://ada:s3cret@host:port/x"])
def test_a_url_that_is_no_postgresql_url_is_refused_without_its_password(url: str):
    with pytest.raises(SpecInvalid) as refused:
        Metadata(url).engine
    assert "s3cret" not in f"{refused.value}{refused.value.__cause__}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_scheme_gets_the_one_driver(scheme: str):
    metadata = Metadata(f"{scheme}://ada:p%40ss@host/x?sslmode=require")
    assert metadata.dsn == "postgresql://ada:p%40ss@host/x?sslmode=require"
    assert str(metadata.url) == "postgresql+psycopg://ada:***@host/x?sslmode=require"
