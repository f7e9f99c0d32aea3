"""A workspace with a share, and partners that read it with the unchanged client or with bare requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import delta_sharing
import httpx
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sharing import (
    AuthenticationType,
    IpAccessList,
    PermissionsChange,
    SecurablePropertiesKvPairs,
    SharedDataObject,
    SharedDataObjectDataObjectType,
    SharedDataObjectUpdate,
    SharedDataObjectUpdateAction,
)

from brickyard.local import LocalWorkspace


@dataclass(frozen=True)
class Partner:
    """A recipient of the share `sales` and its profile file."""

    name: str
    profile: Path

    @property
    def content(self) -> dict[str, str]:
        """What the profile file says."""
        return dict(json.loads(self.profile.read_text()))

    def read(self, table: str, delta: bool | None = None, **more: Any) -> list[tuple[Any, ...]]:
        """The rows of `schema.table` as the client reads them, sorted."""
        return rows(delta_sharing.load_as_pandas(f"{self.profile}#sales.{table}", use_delta_format=delta, **more))

    def changes(self, table: str, delta: bool, **more: Any) -> list[tuple[Any, ...]]:
        """The change feed without the time of the commit, sorted."""
        url = f"{self.profile}#sales.{table}"
        frame = delta_sharing.load_table_changes_as_pandas(url, use_delta_format=delta, **more)
        return rows(frame.drop(columns="_commit_timestamp"))

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        """A bare request with the recipient's token; *path* begins after the endpoint."""
        headers = {"Authorization": f"Bearer {self.content['bearerToken']}", **more.pop("headers", {})}
        return httpx.request(method, self.content["endpoint"] + path, headers=headers, **more)

    def query(self, table: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """A bare query of `schema.table`."""
        return self.ask(path_of(table, "query"), "POST", json=body, headers=headers or {})


def path_of(table: str, what: str) -> str:
    """The path of `schema.table` of the share `sales`."""
    schema, name = table.split(".")
    return f"/shares/sales/schemas/{schema}/tables/{name}/{what}"


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows of a frame, sorted, with None for what is missing."""
    found = [tuple(None if value is pd.NaT or value != value else value for value in row) for row in frame.values]
    return sorted(found, key=repr)


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.content.splitlines()]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and error code of a refusal, which says no more than the protocol has words for."""
    body = answer.json()
    assert set(body) == {"errorCode", "message"}
    return answer.status_code, body["errorCode"]


@dataclass(frozen=True)
class Sales:
    """A workspace whose schema `m.s` is shared by the share `sales`."""

    workspace: LocalWorkspace
    client: WorkspaceClient
    folder: Path

    def sql(self, statement: str) -> list[list[str]]:
        """Run a statement and return its rows."""
        house = self.workspace.parts.warehouses.default_id
        done = self.client.statement_execution.execute_statement(statement, house, wait_timeout="50s")
        assert done.status and done.status.state and done.status.state.value == "SUCCEEDED", done.status
        return list(done.result.data_array or []) if done.result else []

    def add(self, name: str, type_: str = "TABLE", **more: Any) -> None:
        """Put an object into the share."""
        self._change(SharedDataObjectUpdateAction.ADD, name, type_, **more)

    def remove(self, name: str, type_: str = "TABLE") -> None:
        """Take an object out of the share."""
        self._change(SharedDataObjectUpdateAction.REMOVE, name, type_)

    def _change(self, action: SharedDataObjectUpdateAction, name: str, type_: str, **more: Any) -> None:
        shared = SharedDataObject(name=name, data_object_type=SharedDataObjectDataObjectType(type_), **more)
        self.client.shares.update("sales", updates=[SharedDataObjectUpdate(action=action, data_object=shared)])

    def make(self, name: str, rest: str, **more: Any) -> str:
        """Make the table `m.s.NAME` and share it; returns the name that partners use."""
        self.sql(f"CREATE TABLE m.s.{name} {rest}")
        self.add(f"m.s.{name}", **more)
        return f"s.{name}"

    def table(self, name: str) -> Path:
        """The folder of a table of the schema."""
        return Path(str(self.client.tables.get(f"m.s.{name}").storage_location))

    def partner(self, name: str, addresses: list[str] | None = None, **properties: str) -> Partner:
        """Make a recipient, give it the share and activate it."""
        made = self.client.recipients.create(
            name,
            AuthenticationType.TOKEN,
            ip_access_list=IpAccessList(addresses) if addresses else None,
            properties_kvpairs=SecurablePropertiesKvPairs(properties) if properties else None,
        )
        grant = PermissionsChange(principal=name, add=["SELECT"])
        self.client.shares.update_permissions("sales", changes=[grant])
        return self.activated(name, str((made.tokens or [])[0].activation_url))

    def activated(self, name: str, link: str) -> Partner:
        """Download the profile file of a recipient."""
        profile = self.client.recipient_activation.retrieve_token(link.rpartition("=")[2])
        file = self.folder / f"{name}.share"
        file.write_text(json.dumps(profile.as_dict()))
        return Partner(name, file)


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sales]:
    """The workspace of a test module."""
    with LocalWorkspace(tmp_path_factory.mktemp("sales") / "workspace") as workspace:
        client = workspace.client()
        client.catalogs.create("m")
        client.schemas.create("s", "m")
        client.shares.create("sales")
        yield Sales(workspace, client, tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def acme(sales: Sales) -> Partner:
    """The partner of a test module."""
    return sales.partner("acme")


@pytest.fixture
def events(sales: Sales) -> Callable[[str], list[list[str]]]:
    """The audit rows of an action: recipient, table, status and result."""

    def found(action: str) -> list[list[str]]:
        return sales.sql(
            "SELECT request_params['recipient_name'], request_params['name'], response.status_code, response.result "
            f"FROM system.access.audit WHERE action_name = '{action}' ORDER BY event_time"
        )

    return found
