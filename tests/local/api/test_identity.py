"""Users and groups: who may change them, what stays as it is, and how they are searched."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, PermissionDenied, Unauthenticated
from databricks.sdk.service.iam import ComplexValue

from brickyard.local import LocalWorkspace

USERS = "/api/2.0/preview/scim/v2/Users"


def names(client: WorkspaceClient, **query: Any) -> list[str]:
    """The names of the users that a query finds."""
    found = client.api_client.do("GET", USERS, query=query)
    assert isinstance(found, dict)
    return [user["userName"] for user in found["Resources"]]


def test_only_the_owner_changes_users_and_groups(workspace: LocalWorkspace):
    reader = workspace.client("reader@local")
    with pytest.raises(PermissionDenied):
        reader.users.create(user_name="x@local")
    with pytest.raises(PermissionDenied):
        reader.groups.create(display_name="mine")
    assert {user.user_name for user in reader.users.list()} == {"owner@local", "reader@local"}


def test_the_groups_of_every_workspace_stay_as_they_are(workspace: LocalWorkspace):
    client = workspace.client()
    groups = {group.display_name: group for group in client.groups.list()}
    assert set(groups) == {"admins", "users"}
    with pytest.raises(DatabricksError, match="the workspace's own"):
        client.groups.delete(str(groups["admins"].id))
    with pytest.raises(DatabricksError, match="already exists"):
        client.groups.create(display_name="Users")
    with pytest.raises(BadRequest, match="owner"):
        client.users.delete(str(client.current_user.me().id))


def test_the_tokens_of_a_removed_user_end(workspace: LocalWorkspace):
    reader, client = workspace.client("reader@local"), workspace.client()
    group = client.groups.create(display_name="readers", members=[ComplexValue(value=reader.current_user.me().id)])
    client.users.delete(str(reader.current_user.me().id))
    with pytest.raises((Unauthenticated, PermissionDenied)):
        reader.current_user.me()
    assert not client.groups.get(str(group.id)).members


def test_users_and_groups_outlive_a_restart(tmp_path: Any):
    with LocalWorkspace(tmp_path) as workspace:
        user = workspace.client().users.create(user_name="kept@local", display_name="Kept")
        workspace.client().groups.create(display_name="kept", members=[ComplexValue(value=user.id)])
    with LocalWorkspace(tmp_path) as again:
        found = again.client().users.get(str(user.id))
        assert (found.display_name, {group.display for group in found.groups or []}) == ("Kept", {"users", "kept"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter": 'userName eq "B@local"'}, ["b@local"]),
        ({"filter": 'userName ne "b@local" and userName co "@LOCAL"', "count": 2}, ["owner@local", "a@local"]),
        ({"filter": 'userName sw "a" or displayName eq "bee and or"'}, ["a@local", "b@local"]),
        ({"sortBy": "userName", "sortOrder": "descending", "count": 2}, ["owner@local", "b@local"]),
        ({"startIndex": 3, "count": 5}, ["b@local"]),
        ({"count": 0}, []),
    ],
)
def test_users_are_searched_sorted_and_paged(workspace: LocalWorkspace, query: dict[str, Any], expected: list[str]):
    client = workspace.client()
    client.users.create(user_name="b@local", display_name="Bee and Or")
    client.users.create(user_name="a@local")
    assert names(client, **query) == expected


def test_a_filter_that_is_not_understood_is_refused(workspace: LocalWorkspace):
    with pytest.raises(BadRequest, match="not understood"):
        names(workspace.client(), filter="userName like x")
