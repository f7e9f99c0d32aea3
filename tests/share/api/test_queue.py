"""What the workflow routes say of the queue that is configured: its length, and what was set aside."""

from __future__ import annotations

import httpx
from tests.azurite.server import API_VERSION, Azurite
from tests.share.api.conftest import Serve

from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue.azure import AzureQueue
from brickyard.settings import Settings
from brickyard.share.model.samples import sample
from brickyard.share.store import runs


def _health(connected: bool, waiting: int, poisoned: int) -> dict[str, object]:
    return {
        "Message": f"Workflow system {'healthy' if connected else 'unhealthy'}",
        "DatabaseConnected": True,
        "QueueConnected": connected,
        "TablesCount": 16,
        "QueueMessageCount": waiting,
        "QueuePoisonCount": poisoned,
    }


def test_health_counts_the_messages_of_azure_and_those_set_aside(serve: Serve, azurite: Azurite):
    options = {
        "azure_queue_connection_string": azurite.connection_string,
        "azure_queue_name": "doors",
        "azure_queue_api_version": API_VERSION,
    }
    queue = AzureQueue.of(Settings(**options))
    assert queue
    queue.ensure()
    for _ in range(3):
        queue.send({"run_id": "x"})
    message = queue.receive(30)
    assert message
    queue.set_aside(message, "a test")
    answer = serve(**options).get("/workflow/health")
    assert (answer.status_code, answer.json()) == (200, _health(True, 2, 1))
    queue.messages.delete_queue()
    queue.poison.delete_queue()
    queue.close()


def test_a_queue_that_cannot_be_asked_is_said(serve: Serve):
    for wrong in ("nonsense", "UseDevelopmentStorage=true;QueueEndpoint=http://127.0.0.1:1/x"):
        answer = serve(azure_queue_connection_string=wrong).get("/workflow/health")
        assert (answer.status_code, answer.json()) == (503, _health(False, 0, 0))


def test_a_run_tells_why_its_message_was_set_aside(client: httpx.Client, workspace: LocalWorkspace, metadata: Metadata):
    pack = {"file": ("pack.yaml", sample("yaml", workspace_url=workspace.host))}
    run_id = client.post("/workflow/sharepack/upload", files=pack).headers["X-Run-Id"]
    assert client.get(f"/workflow/runs/{run_id}").json()["Poisoned"] == []
    with metadata.transaction() as tx:
        run = runs.get(tx, run_id)
        runs.tell(tx, run, run.created_at, runs.POISONED, "its message was set aside: a test")
    assert client.get(f"/workflow/runs/{run_id}").json()["Poisoned"] == ["its message was set aside: a test"]
