"""A local workspace whose jobs, pipelines and statements really run, and its system tables as Python rows."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat, Language
from deltalake import DeltaTable

from brickyard.local import LocalWorkspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Observed:
    """A workspace and what its system tables say."""

    workspace: LocalWorkspace
    client: WorkspaceClient

    @property
    def stamp(self) -> Row:
        """The columns that every row has."""
        return {
            "account_id": "00000000-0000-0000-0000-000000000001",
            "workspace_id": str(self.client.get_workspace_id()),
        }

    def sql(self, statement: str) -> Any:
        """Run a statement and return the SDK's answer."""
        warehouse = self.workspace.parts.warehouses.default_id
        return self.client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")

    def rows(self, table: str, **where: object) -> list[Row]:
        """The rows of a system table whose columns have these values, in the order of their times."""
        assert self.sql(f"SELECT 1 FROM system.{table} LIMIT 0").status.error is None
        found = DeltaTable(self.workspace.home / "tables" / "system" / table).to_pyarrow_table().to_pylist()
        chosen = [row for row in found if all(row[name] == value for name, value in where.items())]
        return sorted(chosen, key=lambda row: [str(row[name]) for name in row if name.endswith("_time")])

    def wait(self, table: str, count: int, **where: object) -> list[Row]:
        """The rows when there are so many: an end is told a moment after a client can see it."""
        limit = time.monotonic() + 20
        while len(found := self.rows(table, **where)) < count and time.monotonic() < limit:
            time.sleep(0.05)
        assert len(found) == count, found
        return found

    def put(self, path: str, text: str, language: Language = Language.PYTHON) -> str:
        """Import a notebook and return its path."""
        content = base64.b64encode(text.encode()).decode()
        self.client.workspace.import_(path, content=content, format=ImportFormat.SOURCE, language=language)
        return path


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A workspace that the tests of a file share."""
    home: Path = tmp_path_factory.mktemp("observed") / "workspace"
    with LocalWorkspace(home) as workspace:
        yield Observed(workspace, workspace.client())
