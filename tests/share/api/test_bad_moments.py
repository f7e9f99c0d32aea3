"""What comes at a bad moment, from end to end: far too much at once, and a database that is away exactly then."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import httpx
import pytest
from tests.share.api.conftest import Serve

from brickyard.context import Context
from brickyard.metadata import Metadata
from brickyard.share.model.samples import sample

_CHUNK = 1_000_000
_CHUNKS = 200
_HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="pack.yaml"\r\n\r\n'


def _sample(house: Context) -> dict[str, tuple[str, bytes]]:
    return {"file": ("pack.yaml", sample("yaml", workspace_url=house.workspaces.host or ""))}


@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_of_200_mb_is_refused_and_takes_no_memory(client: httpx.Client, announced: bool):
    def body() -> Iterator[bytes]:
        yield _HEAD
        for _ in range(_CHUNKS):
            yield bytes(_CHUNK)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    if announced:
        headers["Content-Length"] = str(len(_HEAD) + _CHUNK * _CHUNKS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        answer = client.post("/workflow/sharepack/upload", content=body(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    except httpx.WriteError:  # the service has hung up while we went on sending
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB
    assert client.get("/workflow/health").status_code == 200


def test_an_upload_while_the_database_is_away_is_503_and_loses_nothing_that_was_accepted(serve: Serve, house: Context):
    accepted = serve().post("/workflow/sharepack/upload", files=_sample(house))
    assert accepted.status_code == 202, accepted.text
    away = Metadata("postgresql+psycopg://nobody@127.0.0.1:1/none")
    try:
        refused = serve(away).post("/workflow/sharepack/upload", files=_sample(house))
        assert (refused.status_code, "database" in refused.text) == (503, True), refused.text
    finally:
        away.close()
    found = serve().get(f"/workflow/sharepack/{accepted.json()['SharePackId']}").json()
    assert (found["Status"], found["SharePackId"]) == ("IN_PROGRESS", accepted.json()["SharePackId"])
