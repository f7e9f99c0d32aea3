"""A small lakehouse in a local workspace, and the house to migrate its notebooks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.migrate import flow, tasks  # noqa: F401 — the import registers the room's task
from brickyard.migrate.model.runs import RunRequest
from brickyard.migrate.observe import Eyes
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.workspace import Workspaces

RULES = """
format: 1
name: small
original_catalog: hive_metastore
mappings:
  - {id: staging, schema: va, prefix: staging_, to: "wb.staging.{rest}"}
  - {id: rest, schema: va, to: "wb.loyalty.{name}"}
paths:
  - {prefix: /mnt/out, to: /Volumes/wb/loyalty/out}
rewrites:
  references: {}
  row-number-to-qualify: {}
  truncate-insert: {}
  ordinals: {}
  file-volumes: {}
  remove-optimize: {}
"""

WORLD = [
    "CREATE CATALOG IF NOT EXISTS wb",
    "CREATE SCHEMA IF NOT EXISTS hive_metastore.va",
    "CREATE SCHEMA IF NOT EXISTS wb.loyalty",
    "CREATE SCHEMA IF NOT EXISTS wb.staging",
    "CREATE OR REPLACE TABLE hive_metastore.va.member AS SELECT id AS member_id, concat('m', CAST(id AS STRING)) AS name,"
    " CASE WHEN id % 3 = 0 THEN 'gold' ELSE 'red' END AS tier FROM range(30)",
    "CREATE OR REPLACE TABLE wb.loyalty.member AS SELECT * FROM hive_metastore.va.member",
    "CREATE OR REPLACE VIEW hive_metastore.va.gold AS SELECT member_id, name FROM hive_metastore.va.member WHERE tier = 'gold'",
    "CREATE OR REPLACE VIEW wb.loyalty.gold AS SELECT member_id, name FROM wb.loyalty.member WHERE tier = 'gold'",
    "CREATE OR REPLACE TABLE hive_metastore.va.summary AS SELECT tier, COUNT(*) AS members FROM hive_metastore.va.member GROUP BY tier",
    "CREATE OR REPLACE TABLE hive_metastore.va.score (member_id BIGINT, score DOUBLE)",
]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace for all tests of the room."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def eyes(workspace: LocalWorkspace) -> Eyes:
    """The workspace as the room looks at it."""
    return Eyes(workspace.client())


@pytest.fixture
def world(eyes: Eyes, workspace: LocalWorkspace) -> Eyes:
    """The small lakehouse as it is at first, without faults to come and without what runs have left."""
    workspace.parts.control.faults.clear()
    for schema in list(eyes.client.schemas.list("wb")) if _has_catalog(eyes) else []:
        if (schema.name or "").startswith("brickyard_rehearsal_"):
            eyes.sql(f"DROP SCHEMA wb.`{schema.name}` CASCADE")
    for statement in WORLD:
        eyes.sql(statement)
    return eyes


def _has_catalog(eyes: Eyes) -> bool:
    return any(catalog.name == "wb" for catalog in eyes.client.catalogs.list())


@pytest.fixture
def house(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Context:
    """A house on the local workspace, with a database of its own."""
    token = tmp_path / "token"
    token.write_text(workspace.token)
    settings = Settings(home=tmp_path, worker_timeout_seconds=3, worker_heartbeat_seconds=0.5)
    workspaces = Workspaces(host=workspace.host, token_file=token, retry_seconds=2)
    return Context(workspaces=workspaces, metadata=metadata, queue=Queue(metadata, settings))


def request(notebooks: dict[str, str], **fields: Any) -> RunRequest:
    """A request with inline notebooks."""
    sent = [{"path": p, "content": base64.b64encode(text.encode())} for p, text in notebooks.items()]
    return RunRequest.model_validate({"notebooks": sent, "rules_text": RULES, **fields})


@pytest.fixture
def request_for() -> Callable[..., RunRequest]:
    """Make a request with inline notebooks and the small lakehouse's rules."""
    return request


Migrate = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def migrate(house: Context) -> Migrate:
    """Submit notebooks, do their runs here, and return the records."""

    def migrated(notebooks: dict[str, str], **fields: Any) -> list[dict[str, Any]]:
        queued = flow.submit(house, request(notebooks, **fields))
        flow.follow(house, queued.batch)
        return flow.record(house, queued.batch)

    return migrated
