"""Sources that are missing, empty, denied or ahead of time; two runs at once; an engine that fails in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.health.engine.stand import AT, Engine, Killed, some

from brickyard.health import flow, store
from brickyard.health.flow.terms import Choice, Door, Hold
from brickyard.health.model import source as sources
from brickyard.health.model.steps import CopyBronze
from brickyard.health.plan.text import Places
from brickyard.kernel.errors import Conflict, GuardRefused, NotFound
from brickyard.local import LocalWorkspace

ONE, OTHER = "access.outbound_network", "access.inbound_network"
GOLD = ("security.fact_outbound_network", "security.fact_inbound_network")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(Path(tmp_path_factory.mktemp("bad"))) as workspace:
        yield workspace


@pytest.fixture
def door(workspace: LocalWorkspace, request: pytest.FixtureRequest) -> Door:
    """Two sources in a catalog of their own."""
    catalog = f"c{abs(hash(request.node.name)) % 10**8}"
    sql = Engine(workspace.client())
    sql(f"CREATE CATALOG {catalog}")
    sql(f"CREATE SCHEMA {catalog}.access")
    for name in (ONE, OTHER):
        make(sql, catalog, name)
        fill(sql, catalog, name, "one")
    return Door(sql, Places(f"{catalog}_health", catalog), AT)


def make(sql: Any, catalog: str, name: str) -> None:
    columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(name).columns.items())
    sql(f"CREATE TABLE {catalog}.{name} ({columns})")


def fill(sql: Any, catalog: str, name: str, event: str, at: str = "2026-04-30 10:00:00Z") -> None:
    sql(
        f"INSERT INTO {catalog}.{name} (event_id, account_id, workspace_id, event_time)"
        f" VALUES ('{event}', 'a', '1', timestamp'{at}')"
    )


def run(door: Door, **choice: Any) -> flow.Outcome:
    return flow.run(door, Choice(**choice), some(*GOLD))


def events(door: Door, table: str) -> list[str]:
    return sorted(row["event_id"] for row in door.sql(f"SELECT event_id FROM {door.places.gold(table)}"))


def test_a_missing_source_leaves_an_empty_typed_table_and_says_so(door: Door) -> None:
    door.sql(f"DROP TABLE {door.places.source(ONE)}")
    outcome = run(door)
    assert [(skip.table, skip.code) for skip in outcome.skipped] == [(GOLD[0], "source-absent")]
    assert "TABLE_OR_VIEW_NOT_FOUND" in outcome.skipped[0].reason
    assert (events(door, GOLD[0]), events(door, GOLD[1])) == ([], ["one"])


def test_a_denied_source_names_the_grant_to_ask_for_and_is_not_taken_for_empty(
    workspace: LocalWorkspace, door: Door
) -> None:
    workspace.fail_next(
        "statements.execute",
        403,
        "PERMISSION_DENIED",
        matching=f"SELECT 1 FROM {door.places.source(ONE)}",
    )
    door.sql(f"ALTER TABLE {door.places.source(ONE)} RENAME TO {door.places.source_catalog}.access.hidden")
    outcome = run(door)
    assert [(skip.table, skip.code) for skip in outcome.skipped] == [(GOLD[0], "source-denied")]
    assert outcome.skipped[0].remedy.startswith("GRANT SELECT ON TABLE")


def test_an_empty_source_gives_an_empty_table_and_no_fault(door: Door) -> None:
    door.sql(f"TRUNCATE TABLE {door.places.source(ONE)}")
    outcome = run(door)
    assert (outcome.failed, outcome.skipped, events(door, GOLD[0])) == ((), (), [])


def test_a_row_from_the_future_does_not_hide_the_rows_that_come_after_it(door: Door) -> None:
    fill(door.sql, door.places.source_catalog, ONE, "future", "2031-01-01 00:00:00Z")
    run(door)
    fill(door.sql, door.places.source_catalog, ONE, "late", "2026-04-29 10:00:00Z")
    run(door)
    assert events(door, GOLD[0]) == ["future", "late", "one"]


def test_rows_that_came_late_come_with_those_of_later_times_which_alone_are_counted_before(door: Door) -> None:
    run(door)
    for event, at in (("late", "2026-04-29 10:00:00"), ("new", "2026-04-30 10:00:00.000001"), ("newer", str(AT)[:19])):
        fill(door.sql, door.places.source_catalog, ONE, event, f"{at}Z")
    door.sql.seen.clear()
    planned = flow.preview(door, Choice(), some(*GOLD))
    assert [step.rows for step in planned.steps if isinstance(step, CopyBronze)] == [2]
    assert not [sql for sql in door.sql.seen if "md5" in sql and "`outbound_network`" in sql]
    told = [told for step, told in run(door).done if isinstance(step, CopyBronze)]
    assert (told, events(door, GOLD[0])) == (["3 rows"], ["late", "new", "newer", "one"])
    assert run(door).done == ()


def test_a_row_from_the_future_is_not_new_for_ever(door: Door) -> None:
    fill(door.sql, door.places.source_catalog, ONE, "future", "2031-01-01 00:00:00Z")
    run(door)
    assert run(door).done == ()


def test_a_run_with_nothing_new_writes_nothing(door: Door) -> None:
    run(door)
    door.sql.seen.clear()
    assert run(door).done == ()
    assert [sql for sql in door.sql.seen if not sql.startswith("SELECT")] == []


def test_one_of_two_runs_at_once_is_refused_and_the_other_is_whole(door: Door) -> None:
    flow.init(door, some(*GOLD))
    now = datetime.now(UTC)
    store.take_lease(door.sql, door.places, "elsewhere:1:x", now)
    with pytest.raises(Conflict) as refused:
        run(door)
    assert refused.value.error_code == "health-run-busy"
    store.take_lease(door.sql, door.places, "elsewhere:1:x", now - timedelta(minutes=16))
    assert run(door).failed == ()
    assert events(door, GOLD[0]) == ["one"]


def test_two_runs_that_start_together_end_in_one_refusal_or_one_after_the_other(door: Door) -> None:
    flow.init(door, some(*GOLD))
    ends: list[Any] = []

    def one(number: int) -> None:
        try:
            ends.append(flow.run(door, Choice(), some(*GOLD), hold=Hold(f"other-{number}:1:x")).failed)
        except Conflict as error:
            ends.append(error.error_code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, ends)) in (["()", "()"], ["()", "health-run-busy"])
    assert (events(door, GOLD[0]), events(door, GOLD[1])) == (["one"], ["one"])


@pytest.mark.parametrize("message", ["No space left on device", "the cluster was terminated"])
def test_an_engine_that_fails_at_one_table_holds_up_no_other_and_the_next_run_mends_it(
    workspace: LocalWorkspace, door: Door, message: str
) -> None:
    merge = f"MERGE INTO {door.places.gold(GOLD[0])}"
    failing = replace(door, sql=Failing(door.sql, merge, message))
    outcome = run(failing)
    assert [error.message for _, error in outcome.failed] == [message]
    assert (events(door, GOLD[0]), events(door, GOLD[1])) == ([], ["one"])
    assert store.state(door.sql, door.places, []).failed == {GOLD[0]}
    assert run(door, failed=True).failed == ()
    assert events(door, GOLD[0]) == ["one"]
    assert store.state(door.sql, door.places, []).failed == set()


class Failing:
    """An engine whose disk is full when one statement comes."""

    def __init__(self, sql: Any, start: str, message: str) -> None:
        self._sql, self._start, self._message = sql, start, message

    def __call__(self, statement: str) -> Any:
        from brickyard.kernel.errors import WorkspaceRefused

        if statement.startswith(self._start):
            raise WorkspaceRefused(self._message)
        return self._sql(statement)


def test_a_run_killed_in_the_middle_is_taken_over_at_once_on_the_same_machine(door: Door) -> None:
    flow.init(door, some(*GOLD))
    dying = replace(
        door,
        sql=Engine(
            door.sql.client,
            lambda sql: "after" if sql.startswith("MERGE INTO") and GOLD[0].split(".")[1] in sql else None,
        ),
    )
    with pytest.raises(Killed):
        flow.run(dying, Choice(), some(*GOLD), hold=Hold(f"{dead_process()}:x", release=False))
    assert run(door).failed == ()
    assert (events(door, GOLD[0]), events(door, GOLD[1])) == (["one"], ["one"])


def dead_process() -> str:
    import socket
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return f"{socket.gethostname()}:{child.pid}"


def test_a_gold_catalog_of_another_source_is_refused(door: Door) -> None:
    run(door)
    other = replace(door, places=Places(door.places.catalog, "elsewhere"))
    with pytest.raises(GuardRefused) as refused:
        run(other)
    assert refused.value.error_code == "health-other-source"


def test_an_unknown_table_is_refused(door: Door) -> None:
    with pytest.raises(NotFound) as refused:
        run(door, only=frozenset(["billing.fact_usge"]))
    assert refused.value.error_code == "health-no-table"


def test_a_state_without_any_row_is_not_taken_and_the_last_one_stays(workspace: LocalWorkspace) -> None:
    sql = Engine(workspace.client())
    gold = some("shared.dim_workspace")
    for statement in ("CREATE CATALOG emptied", "CREATE SCHEMA emptied.access"):
        sql(statement)
    make(sql, "emptied", "access.workspaces_latest")
    sql("INSERT INTO emptied.access.workspaces_latest (account_id, workspace_id) VALUES ('a', '1')")
    door = Door(sql, Places("emptied_health", "emptied"), AT)
    flow.run(door, gold=gold)
    sql("TRUNCATE TABLE emptied.access.workspaces_latest")
    later = replace(door, at=AT + timedelta(days=1))
    assert flow.run(later, gold=gold).done == ()
    assert sql("SELECT workspace_id, is_current FROM emptied_health.shared.dim_workspace") == [
        {"workspace_id": "1", "is_current": True}
    ]


def test_a_run_that_planned_before_another_ended_does_not_reuse_its_number(door: Door) -> None:
    """Rows copied under a number that gold has already taken would never be merged after a kill."""
    flow.init(door, some(*GOLD))
    other = Door(Engine(door.sql.client), door.places, AT)

    def meanwhile(sql: str) -> str | None:
        if sql.startswith("UPDATE") and "`lease`" in sql and not passed:
            passed.append(sql)
            flow.run(other, Choice(), some(*GOLD))
            fill(other.sql, door.places.source_catalog, ONE, "two")
        return "before" if sql.startswith("MERGE INTO") and GOLD[0].split(".")[1] in sql else None

    passed: list[str] = []
    with pytest.raises(Killed):
        flow.run(replace(door, sql=Engine(door.sql.client, meanwhile)), Choice(), some(*GOLD))
    assert run(door).failed == ()
    assert events(door, GOLD[0]) == ["one", "two"]
