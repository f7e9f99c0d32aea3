"""Gold equals what the oracle says: after one run, after runs while rows came in, and of rows spoiled by chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from tests.health.oracle.spoiling import Spoiled
from tests.health.oracle.stand import A_FEW, AT, BEFORE_THE_DRIFT, PLACES, TABLES, after_runs, equal, only, show

from brickyard.health import flow, oracle, synthetic
from brickyard.health.flow.comparing import Compared, compare
from brickyard.health.flow.door import through
from brickyard.health.flow.seeding import seed
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.synthetic import Account
from brickyard.local import LocalWorkspace


@pytest.fixture(scope="module")
def account() -> Account:
    return synthetic.generate(days=60, scale=0.02, seed=7)


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace.client()


def after_seeding(client: WorkspaceClient, account: Account, gold: Gold) -> tuple[Compared, ...]:
    door = through(client, PLACES, AT)
    seeded = seed(door, client, account, until=AT, gold=gold)
    assert flow.run(door, gold=gold).failed == ()
    return compare(door, client, oracle.truth(account, AT, states=seeded.looks), tuple(gold.tables), gold)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_every_table_equals_its_truth(client: WorkspaceClient, account: Account):
    compared = after_seeding(client, account, compile_all())
    assert compared == equal(compared)
    assert {one.table for one in compared if one.expected} == set(TABLES)


def test_every_gold_table_has_a_truth_with_its_columns(account: Account):
    told = oracle.truth(account, AT)
    assert told.tables() == tuple(sorted(TABLES))
    for table in compile_all():
        columns = [column.name for column in table.of_origin("source", "enriched", "history")]
        assert sorted(told[table.table].schema.names) == sorted(columns)


# Several runs ------------------------------------------------------------------------------------------------------


def test_runs_while_rows_come_in_equal_the_truth(client: WorkspaceClient, account: Account):
    compared = after_runs(client, account, only(A_FEW), (BEFORE_THE_DRIFT, AT))
    assert compared == equal(compared)
    assert {one.table for one in compared if one.expected} == set(A_FEW)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_runs_of_every_table_equal_the_truth(client: WorkspaceClient, account: Account):
    compared = after_runs(client, account, compile_all(), (BEFORE_THE_DRIFT, datetime(2026, 4, 9, 4, tzinfo=UTC), AT))
    assert compared == equal(compared)


def test_of_spoiled_rows_the_same_count(client: WorkspaceClient, account: Account):
    compared = after_runs(client, Spoiled(account, 1), only(A_FEW), (AT,))
    assert compared == equal(compared)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [2, 3])
def test_of_spoiled_rows_of_every_table_the_same_count(client: WorkspaceClient, account: Account, seed: int):
    compared = after_runs(client, Spoiled(account, seed, share=0.5), compile_all(), (AT,))
    assert compared == equal(compared)


# Comparing ---------------------------------------------------------------------------------------------------------


class Wrong:
    """A truth in which one workspace has another name, one is missing, and one is there twice."""

    def __init__(self, told: pa.Table) -> None:
        self._told = told

    def tables(self) -> tuple[str, ...]:
        return ("shared.dim_workspace",)

    def __getitem__(self, table: str) -> pa.Table:
        rows = self._told.sort_by("workspace_id").to_pylist()
        changed = [{**rows[0], "workspace_name": "another"}, *rows[1:-1], rows[1]]
        return pa.Table.from_pylist(changed, schema=self._told.schema)


def test_what_differs_is_found_and_named(client: WorkspaceClient, account: Account):
    gold = only(("shared.dim_workspace",))
    show(client, account, AT, gold)
    door = through(client, PLACES, AT)
    flow.run(door, gold=gold)
    told = oracle.truth(account, AT)["shared.dim_workspace"]
    (found,) = compare(door, client, Wrong(told), gold=gold)
    assert (found.equal, found.rows, found.expected) == (False, told.num_rows, told.num_rows)
    ids = sorted(told.column("workspace_id").to_pylist())
    sides: Mapping[str | None, str] = {each.key["workspace_id"]: each.side for each in found.differences}
    assert sides == {ids[0]: "differs", ids[-1]: "surplus"}
    (name,) = (row["workspace_name"] for row in told.to_pylist() if row["workspace_id"] == ids[0])
    assert found.differences[0].columns == {"workspace_name": (name, "another")}
