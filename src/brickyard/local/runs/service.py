"""Jobs and runs as the API offers them: create, submit, cancel, look up."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from brickyard.local.api.errors import ApiError, denied, invalid
from brickyard.local.api.routes import field_list, field_number, field_object, field_text
from brickyard.local.api.tokens import Principal, Tokens
from brickyard.local.files.workspace import Entry, WorkspaceFiles
from brickyard.local.runs import repair
from brickyard.local.runs.environments import Environments
from brickyard.local.runs.launch import OVERRIDES, Launcher, Surfaces
from brickyard.local.runs.model import (
    Attempt,
    Change,
    Job,
    JsonObject,
    Life,
    Outcome,
    Run,
    RunType,
    TaskKind,
    Trigger,
    now_ms,
)
from brickyard.local.runs.processes import Processes, ProcessEvent
from brickyard.local.runs.schedule import Clockwork
from brickyard.local.runs.scheduler import Scheduler
from brickyard.local.runs.settings import (
    check_environments,
    check_job,
    normalize,
    parameter_defaults,
    read_tasks,
    refuse_updates,
    text_map,
)
from brickyard.local.runs.store import Store
from brickyard.local.runs.views import Iterations
from brickyard.local.sql.model import Origin

MAX_TOKEN = 64
Refresh = Callable[[JsonObject, Attempt, Principal], int]


class Runs:
    """The jobs of one workspace. `start` before use, `close` at the end."""

    def __init__(self, surfaces: Surfaces, tokens: Tokens, files: WorkspaceFiles) -> None:
        self._surfaces = surfaces
        self._tokens = tokens
        self.files = files
        self.store = Store(surfaces.home / "runs" / "runs.sqlite")
        self._processes = Processes(self._notify)
        launcher = Launcher(
            surfaces,
            tokens,
            files,
            self.store,
            self._processes,
            self._run_child,
            self.cancel,
            self._refresh,
            self._iterate,
        )
        self._scheduler = Scheduler(self.store, launcher, now_ms)
        self._clockwork = Clockwork(self.store.jobs, self._fire)
        self.refresh: Refresh | None = None
        self.environments = Environments(surfaces.home, files, surfaces.environment)

    def listen(self, on_change: Callable[[Change], None]) -> None:
        """Have *on_change* told of every job that changes and every attempt and run that ends, at least once, in order.

        It is called on the scheduler's thread and must be quick; set it before `start`.
        """
        self._scheduler.on_change = on_change

    def start(self) -> None:
        """Settle what the last server left open, then drive runs."""
        self._scheduler.start()
        for run in self.store.open_runs():
            if run.parent is not None and run.run_type is not RunType.FOR_EACH:
                self._request_cancel(run)
        self._clockwork.start()

    def _fire(self, job: Job) -> None:
        self.run_now(job.job_id, {}, Principal(job.creator), Trigger.PERIODIC)

    def _run_child(self, job_id: int, body: JsonObject, principal: Principal) -> Run:
        return self.run_now(job_id, body, principal, Trigger.RUN_JOB_TASK)

    def _iterate(self, run: Run, attempt: Attempt, settings: JsonObject) -> Run:
        """Run the iterations of a for_each task; the same attempt gives the same run."""
        token = str(attempt.task_run_id)
        with self.store.transaction():
            known = self.store.submission("for_each", token)
            if known is not None:
                return self.run(known)
            child = self._new_run(RunType.FOR_EACH, settings, run.creator)
            child = replace(child, job_id=run.job_id, name=run.name, run_as=run.run_as, parent=attempt.task_run_id)
            self._save_new(child, token, "for_each")
        self._scheduler.wake()
        return child

    def _refresh(self, body: JsonObject, attempt: Attempt, principal: Principal) -> int:
        if self.refresh is None:
            raise invalid("There are no pipelines here.")
        return self.refresh(body, attempt, principal)

    def _notify(self, event: ProcessEvent) -> None:
        self._scheduler.notify(event)

    def close(self) -> None:
        """Kill what runs; the next start finds and names it."""
        self._clockwork.stop()
        self._scheduler.stop()
        self._processes.close()
        self.store.close()

    # jobs

    def create_job(self, settings: JsonObject, principal: Principal) -> int:
        """Store a new job and return its id."""
        settings = _checked(settings)
        _run_as(settings, principal, principal.name)
        job = Job(self.store.new_id(), principal.name, now_ms(), settings)
        self.store.add_job(job)
        self._clockwork.wake()
        self._scheduler.wake()
        self._processes.warm()
        return job.job_id

    def job(self, job_id: int) -> Job:
        """A job, or INVALID_PARAMETER_VALUE as Databricks says it."""
        job = self.store.job(job_id)
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")
        return job

    def reset_job(self, job_id: int, settings: JsonObject, principal: Principal) -> None:
        """Replace all settings of a job."""
        job = self.job(job_id)
        settings = _checked(settings)
        _run_as(settings, principal, job.creator)
        self.store.save_settings(job_id, settings)
        self._clockwork.wake()
        self._scheduler.wake()

    def update_job(self, job_id: int, new: JsonObject, remove: list[str], principal: Principal) -> None:
        """Change some settings: tasks, job clusters and parameters are merged by their key, the rest replaced."""
        job = self.job(job_id)
        kept = {name: value for name, value in job.settings.items() if name not in remove}
        for path in remove:
            _remove_keyed(kept, path)
        merged = {name: _merged(name, kept.get(name), value) for name, value in new.items()}
        self.reset_job(job_id, {**kept, **merged}, principal)

    def delete_job(self, job_id: int) -> None:
        """Forget a job."""
        self.store.delete_job(self.job(job_id).job_id)
        self._clockwork.wake()
        self._scheduler.wake()

    # runs

    def submit(self, settings: JsonObject, principal: Principal) -> int:
        """Run tasks once without a job and return the run's id; the same idempotency token gives the same run."""
        token = _token(settings)
        settings = normalize({k: v for k, v in settings.items() if k != "idempotency_token"}, "main")
        tasks = read_tasks(settings)
        if not tasks:
            raise invalid("At least one task is required.")
        check_environments(settings)
        refuse_updates(tasks)
        with self.store.transaction():
            known = self.store.submission("submit", token) if token else None
            if known is not None:
                return known
            run = self._new_run(RunType.SUBMIT, settings, principal.name)
            run = replace(run, run_as=_run_as(settings, principal, principal.name))
            self._save_new(run, token, "submit")
        self._scheduler.wake()
        return run.run_id

    def run_now(self, job_id: int, body: JsonObject, principal: Principal, trigger: Trigger = Trigger.ONE_TIME) -> Run:
        """Run a job now; over its limit the run waits (queue) or is skipped."""
        token = _token(body)
        job = self.job(job_id)
        with self.store.transaction():
            known = self.store.submission(str(job_id), token) if token else None
            if known is not None:
                return self.run(known)
            run = replace(self._run_of_job(job, body, principal.name), trigger=trigger)
            self._save_new(run, token, str(job_id))
        self._scheduler.wake()
        return run

    def submit_update(self, name: str, update: JsonObject, creator: str, run_as: str) -> int:
        """Run the update of a pipeline and return the run's id."""
        settings: JsonObject = {"run_name": name, "tasks": [{"task_key": "update", TaskKind.UPDATE.value: update}]}
        with self.store.transaction():
            run = replace(self._new_run(RunType.UPDATE, settings, creator), run_as=run_as)
            self._save_new(run, None, "")
        self._scheduler.wake()
        return run.run_id

    def submit_child(self, parent: Attempt, path: str, arguments: Mapping[str, str], timeout: int) -> int:
        """Run a notebook for `dbutils.notebook.run` and return the run's id."""
        of = self.run(parent.run_id)
        body = {"notebook_path": path, "base_parameters": dict(arguments)}
        settings: JsonObject = {
            "run_name": path.rpartition("/")[2],
            "timeout_seconds": timeout,
            "tasks": [{"task_key": "notebook", "notebook_task": body}],
        }
        with self.store.transaction():
            run = self._new_run(RunType.WORKFLOW, settings, of.creator)
            run = replace(run, job_id=of.job_id, run_as=of.run_as, parent=parent.task_run_id)
            self._save_new(run, None, "")
        self._scheduler.wake()
        return run.run_id

    def repair(self, run_id: int, body: JsonObject) -> int:
        """Run tasks of a run that has ended again, as part of it, and return the repair's id."""
        with self.store.transaction():
            run = self.store.run(run_id)
            if run is None or run.run_type not in (RunType.JOB, RunType.SUBMIT):
                raise invalid(f"Run {run_id} does not exist.")
            repair.check(run, body)
            latest = self.store.latest(run_id)
            keys = repair.chosen(run, latest, body)
            repair_id = self.store.new_id()
            job = self.store.job(run.job_id)
            run = repair.repaired(run, repair_id, body, now_ms())
            if job is not None:
                run = repair.with_settings(run, job.settings, keys)
            self.store.save_run(self._in_line(run, job))
            self.store.forget_values(run_id, keys)
            for key in keys:
                number = latest[key].number + 1
                self.store.save_attempt(Attempt(self.store.new_id(), run_id, key, number, base=number))
        self._scheduler.wake()
        return repair_id

    def _in_line(self, run: Run, job: Job | None) -> Run:
        """The run, waiting when its job has as many active runs as it may have."""
        if job is None or len(self.store.open_runs(job.job_id, RunType.JOB)) < job.max_concurrent_runs:
            return run
        if not job.queue_enabled:
            raise ApiError(400, "INVALID_STATE", f"The job already has {job.max_concurrent_runs} active runs.")
        return replace(run, life=Life.QUEUED)

    def run(self, run_id: int) -> Run:
        """A run by its own id or by one of its task runs, or INVALID_PARAMETER_VALUE as Databricks says it."""
        attempt = self.store.attempt(run_id)
        run = self.store.run(run_id if attempt is None else attempt.run_id)
        if run is None:
            raise invalid(f"Run {run_id} does not exist.")
        return run

    def cancel(self, run_id: int) -> None:
        """Ask a run to end; one that has ended stays as it is."""
        self._request_cancel(self.run(run_id))

    def cancel_all(self, job_id: int | None, *, all_queued: bool) -> None:
        """Ask all open runs of a job, or all queued runs, to end."""
        if job_id is not None:
            self.job(job_id)
        for run in self.store.open_runs(job_id):
            if job_id is not None or (all_queued and run.life is Life.QUEUED):
                self._request_cancel(run)

    def delete_run(self, run_id: int) -> None:
        """Hide a run that has ended and remove what its processes left."""
        run = self.run(run_id)
        if not run.life.final:
            raise ApiError(400, "INVALID_STATE", f"Run {run_id} is active; cancel it first.")
        self.store.delete_run(run.run_id)
        attempts = self.store.attempts(run.run_id)
        for attempt in [*attempts, *(one for _, found in self.iterations(attempts).values() for one in found)]:
            shutil.rmtree(self.folder(attempt.task_run_id), ignore_errors=True)

    def iterations(self, attempts: Sequence[Attempt]) -> Iterations:
        """The runs that for_each tasks among *attempts* go through, each with its attempts."""
        children = [(a.task_run_id, self.store.run(a.child)) for a in attempts if a.child is not None]
        return {
            task_run_id: (child, self.store.attempts(child.run_id))
            for task_run_id, child in children
            if child is not None and child.run_type is RunType.FOR_EACH
        }

    def _request_cancel(self, run: Run) -> None:
        with self.store.transaction():
            current = self.run(run.run_id)
            if current.life.final:
                return
            life = Life.PENDING if current.life is Life.QUEUED else current.life
            self.store.save_run(replace(current, cancel_requested=True, life=life))
        self._scheduler.wake()

    def _run_of_job(self, job: Job, body: JsonObject, principal: str) -> Run:
        overrides = {name: body[name] for name in OVERRIDES if body.get(name)}
        given = text_map(field_object(body, "job_parameters"))
        parameters = {**parameter_defaults(job.settings), **given}
        run = self._new_run(RunType.JOB, _selected(job.settings, body), principal)
        run = replace(run, job_id=job.job_id, name=job.name, parameters=parameters, overrides=overrides)
        run = replace(run, number_in_job=self.store.next_number(job.job_id), run_as=_acts_as(job.settings, job.creator))
        if len(self.store.open_runs(job.job_id, RunType.JOB)) < job.max_concurrent_runs:
            return run
        queue = field_object(body, "queue")
        if queue.get("enabled", job.queue_enabled):
            return replace(run, life=Life.QUEUED)
        reached = Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED
        why = f"The job already has {job.max_concurrent_runs} active runs, as many as it may have."
        return replace(run, life=Life.SKIPPED, outcome=reached, message=why, ended=run.created)

    def _new_run(self, run_type: RunType, settings: JsonObject, principal: str) -> Run:
        run_id = self.store.new_id()
        return Run(
            run_id,
            self.store.new_id(),
            run_type,
            field_text(settings, "run_name", "Untitled"),
            principal,
            principal,
            settings,
            read_tasks(settings),
            run_id,
            now_ms(),
            timeout_ms=field_number(settings, "timeout_seconds", 0) * 1000,
        )

    def _save_new(self, run: Run, token: str | None, scope: str) -> None:
        self.store.save_run(run)
        for task in run.tasks if run.life is not Life.SKIPPED else ():
            self.store.save_attempt(Attempt(self.store.new_id(), run.run_id, task.key))
        if token:
            self.store.remember_submission(scope, token, run.run_id)

    # what others ask

    def folder(self, task_run_id: int) -> Path:
        """Where an attempt keeps its log and results."""
        return self._surfaces.attempt(task_run_id)

    def origin(self, task_run_id: int) -> Origin:
        """Which job, run and notebook the holder of a task run's token is: what history and lineage record."""
        attempt = self.store.attempt(task_run_id)
        if attempt is None:
            return Origin()
        run = self.store.root(self.run(attempt.run_id))
        if run.run_type is RunType.UPDATE:
            order = run.tasks[0].body
            return Origin(pipeline_id=str(order["pipeline_id"]), update_id=str(order["update_id"]))
        path = attempt.resolved.get("notebook_path")
        entry = self.files.find(path) if isinstance(path, str) else None
        return Origin(
            job_id=str(run.job_id),
            job_name=run.name,
            job_run_id=str(run.run_id),
            task_run_id=str(task_run_id),
            task_key=attempt.task_key,
            trigger_type="manual",
            notebook_id=None if entry is None else str(entry.object_id),
            notebook_path=None if entry is None else entry.path,
        )

    def caller(self, principal: Principal) -> Attempt:
        """The task run whose token was sent, or PERMISSION_DENIED."""
        attempt = None if principal.run is None else self.store.attempt(principal.run)
        if attempt is None:
            raise denied("Only a running task may ask for this.")
        return attempt

    def environment(self, principal: Principal) -> Path:
        """The modules of the libraries of the calling task, made when missing."""
        attempt = self.caller(principal)
        task = self.run(attempt.run_id).task(attempt.task_key)
        return self.environments.site(task.libraries, principal)

    def source(self, path: str) -> tuple[Entry, bytes]:
        """A notebook and its bytes as they are stored, or RESOURCE_DOES_NOT_EXIST."""
        entry = self.files.status(path)
        return entry, self.files.read(entry.path)

    def seal(self, run_id: int) -> str:
        """The word in a run page's address that only this workspace can make."""
        return hmac.new(self._tokens.owner_token.encode(), f"run:{run_id}".encode(), hashlib.sha256).hexdigest()[:32]


def _checked(settings: JsonObject) -> JsonObject:
    settings = {"name": "Untitled", "format": "MULTI_TASK", "max_concurrent_runs": 1, **normalize(settings, "main")}
    check_job(settings)
    check_environments(settings)
    refuse_updates(read_tasks(settings))
    return settings


def _acts_as(settings: JsonObject, default: str) -> str:
    wanted = field_object(settings, "run_as")
    return str(wanted.get("user_name") or wanted.get("service_principal_name") or default)


def _run_as(settings: JsonObject, principal: Principal, default: str) -> str:
    """Whom the tasks act as; only the workspace's owner may name somebody else."""
    name = _acts_as(settings, default)
    if name not in (principal.name, default) and not principal.owner:
        raise denied(f"{principal.name} may not run as {name}.")
    return name


def _token(body: JsonObject) -> str | None:
    token = field_text(body, "idempotency_token", "")
    if len(token) > MAX_TOKEN:
        raise invalid(f"idempotency_token may have at most {MAX_TOKEN} characters, it has {len(token)}.")
    return token or None


def _selected(settings: JsonObject, body: JsonObject) -> JsonObject:
    """The settings with only the tasks that run-now asks for."""
    only = field_list(body, "only")
    if not only:
        return settings
    tasks = field_list(settings, "tasks")
    chosen = [task for task in tasks if isinstance(task, dict) and task.get("task_key") in only]
    if len(chosen) != len(set(map(str, only))):
        raise invalid(f"only names tasks that the job does not have: {only}.")
    return {**settings, "tasks": [_without_unchosen(task, only) for task in chosen]}


def _without_unchosen(task: JsonObject, only: list[object]) -> JsonObject:
    edges = [edge for edge in field_list(task, "depends_on") if isinstance(edge, dict) and edge["task_key"] in only]
    return {**task, "depends_on": edges}


_KEYED = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "parameters": "name",
    "environments": "environment_key",
}


def _merged(name: str, old: object, new: object) -> object:
    key = _KEYED.get(name)
    if key is None or not isinstance(old, list) or not isinstance(new, list):
        return new
    by_key = {item.get(key): item for item in [*old, *new] if isinstance(item, dict)}
    return list(by_key.values())


def _remove_keyed(settings: JsonObject, path: str) -> None:
    """Remove `tasks/key` and the like."""
    name, _, wanted = path.partition("/")
    items = settings.get(name)
    if wanted and name in _KEYED and isinstance(items, list):
        settings[name] = [i for i in items if isinstance(i, dict) and i.get(_KEYED[name]) != wanted]
