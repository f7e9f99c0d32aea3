"""One local workspace for the tests of runs, and a bench that puts notebooks in it and runs them through the SDK."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs
from databricks.sdk.service.workspace import ImportFormat, Language

from brickyard.local import LocalWorkspace

ENDED = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}
_numbers = itertools.count()


@dataclass(frozen=True)
class Bench:
    """A client and the few things that every test of runs does."""

    client: WorkspaceClient
    workspace: LocalWorkspace | None = None

    def put(self, text: str, path: str | None = None, language: Language = Language.PYTHON) -> str:
        """Import a notebook and return its path."""
        path = path or f"/Shared/nb{next(_numbers)}"
        self.client.workspace.mkdirs(path.rpartition("/")[0])
        content = base64.b64encode(text.encode()).decode()
        self.client.workspace.import_(
            path, content=content, language=language, format=ImportFormat.SOURCE, overwrite=True
        )
        return path

    def submit(self, *tasks: jobs.SubmitTask, **options: object) -> int:
        """Submit tasks and return the run's id."""
        return self.client.jobs.submit(run_name="test", tasks=list(tasks), **options).response.run_id

    def submit_notebook(self, path: str, **parameters: str) -> int:
        """Submit one notebook task and return the run's id."""
        return self.submit(notebook(path, **parameters))

    def ended(self, run_id: int, seconds: float = 60) -> jobs.Run:
        """The run when it has ended."""
        limit = time.monotonic() + seconds
        while (run := self.client.jobs.get_run(run_id)).state.life_cycle_state.value not in ENDED:
            assert time.monotonic() < limit, f"run {run_id} did not end: {run.state}"
            time.sleep(0.02)
        return run

    def reached(self, run_id: int, life: str, seconds: float = 30) -> jobs.Run:
        """The run when its first task is in a state."""
        limit = time.monotonic() + seconds
        while (run := self.client.jobs.get_run(run_id)).tasks[0].state.life_cycle_state.value != life:
            assert time.monotonic() < limit, f"run {run_id} is {run.tasks[0].state}"
            time.sleep(0.02)
        return run

    def run(self, text: str, **parameters: str) -> tuple[jobs.Run, jobs.RunOutput]:
        """Run a notebook of this text and return the run and its output."""
        run = self.ended(self.submit(notebook(self.put(text), **parameters)))
        return run, self.client.jobs.get_run_output(run.tasks[0].run_id)


def notebook(path: str, key: str = "main", **parameters: str) -> jobs.SubmitTask:
    """A notebook task."""
    return jobs.SubmitTask(
        task_key=key, notebook_task=jobs.NotebookTask(notebook_path=path, base_parameters=parameters)
    )


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
def task():
    """Makes notebook tasks."""
    return notebook


@pytest.fixture
def make_bench():
    """Makes a bench for any client."""
    return Bench
