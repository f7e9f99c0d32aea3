"""The gate, the problems, the health routes and the OpenAPI document, over a real socket."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from brickyard.kernel import errors
from brickyard.metadata import Metadata
from brickyard.web import problems

Serve = Callable[[Metadata], httpx.Client]
ORDER = {"name": "a", "count": 1}
BEARER = "Bearer the-token"


def test_the_process_lives_and_says_so_to_anyone(client: httpx.Client):
    answer = client.get("/healthz", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_is_ready_when_the_database_answers_at_this_schema(client: httpx.Client):
    answer = client.get("/readyz", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "database": "ok", "migrations": "ok", "workers": 0},
    )


def test_it_is_not_ready_without_its_database(serve: Serve):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        answer = serve(Metadata(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x")).get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "database-down")


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "database-newer"),
        ("UPDATE alembic_version SET version_num = '0001'", "the schema is older than this version"),
    ],
)
def test_it_is_not_ready_on_another_schema(client: httpx.Client, metadata: Metadata, statement: str, state: str):
    with metadata.transaction() as tx:
        tx.execute(sa.text(statement))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, state)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic the-token", "the-token", "Bearer the-tokén"])
def test_everything_else_wants_the_token(client: httpx.Client, header: str):
    for path in ("/metrics", "/openapi.json", "/room/fault", "/room/orders", "/nowhere"):
        answer = client.get(path, headers=[(b"Authorization", header.encode())])
        assert (path, answer.status_code, answer.json()["code"]) == (path, 401, "token-missing")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [BEARER, "bearer the-token", "BEARER  the-token"])
def test_the_token_opens(client: httpx.Client, header: str):
    assert client.post("/room/orders", json=ORDER, headers={"Authorization": header}).status_code == 202


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:80"])
def test_a_host_it_does_not_know_is_refused_even_for_the_open_routes(client: httpx.Client, host: str):
    answer = client.get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host-unknown")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:99", "127.0.0.1:"])
def test_the_port_in_the_host_does_not_matter(client: httpx.Client, host: str):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_usable_request_id_is_kept_and_another_is_replaced(client: httpx.Client):
    kept = client.get("/healthz", headers={"X-Request-Id": "run-7.a"})
    replaced = client.get("/healthz", headers={"X-Request-Id": "no good\x7f" + "x" * 80})
    assert kept.headers["x-request-id"] == "run-7.a"
    assert re.fullmatch(r"[0-9a-f]{32}", replaced.headers["x-request-id"])


@pytest.mark.parametrize("kind", [error.__name__ for error in problems.STATUS])
def test_each_refusal_is_a_problem_with_its_status(client: httpx.Client, kind: str):
    error = getattr(errors, kind)
    answer = client.get(f"/room/refusals/{kind}", headers={"X-Request-Id": "r1"})
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body.pop("title")
    assert body == {
        "type": f"urn:brickyard:error:{error.code}",
        "status": answer.status_code,
        "detail": "it does not go",
        "instance": f"/room/refusals/{kind}",
        "code": error.code,
        "remedy": "do otherwise",
        "request_id": "r1",
        "problems": [{"message": "wrong", "where": "a.yaml:3"}],
    }
    assert answer.status_code == problems.STATUS[error]


def test_a_refused_login_of_ours_to_the_workspace_is_not_the_clients_fault(client: httpx.Client):
    answer = client.get("/room/refusals/Unauthorized", params={"code": "workspace-unauthorized"})
    assert answer.status_code == 502


def test_every_error_of_the_house_has_a_status():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BrickyardError)
    ]
    assert set(kinds) == set(problems.STATUS)


def test_every_fault_of_a_request_is_listed(client: httpx.Client):
    answer = client.post("/room/orders", json={"name": "", "count": 0})
    assert (answer.status_code, answer.json()["code"]) == (422, "spec-invalid")
    assert [(p["where"], p["message"]) for p in answer.json()["problems"]] == [
        ("body.name", "String should have at least 1 character"),
        ("body.count", "Input should be greater than or equal to 1"),
    ]


def test_a_body_that_is_not_said_to_be_json_is_refused_for_that(client: httpx.Client):
    answer = client.post("/room/orders", content=b'{"amount": 1}')
    assert (answer.status_code, answer.json()["code"]) == (415, "content-type-missing")
    assert "Content-Type: application/json" in answer.json()["remedy"]
    assert client.post("/room/orders", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


def test_an_unknown_path_and_an_unknown_method_are_problems_too(client: httpx.Client):
    nowhere, method = client.get("/nowhere"), client.delete("/room/orders")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "no-such-route")
    assert (method.status_code, method.json()["code"], method.headers["allow"]) == (405, "no-such-route", "POST")


def test_a_fault_of_ours_tells_its_id_and_nothing_else(client: httpx.Client):
    with capture_logs() as logs:
        answer = client.get("/room/fault", headers={"X-Request-Id": "r9"})
    assert (answer.status_code, answer.json()["request_id"], answer.headers["x-request-id"]) == (500, "r9", "r9")
    assert "dapi" not in answer.text
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["request failed"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_whether_its_length_is_announced_or_not(client: httpx.Client, chunked: bool):
    body = b'{"name": "%s", "count": 1}' % (b"x" * 200_000)
    content = iter([body[:500], body[500:]]) if chunked else body
    answer = client.post("/room/orders", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_requests_are_counted_by_route_and_the_queue_by_state(client: httpx.Client):
    client.post("/room/orders", json=ORDER)
    client.get("/room/refusals/NotFound")
    client.request("BREW", "/nowhere")
    text = client.get("/metrics").text
    assert 'brickyard_requests_total{method="POST",route="/room/orders",status="202"} 1.0' in text
    assert 'brickyard_requests_total{method="GET",route="/room/refusals/{kind}",status="404"} 1.0' in text
    assert 'brickyard_requests_total{method="other",route="none",status="404"} 1.0' in text
    assert "brickyard_workers_alive 0.0" in text


def test_every_route_documents_its_problems_and_its_token(client: httpx.Client):
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            refusal = next(iter(operation["responses"]["422"]["content"].values()))["schema"]
            assert refusal["$ref"].rpartition("/")[2] in (
                "ProblemDetails",
                "Invalid",
            )  # share's is fixed by its clients
            assert operation["security"] == ([] if path in ("/healthz", "/readyz") else [{"token": []}])
