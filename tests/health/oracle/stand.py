"""Runs over sources that look as their readers see them at an instant, on whatever engine, compared with the truth."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from databricks.sdk import WorkspaceClient
from tests.health.oracle.spoiling import Spoiled

from brickyard.health import flow, oracle
from brickyard.health.flow import Outcome
from brickyard.health.flow.comparing import Compared, compare
from brickyard.health.flow.door import through
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places
from brickyard.health.synthetic import Account
from brickyard.workspace import run_sql

AT = datetime(2026, 5, 4, 4, tzinfo=UTC)
BEFORE_THE_DRIFT = datetime(2026, 3, 20, 4, tzinfo=UTC)
PLACES = Places("synthetic_health", "synthetic")
TABLES = tuple(table.table for table in compile_all())
A_FEW = (  # one of each way in which a table comes from its source
    "billing.dim_sku", "billing.fact_account_prices", "billing.fact_list_prices", "billing.fact_usage",
    "lakeflow.dim_job", "lakeflow.fact_job_run", "lakeflow.fact_job_run_timeline",
    "shared.dim_workspace", "mlflow.fact_mlflow_runs",
)  # fmt: skip


def only(tables: tuple[str, ...]) -> Gold:
    return Gold({name: table for name, table in compile_all().tables.items() if name in tables})


def equal(compared: tuple[Compared, ...]) -> tuple[Compared, ...]:
    """The same tables, each equal to its truth, which holds rows."""
    return tuple(Compared(one.table, one.domain, one.expected, one.expected, equal=True) for one in compared)


def show(client: WorkspaceClient, account: Account | Spoiled, at: datetime, gold: Gold) -> None:
    """Make the sources look as a reader sees them at an instant."""
    for statement in ("CATALOG IF NOT EXISTS synthetic", "SCHEMA IF NOT EXISTS synthetic.landing"):
        run_sql(client, f"CREATE {statement}")
    run_sql(client, "CREATE VOLUME IF NOT EXISTS synthetic.landing.files")
    for name in sorted({table.source.name for table in gold if table.source}):
        buffer = io.BytesIO()
        rows = account.visible(name, at)  # may hold values below structs that are null, which no Parquet file does
        pq.write_table(pa.Table.from_pylist(rows.to_pylist(), schema=rows.schema), buffer)
        buffer.seek(0)
        file = f"/Volumes/synthetic/landing/files/{name}.parquet"
        client.files.upload(file, buffer, overwrite=True)
        run_sql(client, f"CREATE SCHEMA IF NOT EXISTS synthetic.{name.partition('.')[0]}")
        columns = ", ".join(f"`{column}` {kind}" for column, kind in account.schema(name, at.date()).items())
        run_sql(client, f"CREATE OR REPLACE TABLE synthetic.{name} ({columns})")
        run_sql(client, f"INSERT INTO synthetic.{name} BY NAME SELECT * FROM parquet.`{file}`")


def after_runs(
    client: WorkspaceClient, account: Account | Spoiled, gold: Gold, looks: tuple[datetime, ...]
) -> tuple[Compared, ...]:
    runs(client, account, gold, looks)
    return beside_truth(client, account, gold, looks)


def runs(
    client: WorkspaceClient, account: Account | Spoiled, gold: Gold, looks: tuple[datetime, ...]
) -> tuple[Outcome, ...]:
    """Run at each look over what is there by then; nothing may fail."""
    found = []
    for look in looks:
        show(client, account, look, gold)
        found.append(flow.run(through(client, PLACES, look), gold=gold))
        assert found[-1].failed == ()
    return tuple(found)


def beside_truth(
    client: WorkspaceClient, account: Account | Spoiled, gold: Gold, looks: tuple[datetime, ...]
) -> tuple[Compared, ...]:
    """Compare what the runs made with what the oracle says of the same looks."""
    told = oracle.truth(account, looks[-1], looks=looks[:-1])
    return compare(through(client, PLACES, looks[-1]), client, told, tuple(gold.tables), gold)
