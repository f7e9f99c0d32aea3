"""Tasks of one job that work at the same time share the lease and no run: each has its number, its end and its words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.health.flow.conftest import Before, refuse

from brickyard.health import flow
from brickyard.health.flow import Choice, Door, Hold, Phase
from brickyard.health.flow.door import through
from brickyard.health.model import source as sources
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places
from brickyard.local import LocalWorkspace

TABLES = ("security.fact_inbound_network", "security.fact_outbound_network")
GOLD = Gold({name: compile_all()[name] for name in TABLES})
AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
JOB = Hold("job:1", release=False)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Two sources, copied by the first task of a job."""
    with LocalWorkspace(tmp_path) as workspace:
        door = through(workspace.client(), Places("tasks_health", "tasks"), AT)
        door.sql("CREATE CATALOG tasks")
        door.sql("CREATE SCHEMA tasks.access")
        for source in (table.source for table in GOLD):
            assert source is not None
            columns = ", ".join(f"`{name}` {kind}" for name, kind in sources.load(source.name).columns.items())
            door.sql(f"CREATE TABLE tasks.{source.name} ({columns})")
            door.sql(f"INSERT INTO tasks.{source.name} (event_id, event_time) VALUES ('one', timestamp'2026-04-30')")
        assert flow.run(door, Choice(phase=Phase.BRONZE), GOLD, hold=JOB).failed == ()
        yield door


class Together:
    """Lets the first that come wait for each other."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties, timeout=30)
        self._seen = threading.local()

    def __call__(self) -> None:
        if not getattr(self._seen, "waited", False):
            self._seen.waited = True
            self._barrier.wait()


def test_two_tasks_that_begin_at_once_can_be_told_apart(door: Door):
    together, ends = Together(len(TABLES)), {}

    def task(table: str) -> None:
        sql = Before(door.sql, "INSERT INTO `tasks_health`.`ops`.`runs`", together)
        if table == TABLES[0]:
            sql = Before(sql, f"MERGE INTO {door.places.gold(table)}", refuse)
        choice = Choice(only=frozenset([table]), phase=Phase.GOLD)
        ends[table] = flow.run(replace(door, sql=sql), choice, GOLD, hold=JOB)

    threads = [threading.Thread(target=task, args=(table,)) for table in TABLES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {table: end.status for table, end in ends.items()} == {TABLES[0]: "PARTLY", TABLES[1]: "SUCCEEDED"}
    assert {end.run for end in ends.values()} == {2, 3}
    told = door.sql("SELECT run, status FROM tasks_health.ops.runs WHERE run > 1 ORDER BY run")
    assert [tuple(row.values()) for row in told] == sorted((end.run, end.status) for end in ends.values())
    rows = door.sql("SELECT table_name, run FROM tasks_health.ops.failures")
    assert [tuple(row.values()) for row in rows] == [(TABLES[0], ends[TABLES[0]].run)]
    compared = door.sql("SELECT DISTINCT table_name, run FROM tasks_health.ops.reconciliation")
    assert [tuple(row.values()) for row in compared] == [(TABLES[1], ends[TABLES[1]].run)]
