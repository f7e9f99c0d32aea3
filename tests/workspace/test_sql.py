"""SQL warehouses and statements."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue, NotFound
from databricks.sdk.service.sql import (
    Disposition,
    EndpointInfoWarehouseType,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    State,
    StatementParameterListItem,
    StatementState,
)

SLOW = "SELECT count(*) FROM range(200000000) a CROSS JOIN range(5000) b WHERE (a.id * b.id) % 7 = 3"


@pytest.mark.covers("warehouses.list", "warehouses.get", "warehouses.get_workspace_warehouse_config")
def test_there_is_a_warehouse_that_runs(
    target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any], all_faithful: Callable[..., list[Any]]
):
    assert target.warehouse_id in {w.id for w in all_faithful(client.warehouses.list(), "warehouses")}
    found = faithful(client.warehouses.get(target.warehouse_id))
    assert found.odbc_params.path.endswith(target.warehouse_id)
    faithful(client.warehouses.get_workspace_warehouse_config())


@pytest.mark.covers(
    "warehouses.create", "warehouses.edit", "warehouses.start", "warehouses.stop", "warehouses.delete", "warehouses.get"
)
def test_a_warehouse_lives_and_dies(target: Any, client: WorkspaceClient):
    if target.local is None:
        pytest.skip("the suite makes no warehouses on a real workspace")
    name = f"contract-{secrets.token_hex(4)}"
    made = client.warehouses.create_and_wait(
        name=name, cluster_size="2X-Small", max_num_clusters=1, warehouse_type=EndpointInfoWarehouseType.PRO
    )
    client.warehouses.edit(made.id, name=f"{name}-b", cluster_size="Small", max_num_clusters=1).result()
    assert client.warehouses.stop_and_wait(made.id).state is State.STOPPED
    assert client.warehouses.start_and_wait(made.id).name == f"{name}-b"
    client.warehouses.delete(made.id)
    with pytest.raises(NotFound):
        client.warehouses.get(made.id)


@pytest.mark.covers("statements.execute")
def test_every_value_is_text_or_null(target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]):
    done = client.statement_execution.execute_statement(
        "SELECT 1 AS i, CAST(NULL AS INT) AS n, true AS b, 'é' AS s, CAST(1.50 AS DECIMAL(5,2)) AS d, 1e10D AS f, "
        "date'2026-01-02' AS day, array(1, 2) AS a, named_struct('x', 1) AS st",
        target.warehouse_id,
    )
    faithful(done)
    assert done.status.state is StatementState.SUCCEEDED
    assert done.result.data_array == [["1", None, "true", "é", "1.50", "1.0E10", "2026-01-02", "[1,2]", '{"x":1}']]
    columns = [(c.name, c.type_name.value, c.type_text) for c in done.manifest.schema.columns]
    assert columns[:6] == [
        ("i", "INT", "INT"),
        ("n", "INT", "INT"),
        ("b", "BOOLEAN", "BOOLEAN"),
        ("s", "STRING", "STRING"),
        ("d", "DECIMAL", "DECIMAL(5,2)"),
        ("f", "DOUBLE", "DOUBLE"),
    ]


def test_a_result_is_described(target: Any, table: str):
    done = target.sql(f"SELECT id, at FROM {table} ORDER BY id LIMIT 2")
    assert done.result.data_array == [["0", "2026-01-02T03:04:05.000Z"], ["1", "2026-01-02T03:04:05.000Z"]]
    assert (done.manifest.total_row_count, done.manifest.truncated, done.result.row_count) == (2, False, 2)


@pytest.mark.covers("statements.execute", "statements.get_chunk")
def test_a_large_result_comes_in_chunks(target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]):
    done = target.sql("SELECT id, concat(repeat('x', 200), id) AS name FROM range(50000)")
    assert done.manifest.total_chunk_count > 1
    rows, chunk = list(done.result.data_array), done.result
    while chunk.next_chunk_index is not None:
        chunk = faithful(
            client.statement_execution.get_statement_result_chunk_n(done.statement_id, chunk.next_chunk_index)
        )
        rows += chunk.data_array
    assert len(rows) == done.manifest.total_row_count == 50000
    assert {int(r[0]) for r in rows} == set(range(50000))


def test_parameters_are_typed(target: Any):
    given = [
        StatementParameterListItem(name="i", value="41", type="INT"),
        StatementParameterListItem(name="s", value="it's; -- x"),
        StatementParameterListItem(name="d", value="2026-01-02", type="DATE"),
        StatementParameterListItem(name="n", type="INT"),
    ]
    done = target.sql("SELECT :i + 1, :s, :d + INTERVAL 1 DAY, :n", parameters=given)
    assert done.result.data_array[0][:2] + done.result.data_array[0][3:] == ["42", "it's; -- x", None]
    assert done.result.data_array[0][2].startswith("2026-01-03")


def test_a_row_limit_truncates_and_says_so(target: Any, table: str):
    done = target.sql(f"SELECT * FROM {table}", row_limit=7)
    assert (len(done.result.data_array), done.manifest.truncated) == (7, True)


def test_a_byte_limit_truncates_and_says_so(target: Any, table: str):
    done = target.sql(f"SELECT * FROM {table}", byte_limit=1000)
    assert 0 < len(done.result.data_array or []) < 1000
    assert done.manifest.truncated is True


def test_names_resolve_in_the_catalog_and_schema_of_the_statement(target: Any, schema: str, table: str):
    catalog, name = schema.split(".")
    done = target.sql("SELECT count(*) FROM orders", catalog=catalog, schema=name)
    assert done.result.data_array == [["1000"]]


def test_a_statement_without_rows_has_no_columns(target: Any, schema: str):
    done = target.sql(f"CREATE TABLE IF NOT EXISTS {schema}.nothing (a INT)")
    assert (done.result.data_array, done.manifest.schema.column_count) == (None, 0)
    empty = target.sql(f"SELECT * FROM {schema}.nothing")
    assert (empty.result.data_array or [], empty.manifest.total_row_count) == ([], 0)
    assert [c.name for c in empty.manifest.schema.columns] == ["a"]


@pytest.mark.parametrize(
    ("statement", "error_class", "sql_state"),
    [
        ("SELECT * FROM no_such_table_anywhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELEC 1", "PARSE_SYNTAX_ERROR", "42601"),
    ],
)
def test_a_failed_statement_is_an_answer(
    target: Any, client: WorkspaceClient, statement: str, error_class: str, sql_state: str
):
    done = client.statement_execution.execute_statement(statement, target.warehouse_id, wait_timeout="50s")
    assert done.status.state is StatementState.FAILED
    assert (done.status.error.message.startswith(f"[{error_class}]"), done.status.sql_state) == (True, sql_state)


@pytest.mark.covers("statements.get")
def test_an_asynchronous_statement_is_polled(target: Any, client: WorkspaceClient, faithful: Callable[[Any], Any]):
    started = client.statement_execution.execute_statement("SELECT 1", target.warehouse_id, wait_timeout="0s")
    assert started.status.state in {StatementState.PENDING, StatementState.RUNNING, StatementState.SUCCEEDED}
    deadline = time.monotonic() + 60
    found = client.statement_execution.get_statement(started.statement_id)
    while found.status.state in {StatementState.PENDING, StatementState.RUNNING} and time.monotonic() < deadline:
        time.sleep(0.05)
        found = client.statement_execution.get_statement(started.statement_id)
    assert faithful(found).result.data_array == [["1"]]


@pytest.mark.covers("statements.cancel")
def test_a_cancelled_statement_stops(target: Any, client: WorkspaceClient):
    started = client.statement_execution.execute_statement(SLOW, target.warehouse_id, wait_timeout="0s")
    time.sleep(1)
    client.statement_execution.cancel_execution(started.statement_id)
    deadline = time.monotonic() + 30
    while (found := client.statement_execution.get_statement(started.statement_id)).status.state in {
        StatementState.PENDING,
        StatementState.RUNNING,
    } and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found.status.state is StatementState.CANCELED
    assert target.sql("SELECT 1").result.data_array == [["1"]]


def test_a_statement_that_takes_too_long_is_cancelled_when_asked(target: Any, client: WorkspaceClient):
    done = client.statement_execution.execute_statement(
        SLOW, target.warehouse_id, wait_timeout="5s", on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL
    )
    assert done.status.state is StatementState.CANCELED


def test_an_unknown_statement_is_not_found(client: WorkspaceClient):
    with pytest.raises(NotFound):
        client.statement_execution.get_statement("01f0c5c5-0000-1000-8000-000000000000")


@pytest.mark.parametrize("options", [{"wait_timeout": "3s"}, {"wait_timeout": "51s"}, {"row_limit": -1}])
def test_options_out_of_range_are_refused(target: Any, client: WorkspaceClient, options: dict[str, Any]):
    with pytest.raises(InvalidParameterValue):
        client.statement_execution.execute_statement("SELECT 1", target.warehouse_id, **options)


def test_an_unknown_warehouse_is_refused(client: WorkspaceClient):
    with pytest.raises(DatabricksError):
        client.statement_execution.execute_statement("SELECT 1", "0000000000000000")


@pytest.mark.parametrize("format_", [Format.ARROW_STREAM, Format.JSON_ARRAY, Format.CSV])
def test_a_result_can_be_fetched_from_a_link_without_a_token(target: Any, client: WorkspaceClient, format_: Format):
    import requests

    done = target.sql("SELECT id FROM range(3)", disposition=Disposition.EXTERNAL_LINKS, format=format_)
    link = done.result.external_links[0]
    fetched = requests.get(link.external_link, timeout=30)
    assert fetched.status_code == 200
    assert link.row_count == 3
    if format_ is Format.CSV:
        assert fetched.text.split() == ["id", "0", "1", "2"]
    if format_ is Format.JSON_ARRAY:
        assert fetched.json() == [["0"], ["1"], ["2"]]


def test_a_link_that_was_tampered_with_gives_nothing(target: Any):
    import requests

    if target.local is None:
        pytest.skip("links of a real workspace lead to its cloud storage")
    done = target.sql("SELECT 1", disposition=Disposition.EXTERNAL_LINKS)
    link = done.result.external_links[0].external_link
    for wrong in (link[:-1], link.replace("expires=", "expires=9"), link.split("?")[0]):
        assert requests.get(wrong, timeout=30).status_code in {400, 403}


@pytest.fixture
def session_id(target: Any, client: WorkspaceClient) -> Iterator[str]:
    answer = client.api_client.do("POST", "/api/2.0/sql/sessions", body={"warehouse_id": target.warehouse_id})
    yield str(answer["session_id"])
    client.api_client.do("DELETE", f"/api/2.0/sql/sessions/{answer['session_id']}")


@pytest.mark.covers("statements.execute", "statements.close")
def test_a_session_remembers(target: Any, client: WorkspaceClient, session_id: str, schema: str, table: str):
    api = client.api_client

    def run(statement: str) -> Any:
        body = {"statement": statement, "warehouse_id": target.warehouse_id, "session_id": session_id}
        return api.do("POST", "/api/2.0/sql/statements", body=body)

    catalog, name = schema.split(".")
    assert run(f"USE CATALOG {catalog}")["status"]["state"] == "SUCCEEDED"
    assert run(f"USE SCHEMA {name}")["status"]["state"] == "SUCCEEDED"
    done = run("SELECT count(*) FROM orders")
    assert done["result"]["data_array"] == [["1000"]]
    api.do("DELETE", f"/api/2.0/sql/statements/{done['statement_id']}")
    with pytest.raises(NotFound):
        client.statement_execution.get_statement(done["statement_id"])


@pytest.mark.covers("statements.create_session", "statements.delete_session")
def test_a_session_ends(target: Any, client: WorkspaceClient):
    api = client.api_client
    session = api.do("POST", "/api/2.0/sql/sessions", body={"warehouse_id": target.warehouse_id})["session_id"]
    api.do("DELETE", f"/api/2.0/sql/sessions/{session}")
    body = {"statement": "SELECT 1", "warehouse_id": target.warehouse_id, "session_id": session}
    with pytest.raises(DatabricksError):
        api.do("POST", "/api/2.0/sql/statements", body=body)
