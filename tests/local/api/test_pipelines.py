"""What the Pipelines API refuses, and how its lists are read."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound
from databricks.sdk.errors.platform import NotImplemented as NotServed
from databricks.sdk.service.pipelines import RunAs

from brickyard.local import LocalWorkspace

BASE = "/api/2.0/pipelines"


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ({}, BadRequest, "name"),
        ({"name": "p", "target": "a", "schema": "b"}, BadRequest, "Only one of target and schema"),
        ({"name": "p", "libraries": [{}]}, BadRequest, "exactly one of notebook, file and glob"),
        ({"name": "p", "libraries": [{"notebook": {"path": "x"}}]}, BadRequest, "absolute workspace path"),
        ({"name": "p", "libraries": [{"jar": "x"}]}, NotServed, "jar"),
        ({"name": "p", "configuration": {"a": 1}}, BadRequest, "configuration.a"),
        ({"name": "p", "ingestion_definition": {"objects": [{}]}}, NotServed, "ingestion_definition"),
        ({"name": "p", "notifications": [{"alerts": "all"}]}, BadRequest, "alerts"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(
    shared: LocalWorkspace, body: dict[str, Any], error: type[Exception], said: str
):
    with pytest.raises(error, match=said):
        shared.client().api_client.do("POST", BASE, body=body)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"max_results": 101}, "between 1 and 100"),
        ({"filter": "name = 'x'"}, "name LIKE"),
        ({"order_by": "state asc"}, "order_by"),
        ({"page_token": "x"}, "page_token"),
    ],
)
def test_a_list_that_cannot_be_is_refused(shared: LocalWorkspace, query: dict[str, Any], said: str):
    with pytest.raises(BadRequest, match=said):
        shared.client().api_client.do("GET", BASE, query=query)


def test_wildcards_quotes_and_escapes_of_a_pattern(workspace: LocalWorkspace):
    client = workspace.client()
    for name in ("a_b", "axb", "it's 100%"):
        client.pipelines.create(name=name)
    patterns = {"a_b": 2, r"a\_b": 1, "%''s%": 1, r"%\%": 1, "A_B": 0, "%": 3, "": 0}
    counts = {p: len(list(client.pipelines.list_pipelines(filter=f"name LIKE '{p}'"))) for p in patterns}
    assert counts == patterns
    ordered = [p.name for p in client.pipelines.list_pipelines(order_by=["name desc"], max_results=2)]
    assert ordered == ["it's 100%", "axb", "a_b"]


def test_a_dry_run_keeps_nothing(workspace: LocalWorkspace):
    client = workspace.client()
    checked = client.pipelines.create(name="p", dry_run=True, catalog="main")
    assert checked.effective_settings and checked.effective_settings.catalog == "main"
    assert list(client.pipelines.list_pipelines()) == []


def test_nothing_to_run_is_no_update(workspace: LocalWorkspace):
    client = workspace.client()
    pipeline = str(client.pipelines.create(name="empty").pipeline_id)
    with pytest.raises(BadRequest, match="no libraries"):
        client.pipelines.start_update(pipeline)
    body = {"name": "empty", "libraries": [{"notebook": {"path": "/Shared/none"}}]}
    client.api_client.do("PUT", f"{BASE}/{pipeline}", body=body)
    with pytest.raises(NotFound, match="/Shared/none"):
        client.pipelines.start_update(pipeline)
    assert client.pipelines.list_updates(pipeline).updates in (None, [])


def test_only_the_owner_lets_updates_act_as_another(workspace: LocalWorkspace):
    reader = workspace.client("reader@local")
    with pytest.raises(DatabricksError, match="may not run as"):
        reader.pipelines.create(name="p", run_as=RunAs(user_name="owner@local"))


def test_a_lost_reply_leaves_a_pipeline_that_is_found_by_its_name(workspace: LocalWorkspace):
    client = workspace.client()
    workspace.drop_reply("pipelines.create")
    with pytest.raises((DatabricksError, OSError)):
        client.pipelines.create(name="once")
    assert [p.name for p in client.pipelines.list_pipelines(filter="name LIKE 'once'")] == ["once"]


def test_only_a_running_update_may_speak_for_it(shared: LocalWorkspace):
    for what in ("events", "read", "versions", "begin", "commit", "reset"):
        with pytest.raises(DatabricksError, match="Only a running task"):
            shared.client().api_client.do("POST", f"/api/local/pipelines/{what}", body={"flow": "x", "source": "x"})
