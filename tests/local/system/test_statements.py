"""System tables tell what happened: query history, lineage and audit."""

from __future__ import annotations

import uuid

import pytest

from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import Origin, SqlError, SqlSession
from brickyard.local.sql.service import SqlService

OWNER = "owner@local"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("system")
    store = CatalogStore(home / "catalog.sqlite", owner=OWNER)
    made = SqlService(home, store)
    yield made
    made.close()
    store.close()


@pytest.fixture
def run(service):
    session = SqlSession(OWNER, admin=True, origin=Origin(job_id="7", job_run_id="70", notebook_id="9"))
    session.schema = f"s_{uuid.uuid4().hex[:8]}"
    service.execute(f"CREATE SCHEMA {session.schema}", session)

    def execute(text):
        return service.execute(text, session).table.to_pylist()

    execute.schema = f"hive_metastore.{session.schema}"
    return execute


def _lineage(run, condition):
    columns = "source_table_full_name, target_table_full_name, source_type, entity_type, entity_id, direct_access"
    rows = run(f"SELECT {columns} FROM system.access.table_lineage WHERE {condition} ORDER BY event_time, 1")
    return [tuple(row.values()) for row in rows]


def test_a_write_leaves_one_row_for_each_table_it_reads(run):
    run("CREATE TABLE a AS SELECT 1 AS x")
    run("CREATE TABLE b AS SELECT 1 AS x")
    run("CREATE TABLE c AS SELECT a.x FROM a JOIN b ON a.x = b.x")
    s = run.schema
    assert _lineage(run, f"target_table_full_name = '{s}.c'") == [
        (f"{s}.a", f"{s}.c", "TABLE", "JOB", "7", True),
        (f"{s}.b", f"{s}.c", "TABLE", "JOB", "7", True),
    ]


def test_what_is_read_through_a_view_is_told_apart(run):
    run("CREATE TABLE a AS SELECT 1 AS x")
    run("CREATE VIEW v AS SELECT * FROM a")
    run("INSERT INTO a SELECT x FROM v")
    run("CREATE TABLE d AS SELECT * FROM v")
    s = run.schema
    assert _lineage(run, f"target_table_full_name = '{s}.d'") == [
        (f"{s}.a", f"{s}.d", "TABLE", "JOB", "7", False),
        (f"{s}.v", f"{s}.d", "VIEW", "JOB", "7", True),
    ]


def test_a_read_has_no_target_and_a_clone_has_a_source(run):
    run("CREATE TABLE a AS SELECT 1 AS x")
    run("SELECT * FROM a")
    run("CREATE TABLE e DEEP CLONE a")
    s = run.schema
    assert _lineage(run, f"source_table_full_name = '{s}.a'") == [
        (f"{s}.a", None, "TABLE", "JOB", "7", True),
        (f"{s}.a", f"{s}.e", "TABLE", "JOB", "7", True),
    ]


def test_query_history_holds_failed_statements_too(run):
    text = f"SELECT * FROM nothing_{uuid.uuid4().hex}"
    with pytest.raises(SqlError):
        run(text)
    (row,) = run(f"SELECT * FROM system.query.history WHERE statement_text = '{text}'")
    assert (row["execution_status"], row["statement_type"], row["executed_by"]) == ("FAILED", "SELECT", OWNER)
    assert row["query_source"]["job_info"]["job_id"] == "7"
    assert "TABLE_OR_VIEW_NOT_FOUND" in row["error_message"]


def test_changes_of_the_catalog_are_audited(run):
    run("CREATE TABLE a AS SELECT 1 AS x")
    run("DROP TABLE a")
    schema = run.schema.split(".")[1]
    rows = run(
        "SELECT action_name FROM system.access.audit WHERE action_name IN ('createTable', 'deleteTable') ORDER BY event_time"
    )
    assert [r["action_name"] for r in rows][-2:] == ["createTable", "deleteTable"]
    assert schema
