"""A pack is read as its recipients over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.share.flow.conftest import clean

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.share import (
    flow,
    tasks,  # noqa: F401 — the import registers the room's tasks
)
from brickyard.workspace import run_sql

# the client leaves the folder in which it reads an empty table to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
UPLOAD = "/workflow/sharepack/upload"


@pytest.fixture
def pack(workspace: LocalWorkspace) -> Iterator[bytes]:
    """A pack that shares a table of two rows."""
    for statement in (
        "CREATE CATALOG IF NOT EXISTS m",
        "CREATE SCHEMA IF NOT EXISTS m.s",
        "CREATE OR REPLACE TABLE m.s.two AS SELECT * FROM VALUES (1), (2) AS t(id)",
    ):
        run_sql(workspace.client(), statement)
    clean(workspace)
    about: dict[str, Any] = {
        **dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), "a@b.com"),
        "business_line": "Retail",
        "delta_share_region": "EMEA",
        "workspace_url": workspace.host,
        "servicenow": "CHG1",
    }
    share = {"name": "sales", "share_assets": ["m.s.two"], "recipients": ["acme"]}
    yield json.dumps({"metadata": about, "recipient": [{"name": "acme", "type": "D2O"}], "share": [share]}).encode()
    clean(workspace)


def test_a_pack_is_read_as_its_recipients_once_its_run_is_over(client: httpx.Client, house: Context, pack: bytes):
    sent = client.post(UPLOAD, files={"file": ("pack.yaml", pack)})
    path = f"/workflow/sharepack/{sent.json()['SharePackId']}/verify"
    early = client.post(path)
    assert (early.status_code, early.json()["code"]) == (409, "share-run-under-way")
    flow.wait(house, sent.headers["X-Run-Id"])
    answer = client.post(path, params={"rows": "all"})
    assert answer.status_code == 200, answer.text
    assert [(one["Recipient"], one["Table"], one["Verdict"], one["Rows"]) for one in answer.json()] == [
        ("acme", "*", "REFUSED", None),
        ("acme", "s.brickyard_not_shared", "REFUSED", None),
        ("acme", "s.two", "READ", 2),
    ]
    assert {one["Expected"] for one in answer.json()} == {True}


def test_only_what_is_known_is_verified(client: httpx.Client):
    absent = "/workflow/sharepack/5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d/verify"
    assert client.post(absent).status_code == 404
    assert client.post(absent, params={"rows": "some"}).status_code == 422
