"""The service in this process, on a real database, with a room that refuses in every way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from brickyard import rooms
from brickyard.context import Context
from brickyard.kernel import errors
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.web.app import create
from brickyard.web.gate import Rules
from brickyard.workspace import Workspaces

TOKEN = "the-token"
RULES = Rules(token=TOKEN, hosts=frozenset({"127.0.0.1"}), body_bytes=100_000)

room = APIRouter(prefix="/room", tags=["room"])


class Order(BaseModel):
    """What the room takes."""

    name: str = Field(min_length=1)
    count: int = Field(ge=1)


@room.post("/orders", status_code=202)
def order(order: Order) -> Order:
    """Take an order."""
    return order


@room.get("/refusals/{kind}", include_in_schema=False)
def refuse(kind: str, code: str | None = Query(None)) -> None:
    """Refuse."""
    raise getattr(errors, kind)(
        "it does not go", code=code, remedy="do otherwise", problems=(errors.Problem("wrong", where="a.yaml:3"),)
    )


@room.get("/fault", include_in_schema=False)
def fault() -> None:
    """Fail with a secret."""
    raise RuntimeError("token=dapi0123456789abcdef")


Serve = Callable[[Metadata], httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve on a database of choice, over a real socket, and return a client with the token."""
    with ExitStack() as stack:
        yield lambda metadata: stack.enter_context(_served(metadata))


@pytest.fixture
def client(metadata: Metadata, serve: Serve) -> httpx.Client:
    """A client of a service whose database is there."""
    return serve(metadata)


@contextmanager
def _served(metadata: Metadata) -> Iterator[httpx.Client]:
    settings = Settings()
    app = create(Context(Workspaces(), metadata, Queue(metadata, settings)), RULES, [room, *rooms.routers(settings)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20) as client:
            yield client
        server.should_exit = True
        thread.join()
