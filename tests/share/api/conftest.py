"""The service with share mounted, over a real socket, on a local workspace and a real database."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share import api
from brickyard.web.app import create
from brickyard.web.gate import Rules
from brickyard.workspace import Workspaces

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A local workspace for all tests of the doors."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace


@pytest.fixture
def house(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Context:
    """A house on the local workspace, with a database of its own."""
    workspace.parts.control.faults.clear()
    return house_of(workspace, metadata, tmp_path)


def house_of(workspace: LocalWorkspace, metadata: Metadata, folder: Path, **settings: Any) -> Context:
    """Build a house with settings of choice."""
    token = folder / "token"
    token.write_text(workspace.token)
    workspaces = Workspaces(host=workspace.host, token_file=token, retry_seconds=1)
    return Context(workspaces, metadata, Queue(metadata, Settings(home=folder, **settings)))


@pytest.fixture
def serve(workspace: LocalWorkspace, metadata: Metadata, tmp_path: Path) -> Iterator[Serve]:
    """Serve under settings of choice, and return a client with token and workspace."""
    workspace.parts.control.faults.clear()
    with ExitStack() as stack:

        def started(database: Metadata = metadata, **settings: Any) -> httpx.Client:
            return stack.enter_context(served(house_of(workspace, database, tmp_path, **settings)))

        yield started


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    """A client of a service with the settings as they are."""
    return serve()


@contextmanager
def served(house: Context) -> Iterator[httpx.Client]:
    """Serve a house until the end of the block."""
    rules = Rules(token="t", hosts=frozenset({"127.0.0.1"}), body_bytes=8_000_000)
    app = create(house, rules, api.routes(house.queue.settings))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        headers = {"Authorization": "Bearer t", "X-Workspace-URL": house.workspaces.host or ""}
        try:
            with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
