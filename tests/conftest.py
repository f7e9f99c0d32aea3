"""What all tests share: a real PostgreSQL, one server for each test process and a fresh database for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

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
    """The URL of a server of this test process, stopped and removed at its end.

    It does not wait for the disk: tests kill processes, never the machine, and what a process wrote outlives it.
    """
    folder = tmp_path_factory.mktemp("postgres")
    url = embedded.start(folder)
    _run(url, "ALTER SYSTEM SET fsync = off")
    _run(url, "SELECT pg_reload_conf()")
    yield url
    embedded.remove(folder)


@pytest.fixture(scope="session")
def migrated(postgres: str) -> str:
    """The name of a database at this version's schema, to be copied and never opened."""
    _run(postgres, "CREATE DATABASE migrated")
    metadata = Metadata(_url(postgres, "migrated"))
    metadata.migrate()
    metadata.close()
    return "migrated"


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    with _database(postgres, "template1") as url:
        yield url


@pytest.fixture
def metadata(postgres: str, migrated: str) -> Iterator[Metadata]:
    """A fresh database at this version's schema."""
    with _database(postgres, migrated) as url:
        metadata = Metadata(url)
        yield metadata
        metadata.close()


@contextmanager
def _database(postgres: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _run(postgres, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield _url(postgres, name)
    _run(postgres, "DROP DATABASE {} WITH (FORCE)", name)


def _run(postgres: str, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _url(postgres: str, database: str) -> str:
    return make_url(postgres).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azure Storage Queue of this test process; tests take a queue name of their own."""
    if absent := missing():
        pytest.skip(f"the Azure queue cannot be tested: {absent}")
    with emulator() as server:
        yield server
