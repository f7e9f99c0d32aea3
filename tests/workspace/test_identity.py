"""Who am I, who else is there, and tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceConflict
from databricks.sdk.service.iam import ComplexValue, Patch, PatchOp, PatchSchema, User

SCIM_PATCH = PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP


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


@pytest.fixture
def somebody(client: WorkspaceClient) -> Iterator[User]:
    """A user who is removed in the end."""
    name = f"contract-{secrets.token_hex(4)}@example.com"
    made = client.users.create(user_name=name, display_name="Some Body", active=True)
    yield made
    if list(client.users.list(filter=f'userName eq "{name}"')):
        client.users.delete(str(made.id))


@pytest.mark.covers("users.create", "users.patch", "users.update", "users.delete")
def test_a_user_is_made_changed_and_removed(client: WorkspaceClient, somebody: User, faithful: Callable[[Any], Any]):
    patch = Patch(op=PatchOp.REPLACE, path="displayName", value="Else")
    client.users.patch(str(somebody.id), operations=[patch], schemas=[SCIM_PATCH])
    assert faithful(client.users.get(str(somebody.id))).display_name == "Else"
    client.users.update(str(somebody.id), user_name=somebody.user_name, display_name="Third", active=False)
    changed = client.users.get(str(somebody.id))
    assert (changed.display_name, bool(changed.active)) == ("Third", False)
    client.users.delete(str(somebody.id))
    with pytest.raises(NotFound):
        client.users.get(str(somebody.id))


def test_a_user_of_the_same_name_is_refused(client: WorkspaceClient, somebody: User):
    with pytest.raises(ResourceConflict, match="already exists"):
        client.users.create(user_name=somebody.user_name)


@pytest.mark.covers("groups.create", "groups.patch", "groups.update", "groups.delete")
def test_members_of_a_group_come_and_go(client: WorkspaceClient, somebody: User, faithful: Callable[[Any], Any]):
    name, user = f"contract {secrets.token_hex(4)}", str(somebody.id)
    group = str(client.groups.create(display_name=name, members=[ComplexValue(value=user)]).id)
    assert [member.value for member in faithful(client.groups.get(group)).members] == [user]
    assert name in {one.display for one in client.users.get(user).groups or []}
    remove = Patch(op=PatchOp.REMOVE, path=f'members[value eq "{user}"]')
    client.groups.patch(group, operations=[remove], schemas=[SCIM_PATCH])
    assert not client.groups.get(group).members
    add = Patch(op=PatchOp.ADD, value={"members": [{"value": user}]})
    client.groups.patch(group, operations=[add], schemas=[SCIM_PATCH])
    assert [member.value for member in client.groups.get(group).members or []] == [user]
    client.groups.update(group, display_name=f"{name}!")
    renamed = client.groups.get(group)
    assert (renamed.display_name, renamed.members or []) == (f"{name}!", [])
    client.groups.delete(group)
    assert not list(client.groups.list(filter=f'displayName sw "{name}"'))


def test_users_are_listed_in_pages_and_by_attributes(client: WorkspaceClient, somebody: User):
    found = list(client.users.list(count=1, attributes="userName", filter='userName co "@example.com"'))
    assert somebody.user_name in {user.user_name for user in found}
    assert {user.display_name for user in found} == {None}
