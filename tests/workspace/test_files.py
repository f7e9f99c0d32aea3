"""Files of volumes through the Files API."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, NotFound
from databricks.sdk.service.catalog import VolumeType


@pytest.fixture(scope="module")
def volume(target: Any, schema: str) -> Iterator[str]:
    name = f"files_{secrets.token_hex(4)}"
    target.client.volumes.create(*schema.split("."), name, VolumeType.MANAGED)
    yield f"/Volumes/{schema.replace('.', '/')}/{name}"
    target.client.volumes.delete(f"{schema}.{name}")


@pytest.mark.covers("files.upload", "files.presigned_urls", "files.download", "files.get_metadata", "files.delete")
def test_a_file_goes_up_and_down(client: WorkspaceClient, volume: str):
    path = f"{volume}/d/é x.bin"
    client.files.create_directory(f"{volume}/d")
    client.files.upload(path, io.BytesIO(b"\x00\xff" * 10))
    with pytest.raises(DatabricksError):
        client.files.upload(path, io.BytesIO(b"other"))
    client.files.upload(path, io.BytesIO(b"other"), overwrite=True)
    found = client.files.download(path)
    assert found.contents is not None
    assert (found.contents.read(), found.content_length) == (b"other", 5)
    metadata = client.files.get_metadata(path)
    assert (metadata.content_length, bool(metadata.last_modified)) == (5, True)
    client.files.delete(path)
    with pytest.raises(NotFound):
        client.files.get_metadata(path)


@pytest.mark.covers(
    "files.create_directory", "files.list_directory_contents", "files.get_directory_metadata", "files.delete_directory"
)
def test_a_folder_is_listed_page_by_page(client: WorkspaceClient, volume: str):
    folder = f"{volume}/many"
    client.files.create_directory(f"{folder}/sub")
    for i in range(3):
        client.files.upload(f"{folder}/{i}", io.BytesIO(b"x"))
    expected = [(f"{folder}/{n}", n == "sub") for n in ("0", "1", "2", "sub")]
    for size in (None, 2):
        rows = client.files.list_directory_contents(folder, page_size=size)
        assert sorted((r.path, r.is_directory) for r in rows) == expected
    client.files.get_directory_metadata(folder)
    with pytest.raises(DatabricksError):
        client.files.delete_directory(folder)
    for i in range(3):
        client.files.delete(f"{folder}/{i}")
    client.files.delete_directory(f"{folder}/sub")
    client.files.delete_directory(folder)
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(folder)


@pytest.mark.covers("files.initiate_upload", "files.presigned_urls", "files.upload")
def test_a_large_file_falls_back_to_one_request(target: Any, client: WorkspaceClient, volume: str):
    if target.local is None:
        pytest.skip("a real workspace has presigned URLs")
    size = client.config.files_ext_multipart_upload_min_stream_size + 1
    client.files.upload(f"{volume}/large", io.BytesIO(bytes(size)))
    assert client.files.get_metadata(f"{volume}/large").content_length == size
    client.files.delete(f"{volume}/large")


def test_what_stands_outside_of_a_volume_cannot_be_named(client: WorkspaceClient, volume: str):
    for path in (f"{volume}/../x", "/Volumes/only/two", f"{volume}/%00", f"{volume}/a\\b"):
        with pytest.raises(DatabricksError):
            client.files.get_metadata(path)
