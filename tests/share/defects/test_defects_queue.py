"""Defects 10 to 16 of the service that this one replaces, in how work came to its worker: each stays mended."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.azurite.server import API_VERSION, Azurite
from tests.share.api.conftest import served
from tests.share.defects.conftest import Build, pack, share
from tests.share.flow.conftest import bring, submit

from brickyard.context import Context
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.queue.azure import AzureQueue, Length
from brickyard.share import flow
from brickyard.share.flow.receive import RECEIPTS, Consumer
from brickyard.share.flow.relay import send_due
from brickyard.share.model.runs import RunStatus

NOBODY = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aaaa;QueueEndpoint=http://127.0.0.1:9/a;"
PACK = "/workflow/sharepack/5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d"
_numbers = itertools.count()


def jobs(house: Context, run_id: str) -> int:
    """Count the jobs of a run, those that are over too."""
    mine = sa.text("SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'run_id' = :run")
    with house.metadata.read() as tx:
        return tx.execute(mine, {"run": run_id}).scalar_one()


def azure_of(server: Azurite) -> dict[str, Any]:
    """Settings for a queue of its own."""
    name = f"defects-{next(_numbers)}"
    where = {"azure_queue_connection_string": server.connection_string, "azure_queue_api_version": API_VERSION}
    return {**where, "azure_queue_name": name}


def opened(house: Context) -> AzureQueue:
    """The queue of a house, made and empty."""
    queue = AzureQueue.of(house.queue.settings)
    assert queue
    queue.ensure()
    return queue


def test_defect_10_an_upload_does_not_need_the_queue_and_its_run_is_not_forgotten(build: Build, metadata: Metadata):
    house = build(azure_queue_connection_string=NOBODY)
    sent = submit(house, pack(house, 10))
    assert (flow.status(house, sent.pack_id).status, jobs(house, sent.run_id)) == ("IN_PROGRESS", 0)
    assert send_due(house) == 0
    late = replace(build(), clock=lambda: house.clock().replace(year=house.clock().year + 1))
    assert (send_due(late) > 0, jobs(house, sent.run_id)) == (True, 1)
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED


def test_defect_11_a_message_that_comes_back_starts_no_second_attempt(build: Build, azurite: Azurite):
    house = build(**azure_of(azurite))
    queue = opened(house)
    sent = submit(house, pack(house, 11))
    send_due(house)
    first, second = Consumer(house, queue), Consumer(house, queue)
    assert first.turn() == 1
    queue.renew(first.held[0].message, 0)  # its lease is over before its run is
    assert (second.turn(), jobs(house, sent.run_id)) == (1, 1)
    assert bring(house, sent.run_id).status is RunStatus.COMPLETED
    assert (first.turn(), queue.length()) == (0, Length(1, 0))
    assert (second.turn(), queue.length(), jobs(house, sent.run_id)) == (0, Length(0, 0), 1)
    queue.close()


def test_defect_12_a_message_that_never_ends_well_is_set_aside(build: Build, azurite: Azurite):
    house = build(**azure_of(azurite))
    queue = opened(house)
    submit(house, pack(house, 12))
    send_due(house)
    for _ in range(RECEIPTS):
        message = queue.receive(60)
        assert message
        queue.renew(message, 0)
    assert (Consumer(house, queue).turn(), queue.length()) == (0, Length(0, 1))
    queue.close()


def test_defect_13_what_is_tried_again_is_told_by_its_kind_and_not_by_its_words(
    house: Context, workspace: LocalWorkspace
):
    name = "connection_503_timeout"
    wanted = pack(house, 13, share=[share(13, name=name)])
    workspace.fail_next("shares.create", 400, "INVALID_PARAMETER_VALUE")
    refused = submit(house, wanted)
    flow.provision(house, refused.run_id)
    assert name in flow.status(house, refused.pack_id).error_message
    assert flow.run_of(house, refused.run_id).status is RunStatus.FAILED
    workspace.fail_next("shares.create", 503, "TEMPORARILY_UNAVAILABLE")
    busy = submit(house, wanted)
    with pytest.raises(WorkspaceRefused):
        flow.provision(house, busy.run_id)
    assert flow.run_of(house, busy.run_id).status is RunStatus.RUNNING
    assert bring(house, busy.run_id).status is RunStatus.COMPLETED


def test_defect_14_uploads_take_turns_and_an_outdated_one_says_so(house: Context, workspace: LocalWorkspace):
    outdated = submit(house, pack(house, 14))
    first = submit(house, pack(house, 14, share=[share(14, "m.s.orders")]))
    assert flow.run_of(house, outdated.run_id).status is RunStatus.SUPERSEDED
    other = pack(house, 14, metadata={"project_name": "other"}, recipient=[], share=[share(14, "m.s.feed")])
    second = submit(house, other)
    workspace.fail_next("shares.update", 503, "TEMPORARILY_UNAVAILABLE")
    with pytest.raises(WorkspaceRefused):
        flow.provision(house, first.run_id)
    flow.provision(house, second.run_id)
    assert flow.run_of(house, second.run_id).status is RunStatus.WAITING
    assert bring(house, first.run_id).status is RunStatus.COMPLETED
    assert jobs(house, second.run_id) == 2
    assert bring(house, second.run_id).status is RunStatus.COMPLETED


def test_defect_15_a_slow_workspace_does_not_hold_up_other_requests(house: Context, workspace: LocalWorkspace):
    with served(house) as client:
        client.get("/health")
        workspace.delay("recipients.get", 3.0)
        before = len(workspace.requests("recipients.get"))
        slow = threading.Thread(target=lambda: client.get("/recipients/r15"))
        slow.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        waited = time.monotonic() - began
        slow.join()
    assert waited < 1.5, waited
    assert len(workspace.requests("recipients.get")) == before + 1


def test_defect_16_a_queue_or_database_that_is_away_is_said(build: Build, metadata: Metadata):
    with served(build(azure_queue_connection_string=NOBODY)) as client:
        answer = client.get("/workflow/health")
        told = {key: answer.json()[key] for key in ("DatabaseConnected", "QueueConnected")}
        assert (answer.status_code, told) == (503, {"DatabaseConnected": True, "QueueConnected": False})
        assert client.get(PACK).status_code == 404
    away = Metadata("postgresql://u:p@127.0.0.1:1/x")
    house = build()
    with served(replace(house, metadata=away, queue=Queue(away, house.queue.settings))) as client:
        assert (client.get("/workflow/health").status_code, client.get(PACK).status_code) == (503, 503)
