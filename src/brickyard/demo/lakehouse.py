"""The sample lakehouse: catalogs by statements, tables by jobs that really run, so that every history has its writer."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from databricks.sdk.service.jobs import NotebookTask, RunLifeCycleState, RunResultState, Task
from databricks.sdk.service.workspace import ImportFormat, Language

from brickyard.demo.files import text_of
from brickyard.kernel.errors import WorkspaceRefused
from brickyard.kernel.progress import Report, Step
from brickyard.workspace import run_sql

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

SEED = 20241231
FOLDER = "/Shared/velocity"
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Loader:
    """A job of the lakehouse and the notebook asset it runs."""

    job: str
    notebook: str


WAVES: Sequence[Sequence[Loader]] = (
    (Loader("velocity_foundation_load", "foundation_load.sql"), Loader("alms_ingest", "alms_ingest.sql")),
    (Loader("velocity_reporting_nightly", "reporting_nightly.sql"), Loader("campaign_capture", "campaign_capture.py")),
    (Loader("points_adjustment", "points_adjustment.py"),),
)
"""The jobs, wave by wave: those of a wave run side by side, the next wave reads what it wrote."""


def load(client: WorkspaceClient, report: Report, seed: int = SEED) -> None:
    """Create the catalogs, run every loader job once, and create the views and functions over the tables."""
    for statement in statements("setup.sql"):
        run_sql(client, statement)
    client.workspace.mkdirs(FOLDER)
    done, total = 0, sum(map(len, WAVES))
    for wave in WAVES:
        report(Step("lakehouse", done, total, f"jobs {', '.join(loader.job for loader in wave)}"))
        runs = [(loader, _start(client, loader, seed)) for loader in wave]
        for loader, run in runs:
            _await(client, loader, run)
        done += len(wave)
    for statement in statements("objects.sql"):
        run_sql(client, statement)


def statements(asset: str) -> Iterator[str]:
    """The statements of an asset; none of them holds a semicolon inside."""
    return (s.strip() for s in text_of(asset).split(";") if s.strip())


def _start(client: WorkspaceClient, loader: Loader, seed: int) -> int:
    path = f"{FOLDER}/{loader.notebook.rpartition('.')[0]}"
    language = Language.SQL if loader.notebook.endswith(".sql") else Language.PYTHON
    source = io.BytesIO(text_of("loaders", loader.notebook).encode())
    client.workspace.upload(path, source, format=ImportFormat.SOURCE, language=language, overwrite=True)
    parameters = {"seed": str(seed)} if loader.notebook.endswith(".sql") else {}
    task = Task(task_key="load", notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters))
    job = client.jobs.create(name=loader.job, tasks=[task], max_concurrent_runs=1)
    run = client.jobs.run_now(job_id=_known(job.job_id))
    return _known(run.run_id)


def _known(number: int | None) -> int:
    if number is None:
        raise WorkspaceRefused("the workspace answered without an id")
    return number


def _await(client: WorkspaceClient, loader: Loader, run_id: int) -> None:
    ended = (RunLifeCycleState.TERMINATED, RunLifeCycleState.INTERNAL_ERROR, RunLifeCycleState.SKIPPED)
    while True:
        run = client.jobs.get_run(run_id)
        if run.state and run.state.life_cycle_state in ended:
            break
        time.sleep(_POLL_SECONDS)
    if run.state.result_state is not RunResultState.SUCCESS:
        raise WorkspaceRefused(f"the sample job {loader.job} failed: {_why(client, run_id) or run.state.state_message}")


def _why(client: WorkspaceClient, run_id: int) -> str | None:
    tasks = client.jobs.get_run(run_id).tasks or []
    return client.jobs.get_run_output(_known(tasks[0].run_id)).error if tasks else None
