"""What comes in at the upload routes, as far as it can be told before a worker sees it."""

from __future__ import annotations

import httpx
import pytest

from brickyard.metadata import Metadata

UPLOADS = ["/workflow/sharepack/upload", "/api/workflow/sharepack/upload_and_validate"]
BAD = b"metadata:\n  contact_email: nobody\n  unknown_key: 1\nrecipient: []\nshare: []\n"


@pytest.mark.parametrize("path", UPLOADS)
def test_a_bad_pack_is_answered_with_all_its_faults_in_the_uploads_shape(client: httpx.Client, path: str):
    answer = client.post(path, files={"file": ("bad.yaml", BAD)})
    body = answer.json()
    assert answer.status_code == 400
    assert list(body) == [
        "Message", "SharePackId", "SharePackName", "Status", "ValidationErrors", "ValidationWarnings",
    ]  # fmt: skip
    assert (body["SharePackId"], body["SharePackName"], body["Status"]) == ("", "", "VALIDATION_FAILED")
    assert len(body["ValidationErrors"]) > 3
    assert any("unknown_key" in error for error in body["ValidationErrors"])


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff\xfe", b"PK\x03\x04broken", b'"\\ud800"', b"a: &a [*a]", b"- " * 9999]
)
def test_what_is_no_pack_is_the_senders_fault(client: httpx.Client, content: bytes):
    assert client.post(UPLOADS[0], files={"file": ("x.yaml", content)}).status_code == 400


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b", "x" * 3000, "ä€.yaml", "%00"])
def test_a_strange_file_name_does_no_harm(client: httpx.Client, name: str):
    answer = client.post(UPLOADS[0], files={"file": (name, BAD)})
    assert (answer.status_code, "/etc/" in answer.text) == (400, False)


def test_without_a_file_the_request_has_a_fault(client: httpx.Client):
    assert client.post(UPLOADS[0]).status_code == 422
    assert client.post(UPLOADS[0], data={"file": "text"}).status_code == 422
    broken = client.post(UPLOADS[0], content=b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert 400 <= broken.status_code < 500


def test_a_file_that_is_too_large_is_refused_while_it_comes_in(client: httpx.Client):
    answer = client.post(UPLOADS[0], files={"file": ("big.yaml", b"#" * 9_000_000)})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f"])
def test_an_idempotency_key_is_a_plain_word(client: httpx.Client, key: str):
    answer = client.post(UPLOADS[0], files={"file": ("bad.yaml", BAD)}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_without_the_workflow_its_routes_do_not_exist_and_the_others_do(serve):
    client = serve(enable_workflow=False)
    for path in ("/workflow/health", "/api/workflow/health", "/workflow/sharepack"):
        assert client.get(path).status_code == 404
    assert [client.get(path).status_code for path in ("/health", "/api/health", "/recipients", "/shares")] == [200] * 4
    assert not [path for path in client.get("/openapi.json").json()["paths"] if "workflow" in path]


def test_the_workflow_is_healthy_when_database_and_queue_answer(client: httpx.Client):
    answer = client.get("/workflow/health")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "Message": "Workflow system healthy",
            "DatabaseConnected": True,
            "QueueConnected": True,
            "TablesCount": 16,
            "QueueMessageCount": 0,
            "QueuePoisonCount": 0,
        },
    )


def test_a_database_that_is_away_is_said_and_never_a_pack_that_is_not_there(serve):
    client = serve(Metadata("postgresql://u:p@127.0.0.1:1/x"))
    health = client.get("/workflow/health")
    assert (health.status_code, health.json()["DatabaseConnected"]) == (503, False)
    status = client.get("/workflow/sharepack/5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d")
    assert (status.status_code, sorted(status.json())) == (503, ["detail", "error_type"])


@pytest.mark.parametrize("pack", ["5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d", "x", "%00", "1" * 99, "ä"])
def test_a_pack_that_is_not_there_is_not_found(client: httpx.Client, pack: str):
    assert client.get(f"/workflow/sharepack/{pack}").status_code == 404
