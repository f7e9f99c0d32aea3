"""Whatever people, workers and the workspace do, and in whatever order: history, trail, leases and claims stay true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg import sql
from sqlalchemy import make_url
from tests.share.flow.conftest import clean
from tests.share.flow.sequences import Sequences

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.workspace import Workspaces

_numbers = count()


class Houses:
    """Houses on one workspace, each with a copy of an empty database."""

    def __init__(self, workspace: LocalWorkspace, postgres: str, folder: Path) -> None:
        self.workspace, self.postgres, self.folder = workspace, postgres, folder
        (folder / "token").write_text(workspace.token)
        self.template = self._create("template0")
        empty = Metadata(self._url(self.template))
        empty.migrate()
        empty.close()

    @contextmanager
    def opened(self, approval: str) -> Iterator[Context]:
        """A house in which packs are let through in that way."""
        clean(self.workspace)
        name = self._create(self.template)
        metadata = Metadata(self._url(name))
        hasty = {"share_repeat_seconds": 0, "share_detect_seconds": 0.2}
        chosen = Settings.model_validate({"home": self.folder, "share_approval": approval, **hasty})
        workspaces = Workspaces(host=self.workspace.host, token_file=self.folder / "token", retry_seconds=0.1)
        try:
            yield Context(workspaces, metadata, Queue(metadata, chosen), actor="up@loader.com")
        finally:
            metadata.close()
            self.drop(name)
            clean(self.workspace)

    def drop(self, name: str) -> None:
        """Remove a database."""
        self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _create(self, template: str) -> str:
        name = f"sequence_{next(_numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, name: str) -> str:
        return make_url(self.postgres).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def houses(workspace: LocalWorkspace, postgres: str, tmp_path: Path) -> Iterator[Houses]:
    """Houses, whose first database is dropped at the end."""
    made = Houses(workspace, postgres, tmp_path)
    yield made
    made.drop(made.template)


def _try(houses: Houses, examples: int, steps: int) -> None:
    class Machine(Sequences):
        workspace = houses.workspace
        opened = staticmethod(houses.opened)

    chosen = settings(
        max_examples=examples,
        derandomize=examples < 50,  # the same cases on every machine; the long variant looks for new ones
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=chosen)


def test_any_sequence_keeps_the_record_true(houses: Houses):
    _try(houses, examples=5, steps=8)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_very_many_sequences_keep_the_record_true(houses: Houses):
    _try(houses, examples=60, steps=25)
