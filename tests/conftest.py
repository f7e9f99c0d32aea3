"""What all tests share: a real PostgreSQL, one server for each test process and a fresh database for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.azurite.server import Azurite, missing
from tests.azurite.server import azurite as emulator

from brickyard.metadata import Metadata, embedded

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of this test process, stopped and removed at its end."""
    folder = tmp_path_factory.mktemp("postgres")
    yield embedded.start(folder)
    embedded.remove(folder)


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def metadata(database_url: str) -> Iterator[Metadata]:
    """A fresh database at this version's schema."""
    metadata = Metadata(database_url)
    metadata.migrate()
    yield metadata
    metadata.close()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azure Storage Queue of this test process; tests take a queue name of their own."""
    if absent := missing():
        pytest.skip(f"the Azure queue cannot be tested: {absent}")
    with emulator() as server:
        yield server
