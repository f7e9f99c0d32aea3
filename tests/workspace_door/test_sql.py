"""SQL statements through the door."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from databricks.sdk import WorkspaceClient

from brickyard.kernel import stop
from brickyard.kernel.errors import Interrupted, NotFound, WorkspaceDown, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.workspace import Column, Rows, Workspaces, await_statement, pick_warehouse, run_sql


@pytest.fixture
def client(door: Workspaces) -> Iterator[WorkspaceClient]:
    yield door.client()
    stop.clear()


def _sent(workspace: LocalWorkspace, operation: str) -> int:
    return len(workspace.requests(operation))


def test_every_type_comes_back_as_its_python_value(client: WorkspaceClient):
    rows = run_sql(
        client,
        """
        SELECT CAST(1 AS TINYINT) t, CAST(-2 AS SMALLINT) s, 3 i, 9223372036854775807 b, CAST(0.5 AS FLOAT) f,
               CAST(1e300 AS DOUBLE) d, CAST(-12.30 AS DECIMAL(10,2)) n, TRUE y, DATE'2024-02-29' da,
               TIMESTAMP'2024-02-29 12:30:00.123456Z' ts, 'Grüße' str, CAST(NULL AS INT) nothing,
               ARRAY(1, 2) arr
        """,
    )
    assert rows.values == (
        (
            *(1, -2, 3, 9223372036854775807, 0.5, 1e300, Decimal("-12.30"), True, date(2024, 2, 29)),
            rows.values[0][9],
            *("Grüße", None, rows.values[0][12]),
        ),
    )
    assert rows.values[0][9].astimezone(UTC).replace(microsecond=0) == datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    assert rows.values[0][12].replace(" ", "").replace('"', "") == "[1,2]"
    assert [column.type_name for column in rows.columns][:10] == [
        *("TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP"),
    ]


@pytest.mark.parametrize(
    "value",
    [1, -(2**62), 0.1, Decimal("1.50"), Decimal("-0.001"), True, date(2024, 2, 29), "it's :p", "", None],
    ids=repr,
)
def test_a_parameter_comes_back_as_it_was_given(client: WorkspaceClient, value: object):
    assert run_sql(client, "SELECT :v AS v", {"v": value}).values == ((value,),)


def test_all_chunks_of_a_long_result_are_read(client: WorkspaceClient):
    rows = run_sql(client, "SELECT id FROM range(45000) ORDER BY id")
    assert (len(rows), rows.values[0], rows.values[-1]) == (45000, (0,), (44999,))


def test_a_result_without_rows_still_has_its_columns(client: WorkspaceClient):
    rows = run_sql(client, "SELECT 1 AS a, 'x' AS b WHERE 1 = 0")
    assert (rows.columns, rows.values) == ((Column("a", "INT"), Column("b", "STRING")), ())


def test_a_table_that_is_not_there_is_not_found(client: WorkspaceClient):
    with pytest.raises(NotFound, match="TABLE_OR_VIEW_NOT_FOUND"):
        run_sql(client, "SELECT * FROM no_such_table")


def test_a_wrong_statement_is_refused_with_the_warehouses_own_words(client: WorkspaceClient):
    with pytest.raises(WorkspaceRefused, match="run SELEC 1") as refused:
        run_sql(client, "SELEC 1")
    assert (refused.value.error_code, refused.value.databricks_code) == ("statement-failed", "PARSE_SYNTAX_ERROR")


def test_a_read_whose_reply_is_lost_is_run_again(workspace: LocalWorkspace, client: WorkspaceClient):
    workspace.drop_reply("statements.execute")
    assert run_sql(client, "SELECT 1").values == ((1,),)
    assert _sent(workspace, "statements.execute") == 2


def test_a_write_whose_reply_is_lost_is_not_run_again(workspace: LocalWorkspace, client: WorkspaceClient):
    workspace.drop_reply("statements.execute")
    with pytest.raises(WorkspaceDown):
        run_sql(client, "CREATE TABLE IF NOT EXISTS once (a INT)")
    assert _sent(workspace, "statements.execute") == 1


def test_a_statement_that_the_workspace_has_forgotten_is_a_lost_reply(
    workspace: LocalWorkspace, client: WorkspaceClient
):
    workspace.fail_next("statements.get", 404, "NOT_FOUND")
    with pytest.raises(WorkspaceDown, match="does not know the statement"):
        run_sql(client, "CREATE TABLE IF NOT EXISTS once (a INT)")
    await_statement(client, "00000000-0000-0000-0000-000000000000")


def test_a_stop_cancels_the_statement(workspace: LocalWorkspace, client: WorkspaceClient):
    seen: list[str] = []

    def on_progress(statement_id: str, state: str) -> None:
        seen.append(statement_id)
        stop.request()

    with pytest.raises(Interrupted):
        run_sql(
            client,
            "CREATE OR REPLACE TABLE slow AS SELECT count(*) n FROM range(3000000) a CROSS JOIN range(100000) b",
            on_progress=on_progress,
        )
    assert _sent(workspace, "statements.cancel") == 1
    stop.clear()
    time.sleep(0.5)
    state = client.statement_execution.get_statement(seen[0]).status
    assert state and state.state and state.state.value == "CANCELED"


def test_two_threads_run_statements_at_the_same_time(client: WorkspaceClient):
    found: list[Rows] = []
    threads = [threading.Thread(target=lambda: found.append(run_sql(client, "SELECT 7"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [rows.scalar() for rows in found] == [7] * 4


def test_a_warehouse_is_found(client: WorkspaceClient):
    assert pick_warehouse(client) in {warehouse.id for warehouse in client.warehouses.list()}


def test_a_user_who_may_not_see_it_is_told_so(workspace: LocalWorkspace, door: Workspaces):
    client = replace(door, retry_seconds=0).client()
    workspace.fail_next("statements.execute", 403, "PERMISSION_DENIED")
    with pytest.raises(WorkspaceRefused) as refused:
        run_sql(client, "SELECT 1")
    assert (refused.value.error_code, refused.value.status) == ("workspace-forbidden", 403)
