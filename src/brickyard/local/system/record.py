"""Writes down what happens in a workspace: each method is told of one thing and makes the rows that tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from brickyard.local.system.timeline import Period, full_hour


@dataclass(frozen=True, slots=True)
class Recorder:
    """What listens to the parts of a workspace; *told* remembers the versions of definitions that have their row."""

    journal: Journal
    told: Documents
    runs: Runs
    pipelines: Pipelines
    clock: Clock = system_clock

    def start(self) -> None:
        """Begin to write what was told, every few seconds."""
        self.journal.start(self.tick)

    # jobs and runs

    def changed(self, change: Change) -> None:
        """A job changed, or a run or a task run ended."""
        match change:
            case JobChanged(job, at, deleted):
                self.journal.add("lakeflow.jobs", [jobs.job_row(job, at, deleted=deleted)])
                self._tasks(job, at, deleted=deleted)
            case AttemptEnded(run, attempt):
                ended = attempt.ended or run.created
                self._attempt(run, attempt, self._last(attempt.task_run_id, attempt.started or ended, ended))
            case RunEnded(run):
                self._run(run, self._last(run.run_id, jobs.begun(run), run.ended or jobs.begun(run)))
            case _:
                assert_never(change)

    def tick(self) -> None:
        """Tell the full hours of what still runs."""
        hour = full_hour(int(self.clock().timestamp() * 1000))
        for run in self.runs.store.open_runs():
            if period := self._hours(run.run_id, jobs.begun(run), hour):
                self._run(run, period)
            for attempt in self.runs.store.latest(run.run_id).values():
                started = None if attempt.life.final else attempt.started
                if started is not None and (period := self._hours(attempt.task_run_id, started, hour)):
                    self._attempt(run, attempt, period)

    def _hours(self, id_: int, begun: int, hour: int) -> Period | None:
        """The full hours of a run that are not told yet, which then are."""
        start = self._untold(id_, begun)
        if start >= hour:
            return None
        self._remember(f"slices/{id_}", {"until": hour})
        return Period(start, hour, last=False)

    def _last(self, id_: int, begun: int, ended: int) -> Period:
        """What is not told yet of a run that has ended."""
        start = self._untold(id_, begun)
        self._remember(f"slices/{id_}", None)
        return Period(min(start, ended), ended)

    def _untold(self, id_: int, begun: int) -> int:
        until = (self.told.get(f"slices/{id_}") or {}).get("until")
        return max(begun, until) if isinstance(until, int) else begun

    def _run(self, run: Run, period: Period) -> None:
        if run.run_type is RunType.UPDATE:
            self._update(run, period)
        else:
            rows = jobs.run_rows(run, self.runs.store.attempts(run.run_id), self._starters(run), period)
            self.journal.add("lakeflow.job_run_timeline", rows)

    def _attempt(self, run: Run, attempt: Attempt, period: Period) -> None:
        if run.run_type is not RunType.UPDATE:
            self.journal.add("lakeflow.job_task_run_timeline", jobs.attempt_rows(run, attempt, period))

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

    def _update(self, run: Run, period: Period) -> None:
        store = self.pipelines.store
        update = store.update_of_run(run.run_id)
        pipeline = None if update is None else store.pipeline(update.pipeline_id)
        if update is None or pipeline is None:
            return  # deleted since, with all that was known of it
        starter = self._starter(run)
        job = None if starter is None else self.runs.store.run(starter.run_id)
        by = None if starter is None or job is None else (job.job_id, starter.task_run_id)
        rows = pipelines.update_rows(pipeline, update, run.run_as, self.pipelines.state(update), by, period)
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
        if columns is None and self.told.get(key) is None:
            return
        with self.told.changing() as rows:
            rows.pop(key, None)
            if columns is not None:
                rows[key] = json.loads(json.dumps(columns))


def _columns(value: object) -> Row:
    return dict(value) if isinstance(value, dict) else {}
