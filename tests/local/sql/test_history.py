"""DESCRIBE HISTORY, DETAIL and EXTENDED say who made what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brickyard.local.sql.delta import log
from brickyard.local.sql.ledger import Ledger
from brickyard.local.sql.model import Origin, SqlError


def _history(sql, table="t"):
    return sql.run(f"DESCRIBE HISTORY {table}").table.to_pylist()


@pytest.fixture
def table(sql):
    sql.run_all("CREATE TABLE t (id INT, name STRING)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    return sql


def test_every_kind_of_write_names_its_operation_and_its_author(table):
    table.run_all(
        "UPDATE t SET name = 'z' WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "MERGE INTO t USING (SELECT 9 AS id, 'n' AS name) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
        "INSERT OVERWRITE t SELECT 1, 'x'",
        "ALTER TABLE t ADD COLUMNS (more INT)",
        "ALTER TABLE t SET TBLPROPERTIES ('k' = 'v')",
        "TRUNCATE TABLE t",
        "RESTORE TABLE t TO VERSION AS OF 1",
        "CREATE OR REPLACE TABLE t AS SELECT 1 AS x",
    )
    rows = _history(table)
    assert [(r["version"], r["operation"]) for r in reversed(rows)] == [
        (0, "CREATE TABLE"),
        (1, "WRITE"),
        (2, "UPDATE"),
        (3, "DELETE"),
        (4, "MERGE"),
        (5, "WRITE"),
        (6, "ADD COLUMNS"),
        (7, "SET TBLPROPERTIES"),
        (8, "TRUNCATE"),
        (9, "RESTORE"),
        (10, "CREATE OR REPLACE TABLE AS SELECT"),
    ]
    assert {r["userName"] for r in rows} == {"owner@local"}
    assert {(r["job"]["jobId"], r["job"]["jobName"], r["job"]["runId"]) for r in rows} == {("7", "nightly", "71")}
    assert {r["notebook"]["notebookId"] for r in rows} == {"9"}


def test_metrics_count_rows(table):
    table.run("UPDATE t SET name = 'z' WHERE id = 1")
    update, insert, _ = _history(table)
    assert dict(update["operationMetrics"])["numUpdatedRows"] == "1"
    assert dict(insert["operationMetrics"])["numOutputRows"] == "2"
    assert dict(insert["operationParameters"])["mode"] == "Append"


def test_a_clone_names_its_source_version_and_kind(table):
    table.run("CREATE TABLE u SHALLOW CLONE t VERSION AS OF 1 TBLPROPERTIES ('why' = 'test')")
    (row,) = _history(table, "u")
    assert dict(row["operationParameters"]) == {
        "source": f"hive_metastore.{table.session.schema}.t",
        "sourceVersion": "1",
        "isShallow": "true",
    }
    assert table.rows("SHOW TBLPROPERTIES u") == [["why", "test"]]


def test_limit_gives_the_newest_versions(table):
    assert [r["version"] for r in table.run("DESCRIBE HISTORY t LIMIT 1").table.to_pylist()] == [1]


def test_two_origins_are_told_apart_in_the_history_of_one_table(table):
    other = replace(table.session, origin=Origin(job_id="8", job_name="other"))
    table.run("UPDATE t SET name = 'q'", session=other)
    table.run("UPDATE t SET name = 'r'")
    assert [r["job"]["jobId"] for r in _history(table)] == ["7", "8", "7", "7"]


def test_an_intent_left_by_a_killed_server_is_settled_at_the_next_start(table):
    shop = table.service.shop
    path = Path(shop.store.table("hive_metastore", table.session.schema, "t").storage_location)
    author = log.Author("ann@x.com", Origin(job_id="5", job_name="killed"))
    intent = shop.ledger._intend(path, author)
    shop.engine.query(_key(), f"UPDATE delta.`{path}` SET name = 'late' WHERE id = 1")
    assert intent
    Ledger(shop.store.database)
    newest = _history(table)[0]
    assert (newest["userName"], newest["job"]["jobId"]) == ("ann@x.com", "5")


def _key():
    from brickyard.local.engines.model import EngineKey

    return EngineKey("owner@local", "UTC")


def test_detail_and_extended_describe_the_table(table):
    (detail,) = table.run("DESCRIBE DETAIL t").table.to_pylist()
    name = f"hive_metastore.{table.session.schema}.t"
    assert (detail["format"], detail["name"], detail["numFiles"]) == ("delta", name, 1)
    extended = {row[0]: row[1] for row in table.rows("DESCRIBE TABLE EXTENDED t")}
    wanted = {"Type": "MANAGED", "Owner": "owner@local", "Created By": "owner@local", "Provider": "delta"}
    assert {key: extended[key] for key in wanted} == wanted
    assert extended["Created Time"].endswith(" UTC " + extended["Created Time"][-4:])


def test_two_writers_of_one_version_meet_and_the_second_is_told(tmp_path):
    author, change = log.Author("a"), log.Change("WRITE")
    log.commit(tmp_path, 0, author, change, [])
    with pytest.raises(SqlError) as refused:
        log.commit(tmp_path, 0, author, change, [])
    assert (refused.value.error_class, refused.value.retryable) == ("DELTA_CONCURRENT_WRITE", True)


def test_a_long_history_is_read_through_checkpoints(table):
    for n in range(25):
        table.run(f"INSERT INTO t VALUES ({n + 10}, 'x')")
    assert table.rows("SELECT count(*) FROM t") == [[27]]
    assert table.rows("SELECT count(*) FROM t VERSION AS OF 5") == [[6]]
    table.run("CREATE TABLE u DEEP CLONE t")
    assert table.rows("SELECT count(*) FROM u") == [[27]]
