"""Which format an answer has, and when a client is told that it cannot read a table."""

from __future__ import annotations

import hashlib

import pytest

from brickyard.local.api.errors import ApiError
from brickyard.local.sharing.negotiation import Capabilities, Format, agree, needed_features, parse

BOTH = "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping,timestampntz"
VECTORS = frozenset({"deletionvectors"})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Capabilities()),
        ("", Capabilities()),
        (" ; ", Capabilities()),
        ("ResponseFormat = DELTA", Capabilities(frozenset({Format.DELTA}))),
        ("responseformat=delta,iceberg", Capabilities(frozenset({Format.DELTA}))),
        ("includeEndStreamAction=TRUE;asyncquery=true", Capabilities(end_stream=True)),
        ("readerfeatures=DeletionVectors", Capabilities(features=VECTORS)),
    ],
)
def test_the_capabilities_header_is_read_without_case(header: str | None, expected: Capabilities):
    assert parse(header) == expected


def test_a_client_that_knows_no_format_is_refused():
    with pytest.raises(ApiError, match="iceberg") as caught:
        parse("responseformat=iceberg")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("header", "needed", "format_"),
    [
        (None, frozenset(), Format.PARQUET),
        ("responseformat=parquet", frozenset(), Format.PARQUET),
        ("responseformat=delta", frozenset(), Format.DELTA),
        (BOTH, frozenset(), Format.PARQUET),
        (BOTH, VECTORS, Format.DELTA),
        ("responseformat=delta;readerfeatures=deletionvectors", VECTORS, Format.DELTA),
    ],
)
def test_parquet_is_chosen_where_nothing_is_lost(header: str | None, needed: frozenset[str], format_: Format):
    found = agree({"delta-sharing-capabilities": header} if header else {}, needed)
    assert (found.format, found.headers) == (format_, {"delta-sharing-capabilities": f"responseformat={format_}"})


@pytest.mark.parametrize(
    "header",
    [None, "responseformat=parquet", "responseformat=delta", "responseformat=delta;readerfeatures=columnmapping"],
)
def test_a_table_that_the_client_would_misread_is_refused(header: str | None):
    with pytest.raises(ApiError, match="deletionvectors") as caught:
        agree({"delta-sharing-capabilities": header} if header else {}, VECTORS)
    assert caught.value.status == 400


def test_an_end_stream_action_is_promised_when_it_was_asked_for():
    found = agree({"delta-sharing-capabilities": "includeEndStreamAction=true"}, frozenset())
    assert found.headers == {"delta-sharing-capabilities": "responseformat=parquet;includeendstreamaction=true"}


@pytest.mark.parametrize(("header", "name"), [(None, "md5"), ("Parquet", "md5"), ("delta", "sha256")])
def test_files_are_named_by_the_hash_that_was_asked_for(header: str | None, name: str):
    found = agree({"fileidhash": header} if header else {}, frozenset())
    assert found.hash("a/b.parquet") == hashlib.new(name, b"a/b.parquet").hexdigest()
    assert found.headers.get("fileidhash") == (header and header.lower())


def test_an_unknown_hash_is_refused():
    with pytest.raises(ApiError, match="fileidhash"):
        agree({"fileidhash": "crc32"}, frozenset())


@pytest.mark.parametrize(
    ("protocol", "configuration", "expected"),
    [
        ({"minReaderVersion": 1}, {"delta.columnMapping.mode": "none"}, set()),
        ({"minReaderVersion": 2}, {"delta.columnMapping.mode": "name"}, {"columnmapping"}),
        ({"minReaderVersion": 3, "readerFeatures": ["timestampNtz", "v2Checkpoint"]}, {}, {"timestampntz"}),
        ({"minReaderVersion": 3}, {}, set()),
    ],
)
def test_only_features_that_change_how_files_are_read_are_needed(
    protocol: dict[str, object], configuration: dict[str, str], expected: set[str]
):
    assert needed_features(protocol, configuration) == expected
