"""Delta Sharing: shares, recipients, activation, federation policies, providers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service.sharing import (
    AuthenticationType,
    FederationPolicy,
    IpAccessList,
    OidcFederationPolicy,
    PermissionsChange,
    Privilege,
    RecipientInfo,
    SecurablePropertiesKvPairs,
    SharedDataObject,
    SharedDataObjectDataObjectType,
    SharedDataObjectHistoryDataSharingStatus,
    SharedDataObjectUpdate,
    SharedDataObjectUpdateAction,
    ShareInfo,
)

TABLE = SharedDataObjectDataObjectType.TABLE
ADD, REMOVE, UPDATE = (SharedDataObjectUpdateAction[name] for name in ("ADD", "REMOVE", "UPDATE"))
YEAR = timedelta(days=365)
Faithful = Callable[[Any], Any]


def unique() -> str:
    return f"contract_{secrets.token_hex(4)}"


def change(action: SharedDataObjectUpdateAction, name: str, **fields: Any) -> SharedDataObjectUpdate:
    return SharedDataObjectUpdate(action, SharedDataObject(name, **{"data_object_type": TABLE, **fields}))


@pytest.fixture
def share(client: WorkspaceClient) -> Iterator[str]:
    name = unique()
    client.shares.create(name, comment="c")
    yield name
    client.shares.delete(name)


@pytest.fixture
def recipient(client: WorkspaceClient) -> Iterator[str]:
    name = unique()
    client.recipients.create(name, AuthenticationType.TOKEN)
    yield name
    client.recipients.delete(name)


def contents(client: WorkspaceClient, share: str) -> list[str | None]:
    return [one.name for one in client.shares.get(share, include_shared_data=True).objects or []]


# --- shares -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("shares.create", "shares.get", "shares.update", "shares.delete")
def test_a_share_lives_and_dies(client: WorkspaceClient, faithful: Faithful):
    name = unique()
    made: ShareInfo = faithful(client.shares.create(name, comment="c"))
    assert (made.name, made.comment, made.owner) == (name, "c", client.current_user.me().user_name)
    with pytest.raises(BadRequest, match="already exists"):
        client.shares.create(name.upper())
    changed = faithful(client.shares.update(name, comment="d", new_name=f"{name}_b"))
    assert (changed.name, changed.comment) == (f"{name}_b", "d")
    assert faithful(client.shares.get(f"{name}_B")).name == f"{name}_b"
    client.shares.delete(f"{name}_b")
    with pytest.raises(NotFound):
        client.shares.get(name)


@pytest.mark.covers("shares.list_shares")
def test_shares_are_listed_page_by_page(client: WorkspaceClient, share: str, all_faithful: Callable[..., list[Any]]):
    names = [row.name for row in all_faithful(client.shares.list_shares(), "shares")]
    assert share in names
    assert [row.name for row in client.shares.list_shares(max_results=1)] == names


@pytest.mark.covers("shares.update", "shares.get")
def test_a_table_is_added_changed_and_removed(client: WorkspaceClient, share: str, table: str, faithful: Faithful):
    before = datetime.now(UTC).timestamp() * 1000 - 60_000
    added = faithful(client.shares.update(share, updates=[change(ADD, table, shared_as="sold.orders", comment="o")]))
    (one,) = added.objects
    assert one.added_at > before
    assert (one.name, one.shared_as, one.comment, one.cdf_enabled) == (table, "sold.orders", "o", False)
    history = SharedDataObjectHistoryDataSharingStatus.ENABLED
    client.shares.update(share, updates=[change(UPDATE, table, history_data_sharing_status=history, start_version=0)])
    (one,) = faithful(client.shares.get(share, include_shared_data=True)).objects
    assert (one.history_data_sharing_status, one.start_version, one.cdf_enabled) == (history, 0, True)
    assert not client.shares.get(share).objects
    client.shares.update(share, updates=[change(REMOVE, table)])
    assert contents(client, share) == []


def test_names_that_the_server_fills_in_are_said(client: WorkspaceClient, share: str, schema: str, table: str):
    whole = SharedDataObjectDataObjectType.SCHEMA
    client.shares.update(share, updates=[change(ADD, table), change(ADD, schema, data_object_type=whole)])
    seen = client.shares.get(share, include_shared_data=True).objects or []
    names = {(one.name, one.shared_as, one.string_shared_as) for one in seen}
    assert names == {(table, table.partition(".")[2], None), (schema, None, schema.partition(".")[2])}


def test_a_change_of_a_share_holds_whole_or_not_at_all(client: WorkspaceClient, share: str, schema: str, table: str):
    with pytest.raises(NotFound):
        client.shares.update(share, comment="new", updates=[change(ADD, table), change(ADD, f"{schema}.no")])
    assert (contents(client, share), client.shares.get(share).comment) == ([], "c")


def test_the_same_object_twice_in_one_request_is_refused(client: WorkspaceClient, share: str, table: str):
    with pytest.raises(InvalidParameterValue, match="duplicate updates on the same data object"):
        client.shares.update(share, updates=[change(REMOVE, table), change(ADD, table.upper())])


def test_an_object_is_in_a_share_once(client: WorkspaceClient, share: str, table: str):
    client.shares.update(share, updates=[change(ADD, table)])
    with pytest.raises(ResourceAlreadyExists):
        client.shares.update(share, updates=[change(ADD, table)])
    client.shares.update(share, updates=[change(REMOVE, table)])
    with pytest.raises(NotFound):
        client.shares.update(share, updates=[change(REMOVE, table)])


def test_more_than_100_objects_are_refused(client: WorkspaceClient, share: str, schema: str):
    with pytest.raises(BadRequest, match="100"):
        client.shares.update(share, updates=[change(ADD, f"{schema}.t{i}") for i in range(101)])


def test_a_table_is_not_shared_as_a_view(client: WorkspaceClient, share: str, table: str):
    with pytest.raises(BadRequest, match="is a table and not a VIEW"):
        client.shares.update(share, updates=[change(ADD, table, data_object_type=SharedDataObjectDataObjectType.VIEW)])


# --- who may read -------------------------------------------------------------------------------------------------------


@pytest.mark.covers("shares.update_permissions", "shares.share_permissions", "recipients.share_permissions")
def test_a_recipient_may_read_a_share_and_no_longer(
    client: WorkspaceClient, share: str, recipient: str, faithful: Faithful
):
    grant = [PermissionsChange(principal=recipient, add=["SELECT"])]
    given = faithful(client.shares.update_permissions(share, changes=grant))
    (one,) = given.privilege_assignments
    assert (one.principal, one.privileges) == (recipient, [Privilege.SELECT])
    assert faithful(client.shares.share_permissions(share)).privilege_assignments == given.privilege_assignments
    (held,) = faithful(client.recipients.share_permissions(recipient)).permissions_out
    assert (held.share_name, held.privilege_assignments) == (share, given.privilege_assignments)
    taken = [PermissionsChange(principal=recipient, remove=["SELECT"])]
    assert client.shares.update_permissions(share, changes=taken, omit_permissions_list=True).as_dict() == {}
    assert not client.shares.share_permissions(share).privilege_assignments
    assert not client.recipients.share_permissions(recipient).permissions_out


def test_an_unknown_recipient_is_given_nothing(client: WorkspaceClient, share: str, recipient: str):
    both = [PermissionsChange(principal=name, add=["SELECT"]) for name in (recipient, unique())]
    with pytest.raises(NotFound):
        client.shares.update_permissions(share, changes=both)
    assert not client.shares.share_permissions(share).privilege_assignments


# --- recipients ---------------------------------------------------------------------------------------------------------


@pytest.mark.covers("recipients.create", "recipients.get", "recipients.update", "recipients.delete")
def test_a_recipient_lives_and_dies(client: WorkspaceClient, faithful: Faithful):
    name = unique()
    addresses = IpAccessList(["10.0.0.0/8", "192.0.2.1"])
    properties = SecurablePropertiesKvPairs({"country": "de"})
    end = int((datetime.now(UTC) + timedelta(days=30)).timestamp() * 1000)
    made: RecipientInfo = faithful(
        client.recipients.create(
            name,
            AuthenticationType.TOKEN,
            comment="c",
            ip_access_list=addresses,
            properties_kvpairs=properties,
            expiration_time=end,
        )
    )
    assert made.tokens is not None
    assert (made.comment, made.ip_access_list, made.activated) == ("c", addresses, False)
    assert [token.expiration_time for token in made.tokens] == [end]
    with pytest.raises(BadRequest, match="There is already a Recipient object"):
        client.recipients.create(name.upper(), AuthenticationType.TOKEN)
    client.recipients.update(name, properties_kvpairs=SecurablePropertiesKvPairs({"tier": "1"}), comment="d")
    found: RecipientInfo = faithful(client.recipients.get(name))
    assert found.properties_kvpairs is not None
    assert ("country" in found.properties_kvpairs.properties, found.properties_kvpairs.properties["tier"]) == (
        False,
        "1",
    )
    assert (found.comment, found.ip_access_list) == ("d", addresses)
    client.recipients.delete(name)
    with pytest.raises(NotFound):
        client.recipients.get(name)


def test_only_an_explicit_empty_list_clears_the_addresses(client: WorkspaceClient, recipient: str):
    client.recipients.update(recipient, ip_access_list=IpAccessList(["192.0.2.1"]))
    client.recipients.update(recipient, ip_access_list=IpAccessList([]))  # the SDK sends nothing at all
    assert client.recipients.get(recipient).ip_access_list == IpAccessList(["192.0.2.1"])
    body = {"ip_access_list": {"allowed_ip_addresses": []}}
    client.api_client.do("PATCH", f"/api/2.1/unity-catalog/recipients/{recipient}", body=body)
    assert not client.recipients.get(recipient).ip_access_list


@pytest.mark.covers("recipients.list")
def test_recipients_are_listed_page_by_page(
    client: WorkspaceClient, recipient: str, all_faithful: Callable[..., list[Any]]
):
    names = [row.name for row in all_faithful(client.recipients.list(), "recipients")]
    assert recipient in names
    assert [row.name for row in client.recipients.list(max_results=1)] == names
    assert not list(client.recipients.list(data_recipient_global_metastore_id="aws:nowhere:0"))


def test_a_databricks_recipient_is_one_for_its_metastore(client: WorkspaceClient, target: Any):
    if target.local is None:
        pytest.skip("a real workspace needs a metastore that exists")
    name, metastore = unique(), "aws:us-west-2:19a84bee-54bc-43a2-87de-023d0ec16016"
    made = client.recipients.create(name, AuthenticationType.DATABRICKS, data_recipient_global_metastore_id=metastore)
    assert (made.cloud, made.region, made.activation_url) == ("aws", "us-west-2", None)
    assert not made.tokens
    with pytest.raises(BadRequest, match="There is already a Recipient object"):
        client.recipients.create(
            unique(), AuthenticationType.DATABRICKS, data_recipient_global_metastore_id=metastore.upper().lower()
        )
    client.recipients.delete(name)
    for wrong in (None, "x"):
        with pytest.raises(BadRequest):
            client.recipients.create(name, AuthenticationType.DATABRICKS, data_recipient_global_metastore_id=wrong)


@pytest.mark.covers("recipient_activation.get_activation_url_info", "recipient_activation.retrieve_token")
def test_a_profile_is_downloaded_once(client: WorkspaceClient, recipient: str, faithful: Faithful):
    link = client.recipients.get(recipient).activation_url
    assert link
    token = link.partition("?token=")[2] or link.partition("?")[2]
    client.recipient_activation.get_activation_url_info(token)
    profile = faithful(client.recipient_activation.retrieve_token(token))
    assert (profile.share_credentials_version, bool(profile.bearer_token)) == (1, True)
    assert "/api/2.0/delta-sharing/metastores/" in profile.endpoint
    for again in (client.recipient_activation.retrieve_token, client.recipient_activation.get_activation_url_info):
        with pytest.raises(NotFound):
            again(token)
    found = client.recipients.get(recipient)
    assert (found.activated, found.activation_url) == (True, None)


@pytest.mark.covers("recipients.rotate_token")
def test_a_token_is_rotated(client: WorkspaceClient, recipient: str, faithful: Faithful):
    first = client.recipients.get(recipient)
    assert first.activation_url
    client.recipient_activation.retrieve_token(first.activation_url.partition("?token=")[2])
    with pytest.raises(BadRequest, match="Cannot extend the token expiration time"):
        client.recipients.rotate_token(recipient, int(YEAR.total_seconds()) + 60)
    rotated: RecipientInfo = faithful(client.recipients.rotate_token(recipient, 3600))
    assert rotated.tokens is not None
    assert rotated.activation_url not in (None, first.activation_url)
    assert [bool(token.activation_url) for token in rotated.tokens] == [False, True]
    client.recipient_activation.retrieve_token(rotated.activation_url.partition("?token=")[2])
    with pytest.raises(BadRequest, match="There are already two activated tokens for recipient"):
        client.recipients.rotate_token(recipient, 0)


@pytest.mark.covers(
    "recipient_federation_policies.create",
    "recipient_federation_policies.get_federation_policy",
    "recipient_federation_policies.list",
    "recipient_federation_policies.delete",
)
def test_a_federation_policy_lives_and_dies(client: WorkspaceClient, recipient: str, faithful: Faithful):
    name, policies = unique(), client.recipient_federation_policies
    client.recipients.create(name, AuthenticationType.OIDC_FEDERATION)
    oidc = OidcFederationPolicy("https://idp.example/v2.0", "azp", "app-1", ["aud"])
    made = faithful(policies.create(name, FederationPolicy(name="app", oidc_policy=oidc, comment="c")))
    assert (made.name, made.oidc_policy, made.comment) == ("app", oidc, "c")
    assert faithful(policies.get_federation_policy(name, "app")) == made
    assert list(policies.list(name)) == [made]
    policies.delete(name, "app")
    with pytest.raises(NotFound):
        policies.get_federation_policy(name, "app")
    client.recipients.delete(name)
    with pytest.raises(BadRequest):
        policies.create(recipient, FederationPolicy(name="app", oidc_policy=oidc))


# --- providers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def profile(client: WorkspaceClient, recipient: str) -> str:
    link = client.recipients.get(recipient).activation_url or ""
    given = client.recipient_activation.retrieve_token(link.partition("?token=")[2])
    said = {"shareCredentialsVersion": 1, "endpoint": given.endpoint, "bearerToken": given.bearer_token}
    return json.dumps(said)


@pytest.mark.covers("providers.create", "providers.get", "providers.update", "providers.delete")
def test_a_provider_lives_and_dies(client: WorkspaceClient, profile: str, faithful: Faithful):
    name = unique()
    made = faithful(client.providers.create(name, AuthenticationType.TOKEN, comment="c", recipient_profile_str=profile))
    assert (made.name, made.comment, made.recipient_profile.share_credentials_version) == (name, "c", 1)
    assert made.recipient_profile.bearer_token is None
    assert faithful(client.providers.update(name, comment="d", new_name=f"{name}_b")).comment == "d"
    assert faithful(client.providers.get(f"{name}_b")).name == f"{name}_b"
    client.providers.delete(f"{name}_b")
    with pytest.raises(NotFound):
        client.providers.get(f"{name}_b")


@pytest.mark.covers("providers.list")
def test_providers_are_listed(client: WorkspaceClient, profile: str, all_faithful: Callable[..., list[Any]]):
    name = unique()
    client.providers.create(name, AuthenticationType.TOKEN, recipient_profile_str=profile)
    assert name in {row.name for row in all_faithful(client.providers.list(), "providers")}
    client.providers.delete(name)


@pytest.mark.covers("providers.list_shares")
def test_what_a_provider_shares_is_listed(client: WorkspaceClient, profile: str, recipient: str, share: str):
    client.shares.update_permissions(share, changes=[PermissionsChange(principal=recipient, add=["SELECT"])])
    name = unique()
    client.providers.create(name, AuthenticationType.TOKEN, recipient_profile_str=profile)
    assert [row.name for row in client.providers.list_shares(name)] == [share]
    client.providers.delete(name)
