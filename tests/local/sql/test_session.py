"""Parameters, time zones, cancelling and the engine's death."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest

from brickyard.local.sql.model import Parameter, SqlError


def test_parameters_are_typed_and_cannot_break_out(sql):
    values = (Parameter("a", "41", "INT"), Parameter("b", "o'; DROP TABLE x --"), Parameter("n", None, "DATE"))
    assert sql.rows("SELECT :a + 1, :b, :n, ':a'", *values) == [[42, "o'; DROP TABLE x --", None, ":a"]]
    assert sql.rows("SELECT ? || ?", Parameter("", "x"), Parameter("", "y")) == [["xy"]]


def test_identifier_takes_a_parameter_as_a_name(sql):
    sql.run("CREATE TABLE t AS SELECT 1 AS a")
    name = Parameter("t", f"{sql.session.schema}.t")
    assert sql.rows("SELECT * FROM IDENTIFIER(:t)", name) == [[1]]
    sql.run("INSERT INTO IDENTIFIER(:t) VALUES (2)", name)
    assert sql.rows("SELECT count(*) FROM IDENTIFIER('hive_metastore.' || :t)", name) == [[2]]


def test_stored_timestamps_are_shown_in_the_time_zone_of_the_session(sql):
    sql.run_all("CREATE TABLE t AS SELECT TIMESTAMP'2026-01-01 03:00:00' AS ts", "SET TIME ZONE 'America/New_York'")
    assert sql.rows("SELECT CAST(ts AS STRING), hour(t.ts), CAST(to_date(ts) AS STRING) FROM t") == [
        ["2025-12-31 22:00:00", 22, "2025-12-31"]
    ]


@pytest.mark.parametrize("zone", ["GMT", "Etc/UTC", "Europe/Berlin"])
def test_many_rows_keep_their_times_whatever_the_time_zone_of_the_session(sql, zone):
    sql.run_all("CREATE TABLE t (at timestamp, v string)", f"SET TIME ZONE '{zone}'")
    long = "concat(md5(cast(id as string)), sha1(cast(id as string)))"
    sql.run(f"INSERT INTO t SELECT timestamp'2026-03-29 00:30:00Z', {long} FROM range(300000)")
    sql.run("SET TIME ZONE 'UTC'")
    assert sql.rows("SELECT CAST(at AS STRING), count(*) FROM t GROUP BY 1") == [["2026-03-29 00:30:00", 300_000]]


def test_names_of_two_parts_belong_to_the_current_catalog(sql):
    schema = sql.session.schema
    sql.run_all(f"CREATE SCHEMA main.{schema}", f"CREATE TABLE main.{schema}.only AS SELECT 1 AS a")
    with pytest.raises(SqlError, match="TABLE_OR_VIEW_NOT_FOUND"):
        sql.run(f"SELECT * FROM {schema}.only")
    sql.run("USE CATALOG main")
    assert sql.rows(f"SELECT only.a, {schema}.only.a FROM {schema}.only") == [[1, 1]]


def test_a_view_keeps_the_namespace_in_which_it_was_made(sql):
    sql.run_all("CREATE TABLE t AS SELECT 1 AS a", "CREATE VIEW v AS SELECT * FROM t")
    schema = sql.session.schema
    sql.run("USE CATALOG main")
    assert sql.rows(f"SELECT * FROM hive_metastore.{schema}.v") == [[1]]


def test_a_running_statement_can_be_cancelled(sql):
    session = replace(sql.session, origin=replace(sql.session.origin, statement_id="to-cancel"))
    errors = []

    def run():
        try:
            sql.run("SELECT sum(a.id * b.id % 7) FROM range(3000000) a CROSS JOIN range(100000) b", session=session)
        except SqlError as error:
            errors.append(error.error_class)

    thread = threading.Thread(target=run)
    thread.start()
    while "to-cancel" not in sql.service._running:
        pass
    while thread.is_alive():
        sql.service.cancel("to-cancel")
        thread.join(0.2)
    assert errors == ["OPERATION_CANCELED"]


def test_the_engine_is_started_again_when_it_died(sql):
    sql.run("CREATE TABLE t AS SELECT 1 AS a")
    pid = sql.service.shop.engine.pid()
    os.kill(pid, signal.SIGKILL)
    for _ in range(2):
        try:
            rows = sql.rows("SELECT * FROM t")
            break
        except SqlError as error:
            assert error.retryable  # it may die while the statement runs
    assert rows == [[1]]
    assert sql.service.shop.engine.pid() != pid


def test_writers_of_one_table_in_many_threads_lose_nothing(sql):
    sql.run("CREATE TABLE t (n INT)")
    threads = [threading.Thread(target=sql.run, args=(f"INSERT INTO t VALUES ({n})",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sql.rows("SELECT count(DISTINCT n) FROM t") == [[8]]
