"""System tables tell what happened: query history, lineage and audit."""

from __future__ import annotations

import uuid

import pytest

from brickyard.local.api.scim import user_id
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import Origin, SqlError, SqlSession
from brickyard.local.sql.service import SqlService
from brickyard.local.system.model import ACCOUNT_ID

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


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("CREATE TABLE made AS SELECT * FROM range(3)", (1, 3)),
        ("INSERT INTO t VALUES (4), (5)", (1, 2)),
        ("UPDATE t SET id = 9 WHERE id = 1", (1, 1)),
        (
            "MERGE INTO t USING (SELECT 1 AS id UNION ALL SELECT 7) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
            (1, 1),
        ),
        ("DELETE FROM t WHERE id = 1", (1, None)),
        ("SELECT 5 AS num_inserted_rows FROM t", (2, None)),
        ("DROP TABLE t", (0, None)),
    ],
)
def test_query_history_counts_the_rows_of_the_result_and_those_written(run, text, counts):
    run("CREATE TABLE t AS SELECT id FROM VALUES (1), (2) AS v(id)")
    run(text)
    quoted = text.replace("'", "''")
    rows = run(f"SELECT produced_rows, written_rows FROM system.query.history WHERE statement_text = '{quoted}'")
    assert [tuple(row.values()) for row in rows] == [counts]


def test_a_row_of_query_history_is_whole(run, service):
    session = SqlSession(
        OWNER, admin=True, origin=Origin(warehouse_id="w1", statement_id="s1", client_application="me")
    )
    service.execute("SELECT 1 AS whole", session)
    (row,) = run("SELECT * FROM system.query.history WHERE statement_id = 's1'")
    told = {name: value for name, value in row.items() if value is not None}
    lasted = int((row["end_time"] - row["start_time"]).total_seconds() * 1000)
    assert told == {
        "account_id": ACCOUNT_ID,
        "workspace_id": "1",
        "statement_id": "s1",
        "executed_by": OWNER,
        "session_id": session.id,
        "execution_status": "FINISHED",
        "compute": {"type": "WAREHOUSE", "cluster_id": None, "warehouse_id": "w1"},
        "executed_by_user_id": user_id(OWNER),
        "statement_text": "SELECT 1 AS whole",
        "statement_type": "SELECT",
        "client_application": "me",
        "total_duration_ms": lasted,
        "execution_duration_ms": lasted,
        "start_time": row["start_time"],
        "end_time": row["end_time"],
        "update_time": row["end_time"],
        "produced_rows": 1,
        "from_result_cache": False,
        "query_source": dict.fromkeys(row["query_source"]),
        "executed_as_user_id": user_id(OWNER),
        "executed_as": OWNER,
    }
