"""What synchronisations bring: users, groups, objects, pipeline runs and costs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from tests.share.store.samples import HOST, NOW

from brickyard.metadata import Metadata
from brickyard.share.model.records import PeriodType, PipelineStatus, SyncStatus, SyncType
from brickyard.share.store import audit, directory, measures
from brickyard.share.store.directory import Synced
from brickyard.share.tables import ad_groups, databricks_objects, users

LATER = NOW + timedelta(minutes=5)


def user(email: str, name: str) -> dict[str, Any]:
    return {"email": email, "display_name": name, "is_active": True}


def test_a_synchronisation_writes_only_what_is_new_changed_or_gone(metadata: Metadata):
    with metadata.transaction() as tx:
        first = directory.sync_users(tx, [user("a@x.com", "A"), user("b@x.com", "B"), user("c@x.com", "C")])
        again = directory.sync_users(tx, [user("c@x.com", "C"), user("b@x.com", "B"), user("a@x.com", "A")])
        third = directory.sync_users(tx, [user("a@x.com", "A"), user("b@x.com", "Bob"), user("d@x.com", "D")])
        rows = directory.listed(tx, users)
        (bob,) = directory.listed(tx, users, email="b@x.com")
        lines = [line["action"] for line in audit.of_entity(tx, "user", bob.key)]
    assert (first, again, third) == (Synced(3, 3, 0, 0), Synced(3, 0, 0, 0), Synced(3, 1, 1, 1))
    assert sorted(row.fields["email"] for row in rows) == ["a@x.com", "b@x.com", "d@x.com"]
    assert (bob.version, bob.created_by, lines) == (2, "ad_sync", ["CREATED", "UPDATED"])


def test_groups_and_the_objects_of_each_workspace_are_their_own(metadata: Metadata):
    table = {"full_name": "m.s.t", "object_type": "TABLE", "catalog_name": "m", "schema_name": "s", "table_name": "t"}
    with metadata.transaction() as tx:
        assert directory.sync_groups(tx, [{"group_name": "g", "members": ["a"]}]) == Synced(1, 1, 0, 0)
        assert directory.sync_groups(tx, [{"group_name": "g", "members": ["a", "b"]}]) == Synced(1, 0, 1, 0)
        assert directory.sync_objects(tx, HOST, [table]) == Synced(1, 1, 0, 0)
        assert directory.sync_objects(tx, "https://other", [table]) == Synced(1, 1, 0, 0)
        assert directory.sync_objects(tx, "https://other", []) == Synced(0, 0, 0, 1)
        (group,) = directory.listed(tx, ad_groups)
        (left,) = directory.listed(tx, databricks_objects)
    assert group.fields["members"] == ["a", "b"]
    assert (left.fields["workspace_url"], left.created_by) == (HOST, "dbrx_sync")


def test_the_update_of_a_pipeline_is_one_row_however_often_it_is_seen(metadata: Metadata):
    seen = {"run_id": "u1", "databricks_pipeline_id": "p1", "pipeline_name": "feed", "start_time": NOW}
    running = measures.PipelineRun(**seen, status=PipelineStatus.RUNNING)
    done = measures.PipelineRun(**seen, status=PipelineStatus.COMPLETED, end_time=LATER, duration_seconds=300.0)
    with metadata.transaction() as tx:
        for run in (running, done, done):
            measures.save_pipeline_run(tx, run, LATER)
        assert measures.pipeline_runs(tx, "p1") == (done,)


def test_a_cost_is_written_with_the_databases_own_total_and_replaced_by_a_newer_one(metadata: Metadata):
    about: dict[str, Any] = {"project_id": uuid4(), "tenant_id": uuid4(), "period_type": PeriodType.DAILY}
    about |= {"period_start": date(2026, 11, 1), "period_end": date(2026, 11, 1)}
    first = measures.Cost(**about, databricks_cost=1.0)
    second = measures.Cost(**about, databricks_cost=1.5, azure_cost=2.0, network_cost=0.25, io_cost=0.25)
    with metadata.transaction() as tx:
        for cost in (first, second):
            measures.save_cost(tx, cost, NOW)
        assert measures.costs(tx, about["project_id"]) == ((second, 4.0),)


def test_a_synchronisation_tells_how_it_ended_and_one_that_was_killed_too(metadata: Metadata):
    with metadata.transaction() as tx:
        measures.begin_sync(tx, SyncType.AD_USERS, HOST, NOW)
        second = measures.begin_sync(tx, SyncType.AD_USERS, HOST, LATER)
        measures.begin_sync(tx, SyncType.AD_USERS, None, NOW)
        numbers = {"processed": 3, "created": 1, "updated": 1, "failed": 1}
        measures.end_sync(tx, second, SyncStatus.COMPLETED, LATER, **numbers, details={"deleted": 1})
        newest, *older = measures.syncs(tx, SyncType.AD_USERS)
    assert newest == measures.SyncJob(
        id=second,
        kind=SyncType.AD_USERS,
        workspace_url=HOST,
        status=SyncStatus.COMPLETED,
        started_at=LATER,
        completed_at=LATER,
        records_processed=3,
        records_created=1,
        records_updated=1,
        records_failed=1,
        error_message="",
        details={"deleted": 1},
    )
    assert sorted((sync.workspace_url or "", sync.status) for sync in older) == [
        ("", SyncStatus.RUNNING),
        (HOST, SyncStatus.INTERRUPTED),
    ]
