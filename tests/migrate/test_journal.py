"""One attempt's journal: what a worker that takes over does about a statement that is still on its way."""

from __future__ import annotations

import pytest
from tests.migrate.conftest import request

from brickyard.context import Context
from brickyard.kernel.clock import system_clock
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.kernel.names import TableName
from brickyard.local import LocalWorkspace
from brickyard.migrate import flow, observe, store
from brickyard.migrate.journal import Work
from brickyard.migrate.model.runs import CloneTable
from brickyard.migrate.observe import Eyes
from brickyard.workspace import pick_warehouse

SLOW = (
    "CREATE TABLE wb.loyalty.copy TBLPROPERTIES ('brickyard.run' = '{mark}') AS "
    "SELECT count(*) AS n FROM range(12000) a CROSS JOIN range(12000) b WHERE (a.id * b.id) % 7 = 3"
)


def begun(house: Context) -> Work:
    """A run that was just begun."""
    queued = flow.submit(house, request({"summary.sql": "-- Databricks notebook source\nSELECT 1"}))
    with house.metadata.transaction() as tx:
        run = store.start(tx, next(iter(queued.runs.values())), system_clock())
        return Work(house, run, store.batch(tx, queued.batch))


def test_a_clone_that_is_still_being_made_is_waited_for_and_adopted(world: Eyes, house: Context):
    work = begun(house)
    source, target = TableName("hive_metastore", "va", "summary"), TableName("wb", "loyalty", "copy")
    step = CloneTable("clone:copy", source, 0, target, work.mark)
    sent = world.client.statement_execution.execute_statement(
        SLOW.format(mark=work.mark), pick_warehouse(world.client), wait_timeout="0s"
    )
    with house.metadata.transaction() as tx:
        store.intend(tx, work.run, step.key, "CloneTable", system_clock())
        store.sent(tx, work.run, step.key, sent.statement_id or "")
    assert sent.status and sent.status.state and sent.status.state.value in ("PENDING", "RUNNING")
    work.perform(step)
    assert [commit.operation for commit in observe.history(world, target)] == ["CREATE TABLE AS SELECT"]
    world.sql(f"DROP TABLE {target.sql}")


def test_the_statement_of_a_step_is_known_before_it_is_over(world: Eyes, house: Context, workspace: LocalWorkspace):
    work = begun(house)
    source, target = TableName("hive_metastore", "va", "member"), TableName("wb", "loyalty", "copy")
    version = observe.history(world, source, limit=1)[0].version
    workspace.fail_next("statements.get", 500, "INTERNAL_ERROR")
    step = CloneTable("clone:copy", source, version, target, work.mark)
    with pytest.raises(WorkspaceRefused, match="Injected fault"):
        work.perform(step)
    with house.metadata.read() as tx:
        (line,) = store.journal(tx, work.run)
    assert line.done_at is None
    assert line.result and line.result["statement"]
    work.perform(step)
    assert [commit.operation for commit in observe.history(world, target)] == ["CLONE"]
    world.sql(f"DROP TABLE {target.sql}")
