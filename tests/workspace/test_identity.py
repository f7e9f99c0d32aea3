"""Who am I, who else is there, and tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound


@pytest.mark.covers("current_user.me")
def test_a_client_learns_who_it_is(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    me = faithful(client.current_user.me())
    assert me.user_name and me.active


@pytest.mark.covers("current_user.me")
def test_a_client_learns_the_workspace(client: WorkspaceClient):
    client.current_user.me()
    assert client.get_workspace_id() > 0


@pytest.mark.covers("users.list", "users.get")
def test_users_are_listed_and_found_by_name(
    client: WorkspaceClient, faithful: Callable[[Any], Any], all_faithful: Callable[..., list[Any]]
):
    name = client.current_user.me().user_name
    found = all_faithful(client.users.list(filter=f'userName eq "{name}"'), "Resources")
    assert [user.user_name for user in found] == [name]
    assert faithful(client.users.get(found[0].id)).user_name == name


@pytest.mark.covers("groups.list", "groups.get")
def test_groups_are_listed_and_found_by_name(
    client: WorkspaceClient, faithful: Callable[[Any], Any], all_faithful: Callable[..., list[Any]]
):
    found = all_faithful(client.groups.list(filter='displayName eq "admins"'), "Resources")
    assert [group.display_name for group in found] == ["admins"]
    assert faithful(client.groups.get(found[0].id)).display_name == "admins"


def test_an_unknown_user_is_not_found(client: WorkspaceClient):
    with pytest.raises(NotFound):
        client.users.get("1")


@pytest.mark.covers("tokens.create", "tokens.list", "tokens.delete")
def test_a_personal_token_is_made_listed_and_revoked(client: WorkspaceClient, faithful: Callable[[Any], Any]):
    made = faithful(client.tokens.create(comment="contract", lifetime_seconds=600))
    token_id = made.token_info.token_id
    assert made.token_value and token_id in {t.token_id for t in client.tokens.list()}
    client.tokens.delete(token_id)
    assert token_id not in {t.token_id for t in client.tokens.list()}
