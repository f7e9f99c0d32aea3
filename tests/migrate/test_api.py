"""The HTTP door of migrate."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from brickyard.context import Context
from brickyard.migrate import api, flow
from brickyard.migrate.observe import Eyes
from brickyard.web.app import create
from brickyard.web.gate import Rules

pytestmark = pytest.mark.timeout(180)

NOTEBOOK = "-- Databricks notebook source\nTRUNCATE TABLE va.summary;\n\nINSERT INTO va.summary\nSELECT tier, COUNT(*) FROM va.member GROUP BY 1\n"
Request = Callable[..., Any]


@pytest.fixture
def client(house: Context) -> Iterator[httpx.Client]:
    """The service with the room mounted, over a real socket."""
    rules = Rules(token="t", hosts=frozenset({"127.0.0.1"}), body_bytes=1_000_000)
    server = uvicorn.Server(uvicorn.Config(create(house, rules, [api.router]), log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer t"}, timeout=60) as client:
            yield client
        server.should_exit = True
        thread.join()


def body(request_for: Request, *paths: str, **fields: Any) -> dict[str, Any]:
    notebooks = [{"path": p, "content": base64.b64encode(NOTEBOOK.encode()).decode()} for p in paths]
    rules = request_for({}).rules_text
    return {"notebooks": notebooks, "rules_text": rules, **fields}


def test_a_submitted_notebook_is_queued_and_its_location_told(client: httpx.Client, request_for: Request):
    answer = client.post("/migrate/runs", json=body(request_for, "a.sql"))
    assert answer.status_code == 202
    (run,) = answer.json()["runs"]
    assert answer.headers["Location"] == f"/migrate/runs/{run['id']}"
    record = client.get(answer.headers["Location"]).json()
    assert (record["path"], record["status"], record["outcome"], record["plan"]) == ("a.sql", "queued", None, None)


def test_several_notebooks_are_one_batch(client: httpx.Client, request_for: Request):
    answer = client.post("/migrate/runs", json=body(request_for, "a.sql", "b.sql"))
    batch = answer.json()["batch"]
    assert answer.headers["Location"] == f"/migrate/runs?batch={batch}"
    assert [r["path"] for r in client.get(answer.headers["Location"]).json()["runs"]] in (
        ["a.sql", "b.sql"],
        ["b.sql", "a.sql"],
    )
    assert len(client.get(f"/migrate/runs/{batch}/report").json()) == 2
    assert client.get(f"/migrate/runs/{batch}").status_code == 404


def test_the_same_notebook_twice_is_a_conflict(client: httpx.Client, request_for: Request):
    client.post("/migrate/runs", json=body(request_for, "a.sql"))
    answer = client.post("/migrate/runs", json=body(request_for, "a.sql"))
    assert (answer.status_code, answer.json()["code"]) == (409, "already-running")


def test_runs_are_listed_page_by_page(client: httpx.Client, request_for: Request):
    client.post("/migrate/runs", json=body(request_for, "a.sql", "b.sql", "c.sql"))
    first = client.get("/migrate/runs", params={"limit": 2}).json()
    second = client.get("/migrate/runs", params={"limit": 2, "page_token": first["next_page_token"]}).json()
    assert len(first["runs"]) == 2
    assert second["next_page_token"] is None
    assert {r["path"] for r in first["runs"] + second["runs"]} == {"a.sql", "b.sql", "c.sql"}
    assert client.get("/migrate/runs", params={"status": "finished"}).json()["runs"] == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"notebooks": [{"path": "../x.sql", "content": "YQ=="}]}, 422),
        ({"notebooks": []}, 422),
        ({"rules_text": "format: 1\nnope: 2\n"}, 422),
        ({"rules_text": None, "rules": "/etc/passwd"}, 422),
        ({"mapping": "src_schema\nva\n"}, 422),
        ({"dbr": "new"}, 422),
        ({"jobs": 0}, 422),
        ({"unknown": 1}, 422),
        ({"params": {"a": "\0"}}, 422),
        ({"plan_hash": "0"}, 409),
        ({"notebooks": [], "resume": "abc"}, 404),
    ],
)
def test_a_bad_request_is_refused_and_nothing_is_remembered(
    client: httpx.Client, request_for: Request, fields: dict[str, Any], status: int
):
    answer = client.post("/migrate/runs", json=body(request_for, "a.sql") | fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert client.get("/migrate/runs").json()["runs"] == []


def test_a_run_that_nobody_knows_is_not_found(client: httpx.Client):
    for path in ("", "/diff", "/report"):
        answer = client.get(f"/migrate/runs/abc123{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run-not-found")
    assert client.get("/migrate/runs", params={"page_token": "nonsense"}).status_code == 422


def test_a_finished_run_shows_its_diff_and_its_report(
    world: Eyes, house: Context, client: httpx.Client, request_for: Request
):
    queued = client.post("/migrate/runs", json=body(request_for, "a.sql")).json()
    flow.follow(house, queued["batch"])
    path = f"/migrate/runs/{queued['runs'][0]['id']}"
    record = client.get(path).json()
    assert (record["status"], record["outcome"], record["rows_compared"]) == ("finished", "reconciled", 2)
    (notebook,) = client.get(f"{path}/diff").json()
    assert [cell["cell"] for cell in notebook["cells"]] == [1]
    page = client.get(f"{path}/report", headers={"Accept": "text/html"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert "What was not proved" in page.text
    assert client.get(f"{path}/report", params={"format": "html"}).text[:1000] == page.text[:1000]
    assert client.get(f"{path}/report").json() == [record]
    assert "Changes" in client.get(f"{path}/diff", params={"format": "html"}).text
