"""Every gold table of a small account equals what the oracle says, after one run and after several."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from databricks.sdk import WorkspaceClient

from brickyard.health import flow, oracle, synthetic
from brickyard.health.flow.comparing import Compared, compare
from brickyard.health.flow.door import through
from brickyard.health.model import source as sources
from brickyard.health.plan.compile import compile_all
from brickyard.health.plan.text import Places
from brickyard.health.synthetic import Account
from brickyard.local import LocalWorkspace
from brickyard.workspace import run_sql

AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
PLACES = Places("synthetic_health", "synthetic")
TABLES = tuple(table.table for table in compile_all())


@pytest.fixture(scope="module")
def account() -> Account:
    return synthetic.generate(days=60, scale=0.02, seed=7)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace.client()


@pytest.fixture(scope="module")
def compared(client: WorkspaceClient, account: Account) -> Mapping[str, Compared]:
    show(client, account, AT)
    door = through(client, PLACES, AT)
    assert flow.run(door).failed == ()
    return {one.table: one for one in compare(door, client, oracle.truth(account, AT), TABLES)}


def show(client: WorkspaceClient, account: Account, at: datetime) -> None:
    """Make the sources look as a reader sees them at an instant."""
    for statement in ("CATALOG IF NOT EXISTS synthetic", "SCHEMA IF NOT EXISTS synthetic.landing"):
        run_sql(client, f"CREATE {statement}")
    run_sql(client, "CREATE VOLUME IF NOT EXISTS synthetic.landing.files")
    for name in sorted({table.source.name for table in compile_all() if table.source}):
        buffer = io.BytesIO()
        pq.write_table(account.visible(name, at), buffer)
        buffer.seek(0)
        file = f"/Volumes/synthetic/landing/files/{name}.parquet"
        client.files.upload(file, buffer, overwrite=True)
        run_sql(client, f"CREATE SCHEMA IF NOT EXISTS synthetic.{name.partition('.')[0]}")
        columns = ", ".join(f"`{column}` {kind}" for column, kind in sources.load(name).columns.items())
        run_sql(client, f"CREATE OR REPLACE TABLE synthetic.{name} ({columns})")
        run_sql(client, f"INSERT INTO synthetic.{name} BY NAME SELECT * FROM parquet.`{file}`")


def test_every_gold_table_has_a_truth(account: Account):
    assert set(TABLES) <= set(oracle.truth(account, AT).tables())


@pytest.mark.parametrize("table", TABLES)
def test_a_table_equals_its_truth(compared: Mapping[str, Compared], table: str):
    found = compared[table]
    assert found == Compared(table, table.partition(".")[0], found.expected, found.expected, equal=True)
    assert found.expected > 0
