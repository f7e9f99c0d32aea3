"""One workspace and one database for all defects: each test uses names of its own, made of its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.share.flow.conftest import pack_of

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share.model.pack import SharePack
from brickyard.workspace import Workspaces, run_sql

WORLD = (
    "CREATE CATALOG IF NOT EXISTS m",
    "CREATE SCHEMA IF NOT EXISTS m.s",
    "CREATE SCHEMA IF NOT EXISTS m.partner",
    "CREATE OR REPLACE TABLE m.s.orders (id BIGINT, region STRING) PARTITIONED BY (region)",
    "CREATE OR REPLACE TABLE m.s.items (id BIGINT, name STRING)",
    "CREATE OR REPLACE TABLE m.s.feed (id BIGINT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
    "CREATE OR REPLACE TABLE m.s.still (id BIGINT)",
    "CREATE OR REPLACE VIEW m.s.seen AS SELECT id FROM m.s.items",
)
CRON = "0 30 6 * * ?"

Build = Callable[..., Context]


@pytest.fixture(scope="session")
def workspace_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace with something to share."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        client = workspace.client()
        for statement in WORLD:
            run_sql(client, statement)
        yield workspace


@pytest.fixture
def workspace(workspace_of_all: LocalWorkspace) -> Iterator[LocalWorkspace]:
    """The workspace, with no fault planned before and after."""
    workspace_of_all.parts.control.faults.clear()
    yield workspace_of_all
    workspace_of_all.parts.control.faults.clear()


@pytest.fixture(scope="session")
def metadata(postgres: str) -> Iterator[Metadata]:
    """One database for all."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE defects"))
    metadata = Metadata(make_url(postgres).set(database="defects").render_as_string(hide_password=False))
    metadata.migrate()
    yield metadata
    metadata.close()


@pytest.fixture
def build(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Build:
    """Build houses with settings of choice."""

    def built(actor: str = "up@loader.com", **settings: Any) -> Context:
        token = tmp_path / "token"
        token.write_text(workspace.token)
        workspaces = Workspaces(host=workspace.host, token_file=token, retry_seconds=0.2)
        return Context(workspaces, metadata, Queue(metadata, Settings(home=tmp_path, **settings)), actor=actor)

    return built


@pytest.fixture
def house(build: Build) -> Context:
    """A house that runs an identical pack again at once."""
    return build(share_repeat_seconds=0)


def share(number: int, *assets: str, **fields: Any) -> dict[str, Any]:
    """The share of a defect's pack."""
    listed = [{"name": name} for name in assets or ("m.s.items",)]
    return {"name": f"s{number}", "share_assets": listed, "recipients": [f"r{number}"], **fields}


def partner(number: int, **fields: Any) -> dict[str, Any]:
    """The recipient of a defect's pack."""
    return {"name": f"r{number}", "type": "D2O", **fields}


def feed(name: str, source: str = "m.s.feed", **fields: Any) -> dict[str, Any]:
    """A pipeline that copies a table into the partner's schema."""
    timing = {"schedule": {"cron": CRON}, "key_columns": ["id"], "target_asset": name}
    return {"name_prefix": name, "source_asset": source, **timing, **fields}


def fed(number: int, *pipelines: dict[str, Any], schema: str = "partner", **fields: Any) -> dict[str, Any]:
    """A share whose assets are copied by pipelines."""
    place = {"ext_catalog_name": "m", "ext_schema_name": schema}
    sources = {one["source_asset"]: None for one in pipelines}
    return share(number, *sources, delta_share=place, pipelines=list(pipelines), **fields)


def pack(house: Context, number: int, **parts: Any) -> SharePack:
    """The pack of a defect: its recipient may read one table by its share, unless *parts* say otherwise."""
    about = {"business_line": f"line {number}", **parts.pop("metadata", {})}
    parts = {"recipient": [partner(number)], "share": [share(number)], **parts}
    return pack_of(house, metadata=about, **parts)
