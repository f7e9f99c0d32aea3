"""Real Spark as the engine: a process of its own environment, asked with a token, gone with its parent."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from decimal import Decimal

import pytest
from pyspark.errors import PySparkException

from brickyard.local.engines import spark_env
from brickyard.local.engines.connect import connect
from brickyard.local.engines.model import EngineCancelled, EngineFailed, EngineKey, EngineUnavailable
from brickyard.local.engines.spark import SparkEngine
from brickyard.local.sql.delta import bounds

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]
KEY = EngineKey("ann@x.com", "Europe/Berlin")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    try:
        spark_env.from_environ(os.environ).ensure(spark_env.say)
    except EngineUnavailable as error:
        pytest.skip(f"real Spark cannot run here: {error.message}")
    made = SparkEngine(tmp_path_factory.mktemp("spark") / "engine.log")
    yield made
    made.close()


def test_it_answers_in_the_session_s_time_zone(engine):
    rows = engine.query(KEY, "SELECT current_timezone() AS zone, version() LIKE '4.2.0%' AS spark").to_pylist()
    assert rows == [{"zone": "Europe/Berlin", "spark": True}]


def test_a_refusal_carries_neither_java_s_stack_nor_the_plan(engine):
    with pytest.raises(EngineFailed) as refusal:
        engine.query(KEY, "SELECT nope FROM range(1)")
    assert refusal.value.message.endswith("SQLSTATE: 42703; line 1 pos 7")


def test_a_client_without_the_token_is_turned_away(engine):
    stranger = engine.url(KEY).partition(";token=")[0] + ";token=wrong"
    with pytest.raises(PySparkException, match=r"(?i)authenticat|token"):
        connect(stranger).sql("SELECT 1").collect()


def test_nothing_of_it_listens_beyond_loopback(engine):
    engine.query(KEY, "SELECT 1")
    tree = _children(engine.pid())
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [line.split()[3] for line in listening if any(f"pid={pid}," in line for pid in tree)]
    assert own
    assert all("127.0.0.1" in address or "[::1]" in address for address in own)


def test_delta_tables_are_merged_and_their_history_is_kept(engine, tmp_path):
    table = f"delta.`{tmp_path}/t`"
    engine.query(KEY, f"CREATE TABLE {table} (k INT, v STRING) USING delta")
    engine.query(KEY, f"INSERT INTO {table} VALUES (1, 'a')")
    engine.query(
        KEY,
        f"MERGE INTO {table} AS t USING (SELECT 1 AS k, 'b' AS v) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET *",
    )
    assert engine.query(KEY, f"SELECT * FROM {table}").to_pylist() == [{"k": 1, "v": "b"}]


def test_what_spark_has_written_can_be_written_anew_beside_it(engine, tmp_path):
    table, number = tmp_path / "t", "0.114863749885212289"
    engine.query(KEY, f"CREATE TABLE delta.`{table}` (d DECIMAL(38,18), v STRING) USING delta")
    engine.query(KEY, f"INSERT INTO delta.`{table}` VALUES ({number}, repeat('雪', 30))")
    written = (table / "_delta_log" / f"{1:020}.json").stat().st_size
    bounds.mend(table, [1])
    assert (table / "_delta_log" / f"{1:020}.json").stat().st_size < written
    shutil.copytree(table, tmp_path / "unread")  # with the checksums of the files, were there any
    rows = engine.query(KEY, f"SELECT d FROM delta.`{tmp_path}/unread`").to_pylist()
    assert rows == [{"d": Decimal(number)}]


def test_a_statement_can_be_cancelled(engine):
    from threading import Timer

    Timer(2, lambda: engine.cancel(KEY, "slow")).start()
    with pytest.raises(EngineCancelled):
        engine.query(KEY, "SELECT count(*) FROM range(100000000) a, range(100000000) b", tag="slow")


def test_it_ends_with_all_its_processes(engine):
    engine.query(KEY, "SELECT 1")
    tree = _children(engine.pid())
    engine.close()
    deadline = time.monotonic() + 20
    while any(map(_lives, tree)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in tree if _lives(pid)] == []


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(n for child in map(int, found) for n in _children(child))]


def _lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")
