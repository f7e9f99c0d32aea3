"""A house on a local workspace with something to share, and packs that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share import flow, tasks  # noqa: F401 — the import registers the room's tasks
from brickyard.share.model.pack import SharePack
from brickyard.share.model.runs import RunRecord, Submitted, Upload
from brickyard.workspace import Workspaces, run_sql

WORLD = [
    "CREATE CATALOG IF NOT EXISTS m",
    "CREATE SCHEMA IF NOT EXISTS m.s",
    "CREATE SCHEMA IF NOT EXISTS m.partner",
    "CREATE OR REPLACE TABLE m.s.orders (id BIGINT, amount BIGINT)",
    "CREATE OR REPLACE TABLE m.s.items (id BIGINT, name STRING)",
    "CREATE OR REPLACE TABLE m.s.feed (id BIGINT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
]
READS = ("GET", "HEAD")

Build = Callable[..., Context]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace for all tests of the flow."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        client = workspace.client()
        for statement in WORLD:
            run_sql(client, statement)
        yield workspace


@pytest.fixture
def build(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Iterator[Build]:
    """Build houses with settings of choice on one database; what they share is gone at the end."""

    def built(actor: str = "up@loader.com", **settings: Any) -> Context:
        token = tmp_path / "token"
        token.write_text(workspace.token)
        workspaces = Workspaces(host=workspace.host, token_file=token, retry_seconds=0.5)
        return Context(workspaces, metadata, Queue(metadata, Settings(home=tmp_path, **settings)), actor=actor)

    clean(workspace)
    yield built
    clean(workspace)


@pytest.fixture
def house(build: Build) -> Context:
    """A house with the settings as they are."""
    return build()


def clean(workspace: LocalWorkspace) -> None:
    workspace.parts.control.faults.clear()
    client = workspace.client()
    for share in client.shares.list_shares():
        client.shares.delete(share.name or "")
    for recipient in client.recipients.list():
        client.recipients.delete(recipient.name or "")
    for job in client.jobs.list():
        client.jobs.delete(job.job_id or 0)
    for pipeline in client.pipelines.list_pipelines():
        client.pipelines.delete(pipeline.pipeline_id or "")


def pack_of(house: Context, **parts: Any) -> SharePack:
    """A pack for the house's workspace: acme may read the orders, unless *parts* say otherwise."""
    person = "ada@acme.com"
    about = {
        **dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), person),
        "business_line": "Retail",
        "delta_share_region": "EMEA",
        "workspace_url": house.workspaces.host,
        "servicenow": "CHG1",
        **parts.pop("metadata", {}),
    }
    data = {
        "metadata": about,
        "recipient": [{"name": "acme", "type": "D2O", "description": "the partner"}],
        "share": [{"name": "sales", "share_assets": [{"name": "m.s.orders"}], "recipients": ["acme"]}],
        **parts,
    }
    return SharePack.model_validate(data)


def submit(house: Context, pack: SharePack, **options: Any) -> Submitted:
    """Upload a pack."""
    return flow.submit(house, Upload(pack=pack, file_name="pack.yaml", **options))


def apply(house: Context, pack: SharePack, **options: Any) -> RunRecord:
    """Upload a pack and do its run in this thread."""
    return bring(house, submit(house, pack, **options).run_id)


def bring(house: Context, run_id: str) -> RunRecord:
    """Do a run as the queue does it that tries only once."""
    try:
        flow.provision(house, run_id)
    except BrickyardError as error:
        flow.gave_up(house, run_id, error)
    return flow.run_of(house, run_id)


def writes(workspace: LocalWorkspace, since: int) -> list[str]:
    """The operations that changed the workspace since that many requests."""
    changed = [one for one in workspace.requests()[since:] if one.method not in READS]
    return [one.operation for one in changed if one.operation]
