"""One local workspace for the tests of pipelines, and a bench that makes pipelines of notebooks and runs them."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineEvent, PipelineLibrary, UpdateInfo
from databricks.sdk.service.workspace import ImportFormat, Language

from brickyard.local import LocalWorkspace

ENDED = {"COMPLETED", "FAILED", "CANCELED"}
_numbers = itertools.count()


@dataclass(frozen=True)
class Bench:
    """A client and the few things that every test of pipelines does."""

    client: WorkspaceClient
    workspace: LocalWorkspace | None = None

    def sql(self, statement: str) -> list[list[Any]]:
        """Run a statement and return its rows."""
        assert self.workspace
        warehouse = self.workspace.parts.warehouses.default_id
        done = self.client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
        assert done.status and done.status.state and done.status.state.value == "SUCCEEDED", done.status
        return (done.result.data_array or []) if done.result else []

    def schema(self) -> str:
        """A new schema of catalog main."""
        name = f"s{next(_numbers)}"
        self.sql(f"CREATE SCHEMA main.{name}")
        return name

    def put(self, text: str, language: Language = Language.PYTHON) -> str:
        """Import a notebook and return its path."""
        path = f"/Shared/pipeline{next(_numbers)}"
        content = base64.b64encode(text.encode()).decode()
        self.client.workspace.import_(path, content=content, language=language, format=ImportFormat.SOURCE)
        return path

    def pipeline(self, text: str, schema: str, language: Language = Language.PYTHON, **options: Any) -> str:
        """Make a pipeline of one notebook and return its id."""
        library = PipelineLibrary(notebook=NotebookLibrary(path=self.put(text, language)))
        name = f"pipeline {next(_numbers)}"
        made = self.client.pipelines.create(name=name, catalog="main", schema=schema, libraries=[library], **options)
        assert made.pipeline_id
        return made.pipeline_id

    def update(self, pipeline_id: str, **options: Any) -> UpdateInfo:
        """Run an update to its end."""
        update_id = self.client.pipelines.start_update(pipeline_id, **options).update_id
        return self.reached(pipeline_id, str(update_id), ENDED)

    def reached(self, pipeline_id: str, update_id: str, states: set[str], seconds: float = 60) -> UpdateInfo:
        """The update when it is in one of these states."""
        limit = time.monotonic() + seconds
        while True:
            update = self.client.pipelines.get_update(pipeline_id, update_id).update
            assert update and update.state
            if update.state.value in states:
                return update
            assert time.monotonic() < limit, f"update {update_id} is {update.state}"
            time.sleep(0.05)

    def completed(self, pipeline_id: str, **options: Any) -> None:
        """Run an update that has to succeed."""
        update = self.update(pipeline_id, **options)
        assert update.state and update.state.value == "COMPLETED", [
            (event.message, event.error) for event in self.events(pipeline_id) if event.error
        ]

    def events(self, pipeline_id: str) -> list[PipelineEvent]:
        """The events, oldest first."""
        return list(self.client.pipelines.list_pipeline_events(pipeline_id, order_by=["timestamp asc"]))

    def details(self, pipeline_id: str, kind: str) -> list[dict[str, Any]]:
        """What the events of a type say, oldest first, which the SDK's class leaves out."""
        query = {"order_by": "timestamp asc", "filter": f"event_type = '{kind}'", "max_results": 250}
        found = self.client.api_client.do("GET", f"/api/2.0/pipelines/{pipeline_id}/events", query=query)
        assert isinstance(found, dict)
        return [event["details"][kind] for event in found["events"]]


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    """A workspace that the tests share."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace


@pytest.fixture
def bench(lake: LocalWorkspace) -> Bench:
    """The shared workspace through its client."""
    return Bench(lake.client(), lake)


@pytest.fixture
def make_bench() -> type[Bench]:
    """What makes a bench of another client."""
    return Bench
