"""Every request that changes something leaves one audit row in Databricks' words, and no secret in it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.jobs import Task
from databricks.sdk.service.sql import CreateWarehouseRequestWarehouseType
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.system.actions import ACTIONS, NOT_AUDITED, Request, audit_row

OWNER = "owner@local"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def request(operation, **values):
    given = {"method": "POST", "path": "/x", "params": {}, "query": {}, "body": b"", "principal": OWNER}
    more = {"peer": "127.0.0.1", "user_agent": "sdk/1", "status": 200, "answer": b"{}", "at": WHEN}
    return Request(operation, **{**given, **more, **values})


def test_every_route_that_changes_something_is_told_or_said_not_to_be(observed):
    routes = observed.workspace.parts.routes()
    changing = {route.operation for route in routes if route.method not in ("GET", "HEAD")}
    unknown = {one for one in changing - set(ACTIONS) - NOT_AUDITED if not one.startswith("local.")}
    assert unknown == set()
    assert (set(ACTIONS) | NOT_AUDITED) - {route.operation for route in routes} == set()


def test_a_row_is_whole():
    body = json.dumps({"name": "nightly", "tasks": [{"notebook_task": {"base_parameters": {"password": "p"}}}]})
    row = audit_row(request("jobs.create", body=body.encode(), answer=b'{"job_id": 12}'))
    assert row == {
        "version": "2.0",
        "event_time": WHEN,
        "event_date": WHEN.date(),
        "source_ip_address": "127.0.0.1",
        "user_agent": "sdk/1",
        "user_identity": {"email": OWNER, "subject_name": OWNER},
        "service_name": "jobs",
        "action_name": "create",
        "request_id": row["request_id"],
        "request_params": {"name": "nightly"},
        "response": {"status_code": 200, "error_message": None, "result": '{"job_id": 12}'},
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": row["event_id"],
        "identity_metadata": {"run_by": OWNER, "run_as": OWNER},
    }
    assert uuid.UUID(row["event_id"]) != uuid.UUID(row["request_id"])


@pytest.mark.parametrize(
    ("operation", "values", "named"),
    [
        ("clusters.change", {"path": "/api/2.1/clusters/resize"}, ("clusters", "resize")),
        ("permissions.set", {"params": {"object_type": "jobs", "object_id": "1"}}, ("jobs", "changeJobAcl")),
        (
            "permissions.update",
            {"params": {"object_type": "warehouses", "object_id": "1"}},
            ("databrickssql", "changeWarehouseAcls"),
        ),
        (
            "permissions.update",
            {"params": {"object_type": "directories", "object_id": "1"}},
            ("workspace", "changeWorkspaceAcl"),
        ),
    ],
)
def test_names_that_depend_on_what_is_changed(operation, values, named):
    row = audit_row(request(operation, **values))
    assert (row["service_name"], row["action_name"]) == named


def test_looking_is_no_action():
    assert audit_row(request("jobs.get", method="GET")) is None
    assert audit_row(request("recipient_activation.retrieve_token", method="HEAD")) is None


@given(
    secret=st.uuids().map(lambda one: f"dapi{one.hex}"),
    operation=st.sampled_from(
        ["tokens.create", "secrets.put_secret", "recipient_activation.retrieve_token", "dbfs.put"]
    ),
)
def test_no_value_that_is_not_listed_gets_into_a_row(secret, operation):
    body = {"string_value": secret, "bytes_value": secret, "contents": secret, "comment": secret, "value": secret}
    answer = {"token_value": secret, "bearerToken": secret, "token_info": {"comment": secret}}
    sent = request(
        operation,
        params={"link": secret},
        query={"token": secret},
        body=json.dumps(body).encode(),
        answer=json.dumps(answer).encode(),
    )
    assert secret not in json.dumps(audit_row(sent), default=str)


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"{" * 2000, b"{" + b" " * 70000 + b"}", b"\xff\xfe"])
def test_a_body_that_is_no_object_is_passed_over(body):
    row = audit_row(request("workspace.import_file", body=body, answer=body, params={"path": "a.py"}))
    assert (row["request_params"], row["response"]["result"]) == ({"path": "a.py"}, None)


def test_what_a_client_did_stands_in_the_table(observed):
    client, since = observed.client, datetime.now(UTC)
    client.secrets.create_scope("vault")
    client.secrets.put_secret("vault", "key", string_value="hush-hush")
    token = client.tokens.create(comment="c", lifetime_seconds=60)
    kind = CreateWarehouseRequestWarehouseType.PRO
    client.warehouses.create(name="audited", cluster_size="Small", auto_stop_mins=10, warehouse_type=kind)
    with pytest.raises(DatabricksError):
        client.jobs.create(name="bad", tasks=[Task(task_key="untyped")])
    with pytest.raises(DatabricksError):
        client.secrets.delete_scope("no such scope")
    observed.sql("CREATE SCHEMA main.audited")
    rows = [row for row in observed.rows("access.audit") if row["event_time"] >= since]
    told = [(row["service_name"], row["action_name"], row["response"]["status_code"]) for row in rows]
    assert told == [
        ("secrets", "createScope", 200),
        ("secrets", "putSecret", 200),
        ("accounts", "generateDbToken", 200),
        ("databrickssql", "createWarehouse", 200),
        ("jobs", "create", 400),
        ("secrets", "deleteScope", 404),
        ("unityCatalog", "createSchema", 200),
    ]
    assert {(r["account_id"], r["workspace_id"], r["user_identity"]["email"]) for r in rows} == {
        (*observed.stamp.values(), OWNER)
    }
    assert rows[4]["response"]["error_message"].startswith("Task untyped must have exactly one task type")
    everything = str(rows) + str(observed.rows("query.history"))
    assert "hush-hush" not in everything
    assert token.token_value not in everything


def test_a_request_that_is_done_by_sql_is_told_once(observed):
    observed.sql("CREATE TABLE main.default.once (a INT)")
    observed.client.tables.delete("main.default.once")
    rows = [row for row in observed.rows("access.audit") if "once" in str(row["request_params"])]
    assert [(row["action_name"], dict(row["request_params"])) for row in rows] == [
        ("createTable", {"statement": "CREATE TABLE main.default.once (a INT)"}),
        ("deleteTable", {"full_name": "main.default.once"}),
    ]


def test_whoever_acts_is_named_and_a_fault_is_told_as_it_was_answered(observed):
    someone = observed.workspace.client("someone@local")
    observed.workspace.fail_next("secrets.create_scope", 403, "PERMISSION_DENIED")
    with pytest.raises(DatabricksError):
        someone.secrets.create_scope("theirs")
    (row,) = [r for r in observed.rows("access.audit") if r["user_identity"]["email"] == "someone@local"]
    assert (row["action_name"], row["response"]["status_code"]) == ("createScope", 403)
    assert dict(row["request_params"]) == {"scope": "theirs"}


def test_rows_are_written_within_seconds_though_nobody_reads(observed):
    observed.sql("SELECT 1")
    observed.client.secrets.create_scope("unread")
    path, limit = observed.workspace.home / "tables" / "system" / "access.audit", time.monotonic() + 8
    found: list[str] = []
    while "unread" not in found and time.monotonic() < limit:
        time.sleep(0.2)
        if path.exists():
            rows = DeltaTable(path).to_pyarrow_table().to_pylist()
            found = [dict(row["request_params"]).get("scope", "") for row in rows]
    assert "unread" in found
