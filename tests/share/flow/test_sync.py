"""Syncs against a local workspace: what is remembered follows it, and a read that fails deletes nothing."""

from __future__ import annotations

import base64
import time
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from databricks.sdk.service.iam import ComplexValue
from databricks.sdk.service.jobs import PipelineTask, Task
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary
from databricks.sdk.service.workspace import ImportFormat, Language
from tests.share.flow.conftest import Build, pack_of

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.share import flow
from brickyard.share.flow.submit import workspace_of
from brickyard.share.model.current import PipelineSettings, PipelineState, ScheduleSettings, ScheduleState
from brickyard.share.model.pack import Strategy
from brickyard.share.model.records import PipelineStatus, SyncStatus, SyncType
from brickyard.share.model.runs import Synced
from brickyard.share.store import directory, entities, measures, packs
from brickyard.share.tables import ad_groups, databricks_objects, notifications, project_costs, users
from brickyard.workspace import run_sql

DOWN = {"status": 500, "error_code": "INTERNAL_ERROR", "times": 50}


def sync(house: Context, kind: SyncType) -> Synced:
    (done,) = flow.sync(house, [kind])
    return done


def last(house: Context, kind: SyncType) -> measures.SyncJob:
    with house.metadata.read() as tx:
        return measures.syncs(tx, kind)[0]


def listed(house: Context, table: sa.Table) -> list[dict[str, Any]]:
    with house.metadata.read() as tx:
        return [one.fields for one in directory.listed(tx, table)]


@pytest.fixture
def people(workspace: LocalWorkspace) -> Any:
    """Three users and a group of two of them, gone at the end."""
    client = workspace.client()
    made = [client.users.create(user_name=f"{name}@sync.com", display_name=name) for name in ("ann", "ben", "cat")]
    members = [ComplexValue(value=one.id) for one in made[:2]]
    group = client.groups.create(display_name="sync-readers", members=members)
    yield made
    client.groups.delete(group.id or "")
    for one in client.users.list():
        if (one.user_name or "").endswith("@sync.com"):
            client.users.delete(one.id or "")


def test_users_follow_the_directory_and_the_row_tells_what_was_done(
    house: Context, workspace: LocalWorkspace, people: Any
):
    first = sync(house, SyncType.AD_USERS)
    assert (first.status, first.created, first.message) == ("COMPLETED", first.processed, "")
    workspace.client().users.delete(people[2].id)
    second = sync(house, SyncType.AD_USERS)
    known = [row["email"] for row in listed(house, users)]
    assert {"ann@sync.com", "ben@sync.com"} <= set(known) and "cat@sync.com" not in known
    told = last(house, SyncType.AD_USERS)
    assert (told.status, told.records_processed, told.records_created, told.details, told.workspace_url) == (
        SyncStatus.COMPLETED,
        first.processed - 1,
        0,
        {"deleted": 1},
        workspace_of(house),
    )
    assert (second.created, second.updated) == (0, 0)


def test_groups_come_with_the_names_of_their_members(house: Context, people: Any):
    sync(house, SyncType.AD_GROUPS)
    (group,) = [row for row in listed(house, ad_groups) if row["group_name"] == "sync-readers"]
    assert len(group["members"]) == 2


@pytest.mark.parametrize(
    ("kind", "table", "operation"),
    [
        (SyncType.AD_USERS, users, "users.list"),
        (SyncType.AD_GROUPS, ad_groups, "groups.list"),
        (SyncType.DATABRICKS_OBJECTS, databricks_objects, "catalogs.list"),
    ],
)
def test_what_cannot_be_read_is_failed_and_deletes_nothing(
    build: Build, workspace: LocalWorkspace, people: Any, kind: SyncType, table: sa.Table, operation: str
):
    house = build(share_operators=("ops@acme.com",))
    sync(house, kind)
    before = listed(house, table)
    workspace.fail_next(operation, **DOWN)
    assert [sync(house, kind).status for _ in range(2)] == ["FAILED", "FAILED"]
    workspace.parts.control.faults.clear()
    told = last(house, kind)
    assert before and listed(house, table) == before
    assert (told.status, bool(told.error_message)) == (SyncStatus.FAILED, True)
    with house.metadata.read() as tx:
        mails = tx.execute(sa.select(notifications.c.notification_type, notifications.c.recipient_email)).all()
    assert [tuple(mail) for mail in mails] == [("SYNC_FAILURE", "ops@acme.com")]


def test_objects_follow_the_catalogs_and_those_that_cannot_be_read_stay(house: Context, workspace: LocalWorkspace):
    client = workspace.client()
    run_sql(client, "CREATE TABLE IF NOT EXISTS m.s.passing (id BIGINT)")
    sync(house, SyncType.DATABRICKS_OBJECTS)
    known = {row["full_name"]: row["object_type"] for row in listed(house, databricks_objects)}
    assert {name: known.get(name) for name in ("m", "m.s", "m.s.orders", "m.s.passing")} == {
        "m": "CATALOG",
        "m.s": "SCHEMA",
        "m.s.orders": "MANAGED",
        "m.s.passing": "MANAGED",
    }
    run_sql(client, "DROP TABLE m.s.passing")
    workspace.fail_next("tables.list", 403, "PERMISSION_DENIED", times=99, matching="schema_name=s")
    held = sync(house, SyncType.DATABRICKS_OBJECTS)
    workspace.parts.control.faults.clear()
    assert (held.status, held.failed >= 1) == ("COMPLETED", True)
    assert "m.s" in last(house, SyncType.DATABRICKS_OBJECTS).details["unread"]
    assert "m.s.passing" in {row["full_name"] for row in listed(house, databricks_objects)}
    sync(house, SyncType.DATABRICKS_OBJECTS)
    assert "m.s.passing" not in {row["full_name"] for row in listed(house, databricks_objects)}


def test_a_sync_that_was_killed_is_marked_interrupted_by_the_next(house: Context, people: Any):
    with house.metadata.transaction() as tx:
        measures.begin_sync(tx, SyncType.AD_USERS, workspace_of(house), house.clock())
    sync(house, SyncType.AD_USERS)
    with house.metadata.read() as tx:
        found = [one.status for one in measures.syncs(tx, SyncType.AD_USERS)]
    assert found == [SyncStatus.COMPLETED, SyncStatus.INTERRUPTED]


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def broken_pipeline(house: Context, workspace: LocalWorkspace) -> tuple[str, int]:
    """Make a pipeline of ours that cannot run and the job that starts it, run it once, and return both ids."""
    client = workspace.client()
    code = base64.b64encode(b"# Databricks notebook source\nraise ValueError('broken')").decode()
    options = {"format": ImportFormat.SOURCE, "language": Language.PYTHON, "overwrite": True}
    client.workspace.import_("/broken", content=code, **options)
    library = PipelineLibrary(notebook=NotebookLibrary(path="/broken"))
    pipeline = (
        client.pipelines.create(name="feed", catalog="m", schema="partner", libraries=[library]).pipeline_id or ""
    )
    task = Task(task_key="feed", pipeline_task=PipelineTask(pipeline_id=pipeline))
    job = client.jobs.create(name="feed daily", tasks=[task]).job_id or 0
    run = client.jobs.run_now(job).run_id
    _wait(lambda: client.jobs.get_run(run).state.life_cycle_state.value in ("TERMINATED", "INTERNAL_ERROR"))
    made = PipelineSettings(name="feed", source="m.s.feed", target="feed", catalog="m", schema="partner")
    timing = ScheduleSettings(name="feed daily", pipeline="feed", cron="0 0 6 * * ?", timezone="UTC")
    with house.metadata.transaction() as tx:
        saved = packs.save(tx, pack_of(house), by="ada", strategy=Strategy.NEW)
        state, schedule = PipelineState(id=pipeline, settings=made), ScheduleState(job_id=job, settings=timing)
        entities.record_pipeline(tx, state, schedule, by="ada", reason="r", pack_id=saved.pack_id)
    return pipeline, job


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_how_pipelines_fare_is_a_row_each_and_the_packs_people_hear_of_a_failure_once(
    house: Context, workspace: LocalWorkspace
):
    pipeline, _ = broken_pipeline(house, workspace)
    first, second = sync(house, SyncType.JOB_METRICS), sync(house, SyncType.JOB_METRICS)
    with house.metadata.read() as tx:
        found = measures.pipeline_runs(tx, pipeline)
        mails = tx.execute(sa.select(notifications.c.notification_type, notifications.c.recipient_email)).all()
    assert {one.status for one in found} == {PipelineStatus.FAILED}
    assert {one.run_id.startswith("job-run-") for one in found} == {True, False}
    assert all(one.error_message and one.end_time and one.duration_seconds is not None for one in found)
    assert (first.created, second.processed) == (len(found), 0)
    assert {tuple(mail) for mail in mails} == {("PIPELINE_FAILURE", "ada@acme.com")}
    assert len(mails) == len(found)


def test_a_pipeline_that_is_gone_has_no_news(house: Context, workspace: LocalWorkspace):
    pipeline, job = broken_pipeline(house, workspace)
    workspace.client().pipelines.delete(pipeline)
    workspace.client().jobs.delete(job)
    assert sync(house, SyncType.JOB_METRICS).status == "COMPLETED"


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "reason"), [(None, "no table of costs is configured"), ("m.s.no_costs", "there is no table m.s.no_costs")]
)
def test_without_a_table_there_are_no_costs_but_the_reason(build: Build, table: str | None, reason: str):
    house = build(share_costs_table=table)
    assert sync(house, SyncType.PROJECT_COSTS) == Synced(kind="PROJECT_COSTS", status="COMPLETED", message=reason)
    assert last(house, SyncType.PROJECT_COSTS).details == {"reason": reason}


def test_costs_are_summed_by_project_and_week_and_read_again_without_doubling(build: Build, workspace: LocalWorkspace):
    built = build(share_costs_table="m.s.costs")
    house = Context(built.workspaces, built.metadata, built.queue, lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    client = workspace.client()
    run_sql(client, "CREATE OR REPLACE TABLE m.s.costs (project STRING, usage_date DATE, cost DOUBLE, currency STRING)")
    run_sql(
        client,
        "INSERT INTO m.s.costs VALUES ('Alpha', DATE'2026-11-09', 1.5, 'USD'), ('Alpha', DATE'2026-11-15', 2.0, 'USD'),"
        " ('alpha', DATE'2026-11-16', 4.0, 'USD'), ('nobody', DATE'2026-11-16', 9.0, 'USD'),"
        " ('Alpha', DATE'2026-01-01', 100.0, 'USD'), (NULL, DATE'2026-11-16', 5.0, 'USD')",
    )
    pack = pack_of(house, metadata={"project_name": "Alpha"})
    with house.metadata.transaction() as tx:
        packs.save(tx, pack, by="ada", strategy=Strategy.NEW)
    done = [sync(house, SyncType.PROJECT_COSTS) for _ in range(2)]
    assert [(one.status, one.created, one.failed) for one in done] == [("COMPLETED", 2, 1)] * 2
    assert last(house, SyncType.PROJECT_COSTS).details == {"not_counted": {"nobody": 1}}
    with house.metadata.read() as tx:
        project = tx.execute(sa.select(project_costs.c.project_id).distinct()).scalar_one()
        assert isinstance(project, UUID)
        found = [(cost.period_start, cost.period_end, total) for cost, total in measures.costs(tx, project)]
    assert found == [(date(2026, 11, 9), date(2026, 11, 15), 3.5), (date(2026, 11, 16), date(2026, 11, 22), 4.0)]
