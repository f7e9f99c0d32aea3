"""What is served of a table: formats, reader features, versions, streams of changes, files, and what happens when things fail."""

from __future__ import annotations

import base64
import json
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import delta_sharing
import httpx
import pytest
import requests
from databricks.sdk.service.sharing import SharedDataObjectHistoryDataSharingStatus
from delta_sharing.protocol import DeltaSharingProfile, Table
from delta_sharing.rest_client import DataSharingRestClient

from brickyard.local.sql.delta import log
from brickyard.local.sql.delta.vectors import B85, Z85

from .conftest import Partner, Sales, lines, path_of, refusal

FORMATS = pytest.mark.parametrize("delta", [False, True], ids=["parquet", "delta"])
HISTORY: dict[str, Any] = {
    "history_data_sharing_status": SharedDataObjectHistoryDataSharingStatus.ENABLED,
    "start_version": 1,
}
FEED = "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
DELTA = {"delta-sharing-capabilities": "responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz"}


@pytest.fixture(scope="module")
def plain(sales: Sales) -> str:
    """A table of two files, shared from version 1 on: created, an insert, a deletion, an insert."""
    name = sales.make("plain", f"(id BIGINT) {FEED}")
    sales.remove("m.s.plain")
    sales.sql("INSERT INTO m.s.plain VALUES (1), (2)")
    sales.sql("DELETE FROM m.s.plain WHERE id = 2")
    sales.sql("INSERT INTO m.s.plain VALUES (3)")
    sales.add("m.s.plain", **HISTORY)
    return name


# --- lines ------------------------------------------------------------------------------------------------------------


def test_the_lines_of_the_parquet_format(acme: Partner, plain: str):
    protocol, metadata, *files = lines(acme.query(plain))
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    assert set(metadata["metaData"]) == {
        "id", "format", "schemaString", "partitionColumns", "configuration", "size", "numFiles",
    }  # fmt: skip
    assert {tuple(sorted(line["file"])) for line in files} == {
        ("expirationTimestamp", "id", "partitionValues", "size", "stats", "url")
    }


def test_the_lines_of_the_delta_format(sales: Sales, acme: Partner, plain: str):
    state = log.snapshot(sales.table("plain"))
    protocol, metadata, *files = lines(acme.query(plain, DELTA, version=3))
    assert protocol == {"protocol": {"deltaProtocol": state.protocol}}
    assert metadata["metaData"]["deltaMetadata"]["id"] == state.metadata["id"]
    assert metadata["metaData"]["version"] == 3
    actions = [line["file"]["deltaSingleAction"]["add"] for line in files]
    assert [{**action, "path": ""} for action in actions] == [{**file, "path": ""} for file in state.files]
    assert {(line["file"]["version"], line["file"]["timestamp"]) for line in files} == {(3, state.timestamp)}


def test_the_answer_says_its_version_format_and_kind(acme: Partner, plain: str):
    answer = acme.query(plain, {**DELTA, "FileIdHash": "Parquet"})
    assert {
        name: answer.headers[name] for name in ("delta-table-version", "delta-sharing-capabilities", "fileidhash")
    } == {
        "delta-table-version": "3",
        "delta-sharing-capabilities": "responseformat=delta",
        "fileidhash": "parquet",
    }
    assert answer.headers["content-type"] == "application/x-ndjson; charset=utf-8"


def test_an_end_stream_action_ends_the_answer_when_asked_for(acme: Partner, plain: str):
    wanted = {"delta-sharing-capabilities": "includeendstreamaction=TRUE"}
    *_, file, end = lines(acme.query(plain, wanted))
    assert end == {"endStreamAction": {"minUrlExpirationTimestamp": file["file"]["expirationTimestamp"]}}


@pytest.mark.parametrize(
    "headers",
    [{"fileidhash": "crc"}, {"delta-sharing-capabilities": "responseformat=iceberg"}],
)
def test_what_a_client_asks_in_vain_is_refused(acme: Partner, plain: str, headers: dict[str, str]):
    assert refusal(acme.query(plain, headers)) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "body",
    [
        {"version": -1}, {"version": "1"}, {"version": True}, {"version": 4}, {"version": 0}, {"limitHint": "x"},
        {"version": 1, "timestamp": "2026-01-01T00:00:00Z"}, {"timestamp": "yesterday"}, {"timestamp": 5},
        {"timestamp": "2020-01-01T00:00:00Z"}, {"startingVersion": 1, "version": 1}, {"startingVersion": 0},
        {"startingVersion": 9}, {"startingVersion": 3, "endingVersion": 2},
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused(acme: Partner, plain: str, body: dict[str, Any]):
    assert refusal(acme.query(plain, **body)) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "asked",
    [
        "", "startingVersion=0", "startingVersion=x", "startingVersion=9", "startingVersion=3&endingVersion=2",
        "startingVersion=1&startingTimestamp=2026-01-01T00:00:00Z", "startingTimestamp=2999-01-01T00:00:00Z",
        "startingVersion=1&endingTimestamp=2020-01-01T00:00:00Z",
        "startingVersion=1&endingVersion=2&endingTimestamp=2999-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_changes_that_make_no_sense_are_refused(acme: Partner, plain: str, asked: str):
    assert refusal(acme.ask(path_of(plain, f"changes?{asked}"))) == (400, "INVALID_PARAMETER_VALUE")


def test_the_end_of_a_range_may_be_later_than_the_table(acme: Partner, plain: str):
    assert acme.changes(plain, delta=False, starting_version=2, ending_version=99) == [
        (2, "delete", 2),
        (3, "insert", 3),
    ]


def test_a_body_that_is_not_json_is_refused(acme: Partner, plain: str):
    assert refusal(acme.ask(path_of(plain, "query"), "POST", content=b"{"))[0] == 400


def test_hints_leave_files_out(acme: Partner, plain: str):
    def files(**body: Any) -> int:
        return len(lines(acme.query(plain, **body))) - 2

    assert (files(), files(predicateHints=["id = 3"]), files(predicateHints=["id > 9"])) == (2, 1, 0)
    tree = {
        "op": "equal",
        "children": [
            {"op": "column", "name": "id", "valueType": "long"},
            {"op": "literal", "value": "1", "valueType": "long"},
        ],
    }
    assert (files(jsonPredicateHints=json.dumps(tree)), files(limitHint=1), files(limitHint=0)) == (1, 1, 0)
    assert files(predicateHints=["id > 0"], limitHint=1) == 2
    assert files(predicateHints="nonsense", jsonPredicateHints=5) == 2


def test_a_hint_of_the_client_gives_the_rows_that_it_asks_for(acme: Partner, plain: str):
    tree = {
        "op": "greaterThan",
        "children": [
            {"op": "column", "name": "id", "valueType": "long"},
            {"op": "literal", "value": "2", "valueType": "long"},
        ],
    }
    assert acme.read(plain, jsonPredicateHints=json.dumps(tree)) == [(3,)]


# --- streams of changes -----------------------------------------------------------------------------------------------


def test_files_since_a_version_are_told_in_the_parquet_format(acme: Partner, plain: str):
    _, metadata, *files = lines(acme.query(plain, startingVersion=2))
    assert metadata["metaData"]["version"] == 2
    told = sorted((line[word]["version"], word) for line in files for word in line)
    assert told == [(2, "add"), (2, "remove"), (3, "add")]


def test_files_since_a_version_are_told_in_the_delta_format(acme: Partner, plain: str):
    found = lines(acme.query(plain, DELTA, startingVersion=3, endingVersion=3))[2:]
    assert [(list(line["file"]["deltaSingleAction"]), line["file"]["version"]) for line in found] == [(["add"], 3)]


@FORMATS
def test_a_change_of_the_schema_is_told_with_the_changes(sales: Sales, acme: Partner, delta: bool):
    name = sales.make(f"growing_{delta}".lower(), f"{FEED} AS SELECT 1 AS id", **{**HISTORY, "start_version": 0})
    sales.sql(f"ALTER TABLE m.{name} ADD COLUMN note STRING")
    sales.sql(f"INSERT INTO m.{name} VALUES (2, 'x')")
    answer = acme.ask(
        path_of(name, "changes?startingVersion=0&includeHistoricalMetadata=true"), headers=DELTA if delta else {}
    )
    versions = [line["metaData"]["version"] for line in lines(answer) if "metaData" in line]
    assert versions == [0, 1]
    assert acme.changes(name, delta=False, starting_version=0) == [(1, None, "insert", 0), (2, "x", "insert", 2)]


def test_a_feed_that_was_off_for_a_while_is_refused(sales: Sales, acme: Partner):
    name = sales.make("gap", f"{FEED} AS SELECT 1 AS id", **{**HISTORY, "start_version": 0})
    sales.sql("ALTER TABLE m.s.gap SET TBLPROPERTIES (delta.enableChangeDataFeed = false)")
    sales.sql("INSERT INTO m.s.gap VALUES (2)")
    assert acme.changes(name, delta=False, starting_version=0, ending_version=0) == [(1, "insert", 0)]
    assert refusal(acme.ask(path_of(name, "changes?startingVersion=0"))) == (400, "INVALID_PARAMETER_VALUE")


# --- reader features --------------------------------------------------------------------------------------------------


def test_a_table_with_mapped_columns_is_read_in_the_delta_format(sales: Sales, acme: Partner):
    name = sales.make("mapped", "TBLPROPERTIES (delta.columnMapping.mode = 'name') AS SELECT 1 AS id, 'EU' AS region")
    sales.sql("ALTER TABLE m.s.mapped RENAME COLUMN region TO place")
    assert acme.read(name) == [(1, "EU")]
    assert refusal(acme.query(name)) == (400, "INVALID_PARAMETER_VALUE")
    only = {"delta-sharing-capabilities": "responseformat=delta"}
    assert refusal(acme.query(name, only)) == (400, "INVALID_PARAMETER_VALUE")


def test_times_without_a_zone_are_read_in_the_delta_format(sales: Sales, acme: Partner):
    name = sales.make("zoneless", "(at TIMESTAMP_NTZ)")
    sales.sql("INSERT INTO m.s.zoneless VALUES (TIMESTAMP_NTZ'2026-01-02 03:04:05')")
    assert acme.read(name)[0][0].astype("datetime64[s]").item() == datetime(2026, 1, 2, 3, 4, 5)
    assert refusal(acme.query(name)) == (400, "INVALID_PARAMETER_VALUE")


def deletion_vector(*rows: int) -> bytes:
    """A file with one deletion vector: a magic number, one bitmap of one array of positions, a checksum."""
    array = struct.pack("<IIHHI", 12346, 1, 0, len(rows) - 1, 16) + b"".join(struct.pack("<H", row) for row in rows)
    data = struct.pack("<IQI", 1681511377, 1, 0) + array
    return b"\x01" + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))


@pytest.fixture
def deleted(sales: Sales) -> Iterator[str]:
    """A table of three rows in one file, of which a deletion vector hides the second."""
    name = sales.make("hidden", "AS SELECT id FROM range(3)")
    folder = sales.table("hidden")
    sales.sql("OPTIMIZE m.s.hidden")
    before = log.snapshot(folder)
    (file,) = before.files
    vector, identifier = deletion_vector(1), uuid.uuid4()
    (folder / f"deletion_vector_{identifier}.bin").write_bytes(vector)
    encoded = base64.b85encode(identifier.bytes).translate(bytes.maketrans(B85, Z85)).decode()
    said = {
        "storageType": "u",
        "pathOrInlineDv": encoded,
        "offset": 1,
        "sizeInBytes": len(vector) - 9,
        "cardinality": 1,
    }
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"remove": {"path": file["path"], "deletionTimestamp": 0, "dataChange": True}},
        {"add": {**file, "deletionVector": said, "dataChange": True}},
    ]
    log.commit(folder, before.version + 1, log.Author("spark"), log.Change("DELETE"), actions)
    yield name
    sales.remove("m.s.hidden")


def test_a_row_that_a_deletion_vector_hides_is_not_read(sales: Sales, acme: Partner, deleted: str):
    assert acme.read(deleted) == [(0,), (2,)]
    assert refusal(acme.query(deleted)) == (400, "INVALID_PARAMETER_VALUE")
    next(sales.table("hidden").glob("deletion_vector_*.bin")).unlink()
    assert refusal(acme.query(deleted, DELTA)) == (404, "DATA_LOSS")


# --- tables of many commits, large tables -----------------------------------------------------------------------------


@FORMATS
def test_a_table_whose_log_has_a_checkpoint_is_read(sales: Sales, acme: Partner, delta: bool):
    name = sales.make(f"long_{delta}".lower(), "(id BIGINT, part STRING) PARTITIONED BY (part)")
    for number in range(22):
        sales.sql(f"INSERT INTO m.{name} VALUES ({number}, {'NULL' if number % 5 == 0 else repr(str(number % 3))})")
    assert list(sales.table(name.split(".")[1]).glob("_delta_log/*.checkpoint.parquet"))
    expected = [(number, None if number % 5 == 0 else str(number % 3)) for number in range(22)]
    assert acme.read(name, delta) == sorted(expected, key=repr)


@FORMATS
def test_a_hundred_thousand_rows_are_read_in_less_than_two_seconds(sales: Sales, acme: Partner, delta: bool):
    name = sales.make(
        f"large_{delta}".lower(), "AS SELECT id, concat('name ', id) AS name, id / 7 AS x FROM range(100000)"
    )
    started = time.perf_counter()
    frame = delta_sharing.load_as_pandas(f"{acme.profile}#sales.{name}", use_delta_format=delta)
    assert (len(frame), time.perf_counter() - started < 2) == (100_000, True)


def test_many_clients_read_at_the_same_time(acme: Partner, plain: str):
    with ThreadPoolExecutor(8) as pool:
        assert set(map(tuple, pool.map(lambda n: acme.read(plain, n % 2 == 0), range(24)))) == {((1,), (3,))}


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def link(acme: Partner, plain: str) -> str:
    """The link to a file."""
    return str(lines(acme.query(plain))[2]["file"]["url"])


def test_a_link_needs_no_token_and_gives_ranges_and_sizes(link: str):
    whole = httpx.get(link)
    assert (whole.status_code, whole.content[:4], whole.headers["accept-ranges"]) == (200, b"PAR1", "bytes")
    head = httpx.head(link)
    assert (head.status_code, int(head.headers["content-length"]), head.content) == (200, len(whole.content), b"")
    part = httpx.get(link, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, whole.content[4:8])
    assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
    assert httpx.get(link, headers={"Range": "bytes=-4"}).content == b"PAR1"
    assert httpx.get(link, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_an_altered_link_is_refused(link: str):
    path, _, query = link.partition("?")
    for altered in (f"{path}x?{query}", f"{path}?{query.replace('acme', 'other')}", path, f"{path}?{query}0"):
        assert refusal(httpx.get(altered)) == (403, "PERMISSION_DENIED")


def test_links_outlive_a_restart(sales: Sales, acme: Partner, plain: str, link: str):
    sales.workspace.stop()
    sales.workspace.start()
    assert httpx.get(link).status_code == 200
    assert acme.read(plain) == [(1,), (3,)]


# --- what fails -------------------------------------------------------------------------------------------------------


@FORMATS
def test_a_table_whose_files_are_missing_is_an_error_and_not_empty(sales: Sales, acme: Partner, delta: bool):
    name = sales.make(f"lost_{delta}".lower(), "AS SELECT 1 AS id")
    for file in sales.table(name.split(".")[1]).glob("*.parquet"):
        file.unlink()
    with pytest.raises(requests.HTTPError, match="DATA_LOSS"):
        acme.read(name, delta)


def test_a_table_whose_log_is_missing_or_broken_is_an_error(sales: Sales, acme: Partner):
    name = sales.make("broken", "AS SELECT 1 AS id")
    (commit,) = (sales.table("broken") / "_delta_log").glob("*.json")
    commit.write_text(commit.read_text()[:-20])
    assert refusal(acme.query(name)) == (404, "DATA_LOSS")
    commit.unlink()
    for what in ("version", "metadata"):
        assert refusal(acme.ask(path_of(name, what))) == (404, "DATA_LOSS")


def test_a_commit_that_is_no_longer_in_the_log_is_said_to_be_gone(sales: Sales, acme: Partner):
    name = sales.make("cleaned", f"(id BIGINT) {FEED}", **{**HISTORY, "start_version": 0})
    for number in range(20):
        sales.sql(f"INSERT INTO m.s.cleaned VALUES ({number})")
    (sales.table("cleaned") / "_delta_log" / f"{0:020d}.json").unlink()
    assert len(acme.read(name)) == 20
    assert refusal(acme.ask(path_of(name, "changes?startingVersion=0")))[0] in (400, 404)


def test_faults_are_injected_and_the_client_repeats_what_may_pass(sales: Sales, acme: Partner, plain: str):
    workspace = sales.workspace
    workspace.fail_next("delta_sharing.query_table", 503, "TEMPORARILY_UNAVAILABLE", times=2)
    workspace.rate_limit("delta_sharing.table_metadata", times=1, retry_after=1)
    workspace.drop_reply("delta_sharing.list_shares")
    assert acme.read(plain) == [(1,), (3,)]
    assert delta_sharing.SharingClient(str(acme.profile)).list_all_tables()
    assert [r.status for r in workspace.requests("delta_sharing.query_table")][-3:] == [503, 503, 200]


def test_an_injected_refusal_speaks_the_protocols_words(sales: Sales, acme: Partner, plain: str):
    sales.workspace.fail_next("delta_sharing.table_changes", 403, "PERMISSION_DENIED")
    assert refusal(acme.ask(path_of(plain, "changes?startingVersion=1"))) == (403, "PERMISSION_DENIED")
    assert acme.ask(path_of(plain, "changes?startingVersion=1")).is_success


def test_a_file_that_fails_is_an_error_for_the_client(sales: Sales, acme: Partner, plain: str):
    sales.workspace.fail_next("delta_sharing.file", 500, "INTERNAL_ERROR", times=20)
    with pytest.raises(FileNotFoundError):  # so the client words whatever a file's server answers
        acme.read(plain, delta=False)
    sales.workspace.parts.control.faults.clear()


def test_a_table_that_is_not_delta_is_refused(sales: Sales, acme: Partner):
    name = sales.make("csv", "AS SELECT 1 AS id")
    store = sales.workspace.parts.catalog
    store.save(replace(store.table("m", "s", "csv"), data_source_format="CSV"), by=store.owner)
    assert refusal(acme.query(name)) == (400, "INVALID_STATE")


def test_the_rest_client_walks_the_pages(acme: Partner, plain: str):
    client = DataSharingRestClient(DeltaSharingProfile.read_from_file(str(acme.profile)))
    page = client.list_all_tables(delta_sharing.protocol.Share("sales"), max_results=1)
    assert page.next_page_token
    assert client.query_table_version(Table("plain", "sales", "s")).delta_table_version == 3
    client.close()
