"""Named tokens at the gate: who has one acts under their own name, until it is revoked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Depends, Request

from brickyard.context import Context
from brickyard.metadata import Metadata, tokens
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.web.app import create
from brickyard.web.gate import Rules
from brickyard.workspace import Workspaces

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
room = APIRouter()


def context(request: Request) -> Context:
    return request.state.context


@room.get("/who", include_in_schema=False)
def who(context: Annotated[Context, Depends(context)]) -> str:
    """Say who asks."""
    return context.actor


@pytest.fixture
def url(metadata: Metadata) -> Iterator[str]:
    house = Context(Workspaces(), metadata, Queue(metadata, Settings()))
    rules = Rules(token="t", hosts=frozenset({"127.0.0.1"}), body_bytes=1000, token_cache_seconds=0)
    server = uvicorn.Server(uvicorn.Config(create(house, rules, [room]), log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def ask(url: str, token: str) -> httpx.Response:
    return httpx.get(f"{url}/who", headers={"Authorization": f"Bearer {token}"})


def test_the_services_token_acts_for_the_service_and_a_named_one_for_its_person(url: str, metadata: Metadata):
    with metadata.transaction() as tx:
        made = tokens.add(tx, "Ada@Example.com", at=NOW, actor="root")
    assert [ask(url, token).json() for token in ("t", made.secret)] == ["service", "ada@example.com"]


def test_a_revoked_token_opens_nothing(url: str, metadata: Metadata):
    with metadata.transaction() as tx:
        made = tokens.add(tx, "ada@example.com", at=NOW, actor="root")
    assert ask(url, made.secret).status_code == 200
    with metadata.transaction() as tx:
        assert tokens.revoke(tx, "ada@example.com", at=NOW, actor="root") == (made.id,)
    answer = ask(url, made.secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "token-missing")


@pytest.mark.parametrize("token", ["byd_", "byd_wrong", "byd_" + "x" * 43, "byd_\x7f", "t2"])
def test_a_token_that_nobody_has_opens_nothing(url: str, token: str):
    assert ask(url, token).status_code == 401
