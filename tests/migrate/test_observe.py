"""Looking at a workspace: what is there, what is not, and what may not be seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brickyard.dbsql.model import Kind
from brickyard.kernel.errors import NotFound, WorkspaceRefused
from brickyard.kernel.names import TableName
from brickyard.local import LocalWorkspace
from brickyard.migrate import observe
from brickyard.migrate.model.runs import Access, Column, Pair
from brickyard.migrate.observe import Eyes

pytestmark = pytest.mark.timeout(120)

MEMBER = TableName("wb", "loyalty", "member")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_table_is_seen_with_its_columns_history_and_rows(world: Eyes):
    seen = observe.table(world, MEMBER)
    assert (seen.access, seen.kind, seen.type, seen.provider, seen.rows) == (
        Access.PRESENT,
        Kind.TABLE,
        "MANAGED",
        "delta",
        30,
    )
    assert seen.columns == (Column("member_id", "bigint"), Column("name", "string"), Column("tier", "string"))
    assert seen.history is not None
    assert seen.version == seen.history[0].version


def test_a_view_is_seen_with_what_it_reads(world: Eyes):
    seen = observe.table(world, TableName("wb", "loyalty", "gold"))
    assert (seen.is_view, seen.bases, seen.version) == (True, (MEMBER,), None)


@pytest.mark.parametrize("name", ["wb.loyalty.nothing", "wb.nowhere.t", "nobody.loyalty.t"])
def test_what_is_not_there_is_missing(world: Eyes, name: str):
    assert observe.table(world, TableName.parse(name)).access is Access.MISSING


def test_what_is_refused_is_unreadable_with_the_workspaces_own_words(world: Eyes, workspace: LocalWorkspace):
    workspace.fail_next("statements.execute", 403, "PERMISSION_DENIED", matching="DESCRIBE TABLE EXTENDED")
    seen = observe.table(world, MEMBER)
    assert (seen.access, "Injected fault" in (seen.error or "")) == (Access.UNREADABLE, True)


def test_rows_that_may_not_be_counted_make_a_table_unreadable(world: Eyes, workspace: LocalWorkspace):
    workspace.fail_next("statements.execute", 403, "PERMISSION_DENIED", matching="SELECT count")
    assert observe.table(world, MEMBER).access is Access.UNREADABLE


def test_a_failure_that_is_no_refusal_is_an_error(world: Eyes, workspace: LocalWorkspace):
    workspace.fail_next("statements.execute", 500, "INTERNAL_ERROR", matching="DESCRIBE TABLE EXTENDED")
    with pytest.raises(WorkspaceRefused):
        observe.table(world, MEMBER)


def test_a_table_without_a_history_cannot_be_pinned(world: Eyes, workspace: LocalWorkspace):
    workspace.fail_next("statements.execute", 400, "BAD_REQUEST", matching="DESCRIBE HISTORY")
    seen = observe.table(world, MEMBER)
    assert (seen.pinned, seen.history, seen.rows) == (False, None, 30)
    assert "Injected fault" in (seen.history_error or "")


def test_a_clone_names_its_source_and_version_in_the_history(world: Eyes):
    world.sql("CREATE OR REPLACE TABLE wb.loyalty.copy DEEP CLONE hive_metastore.va.member VERSION AS OF 0")
    commit = observe.history(world, TableName("wb", "loyalty", "copy"), limit=1)[0]
    assert (commit.operation, commit.clone_source, commit.clone_version) == ("CLONE", "hive_metastore.va.member", 0)
    world.sql("DROP TABLE wb.loyalty.copy")


def test_functions_are_there_or_missing(world: Eyes):
    world.sql("CREATE OR REPLACE FUNCTION wb.loyalty.twice(x INT) RETURNS INT RETURN x * 2")
    found = [observe.function(world, TableName("wb", "loyalty", name)).access for name in ("twice", "thrice")]
    assert found == [Access.PRESENT, Access.MISSING]


def test_the_world_holds_both_names_and_what_lies_under_the_views(world: Eyes):
    pair = Pair(TableName("hive_metastore", "va", "gold"), TableName("wb", "loyalty", "gold"), Kind.VIEW, True, False)
    seen = observe.world(world, [pair], NOW, lambda name: name)
    assert sorted(str(o.name) for o in seen.objects) == [
        "hive_metastore.va.gold",
        "hive_metastore.va.member",
        "wb.loyalty.gold",
        "wb.loyalty.member",
    ]
    assert seen.jobs is not None


def test_jobs_that_may_not_be_listed_are_unknown_and_not_none_at_all(world: Eyes, workspace: LocalWorkspace):
    workspace.fail_next("jobs.list", 403, "PERMISSION_DENIED")
    assert observe.job_ids(world) is None


def test_a_job_that_nobody_has_is_not_found(world: Eyes):
    with pytest.raises(NotFound, match="no job has the name"):
        observe.job_parameters(world, "nobody's", "a.py")
