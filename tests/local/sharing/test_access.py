"""Who reads what: tokens, addresses, grants, partitions, and what is remembered of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import delta_sharing
import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import Unauthenticated
from databricks.sdk.service.sharing import (
    Partition,
    PartitionValue,
    PartitionValueOp,
    PermissionsChange,
)

from brickyard.local.sharing.access import address_allowed

from .conftest import Partner, Sales, path_of, refusal

FORMATS = pytest.mark.parametrize("delta", [False, True], ids=["parquet", "delta"])


@pytest.fixture(scope="module")
def orders(sales: Sales) -> str:
    """A table in partitions of which each partner sees its own region."""
    mine = PartitionValue("region", PartitionValueOp.EQUAL, recipient_property_key="region")
    return sales.make(
        "orders",
        "PARTITIONED BY (region) AS SELECT * FROM VALUES (1, 'EU'), (2, 'EU'), (3, 'US'), (4, NULL) AS t(id, region)",
        partitions=[Partition([mine])],
    )


@FORMATS
def test_each_recipient_sees_the_partitions_of_its_property(sales: Sales, orders: str, delta: bool):
    east = sales.partner(f"east_{delta}", region="EU")
    west = sales.partner(f"west_{delta}", region="US")
    assert east.read(orders, delta) == [(1, "EU"), (2, "EU")]
    assert west.read(orders, delta) == [(3, "US")]


@FORMATS
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # the client leaves its folder when empty
def test_a_recipient_without_the_property_sees_no_rows(acme: Partner, orders: str, delta: bool):
    assert acme.read(orders, delta) == []
    assert json.loads(acme.ask(path_of(orders, "metadata")).content.splitlines()[1])["metaData"]["numFiles"] == 0


def test_a_recipients_token_opens_nothing_else(sales: Sales, acme: Partner):
    config = Config(host=sales.workspace.host, token=acme.content["bearerToken"], auth_type="pat")
    with pytest.raises(Unauthenticated):
        WorkspaceClient(config=config).current_user.me()


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer x", "Basic x", "Bearer é"])
def test_without_a_recipients_token_nothing_is_said(acme: Partner, sent: str):
    assert refusal(acme.ask("/shares", headers={"Authorization": sent.encode()})) == (401, "UNAUTHENTICATED")


def test_the_owners_token_is_no_recipients(sales: Sales, acme: Partner):
    answer = acme.ask("/shares", headers={"Authorization": f"Bearer {sales.workspace.token}"})
    assert refusal(answer) == (401, "UNAUTHENTICATED")


def test_another_metastores_address_answers_nothing(acme: Partner):
    assert refusal(acme.ask("x/shares")) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_token_that_was_rotated_away_has_expired(sales: Sales):
    before = sales.partner("rotating")
    made = sales.client.recipients.rotate_token("rotating", 0)
    newest = max(made.tokens or [], key=lambda token: token.created_at or 0)
    with pytest.raises(requests.HTTPError, match="401"):
        delta_sharing.SharingClient(str(before.profile)).list_shares()
    after = sales.activated("rotated", str(newest.activation_url))
    assert [share.name for share in delta_sharing.SharingClient(str(after.profile)).list_shares()] == ["sales"]


def test_an_expired_token_is_refused(sales: Sales):
    expiring = sales.partner("expiring")
    sales.client.recipients.rotate_token("expiring", 1)
    assert expiring.ask("/shares").status_code == 200
    time.sleep(1.1)
    with pytest.raises(requests.HTTPError, match="expired"):
        delta_sharing.SharingClient(str(expiring.profile)).list_shares()


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ([], True),
        (["127.0.0.1"], True),
        (["10.0.0.0/8", "127.0.0.0/8"], True),
        (["127.0.0.9/8"], True),
        (["10.0.0.0/8"], False),
        (["::1"], False),
    ],
)
def test_addresses_are_matched_by_network(networks: list[str], expected: bool):
    assert address_allowed("127.0.0.1", networks) is expected


def test_an_address_that_is_none_is_not_on_a_list():
    assert not address_allowed("", ["0.0.0.0/0"])


def test_a_forwarded_address_is_not_believed(sales: Sales):
    outside = sales.partner("outside", ["203.0.113.7"])
    answer = outside.ask("/shares", headers={"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"})
    assert refusal(answer) == (403, "PERMISSION_DENIED")
    inside = sales.partner("inside", ["127.0.0.0/8"])
    assert inside.ask("/shares").status_code == 200


def test_a_share_that_was_not_given_is_refused_and_one_that_is_not_there_is_missing(sales: Sales, acme: Partner):
    sales.client.shares.create("private")
    for what in ("", "/schemas", "/all-tables", "/schemas/s/tables", "/schemas/s/tables/t/metadata"):
        assert refusal(acme.ask(f"/shares/private{what}")) == (403, "PERMISSION_DENIED")
        assert refusal(acme.ask(f"/shares/nothing{what}")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert refusal(acme.ask("/shares/sales/schemas/nothing/tables")) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_grant_that_ends_between_two_requests_ends_the_reading(sales: Sales, orders: str):
    leaving = sales.partner("leaving", region="EU")
    assert len(leaving.read(orders)) == 2
    revoke = PermissionsChange(principal="leaving", remove=["SELECT"])
    sales.client.shares.update_permissions("sales", changes=[revoke])
    assert refusal(leaving.query(orders)) == (403, "PERMISSION_DENIED")
    assert leaving.ask("/shares").json() == {"items": []}


def test_every_reading_leaves_an_audit_row(sales: Sales, orders: str, events: Callable[[str], list[list[str]]]):
    watched = sales.partner("watched", region="EU")
    watched.read(orders)
    watched.ask("/shares/sales/schemas/s/tables/nothing/metadata")
    (recipient, table, status, result) = next(row for row in events("deltaSharingQueriedTable") if row[0] == "watched")
    assert (recipient, table, status) == ("watched", "orders", "200")
    assert {name: json.loads(result)[name] for name in ("numRecords", "numFiles", "responseFormat")} == {
        "numRecords": 2,
        "numFiles": 1,
        "responseFormat": "parquet",
    }
    metadata = [row[1:3] for row in events("deltaSharingGetTableMetadata") if row[0] == "watched"]
    assert metadata == [["orders", "200"], ["nothing", "404"]]


def test_refused_addresses_and_tokens_leave_audit_rows(sales: Sales):
    barred = sales.partner("barred", ["203.0.113.7"])
    barred.ask("/shares")
    barred.ask("/shares", headers={"Authorization": "Bearer x"})
    found = sales.sql(
        "SELECT request_params['recipient_name'], request_params['is_ip_access_denied'], response.status_code "
        "FROM system.access.audit WHERE action_name = 'deltaSharingListShares' AND response.status_code > 200 "
        "ORDER BY event_time DESC LIMIT 2"
    )
    assert found == [["", "false", "401"], ["barred", "true", "403"]]


def test_no_token_and_no_link_is_kept_in_the_open(sales: Sales, acme: Partner, orders: str):
    token = acme.content["bearerToken"].encode()
    holding = [file for file in sales.workspace.home.rglob("*") if file.is_file() and token in file.read_bytes()]
    assert holding == []
    assert Path(sales.workspace.home / "sharing.key").stat().st_mode & 0o077 == 0


def test_what_the_owner_of_the_share_may_no_longer_read_is_refused(sales: Sales, acme: Partner):
    name = sales.make("guarded", "AS SELECT 1 AS id")
    assert acme.read(name) == [(1,)]
    sales.client.shares.update("sales", owner="nobody@local")
    try:
        assert refusal(acme.query(name)) == (403, "PERMISSION_DENIED")
        sales.sql("GRANT USE CATALOG ON CATALOG m TO `nobody@local`")
        sales.sql("GRANT USE SCHEMA ON SCHEMA m.s TO `nobody@local`")
        sales.sql("GRANT SELECT ON TABLE m.s.guarded TO `nobody@local`")
        assert acme.read(name) == [(1,)]
    finally:
        sales.client.shares.update("sales", owner=sales.workspace.owner)
