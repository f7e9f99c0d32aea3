"""Local workspaces for tests: one of its own for each test that changes settings or faults, one shared by those that only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brickyard.local import LocalWorkspace
from brickyard.local.engines.pyspark_import import outside_doctests

with outside_doctests():  # some tests import the notebook's side of it directly
    import pyspark.sql.connect.session  # noqa: F401 — imported for its effect


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[LocalWorkspace]:
    """A fresh local workspace."""
    with LocalWorkspace(tmp_path / "workspace") as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace that many tests share."""
    with LocalWorkspace(tmp_path_factory.mktemp("shared") / "workspace") as running:
        yield running
