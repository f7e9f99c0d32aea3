"""What a recipient reads with the unchanged `delta-sharing` client: shares made with the SDK, in both response formats."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import delta_sharing
import pandas as pd
import pytest
import requests
from databricks.sdk.service.sharing import (
    AuthenticationType,
    IpAccessList,
    PermissionsChange,
    SharedDataObject,
    SharedDataObjectDataObjectType,
    SharedDataObjectHistoryDataSharingStatus,
    SharedDataObjectUpdate,
    SharedDataObjectUpdateAction,
)
from delta_sharing.protocol import Schema, Share, Table

from .conftest import Target

FORMATS = pytest.mark.parametrize("delta", [False, True], ids=["parquet", "delta"])
LEAVES_ITS_FOLDER = pytest.mark.filterwarnings(
    "ignore:Implicitly cleaning up:ResourceWarning"
)  # the client, when empty
ENABLED = SharedDataObjectHistoryDataSharingStatus.ENABLED


@dataclass(frozen=True)
class Partner:
    """A recipient, its profile file and the share that it may read."""

    target: Target
    schema: str
    share: str
    recipient: str
    profile: Path

    def add(self, table: str, type_: str = "TABLE", **more: Any) -> None:
        """Put an object of the suite's schema into the share."""
        name = f"{self.schema}.{table}" if table else self.schema
        shared = SharedDataObject(name=name, data_object_type=SharedDataObjectDataObjectType(type_), **more)
        self._change(SharedDataObjectUpdateAction.ADD, shared)

    def remove(self, table: str) -> None:
        """Take a table out of the share."""
        kind = SharedDataObjectDataObjectType.TABLE
        shared = SharedDataObject(name=f"{self.schema}.{table}", data_object_type=kind)
        self._change(SharedDataObjectUpdateAction.REMOVE, shared)

    def _change(self, action: SharedDataObjectUpdateAction, shared: SharedDataObject) -> None:
        self.target.client.shares.update(
            self.share, updates=[SharedDataObjectUpdate(action=action, data_object=shared)]
        )

    def url(self, table: str) -> str:
        """The name by which the client asks for a table of the suite's schema, or for `schema.table`."""
        name = table if "." in table else f"{self.schema.split('.')[1]}.{table}"
        return f"{self.profile}#{self.share}.{name}"

    def read(self, table: str, delta: bool | None = None, **more: Any) -> list[tuple[Any, ...]]:
        """The rows that the client reads, sorted."""
        return rows(delta_sharing.load_as_pandas(self.url(table), use_delta_format=delta, **more))

    def changes(self, table: str, delta: bool, **more: Any) -> list[tuple[Any, ...]]:
        """The change feed without the time of the commit, sorted."""
        frame = delta_sharing.load_table_changes_as_pandas(self.url(table), use_delta_format=delta, **more)
        return rows(frame.drop(columns="_commit_timestamp"))

    def ask(self, path: str, method: str = "GET", **more: Any) -> requests.Response:
        """A request to the server with the recipient's token."""
        profile = json.loads(self.profile.read_text())
        headers = {"Authorization": f"Bearer {profile['bearerToken']}", **more.pop("headers", {})}
        return requests.request(method, profile["endpoint"] + path, headers=headers, timeout=30, **more)

    def table_path(self, table: str) -> str:
        """The path of a table of the suite's schema in the protocol."""
        return f"/shares/{self.share}/schemas/{self.schema.split('.')[1]}/tables/{table}"


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows of a frame, sorted, with None for what is missing."""
    values = [
        tuple(None if value is None or value is pd.NaT or value != value else value for value in row)
        for row in frame.itertuples(index=False)
    ]
    return sorted(values, key=repr)


def profile_of(target: Target, recipient: Any, folder: Path) -> Path:
    """Download the profile file of a recipient by its activation link."""
    link = urlsplit(recipient.tokens[0].activation_url)
    token = parse_qs(link.query).get("token", [link.path.rpartition("/")[2]])[0]
    file = folder / f"{recipient.name}.share"
    file.write_text(json.dumps(target.client.recipient_activation.retrieve_token(token).as_dict()))
    return file


@pytest.fixture(scope="module")
def partner(target: Target, schema: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partner]:
    """A recipient with a share."""
    name = f"contract_{secrets.token_hex(4)}"
    target.client.shares.create(name)
    recipient = target.client.recipients.create(name, AuthenticationType.TOKEN)
    change = PermissionsChange(principal=name, add=["SELECT"])
    target.client.shares.update_permissions(name, changes=[change])
    yield Partner(target, schema, name, name, profile_of(target, recipient, tmp_path_factory.mktemp("profiles")))
    target.client.recipients.delete(name)
    target.client.shares.delete(name)


@pytest.fixture(scope="module")
def regions(partner: Partner) -> str:
    """A table in partitions, one of them NULL, with its history: version 1 has three rows."""
    full = f"{partner.schema}.regions"
    feed = "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    partner.target.sql(f"CREATE TABLE {full} (id BIGINT, region STRING) PARTITIONED BY (region) {feed}")
    partner.target.sql(f"INSERT INTO {full} VALUES (1, 'EU'), (2, 'US/west coast+ü'), (3, NULL)")
    partner.target.sql(f"UPDATE {full} SET id = 10 WHERE id = 1")
    partner.target.sql(f"DELETE FROM {full} WHERE id = 2")
    partner.add("regions", history_data_sharing_status=ENABLED, start_version=0)
    return "regions"


@pytest.fixture
def make(partner: Partner) -> Callable[[str, str], str]:
    """Make and share a table: name and the rest of CREATE TABLE."""

    def made(name: str, rest: str, **more: Any) -> str:
        partner.target.sql(f"CREATE TABLE {partner.schema}.{name} {rest}")
        partner.add(name, **more)
        return name

    return made


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "delta_sharing.list_shares",
    "delta_sharing.list_schemas",
    "delta_sharing.list_tables",
    "delta_sharing.list_all_tables",
)
def test_a_recipient_lists_what_was_given_to_it(partner: Partner, regions: str):
    client = delta_sharing.SharingClient(str(partner.profile))
    schema = partner.schema.split(".")[1]
    table = Table(name=regions, share=partner.share, schema=schema)
    assert client.list_shares() == [Share(partner.share)]
    assert client.list_schemas(Share(partner.share)) == [Schema(schema, partner.share)]
    assert table in client.list_tables(Schema(schema, partner.share))
    assert table in client.list_all_tables()


@pytest.mark.covers("delta_sharing.get_share")
def test_a_share_is_described_by_its_name_without_case(partner: Partner):
    answer = partner.ask(f"/shares/{partner.share.upper()}")
    assert (answer.status_code, answer.json()["share"]["name"]) == (200, partner.share)


# --- snapshots --------------------------------------------------------------------------------------------------------


@FORMATS
@pytest.mark.covers("delta_sharing.query_table", "delta_sharing.file")
def test_a_table_in_partitions_is_read_with_its_null_partition(partner: Partner, regions: str, delta: bool):
    assert partner.read(regions, delta) == [(10, "EU"), (3, None)]


@pytest.mark.covers("delta_sharing.table_metadata")
def test_without_a_wish_the_client_gets_parquet(partner: Partner, regions: str):
    assert partner.read(regions) == [(10, "EU"), (3, None)]
    answer = partner.ask(
        f"{partner.table_path(regions)}/metadata",
        headers={"Delta-Sharing-Capabilities": "ResponseFormat=DELTA,Parquet"},
    )
    assert answer.headers["delta-sharing-capabilities"] == "responseformat=parquet"


@FORMATS
@LEAVES_ITS_FOLDER
def test_a_limit_is_kept(partner: Partner, regions: str, delta: bool):
    assert len(partner.read(regions, delta, limit=1)) == 1
    assert partner.read(regions, delta, limit=0) == []


@FORMATS
def test_an_older_version_is_read_by_number_and_by_time(partner: Partner, regions: str, delta: bool):
    before = [(1, "EU"), (2, "US/west coast+ü"), (3, None)]
    assert partner.read(regions, delta, version=1) == before
    history = partner.target.sql(f"DESCRIBE HISTORY {partner.schema}.{regions}")
    columns = [column.name for column in history.manifest.schema.columns]
    times = {row[columns.index("version")]: row[columns.index("timestamp")] for row in history.result.data_array}
    assert partner.read(regions, delta, timestamp=str(times["1"]).replace(" ", "T")) == before


@pytest.mark.covers("delta_sharing.table_version")
def test_the_version_is_told(partner: Partner, regions: str):
    url = partner.url(regions)
    assert delta_sharing.get_table_version(url) == 3
    assert delta_sharing.get_table_version(url, starting_timestamp="2020-01-01T00:00:00Z") == 0


def test_metadata_and_protocol_are_told(partner: Partner, regions: str):
    plain, full = (delta_sharing.get_table_metadata(partner.url(regions), use_delta_format=d) for d in (False, True))
    assert (plain.partition_columns, plain.num_files, plain.configuration) == (
        ["region"],
        2,
        {"delta.enableChangeDataFeed": "true"},
    )
    assert plain.schema_string == full.schema_string
    assert delta_sharing.get_table_protocol(partner.url(regions), use_delta_format=False).min_reader_version == 1


@FORMATS
@LEAVES_ITS_FOLDER
def test_an_empty_table_has_its_columns(partner: Partner, make: Any, delta: bool):
    name = make(f"empty_{delta}".lower(), "(id BIGINT, name STRING, at TIMESTAMP, amount DECIMAL(10,2))")
    frame = delta_sharing.load_as_pandas(partner.url(name), use_delta_format=delta)
    assert (len(frame), list(frame.columns)) == (0, ["id", "name", "at", "amount"])


@FORMATS
def test_every_type_comes_back_as_it_was_written(partner: Partner, make: Any, delta: bool):
    name = make(
        f"types_{delta}".lower(),
        "AS SELECT CAST(1 AS TINYINT) AS a, CAST(2 AS SMALLINT) AS b, CAST(3 AS INT) AS c, CAST(4 AS BIGINT) AS d, "
        "CAST(1.5 AS FLOAT) AS e, CAST(2.5 AS DOUBLE) AS f, CAST('12.34' AS DECIMAL(10,2)) AS g, 'ü\u2028x' AS h, "
        "true AS i, DATE'2026-01-02' AS j, TIMESTAMP'2026-01-02 03:04:05.678901' AS k, CAST('bin' AS BINARY) AS l, "
        "array(1, NULL) AS m, named_struct('x', 1, 'y', 'z') AS n",
    )
    frame = delta_sharing.load_as_pandas(partner.url(name), use_delta_format=delta)
    row = next(frame.itertuples(index=False))
    assert tuple(row)[:10] == (1, 2, 3, 4, 1.5, 2.5, Decimal("12.34"), "ü\u2028x", True, date(2026, 1, 2))
    assert row.k == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert (row.l, [None if v is None or v != v else v for v in row.m], row.n) == (
        b"bin",
        [1, None],
        {"x": 1, "y": "z"},
    )


@FORMATS
def test_a_table_of_many_files_is_read_whole(partner: Partner, make: Any, delta: bool):
    name = make(f"many_{delta}".lower(), "(id BIGINT)")
    for number in range(10):
        partner.target.sql(f"INSERT INTO {partner.schema}.{name} VALUES ({number})")
    assert partner.read(name, delta) == [(number,) for number in range(10)]
    assert len(partner.read(name, delta, limit=3)) == 3


@FORMATS
def test_an_alias_stands_for_the_table(partner: Partner, regions: str, make: Any, delta: bool):
    make(f"plain_{delta}".lower(), "AS SELECT 1 AS id", shared_as=f"Other.Name_{delta}")
    assert partner.read(f"other.name_{delta}".upper(), delta) == [(1,)]
    with pytest.raises(requests.HTTPError, match="404"):
        partner.read(f"plain_{delta}", delta)


@FORMATS
def test_a_view_is_read_and_follows_its_table(partner: Partner, make: Any, delta: bool):
    name = f"source_{delta}".lower()
    make(name, "AS SELECT 1 AS id, 'a' AS secret")
    partner.target.sql(f"CREATE VIEW {partner.schema}.v_{name} AS SELECT id * 2 AS twice FROM {partner.schema}.{name}")
    partner.add(f"v_{name}", "VIEW")
    assert partner.read(f"v_{name}", delta) == [(2,)]
    partner.target.sql(f"INSERT INTO {partner.schema}.{name} VALUES (5, 'b')")
    assert partner.read(f"v_{name}", delta) == [(10,), (2,)]


# --- changes ----------------------------------------------------------------------------------------------------------


@FORMATS
@pytest.mark.covers("delta_sharing.table_changes")
def test_changes_tell_inserts_updates_and_deletes(partner: Partner, regions: str, delta: bool):
    assert partner.changes(regions, delta, starting_version=1) == [
        (1, "EU", "insert", 1),
        (1, "EU", "update_preimage", 2),
        (10, "EU", "update_postimage", 2),
        (2, "US/west coast+ü", "delete", 3),
        (2, "US/west coast+ü", "insert", 1),
        (3, None, "insert", 1),
    ]


@FORMATS
def test_changes_are_read_in_a_range(partner: Partner, regions: str, delta: bool):
    assert partner.changes(regions, delta, starting_version=2, ending_version=2) == [
        (1, "EU", "update_preimage", 2),
        (10, "EU", "update_postimage", 2),
    ]
    since = partner.changes(regions, delta, starting_timestamp="2020-01-01T00:00:00Z", ending_version=1)
    assert [row[2:] for row in since] == [("insert", 1)] * 3


@FORMATS
def test_a_shared_feed_does_not_share_older_versions(partner: Partner, make: Any, delta: bool):
    name = make(
        f"feed_{delta}".lower(),
        "TBLPROPERTIES (delta.enableChangeDataFeed = true) AS SELECT 1 AS id",
        cdf_enabled=True,
        start_version=0,
    )
    partner.target.sql(f"INSERT INTO {partner.schema}.{name} VALUES (2)")
    assert partner.changes(name, delta, starting_version=1) == [(2, "insert", 1)]
    with pytest.raises(requests.HTTPError, match="400"):
        partner.read(name, delta, version=0)


def test_a_table_without_history_tells_no_changes(partner: Partner, make: Any):
    name = make("bare", "TBLPROPERTIES (delta.enableChangeDataFeed = true) AS SELECT 1 AS id")
    with pytest.raises(requests.HTTPError, match="its change data feed or its history"):
        partner.changes(name, delta=False, starting_version=0)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_removed_table_is_gone(partner: Partner, make: Any):
    name = make("fleeting", "AS SELECT 1 AS id")
    assert partner.read(name) == [(1,)]
    partner.remove(name)
    with pytest.raises(requests.HTTPError, match="404"):
        partner.read(name)


def test_a_revoked_share_is_refused(partner: Partner, target: Target, regions: str, tmp_path: Path):
    name = f"{partner.share}_revoked"
    recipient = target.client.recipients.create(name, AuthenticationType.TOKEN)
    grant = PermissionsChange(principal=name, add=["SELECT"])
    target.client.shares.update_permissions(partner.share, changes=[grant])
    other = Partner(target, partner.schema, partner.share, name, profile_of(target, recipient, tmp_path))
    assert other.read(regions) == partner.read(regions)
    revoke = PermissionsChange(principal=name, remove=["SELECT"])
    target.client.shares.update_permissions(partner.share, changes=[revoke])
    with pytest.raises(requests.HTTPError, match="403"):
        other.read(regions)
    assert delta_sharing.SharingClient(str(other.profile)).list_all_tables() == []
    target.client.recipients.delete(name)
    with pytest.raises(requests.HTTPError, match="401"):
        other.read(regions)


def test_an_address_off_the_list_is_refused(partner: Partner, target: Target, regions: str, tmp_path: Path):
    name = f"{partner.share}_elsewhere"
    elsewhere = IpAccessList(allowed_ip_addresses=["203.0.113.0/24"])
    recipient = target.client.recipients.create(name, AuthenticationType.TOKEN, ip_access_list=elsewhere)
    grant = PermissionsChange(principal=name, add=["SELECT"])
    target.client.shares.update_permissions(partner.share, changes=[grant])
    other = Partner(target, partner.schema, partner.share, name, profile_of(target, recipient, tmp_path))
    with pytest.raises(requests.HTTPError, match="403"):
        other.read(regions)
    target.client.recipients.delete(name)


def test_a_wrong_token_is_refused(partner: Partner, regions: str, tmp_path: Path):
    profile = tmp_path / "wrong.share"
    profile.write_text(json.dumps({**json.loads(partner.profile.read_text()), "bearerToken": "wrong"}))
    with pytest.raises(requests.HTTPError, match="401"):
        delta_sharing.SharingClient(str(profile)).list_shares()
