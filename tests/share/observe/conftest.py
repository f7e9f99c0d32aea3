"""A local workspace with something to share, and hands to change it with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from brickyard.local import LocalWorkspace
from brickyard.share import observe
from brickyard.share.apply import Hands, perform
from brickyard.share.model.current import Claim, Current
from brickyard.share.model.pack import SharePack
from brickyard.share.model.steps import Plan
from brickyard.share.plan import claims_after, plan
from brickyard.workspace import Workspaces, run_sql

LIBRARY = "/Shared/brickyard/pipeline"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(tmp_path_factory.mktemp("observed")) as running:
        client = running.client()
        for name in ("src", "out"):
            client.catalogs.create(name)
        client.schemas.create("s", "src")
        run_sql(client, "CREATE TABLE src.s.orders (id INT, day DATE) USING delta PARTITIONED BY (day)")
        for n in range(5):
            run_sql(client, f"CREATE TABLE src.s.t{n} (id INT) USING delta")
        run_sql(client, "CREATE VIEW src.s.few AS SELECT id FROM src.s.orders")
        run_sql(client, "CREATE FUNCTION src.s.twice(x INT) RETURNS INT RETURN x * 2")
        run_sql(client, "CREATE VOLUME src.s.files")
        yield running


@pytest.fixture
def client(workspace: LocalWorkspace) -> WorkspaceClient:
    return Workspaces(host=workspace.host, token_file=workspace.token_file, retry_seconds=2).client()


class World:
    """What a run is, without a database: a plan, its steps done one by one, the claims kept."""

    def __init__(self, client: WorkspaceClient) -> None:
        self.client = client
        self.claims: frozenset[Claim] = frozenset()
        self.hands = Hands(client, "pack-1", lambda *_: None, lambda: datetime.now(UTC), LIBRARY)

    def current(self, pack: SharePack, **known: Any) -> Current:
        nothing: dict[str, Any] = {"claims": self.claims, "others": frozenset(), "recorded": frozenset()}
        return observe.current(self.client, pack, **{**nothing, **known}, library_path=LIBRARY)

    def plan(self, pack: SharePack, **allowed: bool) -> Plan:
        return plan(pack, self.current(pack), now=datetime.now(UTC), **allowed)

    def apply(self, pack: SharePack, **allowed: bool) -> Plan:
        found = self.plan(pack, **allowed)
        assert found.refusals == ()
        for step in found.steps:
            perform(self.hands, step)
            self.claims = claims_after(self.claims, step)
        return found


@pytest.fixture
def it(client: WorkspaceClient) -> World:
    return World(client)
