"""A source without history that shows no rows any more: its last state stays, and everybody is told, once and until it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brickyard.health import flow
from brickyard.health.flow import Choice, Door, Phase, checking, telling
from brickyard.health.flow.door import through
from brickyard.health.model import source as sources
from brickyard.health.model.steps import Skip
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places
from brickyard.local import LocalWorkspace

SOURCE, TABLE = "access.workspaces_latest", "shared.dim_workspace"
GOLD = Gold({TABLE: compile_all()[TABLE]})
AT = datetime(2026, 5, 1, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("emptied"))) as workspace:
        yield workspace


@pytest.fixture
def door(workspace: LocalWorkspace, request: pytest.FixtureRequest) -> Door:
    """One source with two workspaces, in gold since 1 May."""
    catalog = f"c{abs(hash(request.node.name)) % 10**8}"
    found = through(workspace.client(), Places(f"{catalog}_health", catalog), AT)
    columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(SOURCE).columns.items())
    for statement in (
        f"CREATE CATALOG {catalog}",
        f"CREATE SCHEMA {catalog}.access",
        f"CREATE TABLE {catalog}.{SOURCE} ({columns})",
    ):
        found.sql(statement)
    return found


def fill(door: Door, *ids: str) -> None:
    values = ", ".join(f"('a', '{one}')" for one in ids)
    door.sql(f"INSERT INTO {door.places.source(SOURCE)} (account_id, workspace_id) VALUES {values}")


def emptied(door: Door) -> Door:
    """The next day, after two workspaces were in gold and the source shows none any more."""
    fill(door, "1", "2")
    flow.run(door, gold=GOLD)
    door.sql(f"TRUNCATE TABLE {door.places.source(SOURCE)}")
    return replace(door, at=AT + timedelta(days=1))


def events(door: Door) -> list[tuple[Any, ...]]:
    rows = door.sql(f"SELECT source, leaf, kind, before, after FROM {door.places.ops('drift')} ORDER BY at")
    return [tuple(row.values()) for row in rows]


def word(door: Door) -> str:
    return telling.status(door, GOLD).tables[0].word


def runs(door: Door) -> int:
    return door.sql(f"SELECT count(*) AS found FROM {door.places.ops('runs')}")[0]["found"]


REASON = "shows no rows; its state of 2026-05-01 04:00 had 2, which stay in gold"


def test_the_plan_says_why_nothing_is_taken_and_what_to_do(door: Door):
    (step,) = flow.preview(emptied(door), gold=GOLD).steps
    assert isinstance(step, Skip)
    assert (step.table, step.code, step.reason) == (TABLE, "source-emptied", f"{door.places.source(SOURCE)} {REASON}")
    assert "row filter" in step.remedy


def test_it_is_one_event_however_often_a_run_sees_it_and_a_run_that_sees_nothing_else_writes_nothing(door: Door):
    later = emptied(door)
    assert flow.run(later, gold=GOLD).done == ()
    told = (SOURCE, "*", "EMPTIED", "2 rows of 2026-05-01 04:00", "no rows")
    assert (events(door), runs(door)) == ([told], 2)
    flow.run(replace(later, at=later.at + timedelta(days=1)), gold=GOLD)
    assert (events(door), runs(door)) == ([told], 2)
    rows = door.sql(f"SELECT workspace_id, is_current FROM {door.places.gold(TABLE)} ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [("1", True), ("2", True)]


def test_status_and_check_tell_it_until_rows_are_back(door: Door):
    later = emptied(door)
    flow.run(later, gold=GOLD)
    assert word(later) == "EMPTIED"
    found = [(one.code, one.severity, one.subject) for one in checking.check(later, GOLD).findings]
    assert found == [("source-emptied", checking.Severity.WARN, SOURCE)]
    assert not checking.check(later, GOLD).sound
    fill(door, "1", "2")
    assert flow.run(replace(later, at=later.at + timedelta(days=1)), gold=GOLD).done == ()
    assert (word(later), checking.check(later, GOLD).sound) == ("OK", True)


def test_what_comes_back_otherwise_is_a_new_state_and_what_is_emptied_again_a_new_event(door: Door):
    later = emptied(door)
    flow.run(later, gold=GOLD)
    fill(door, "1")
    third = replace(later, at=AT + timedelta(days=2))
    assert flow.run(third, gold=GOLD).failed == ()
    rows = door.sql(f"SELECT workspace_id FROM {door.places.gold(TABLE)} WHERE is_current")
    assert [row["workspace_id"] for row in rows] == ["1"]
    door.sql(f"TRUNCATE TABLE {door.places.source(SOURCE)}")
    flow.run(replace(third, at=AT + timedelta(days=3)), gold=GOLD)
    assert [before for _, _, _, before, _ in events(door)] == [
        "2 rows of 2026-05-01 04:00",
        "1 rows of 2026-05-03 04:00",
    ]


def test_a_half_of_a_run_that_does_not_count_rows_forgets_nothing(door: Door):
    later = emptied(door)
    flow.run(later, gold=GOLD)
    flow.run(later, Choice(phase=Phase.GOLD), GOLD)
    assert word(later) == "EMPTIED"


def test_a_source_that_never_had_rows_is_no_fault(door: Door):
    flow.run(door, gold=GOLD)
    later = replace(door, at=AT + timedelta(days=1))
    assert flow.run(later, gold=GOLD).skipped == ()
    assert (events(door), word(door)) == ([], "OK")


def test_a_source_that_is_missing_from_the_first_look_on_is_not_assessed(door: Door):
    door.sql(f"DROP TABLE {door.places.source(SOURCE)}")
    flow.run(door, gold=GOLD)
    assert word(door) == "NOT_ASSESSED"


def test_a_source_that_goes_missing_is_remembered_by_a_run_that_finds_nothing_else(door: Door):
    fill(door, "1")
    flow.run(door, gold=GOLD)
    door.sql(f"DROP TABLE {door.places.source(SOURCE)}")
    later = replace(door, at=AT + timedelta(days=1))
    flow.run(later, gold=GOLD)
    assert (word(door), runs(door)) == ("NOT_ASSESSED", 2)
    flow.run(later, gold=GOLD)
    assert runs(door) == 2
