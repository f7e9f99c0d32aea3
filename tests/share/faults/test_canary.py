"""A secret never shows: after a whole life of a pack under debug logs no log, row, queue, answer or page holds one."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta

import httpx
import psycopg
import pytest
from psycopg import sql
from tests.share.faults.conftest import City, Process, eventually
from tests.share.faults.scenes import small, the_end

from brickyard.share import flow
from brickyard.share.model.runs import RunStatus
from brickyard.share.model.yaml_out import to_yaml

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings(
        "ignore:Implicitly cleaning up:ResourceWarning"
    ),  # the partner's client leaves its folder
]

PLANTED = {
    "BRICKYARD_LOG_LEVEL": "debug",
    "BRICKYARD_SMTP_HOST": "127.0.0.1",
    "BRICKYARD_SMTP_PORT": "1",
    "BRICKYARD_SMTP_USER": "post",
    "BRICKYARD_SMTP_PASSWORD": "canary-smtp-8211",
    "BRICKYARD_SHARE_WEBHOOK_URL": "http://127.0.0.1:1/canary-path-8212",
    "BRICKYARD_SHARE_WEBHOOK_SECRET": "canary-hook-8213",
}
KEY = "Y2FuYXJ5LWF6dXJlLTgyMTQ="
AZURE = {
    "BRICKYARD_LOG_LEVEL": "debug",
    "BRICKYARD_AZURE_QUEUE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    f"AccountKey={KEY};QueueEndpoint=http://127.0.0.1:1/devstoreaccount1;",
}


@pytest.fixture
def talkative(city: City) -> Iterator[Process]:
    """A worker with secrets in its settings that logs everything."""
    if city.worker:
        city.worker.kill()
    talkative = city.worker = city.spawn("brickyard.worker", **PLANTED)
    yield talkative
    talkative.kill()
    city.worker = None


def everything(city: City) -> str:
    """All rows of all tables of all schemas, as text."""
    asked = """SELECT table_schema, table_name FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"""
    with psycopg.connect(city.url) as tx:
        tables = tx.execute(asked.encode()).fetchall()
        dump = [
            tx.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*one))).fetchall() for one in tables
        ]
    return "\n".join(text for rows in dump for (text,) in rows)


def links(city: City, tag: str) -> set[str]:
    """The secrets of all activation links that the workspace gives for a tag."""
    recipients = [one for one in city.workspace.client().recipients.list() if tag in (one.name or "")]
    urls = [token.activation_url for one in recipients for token in one.tokens or () if token.activation_url]
    return {url.rpartition("token=")[2] for url in urls}


def bearer(city: City, secret: str) -> str:
    """Use an activation link up, as the partner does, and return the token that it gives."""
    place = f"{city.workspace.host}/api/2.1/unity-catalog/public/data_sharing_activation/{secret}"
    with urllib.request.urlopen(place, timeout=10) as answer:
        return json.load(answer)["bearerToken"]


def answers(client: httpx.Client, pack_id: str, runs: list[str], tag: str) -> list[str]:
    """What the service says of a pack and its things, and its pages."""
    pack = f"/workflow/sharepack/{pack_id}"
    paths = [pack, f"{pack}/history", f"{pack}/plan", f"{pack}/run", f"{pack}/drift", "/workflow/sharepack"]
    paths += [f"/workflow/runs/{run}" for run in runs]
    paths += ["/workflow/access", "/workflow/health", "/recipients", f"/recipients/acme_{tag}", "/shares"]
    paths += ["/", "/docs", "/openapi.json", "/metrics", "/health"]
    return [client.get(path).text for path in paths]


def test_no_secret_shows_in_a_whole_life_under_debug_logs(city: City, talkative: Process):
    tag = city.tag()
    with city.service(**PLANTED) as (web, client):
        sent = client.post(
            "/workflow/sharepack/upload",
            files={"file": ("pack.yaml", to_yaml(small(city.door.host, tag, "a life", rotating=True)).encode())},
        )
        runs, pack_id = [sent.headers["X-Run-Id"]], sent.json()["SharePackId"]
        assert city.ended(runs[0]).status is RunStatus.COMPLETED
        flow.verify(city.house(), pack_id)
        secrets = links(city, tag)
        assert secrets
        tokens = {bearer(city, secret) for secret in secrets}
        said = answers(client, pack_id, runs, tag)
        flow.rotate_due(city.house(ahead=timedelta(days=100)))
        asked = "SELECT id FROM brickyard.share_runs WHERE pack_id = %s AND kind = 'rotation'"
        ((rotation,),) = city.rows(asked, pack_id)
        assert city.ended(rotation).status is RunStatus.COMPLETED
        fresh = links(city, tag) - secrets
        assert fresh
        said += answers(client, pack_id, [*runs, rotation], tag)
        assert city.ended(city.upload(the_end(city.door.host, tag)).run_id).status is RunStatus.COMPLETED
        said += answers(client, pack_id, [*runs, rotation], tag)
        service = client.headers["Authorization"].removeprefix("Bearer ")
    canaries = [*secrets, *fresh, *tokens, service, city.workspace.token]
    canaries += [value for name, value in PLANTED.items() if "canary" in value and "URL" not in name] + [
        "canary-path-8212"
    ]
    places = {
        "web log": web.log.read_text(),
        "worker log": talkative.log.read_text(),
        "database": everything(city),
        "answers": "\n".join(said),
    }
    assert {name: len(text) > 500 for name, text in places.items()} == dict.fromkeys(places, True)
    pairs = itertools.product(places, canaries)
    assert [(place, canary) for place, canary in pairs if canary in places[place]] == []


def test_a_pack_is_taken_while_the_azure_queue_is_down_and_done_when_the_own_queue_takes_its_place(city: City):
    tag = city.tag()
    if city.worker:
        city.worker.kill()
        city.worker = None
    with city.service(**AZURE) as (web, client):
        content = to_yaml(small(city.door.host, tag, "while the queue is down")).encode()
        sent = client.post("/workflow/sharepack/upload", files={"file": ("pack.yaml", content)})
        assert sent.status_code == 202
        run = sent.headers["X-Run-Id"]
        health = client.get("/workflow/health")
        worker = city.spawn("brickyard.worker", **AZURE)
        failures = "SELECT count(*) FROM brickyard.share_outbox WHERE payload::text LIKE %s AND error IS NOT NULL"
        eventually(lambda: city.rows(failures, f"%{run}%") == [(1,)], 30)
        worker.kill()
    assert health.status_code == 503
    assert city.rows("SELECT status FROM brickyard.share_runs WHERE id = %s", run) == [("queued",)]
    city.work()
    assert (
        city.ended(run, 150).status is RunStatus.COMPLETED
    )  # what a killed worker has taken is due again after two minutes
    kept = [web.log.read_text(), worker.log.read_text(), everything(city), health.text, sent.text]
    assert not [text for text in kept if KEY in text]
