"""Writes down what happens in a workspace: each method is told of one thing and makes the rows that tell it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from brickyard.kernel.clock import Clock, system_clock
from brickyard.local.api.documents import Documents
from brickyard.local.pipelines.model import Pipeline
from brickyard.local.pipelines.pipelines import Pipelines
from brickyard.local.runs.model import Attempt, AttemptEnded, Change, Job, JobChanged, Run, RunEnded, RunType
from brickyard.local.runs.service import Runs
from brickyard.local.system import compute, jobs, pipelines
from brickyard.local.system.actions import Request, audit_row
from brickyard.local.system.jobs import Starters
from brickyard.local.system.journal import Journal
from brickyard.local.system.model import Row


@dataclass(frozen=True, slots=True)
class Recorder:
    """What listens to the parts of a workspace; *told* remembers the versions of definitions that have their row."""

    journal: Journal
    told: Documents
    runs: Runs
    clock: Clock = system_clock

    # jobs and runs

    def changed(self, change: Change) -> None:
        """A job changed, or a run or a task run ended."""
        match change:
            case JobChanged(job, at, deleted):
                self.journal.add("lakeflow.jobs", [jobs.job_row(job, at, deleted=deleted)])
                self._tasks(job, at, deleted=deleted)
            case AttemptEnded(run, attempt):
                if run.run_type is not RunType.UPDATE:
                    self.journal.add("lakeflow.job_task_run_timeline", jobs.attempt_rows(run, attempt))
            case RunEnded(run):
                if run.run_type is not RunType.UPDATE:
                    rows = jobs.run_rows(run, self.runs.store.attempts(run.run_id), self._starters(run))
                    self.journal.add("lakeflow.job_run_timeline", rows)
            case _:
                assert_never(change)

    def _tasks(self, job: Job, at: int, *, deleted: bool) -> None:
        key = f"tasks/{job.job_id}"
        before = {name: _columns(value) for name, value in (self.told.get(key) or {}).items()}
        now = {} if deleted else jobs.task_columns(job)
        gone = [jobs.task_row(job, name, before[name], at, deleted=True) for name in before if name not in now]
        new = [jobs.task_row(job, name, now[name], at) for name in now if before.get(name) != now[name]]
        self.journal.add("lakeflow.job_tasks", [*gone, *new])
        self._remember(key, dict(now) or None)

    def _starters(self, run: Run) -> Starters:
        source = root = self._starter(run)
        if source is None or root is None:
            return Starters()
        while (above := self._starter(self.runs.store.run(root.run_id))) is not None:
            root = above
        return Starters(source.task_run_id, root.task_run_id)

    def _starter(self, run: Run | None) -> Attempt | None:
        """The task run that started a run; None when none did, or when it was deleted since."""
        store = self.runs.store
        if run is None:
            return None
        return store.starter(run.run_id) if run.parent is None else store.attempt(run.parent)

    # pipelines

    def pipeline(self, pipeline: Pipeline, at: int, deleted: bool) -> None:
        """A pipeline was made, changed or deleted, *at* in ms since the epoch."""
        self.journal.add("lakeflow.pipelines", [pipelines.pipeline_row(pipeline, at, deleted=deleted)])

    def updates(self, of: Pipelines) -> Callable[[Change], None]:
        """What is told of changes of runs, for the updates among them."""

        def ended(change: Change) -> None:
            if isinstance(change, RunEnded) and change.run.run_type is RunType.UPDATE:
                self._update(of, change.run)
            self.changed(change)

        return ended

    def _update(self, of: Pipelines, run: Run) -> None:
        update = of.store.update_of_run(run.run_id)
        pipeline = None if update is None else of.store.pipeline(update.pipeline_id)
        if update is None or pipeline is None:
            return  # deleted since, with all that was known of it
        starter = self._starter(run)
        job = None if starter is None else self.runs.store.run(starter.run_id)
        by = None if starter is None or job is None else (job.job_id, starter.task_run_id)
        rows = pipelines.update_rows(pipeline, update, run, of.state(update), by)
        self.journal.add("lakeflow.pipeline_update_timeline", rows)

    # compute

    def warehouse(self, warehouse: Mapping[str, object], *, deleted: bool = False) -> None:
        """A warehouse is as described, or is no more; told again it leaves no second row."""
        columns, key = compute.warehouse_columns(warehouse), f"warehouses/{warehouse['id']}"
        if deleted or self.told.get(key) != columns:
            self.journal.add("compute.warehouses", [compute.warehouse_row(columns, self.clock(), deleted=deleted)])
            self._remember(key, None if deleted else columns)

    def warehouse_events(self, warehouse_id: str, *events: str) -> None:
        """A warehouse went through these states just now."""
        at = self.clock()
        rows = [compute.event_row(warehouse_id, event, at) for event in events]
        self.journal.add("compute.warehouse_events", rows)

    # requests and the workspace itself

    def answered(self, request: Request) -> None:
        """A request was answered."""
        row = audit_row(request)
        if row is not None:
            self.journal.add("access.audit", [row])

    def place(self, name: str, url: str, created: datetime | None, node: Mapping[str, object]) -> None:
        """The workspace and the machine that it runs on."""
        self.journal.put("access.workspaces_latest", lambda: [compute.workspace_row(name, url, created)])
        self.journal.put("compute.node_types", lambda: [compute.node_type_row(node)])

    def _remember(self, key: str, columns: Row | None) -> None:
        with self.told.changing() as rows:
            rows.pop(key, None)
            if columns is not None:
                rows[key] = json.loads(json.dumps(columns))


def _columns(value: object) -> Row:
    return dict(value) if isinstance(value, dict) else {}
