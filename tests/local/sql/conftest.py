"""One SQL service for all tests of this folder: the engine is started once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pytest

from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import Origin, Parameter, Result, SqlSession
from brickyard.local.sql.service import SqlService

OWNER = "owner@local"
JOB = Origin(
    job_id="7",
    job_name="nightly",
    job_run_id="70",
    task_run_id="71",
    notebook_id="9",
    notebook_path="/jobs/nightly",
)


@dataclass
class Sql:
    """Runs SQL as the owner in a schema of its own."""

    service: SqlService
    session: SqlSession

    def run(self, text: str, *parameters: Parameter, session: SqlSession | None = None) -> Result:
        """Run one statement."""
        return self.service.execute(text, session or self.session, parameters)

    def rows(self, text: str, *parameters: Parameter, session: SqlSession | None = None) -> list[list[object]]:
        """The rows of one statement as plain values."""
        result = self.run(text, *parameters, session=session)
        return [[plain(value) for value in row.values()] for row in _records(result)]

    def run_all(self, *texts: str) -> None:
        """Run statements in order."""
        for text in texts:
            self.run(text)


def _records(result: Result) -> list[dict[int, object]]:
    columns = [column.to_pylist() for column in result.table.columns]
    return [dict(enumerate(row)) for row in zip(*columns, strict=True)]


def plain(value: object) -> object:
    """A value as YAML would write it."""
    match value:
        case Decimal() | date() | datetime():
            return str(value)
        case [*pairs] if pairs and all(isinstance(p, tuple) for p in pairs):
            return {k: plain(v) for k, v in pairs}
        case list():
            return [plain(v) for v in value]
        case dict():
            return {k: plain(v) for k, v in value.items()}
    return value


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("workspace")
    store = CatalogStore(home / "catalog.sqlite", owner=OWNER)
    made = SqlService(home, store)
    yield made
    made.close()
    store.close()


@pytest.fixture
def sql(service):
    session = SqlSession(OWNER, admin=True, origin=JOB)
    schema = f"s_{uuid.uuid4().hex[:8]}"
    service.execute(f"CREATE SCHEMA {schema}", session)
    session.schema = schema
    return Sql(service, session)
