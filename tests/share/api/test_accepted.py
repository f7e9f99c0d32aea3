"""A pack that is accepted: its answer, its status, and the same answer for the same upload."""

from __future__ import annotations

import httpx
import pytest

from brickyard.local import LocalWorkspace
from brickyard.share.model.samples import sample

UPLOAD = "/workflow/sharepack/upload"
STATUS = [
    "SharePackId", "SharePackName", "Status", "Strategy", "ProvisioningStatus", "ErrorMessage", "RequestedBy", "CreatedAt",
    "LastUpdated",
]  # fmt: skip


@pytest.fixture
def pack(workspace: LocalWorkspace) -> dict[str, tuple[str, bytes]]:
    """The sample pack for this workspace, as a form's file."""
    return {"file": ("pack.yaml", sample("yaml", workspace_url=workspace.host))}


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_an_accepted_pack_is_told_its_id_and_its_status_is_found_there(client: httpx.Client, pack, prefix: str):
    answer = client.post(prefix + UPLOAD, files=pack)
    body = answer.json()
    assert (answer.status_code, body["Status"], body["ValidationErrors"]) == (202, "IN_PROGRESS", [])
    assert answer.headers["Location"] == f"{prefix}/workflow/sharepack/{body['SharePackId']}"
    status = client.get(answer.headers["Location"])
    assert (status.status_code, list(status.json()), status.json()["Status"]) == (200, STATUS, "IN_PROGRESS")
    assert client.get(f"/workflow/runs/{answer.headers['X-Run-Id']}").json()["SharePackId"] == body["SharePackId"]


def test_the_same_upload_is_the_same_pack_and_run(client: httpx.Client, pack):
    first, second = (client.post(UPLOAD, files=pack, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json()["SharePackId"] == second.json()["SharePackId"]
    assert first.headers["X-Run-Id"] == second.headers["X-Run-Id"]
    history = client.get(f"/workflow/sharepack/{first.json()['SharePackId']}/history").json()
    assert [version["Version"] for version in history["History"]] == [1]
    listed = client.get("/workflow/sharepack").json()
    assert (listed["Count"], listed["NextPageToken"]) == (1, None)


def test_a_pack_of_another_workspace_is_refused(serve, pack):
    client = serve(share_workspaces=("https://adb-1.azuredatabricks.net",))
    answer = client.post(UPLOAD, files=pack, headers={"X-Workspace-URL": "https://adb-1.azuredatabricks.net"})
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])
