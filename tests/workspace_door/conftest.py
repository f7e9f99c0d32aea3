"""A local workspace for the tests of the door, and the door to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from brickyard.local import LocalWorkspace
from brickyard.workspace import Workspaces


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """One server for all tests of the door."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace


@pytest.fixture
def workspace(shared_workspace: LocalWorkspace) -> LocalWorkspace:
    """The server, with no fault planned and no request counted."""
    shared_workspace.parts.control.faults.clear()
    shared_workspace.parts.control.requests.clear()
    return shared_workspace


@pytest.fixture
def door(workspace: LocalWorkspace) -> Workspaces:
    """The door to it, patient for five seconds."""
    return Workspaces(host=workspace.host, token_file=workspace.token_file, retry_seconds=5)


@pytest.fixture
def hurried(door: Workspaces) -> Workspaces:
    """A door that tries once."""
    return replace(door, retry_seconds=0)
