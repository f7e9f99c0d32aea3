"""The contract suite: what a Databricks workspace answers, decoded by the SDK's own classes.

It runs on a fresh local workspace. With `BRICKYARD_TEST_HOST`, `BRICKYARD_TEST_TOKEN`, `BRICKYARD_TEST_WAREHOUSE` and
`BRICKYARD_TEST_CATALOG` (a catalog in which it may make schemas) it runs on a real one; where the two disagree, the local one
is wrong. What it makes carries a random name and is removed.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.sql import StatementResponse, StatementState

from brickyard.local import LocalWorkspace

EMPTY: tuple[object, ...] = (None, [], {})
UNKNOWN_TO_THE_SDK = {"details", "format", "run_as_user_name"}  # Databricks says them, the SDK's classes leave them out


@dataclass(frozen=True)
class Target:
    """The workspace under test; `local` is None on a real one."""

    client: WorkspaceClient
    warehouse_id: str
    catalog: str
    folder: str
    local: LocalWorkspace | None = None
    answers: list[object] = field(default_factory=list)

    def sql(self, statement: str, **options: Any) -> StatementResponse:
        """Run a statement to its end and check that it succeeded."""
        done = self.client.statement_execution.execute_statement(
            statement, self.warehouse_id, wait_timeout="50s", **options
        )
        assert done.status and done.status.state is StatementState.SUCCEEDED, done.status
        return done


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The workspace under test."""
    host = os.environ.get("BRICKYARD_TEST_HOST")
    if host:
        client = WorkspaceClient(config=Config(host=host, token=os.environ["BRICKYARD_TEST_TOKEN"], auth_type="pat"))
        names = os.environ["BRICKYARD_TEST_WAREHOUSE"], os.environ["BRICKYARD_TEST_CATALOG"]
        yield from _prepared(client, *names, None)
        return
    with LocalWorkspace(tmp_path_factory.mktemp("contract") / "workspace") as workspace:
        client = workspace.client()
        client.catalogs.create("contract")
        yield from _prepared(client, workspace.parts.warehouses.default_id, "contract", workspace)


def _prepared(client: WorkspaceClient, warehouse: str, catalog: str, local: LocalWorkspace | None) -> Iterator[Target]:
    folder = f"/Users/{client.current_user.me().user_name}/contract_{secrets.token_hex(4)}"
    client.workspace.mkdirs(folder)
    found = Target(client, warehouse, catalog, folder, local)
    session: requests.Session = client.api_client._api_client._session  # the SDK has no public place to see raw answers
    session.hooks["response"].append(lambda response, **_: found.answers.append(_json(response)))
    yield found
    client.workspace.delete(folder, recursive=True)


def _json(response: requests.Response) -> object:
    kind = response.headers.get("content-type", "")
    return json.loads(response.content) if kind.startswith("application/json") and response.content else None


@pytest.fixture
def client(target: Target) -> WorkspaceClient:
    """The SDK's client of the workspace under test."""
    return target.client


@pytest.fixture(scope="session")
def schema(target: Target) -> Iterator[str]:
    """The full name of a schema that the suite owns."""
    name = f"contract_{secrets.token_hex(4)}"
    target.client.schemas.create(name, target.catalog)
    yield f"{target.catalog}.{name}"
    target.client.schemas.delete(f"{target.catalog}.{name}", force=True)


@pytest.fixture(scope="session")
def table(target: Target, schema: str) -> str:
    """The full name of a table of 1,000 rows."""
    target.sql(
        f"CREATE TABLE {schema}.orders (id BIGINT, name STRING, amount DECIMAL(10,2), at TIMESTAMP) COMMENT 'orders'"
    )
    target.sql(
        f"INSERT INTO {schema}.orders SELECT id, concat('n', id), CAST(id AS DECIMAL(10,2)) / 4, "
        "timestamp'2026-01-02 03:04:05' FROM range(1000)"
    )
    return f"{schema}.orders"


@pytest.fixture(autouse=True)
def in_good_order(request: pytest.FixtureRequest, target: Target, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test in which the SDK warned, or which did not exercise what it says it covers."""
    seen = len(target.local.requests()) if target.local else 0
    target.answers.clear()
    yield
    warned = [r.getMessage() for r in caplog.records if r.name.startswith("databricks") and r.levelname == "WARNING"]
    assert warned == []
    marker = request.node.get_closest_marker("covers")
    if marker and target.local:
        called = {r.operation for r in target.local.requests()[seen:]}
        assert set(marker.args) - called == set()


@pytest.fixture
def faithful(target: Target) -> Callable[[Any], Any]:
    """Check that the SDK's class of the last answer lost nothing of it, and give the object back."""

    def check(decoded: Any) -> Any:
        assert lost(target.answers[-1], decoded.as_dict(), strict=target.local is not None) == []
        return decoded

    return check


@pytest.fixture
def all_faithful(target: Target) -> Callable[[Iterable[Any], str], list[Any]]:
    """The same for the elements of a list, which the answers carry under *field*."""

    def check(decoded: Iterable[Any], field: str) -> list[Any]:
        rows = list(decoded)
        answered = [row for answer in target.answers if isinstance(answer, dict) for row in answer.get(field, [])]
        assert rows and len(answered) == len(rows)
        strict = target.local is not None
        assert [
            x for raw, row in zip(answered, rows, strict=True) for x in lost(raw, row.as_dict(), strict=strict)
        ] == []
        return rows

    return check


def lost(raw: object, decoded: object, path: str = "", *, strict: bool) -> list[str]:
    """Where an answer says something that its decoded form does not; a real workspace may know words that the SDK does not."""
    if raw in EMPTY:
        return []
    if isinstance(raw, dict) and isinstance(decoded, dict):
        known = raw if strict else raw.keys() & decoded.keys()
        kept = [key for key in known if key not in UNKNOWN_TO_THE_SDK]
        return [x for key in kept for x in lost(raw[key], decoded.get(key), f"{path}.{key}", strict=strict)]
    if isinstance(raw, list) and isinstance(decoded, list) and len(raw) == len(decoded):
        pairs = enumerate(zip(raw, decoded, strict=True))
        return [x for i, (a, b) in pairs for x in lost(a, b, f"{path}[{i}]", strict=strict)]
    return [] if str(raw) == str(decoded) else [f"{path}: {raw!r} became {decoded!r}"]
