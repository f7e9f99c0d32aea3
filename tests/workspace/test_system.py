"""System tables: described by the information schema, and filled with what this suite does."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import ConditionTask, ConditionTaskOp, Task
from ruamel.yaml import YAML

from brickyard.kernel.assets import read_text

TABLES = (
    "access.audit",
    "access.column_lineage",
    "access.table_lineage",
    "access.workspaces_latest",
    "billing.usage",
    "compute.warehouses",
    "lakeflow.job_run_timeline",
    "lakeflow.jobs",
    "query.history",
)


def published(table: str) -> dict[str, str]:
    """The columns of a system table and their types, as its schema was published."""
    columns = YAML(typ="safe").load(read_text("health", "system_tables", f"{table}.yaml"))["columns"]
    return {column["name"]: column["type"] for column in columns}


def rows(target: Any, statement: str) -> list[list[str]]:
    """The rows of a query."""
    return target.sql(statement).result.data_array or []


def arrived(target: Any, statement: str) -> list[list[str]]:
    """The rows of a query once there are any: on Databricks they come up to an hour late, and are not waited for."""
    limit = time.monotonic() + (20 if target.local else 0)
    while not (found := rows(target, statement)) and time.monotonic() < limit:
        time.sleep(0.1)
    if not found and target.local is None:
        pytest.skip("the rows have not arrived yet")
    return found


@pytest.mark.parametrize("table", TABLES)
def test_the_information_schema_has_the_published_types(target: Any, table: str) -> None:
    schema, _, name = table.partition(".")
    told = rows(
        target,
        "SELECT column_name, full_data_type FROM system.information_schema.columns "
        f"WHERE table_catalog = 'system' AND table_schema = '{schema}' AND table_name = '{name}'",
    )
    wanted = published(table)
    assert {column: type_ for column, type_ in told if column in wanted} == wanted


@pytest.mark.covers("tables.list", "schemas.list", "tables.get")
def test_the_catalog_lists_them(client: WorkspaceClient) -> None:
    assert {"access", "billing", "compute", "lakeflow", "query"} <= {s.name for s in client.schemas.list("system")}
    assert "history" in {table.name for table in client.tables.list("system", "query")}
    columns = client.tables.get("system.query.history").columns or []
    assert {column.name: column.type_text for column in columns}["start_time"] == "timestamp"


def test_a_statement_and_its_lineage_are_told(target: Any, schema: str) -> None:
    made = f"{schema}.told_{secrets.token_hex(4)}"
    target.sql(f"CREATE TABLE {made}_source AS SELECT 1 AS id, 2 AS amount")
    done = target.sql(f"CREATE TABLE {made} AS SELECT id, amount * 2 AS twice FROM {made}_source")
    where = f"statement_id = '{done.statement_id}'"
    columns = "statement_type, execution_status, compute.warehouse_id"
    assert arrived(target, f"SELECT {columns} FROM system.query.history WHERE {where}") == [
        ["CREATE", "FINISHED", target.warehouse_id]
    ]
    lineage = "source_table_full_name, source_column_name, target_table_full_name, target_column_name"
    found = arrived(target, f"SELECT {lineage} FROM system.access.column_lineage WHERE {where} ORDER BY 2")
    assert found == [[f"{made}_source", "amount", made, "twice"], [f"{made}_source", "id", made, "id"]]


def test_a_job_is_told_and_its_run(target: Any) -> None:
    ask = ConditionTask(op=ConditionTaskOp.EQUAL_TO, left="1", right="1")
    name = f"contract_{secrets.token_hex(4)}"
    job_id = target.client.jobs.create(name=name, tasks=[Task(task_key="ask", condition_task=ask)]).job_id
    run = target.client.jobs.run_now_and_wait(job_id)
    target.client.jobs.delete(job_id)
    timeline = f"SELECT run_type, result_state FROM system.lakeflow.job_run_timeline WHERE run_id = '{run.run_id}'"
    assert arrived(target, timeline) == [["JOB_RUN", "SUCCEEDED"]]
    versions = f"SELECT name FROM system.lakeflow.jobs WHERE job_id = '{job_id}' AND delete_time IS NOT NULL"
    assert arrived(target, versions) == [[name]]
    audit = (
        "SELECT action_name FROM system.access.audit WHERE service_name = 'jobs' "
        f"AND (request_params['name'] = '{name}' OR request_params['job_id'] = '{job_id}') ORDER BY event_time"
    )
    assert [row[0] for row in arrived(target, audit)][:1] == ["create"]
