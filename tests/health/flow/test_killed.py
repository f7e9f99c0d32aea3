"""kill -9 of `brickyard health run` around the statements that write, and of the workspace below it: the end is the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.health.flow.killing import STATEMENTS, Camp, Point, camped, differences, ended, killed
from tests.health.oracle.test_tables import show
from tests.share.faults.door import When

from brickyard.health import synthetic
from brickyard.health.flow.checking import check
from brickyard.health.flow.telling import status
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.synthetic import Account

pytestmark = pytest.mark.timeout(300)

FIRST, SECOND = datetime(2026, 4, 9, 4, tzinfo=UTC), datetime(2026, 5, 4, 4, tzinfo=UTC)
FEW = ("billing.fact_list_prices", "shared.dim_workspace", "billing.fact_usage")
USAGE, PRICES, FACTS = (
    ("INSERT INTO", "bronze.billing_usage"),
    ("MERGE INTO", "billing.fact_list_prices"),
    ("MERGE INTO", "billing.fact_usage", "t USING"),
)
AT_ITS_BEGIN = Point("call", "MERGE INTO", "ops.lease")
AT_ITS_END = Point("call", "UPDATE", "ops.runs", "SET status = 'SUCCEEDED'")
A_FEW = (Point("end", *USAGE), Point("answer", *FACTS), AT_ITS_END)
MORE = (  # in their order: each run goes on where the one before was killed
    *(Point("end", "CREATE TABLE IF NOT EXISTS", "ops.failures"), AT_ITS_BEGIN),
    *(Point("end", "UPDATE", "ops.lease", "SET holder"), Point("end", "INSERT INTO", "ops.runs")),
    *(Point("call", *USAGE), Point("answer", *USAGE), Point("call", *PRICES), Point("end", *PRICES)),
    Point("end", "INSERT INTO", "ops.batches", "VALUES ('gold', 'shared.dim_workspace'"),
    *(Point("call", *FACTS), Point("end", *FACTS), Point("call", "INSERT INTO", "ops.reconciliation"), AT_ITS_END),
)


@pytest.fixture(scope="module")
def account() -> Account:
    return synthetic.generate(days=60, scale=0.02, seed=7)


@pytest.fixture(scope="module")
def camp(tmp_path_factory: pytest.TempPathFactory, account: Account) -> Iterator[Camp]:
    gold = compile_all()
    with camped(tmp_path_factory.mktemp("camp"), account, Gold({name: gold[name] for name in FEW}), FIRST) as camp:
        yield camp


@pytest.fixture(scope="module")
def calm(camp: Camp) -> dict[str, Any]:
    """What a run leaves that nobody disturbs."""
    assert camp.run("calm", FIRST).code == 0
    return camp.left("calm")


@pytest.mark.parametrize("points", [A_FEW, pytest.param(MORE, marks=pytest.mark.full)], ids=len)
def test_a_run_that_is_killed_over_and_over_ends_as_one_that_was_left_alone(
    camp: Camp, calm: dict[str, Any], points: tuple[Point, ...]
) -> None:
    catalog = f"killed_{len(points)}"
    for point in points:
        camp.kill(catalog, FIRST, point)
    door = camp.health(catalog, FIRST)
    found = status(door, camp.gold)
    assert (found.last.status, found.holder) == ("LOST", "")
    assert "health-run-broken-off" in {finding.code for finding in check(door, camp.gold).findings}
    last = camp.run(catalog, FIRST)
    assert last.code == 0, last.told
    assert differences(camp.left(catalog), calm) == {}
    assert last.document["done"] == []  # the one before had done everything, and could not say so
    assert set(camp.runs(catalog)) == {"LOST"}
    assert status(door, camp.gold).last.status == "LOST"


@pytest.mark.full
def test_of_two_runs_at_once_one_is_refused_and_the_other_is_whole(camp: Camp, calm: dict[str, Any]) -> None:
    with camp.door.stop("call", STATEMENTS, Point("call", *FACTS).begin_in("two"), is_lost=False) as it_works:
        one = camp.begin("two", FIRST)
        it_works()
        other = camp.run("two", FIRST)
        assert status(camp.health("two", FIRST), camp.gold).last.status == "RUNNING"
    first = ended(one)
    assert (first.code, other.code) == (0, 4), (first.told, other.told)
    assert "another run is at work" in other.told
    assert "health-run-busy" in other.told
    assert differences(camp.left("two"), calm) == {}
    assert camp.runs("two") == ["SUCCEEDED"]


@pytest.mark.full
@pytest.mark.parametrize("number", range(3))
def test_of_two_runs_that_start_together_none_does_anything_twice(
    camp: Camp, calm: dict[str, Any], number: int
) -> None:
    catalog = f"together_{number}"
    ends = [ended(process) for process in [camp.begin(catalog, FIRST) for _ in range(2)]]
    assert sorted(end.code for end in ends) in ([0, 0], [0, 4]), [end.told for end in ends]
    assert differences(camp.left(catalog), calm) == {}


@pytest.mark.full
def test_a_workspace_that_is_killed_in_the_middle_of_a_merge_has_merged_all_or_nothing(
    camp: Camp, calm: dict[str, Any]
) -> None:
    camp.kill("fallen", FIRST, Point("call", *FACTS))
    folder = folder_of(camp, "fallen.billing.fact_usage")
    process = camp.begin("fallen", FIRST)
    wait_for_files(folder)
    for server in [one for one in camp.spawned if "brickyard.local" in one.args]:  # type: ignore[operator] — a list
        killed(server)
    assert ended(process).code != 0
    camp.serve()
    last = camp.run("fallen", FIRST)
    assert last.code == 0, last.told
    assert differences(camp.left("fallen"), calm) == {}


def folder_of(camp: Camp, table: str) -> Path:
    return Path((camp.client.tables.get(table).storage_location or "").removeprefix("file://"))


def wait_for_files(folder: Path) -> None:
    """Wait until rows are written, which a commit then makes the table's."""
    deadline = time.monotonic() + 60
    while not any(folder.glob("*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.001)


# --- every table ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_camp(tmp_path_factory: pytest.TempPathFactory, account: Account) -> Iterator[Camp]:
    with camped(tmp_path_factory.mktemp("whole"), account, compile_all(), FIRST) as camp:
        yield camp


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_runs_that_are_killed_around_every_commit_of_every_table_end_as_runs_that_were_left_alone(
    whole_camp: Camp, account: Account
) -> None:
    for number, (at, moments) in enumerate([(FIRST, ("call", "end")), (SECOND, ("end",))], 1):
        show(whole_camp.client, account, at, whole_camp.gold)
        assert whole_camp.run("calm", at).code == 0
        kill_all(whole_camp, "killed", at, whole_camp.written("calm", number), moments)
        assert differences(whole_camp.left("killed"), whole_camp.left("calm")) == {}
        assert set(whole_camp.runs("killed")) == {"LOST", "SUCCEEDED"}


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_runs_that_are_killed_while_a_statement_of_theirs_goes_on_end_as_runs_that_were_left_alone(
    whole_camp: Camp,
) -> None:
    assert whole_camp.run("steady", SECOND).code == 0
    kill_all(whole_camp, "hasty", SECOND, whole_camp.written("steady", 1), ("answer",))
    assert differences(whole_camp.left("hasty"), whole_camp.left("steady")) == {}


def kill_all(camp: Camp, catalog: str, at: datetime, written: dict[str, Any], moments: Sequence[When]) -> None:
    """Kill runs of each table at every moment of its statements, then run everything."""
    for table, statements in written.items():
        for statement in statements:
            for when in moments:
                camp.kill(catalog, at, Point(when, *statement), [table])
    last = camp.run(catalog, at)
    assert last.code == 0, last.told
