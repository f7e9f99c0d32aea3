"""What a run leaves in the audit trail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from tests.migrate.conftest import Migrate, request

from brickyard.context import Context
from brickyard.kernel.clock import system_clock
from brickyard.kernel.names import TableName
from brickyard.local import LocalWorkspace
from brickyard.metadata import audit
from brickyard.migrate import apply, flow, observe, store
from brickyard.migrate.journal import Work
from brickyard.migrate.model.runs import CloneTable
from brickyard.migrate.observe import Eyes

SUMMARY = """# Databricks notebook source
spark.sql("INSERT INTO va.summary SELECT tier, COUNT(*) AS members FROM va.member GROUP BY tier")
"""


def trail(house: Context) -> list[dict[str, Any]]:
    """The events, after making sure that the chain is whole."""
    with house.metadata.read() as tx:
        assert audit.verify(tx) == ()
        return [dict(row) for row in tx.execute(sa.select(audit.events).order_by(audit.events.c.id)).mappings()]


def test_a_run_leaves_who_asked_each_step_once_and_the_end(world: Eyes, house: Context, migrate: Migrate):
    (record,) = migrate({"summary.py": SUMMARY}, params={"password": "hunter2"})
    events = trail(house)
    place = f"wb.brickyard_rehearsal_{record['id']}"
    folder = f"/Users/{world.client.current_user.me().user_name}/brickyard-rehearsals/{record['id']}-1"
    named = [(e["action"], e["subject"]) for e in events if e["action"] != "ImportNotebook"]
    assert (named[0], named[-1]) == (("SubmitBatch", record["batch"]), ("FinishRun", record["id"]))
    assert sorted(name for name in named[1:-1] if name[0] in ("CloneTable", "CreateView")) == [
        ("CloneTable", f"{place}_original.summary"),
        ("CloneTable", f"{place}_refactored.summary"),
        ("CreateView", f"{place}_original.member"),
        ("CreateView", f"{place}_refactored.member"),
    ]
    steps = [(e["action"], e["subject"]) for e in events[1:-1]]
    assert len(steps) == len(set(steps))
    assert all(subject.startswith(folder) for action, subject in steps if action == "ImportNotebook")
    assert [sorted(e["after"]) for e in events if e["action"] == "CloneTable"] == [["version"], ["version"]]
    assert events[-1]["after"] == {"status": "finished", "outcome": "reconciled", "code": None}
    assert {e["actor"] for e in events} == {"service"}


def test_the_trail_holds_no_contents_and_no_values(world: Eyes, house: Context):
    queued = flow.submit(replace(house, actor="ada"), request({"summary.py": SUMMARY}, params={"key": "hunter2"}))
    (event,) = trail(house)
    assert (event["actor"], event["action"], event["subject"]) == ("ada", "SubmitBatch", queued.batch)
    assert event["detail"]["runs"] == dict(queued.runs)
    assert event["detail"]["request"]["params"] == ["key"]
    assert "hunter2" not in str(event)
    assert "INSERT" not in str(event)
    assert "mappings:" not in str(event)


def begun(house: Context) -> Work:
    """A run that was just begun."""
    queued = flow.submit(house, request({"summary.py": SUMMARY}))
    with house.metadata.transaction() as tx:
        run = store.start(tx, next(iter(queued.runs.values())), system_clock())
        return Work(house, run, store.batch(tx, queued.batch))


def test_a_step_whose_worker_died_before_writing_it_down_is_named_once_as_adopted(world: Eyes, house: Context):
    work = begun(house)
    source, target = TableName("hive_metastore", "va", "member"), TableName("wb", "loyalty", "audited")
    step = CloneTable("clone:audited", source, observe.history(world, source, limit=1)[0].version, target, work.mark)
    with house.metadata.transaction() as tx:  # a worker died between the clone and the line that says it is done
        store.intend(tx, work.run, step.key, "CloneTable", system_clock())
    apply.perform(world, step)
    work.perform(step)
    work.perform(step)
    found = [(e["action"], e["subject"], e["detail"]["adopted"]) for e in trail(house) if e["action"] == "CloneTable"]
    assert found == [("CloneTable", "wb.loyalty.audited", True)]
    world.sql(f"DROP TABLE {target.sql}")


def test_a_run_that_is_stopped_says_so(world: Eyes, house: Context, workspace: LocalWorkspace):
    queued = flow.submit(house, request({"summary.py": SUMMARY}))
    flow.stop(house, queued.batch)
    assert [e["action"] for e in trail(house)] == ["SubmitBatch", "StopRun", "InterruptRun"]
