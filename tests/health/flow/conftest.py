"""One local workspace for the tests of a module, with a small seeded account of which the bill is gold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from brickyard.health import flow, synthetic
from brickyard.health.flow import Door
from brickyard.health.flow.door import places, through
from brickyard.health.flow.seeding import Seeded, seed
from brickyard.health.model.state import Sql
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.local import LocalWorkspace

DOMAINS = ("billing", "shared")
GOLD = Gold({name: table for name, table in compile_all().tables.items() if table.contract.domain in DOMAINS})


@dataclass(frozen=True, slots=True)
class Stand:
    """A workspace with a seeded account."""

    client: WorkspaceClient
    door: Door
    seeded: Seeded
    gold: Gold = GOLD


@dataclass(frozen=True)
class Before:
    """An engine with which something happens before a statement that begins with these words."""

    sql: Sql
    start: str
    happens: Callable[[], None]

    def __call__(self, statement: str) -> Any:
        if statement.startswith(self.start):
            self.happens()
        return self.sql(statement)


def refuse() -> None:
    """What an engine says whose disk is full."""
    raise WorkspaceRefused("No space left on device", code="statement-failed")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace.client()


@pytest.fixture(scope="module")
def fresh(client: WorkspaceClient) -> Stand:
    """An account that is seeded and not run yet."""
    account = synthetic.generate(days=60, scale=0.02, seed=7)
    door = through(client, places("synthetic"), account.settled_at)
    return Stand(client, door, seed(door, client, account, gold=GOLD))


@pytest.fixture(scope="module")
def stand(fresh: Stand) -> Stand:
    """The account with its gold."""
    assert flow.run(fresh.door, gold=GOLD).failed == ()
    return fresh
