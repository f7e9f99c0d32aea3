"""What every story of the demonstration stands on: a home, its service and workspace, measured phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
from databricks.sdk import WorkspaceClient

from brickyard.home.folder import Home
from brickyard.kernel.errors import BrickyardError

Result = TypeVar("Result")


class DemoSurprised(BrickyardError):
    """Something in the demonstration came to another end than it should."""

    code = "demo-surprised"
    exit_code = 1


def at_home(folder: Path | None, tell: Callable[[Home], Result]) -> Result:
    """Tell a story in a home of its own that leaves nothing behind, or in *folder*, where it keeps running."""
    if folder is not None:
        return tell(Home(folder.expanduser().resolve()))
    with Home.temporary() as home:
        return tell(home)


@contextmanager
def phase(phases: dict[str, float], name: str) -> Iterator[None]:
    """Measure a phase in seconds."""
    started = time.monotonic()
    try:
        yield
    finally:
        phases[name] = round(time.monotonic() - started, 2)


def workspace(home: Home) -> WorkspaceClient:
    """The client of the home's workspace."""
    token = home.workspace_token_file.read_text().strip()
    return WorkspaceClient(host=home.addresses.workspace, token=token, auth_type="pat", product="brickyard-demo")


def service(home: Home) -> httpx.Client:
    """A client of the home's web service."""
    token = home.token_file.read_text().strip()
    return httpx.Client(base_url=home.addresses.web, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def asked(response: httpx.Response) -> httpx.Response:
    """The response, when the service did what was asked."""
    if response.is_error:
        raise BrickyardError(f"the service answered {response.status_code}: {response.text[:500]}")
    return response
