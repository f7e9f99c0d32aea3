"""Faults on request, and the record of requests."""

from __future__ import annotations

import time

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import Aborted, DatabricksError, NotFound, PermissionDenied

from brickyard.local import LocalWorkspace


def impatient(workspace: LocalWorkspace) -> WorkspaceClient:
    return workspace.client(retry_timeout_seconds=1)


def outcomes(workspace: LocalWorkspace, operation: str) -> list[int]:
    return [r.status for r in workspace.requests(operation)]


def test_fail_next_answers_instead_of_performing(workspace: LocalWorkspace):
    workspace.fail_next("workspace.mkdirs", 403, "PERMISSION_DENIED", times=2)
    client = impatient(workspace)
    for _ in range(2):
        with pytest.raises(PermissionDenied):
            client.workspace.mkdirs("/Shared/made")
    with pytest.raises(NotFound):
        client.workspace.get_status("/Shared/made")
    client.workspace.mkdirs("/Shared/made")
    assert outcomes(workspace, "workspace.mkdirs") == [403, 403, 200]


def test_a_fault_hits_only_what_matches(workspace: LocalWorkspace):
    workspace.fail_next("workspace.mkdirs", 409, "ABORTED", matching="né")
    client = impatient(workspace)
    client.workspace.mkdirs("/Shared/other")
    client.workspace.get_status("/Shared/other")
    with pytest.raises(Aborted):
        client.workspace.mkdirs("/Shared/né")


def test_a_dropped_reply_is_a_call_performed_and_a_connection_lost(workspace: LocalWorkspace):
    workspace.drop_reply("workspace.mkdirs")
    headers = {"authorization": f"Bearer {workspace.token}"}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{workspace.host}/api/2.0/workspace/mkdirs", json={"path": "/Shared/made"}, headers=headers)
    assert workspace.client().workspace.get_status("/Shared/made").path == "/Shared/made"
    assert outcomes(workspace, "workspace.mkdirs") == [0]


def test_the_sdk_repeats_a_call_whose_reply_was_lost(workspace: LocalWorkspace):
    workspace.drop_reply("workspace.mkdirs")
    workspace.client().workspace.mkdirs("/Shared/made")
    assert outcomes(workspace, "workspace.mkdirs") == [0, 200]


def test_an_empty_page_with_a_token_is_not_the_end_of_a_list(workspace: LocalWorkspace):
    client = workspace.client()
    before = [c.name for c in client.catalogs.list(max_results=1)]
    workspace.empty_page("catalogs.list", times=2)
    assert [c.name for c in client.catalogs.list(max_results=1)] == before
    assert len(outcomes(workspace, "catalogs.list")) == 2 * len(before) + 2


def test_a_rate_limit_tells_when_to_come_back(workspace: LocalWorkspace):
    workspace.rate_limit("current_user.me", times=1, retry_after=7)
    answer = httpx.get(
        f"{workspace.host}/api/2.0/preview/scim/v2/Me", headers={"authorization": f"Bearer {workspace.token}"}
    )
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error_code"]) == (
        429,
        "7",
        "REQUEST_LIMIT_EXCEEDED",
    )


def test_a_delay_comes_before_the_call(workspace: LocalWorkspace):
    workspace.delay("current_user.me", 0.3)
    client = workspace.client()
    started = time.perf_counter()
    client.current_user.me()
    assert time.perf_counter() - started >= 0.3


def test_a_delay_and_a_lost_reply_come_together(workspace: LocalWorkspace):
    workspace.delay("workspace.mkdirs", 0.2)
    workspace.drop_reply("workspace.mkdirs")
    workspace.client().workspace.mkdirs("/Shared/made")
    first, second = workspace.requests("workspace.mkdirs")
    assert (first.status, second.status, first.seconds >= 0.2, second.seconds < 0.2) == (0, 200, True, True)


def test_the_owner_plans_faults_over_http_too(workspace: LocalWorkspace):
    api = workspace.client().api_client
    fault = {
        "kind": "fail_next",
        "operation": "workspace.get_status",
        "status": 404,
        "error_code": "RESOURCE_DOES_NOT_EXIST",
    }
    api.do("POST", "/api/local/faults", body=fault)
    assert [f["operation"] for f in api.do("GET", "/api/local/faults")["faults"]] == ["workspace.get_status"]
    with pytest.raises(NotFound):
        workspace.client().workspace.get_status("/")
    api.do("POST", "/api/local/faults", body=fault)
    api.do("DELETE", "/api/local/faults")
    assert workspace.client().workspace.get_status("/").path == "/"


def test_a_fault_that_makes_no_sense_is_refused(workspace: LocalWorkspace):
    with pytest.raises(DatabricksError) as refused:
        workspace.client().api_client.do("POST", "/api/local/faults", body={"kind": "explode", "operation": "x.y"})
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_requests_are_recorded_with_principal_body_and_status(workspace: LocalWorkspace):
    workspace.client("reader@local").workspace.mkdirs("/Shared/made")
    row = workspace.requests("workspace.mkdirs")[0]
    assert (row.method, row.path, row.principal, row.status) == (
        "POST",
        "/api/2.0/workspace/mkdirs",
        "reader@local",
        200,
    )
    assert row.body == '{"path": "/Shared/made"}'
    listed = workspace.client().api_client.do("GET", "/api/local/requests", query={"operation": "workspace.mkdirs"})
    assert [r["body_sha256"] for r in listed["requests"]] == [row.body_sha256]


def test_secrets_are_not_in_the_record(workspace: LocalWorkspace):
    client = workspace.client()
    client.secrets.create_scope("s")
    client.secrets.put_secret("s", "k", string_value="hush hush")
    assert [r.path for r in workspace.requests() if "hush" in r.body] == []
