"""The engine's process: started when needed, gone when its parent is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from brickyard.local.engines.model import EngineDied, EngineFailed, EngineKey
from brickyard.local.engines.sail import SailEngine

KEY = EngineKey("ann@x.com", "UTC")
PARENT = """
import os, signal, sys
from pathlib import Path
from brickyard.local.engines.sail import SailEngine
engine = SailEngine(Path(sys.argv[1]) / "engine.log")
engine.address()
print(engine.pid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def engine(tmp_path):
    made = SailEngine(tmp_path / "engine.log")
    yield made
    made.close()


def test_nothing_runs_before_the_first_question(engine):
    assert engine.pid() is None
    assert engine.query(KEY, "SELECT current_user() AS u, 1 AS one").to_pylist() == [{"u": "ann@x.com", "one": 1}]
    assert engine.pid() is not None


def test_a_batch_of_rows_may_be_larger_than_a_client_takes_by_default(engine):
    """Rows come in batches, each one message; 128 MiB is the client's own limit."""
    rows = engine.query(KEY, "SELECT length(s) AS n, s FROM (SELECT repeat('x', 140000000) AS s)")
    assert rows["n"].to_pylist() == [140_000_000]


def test_sessions_do_not_see_each_others_temp_views(engine):
    mine, other = EngineKey("a", "UTC", "mine"), EngineKey("a", "UTC", "other")
    engine.query(mine, "CREATE TEMPORARY VIEW v AS SELECT 1 AS x")
    assert engine.query(mine, "SELECT * FROM v").to_pylist() == [{"x": 1}]
    with pytest.raises(EngineFailed, match="TABLE_OR_VIEW_NOT_FOUND"):
        engine.query(other, "SELECT * FROM v")


def test_a_session_keeps_its_temp_views_when_its_time_zone_changes(engine):
    engine.query(EngineKey("a", "UTC", "s"), "CREATE TEMPORARY VIEW v AS SELECT 1 AS x")
    moved = EngineKey("a", "Europe/Berlin", "s")
    assert engine.query(moved, "SELECT x, current_timezone() AS z FROM v").to_pylist() == [
        {"x": 1, "z": "Europe/Berlin"}
    ]


def test_a_session_outlives_any_pause(tmp_path, monkeypatch):
    monkeypatch.setenv("SAIL_SPARK__SESSION_TIMEOUT_SECS", "1")  # 15 minutes where nobody says it
    with closing(SailEngine(tmp_path / "engine.log")) as engine:
        engine.query(KEY, "CREATE TEMPORARY VIEW v AS SELECT 1 AS x")
        time.sleep(3)
        assert engine.query(KEY, "SELECT x FROM v").to_pylist() == [{"x": 1}]


def test_a_closed_engine_is_not_started_again(engine):
    engine.query(KEY, "SELECT 1")
    engine.close()
    with pytest.raises(EngineDied):
        engine.query(KEY, "SELECT 1")


def test_the_engine_dies_with_a_parent_that_is_killed(tmp_path):
    done = subprocess.run([sys.executable, "-c", PARENT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().split(")")[-1].split()[0] != "Z"


def test_a_struct_that_is_null_comes_back_as_null(engine):
    sql = "SELECT IF(id = 0, struct(1 AS a, map('k', array('x')) AS b), NULL) AS s FROM range(2)"
    assert engine.query(KEY, sql).to_pylist() == [{"s": {"a": 1, "b": [("k", ["x"])]}}, {"s": None}]


def test_a_decimal_has_its_announced_scale_where_the_engine_simplified_the_expression(engine):
    rows = engine.query(KEY, "SELECT d * 0 AS d FROM (SELECT CAST(0.12 AS DECIMAL(38,18)) AS d)")
    assert str(rows.schema.field("d").type) == "decimal128(38, 18)"


def test_a_query_is_checked_without_reading_a_row(engine):
    engine.check(KEY, "SELECT raise_error('read') AS broken")
    with pytest.raises(EngineFailed, match="nowhere"):
        engine.check(KEY, "SELECT nowhere FROM VALUES (1) AS t(a)")
