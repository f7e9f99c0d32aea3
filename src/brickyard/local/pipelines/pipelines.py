"""Pipelines as the API offers them: keep them, start their updates, tell how those go."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from brickyard.local.api.errors import ApiError, denied, invalid, missing
from brickyard.local.api.routes import field_list, field_number, field_object, field_text
from brickyard.local.api.tokens import Principal
from brickyard.local.catalog.model import Table
from brickyard.local.catalog.store import HIVE
from brickyard.local.pipelines.model import Checkpoint, Event, JsonObject, Level, Pipeline, Update, UpdateState
from brickyard.local.pipelines.order import UpdateOrder
from brickyard.local.pipelines.spec import checked, libraries
from brickyard.local.pipelines.store import Store
from brickyard.local.runs import output
from brickyard.local.runs.model import Attempt, Life, Outcome, Run, now_ms
from brickyard.local.runs.service import Runs

if TYPE_CHECKING:
    from brickyard.local.sql.model import Result

RunSql = Callable[[str, Principal], "Result"]
_CAUSES = ("API_CALL", "JOB_TASK", "USER_ACTION", "RETRY_ON_FAILURE", "SCHEMA_CHANGE", "SERVICE_UPGRADE")


OnChange = Callable[[Pipeline, int, bool], None]  # the pipeline, when in ms since the epoch, whether it was deleted


def _nobody(pipeline: Pipeline, at: int, deleted: bool) -> None:
    """Tell nobody of a change."""


class Pipelines:
    """The pipelines of one workspace; *run_sql* runs a statement with a principal's rights, *table* finds a table."""

    def __init__(self, folder: Path, runs: Runs, run_sql: RunSql, table: Callable[[str], Table | None]) -> None:
        self.store = Store(folder / "pipelines.sqlite")
        self.runs = runs
        self.run_sql = run_sql
        self.table = table
        runs.refresh = self._start_for_task
        self.on_change: OnChange = _nobody

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    # pipelines

    def create(self, body: JsonObject, principal: Principal) -> Pipeline:
        """Keep a new pipeline; with `dry_run` only check it."""
        spec, now = checked(body), now_ms()
        pipeline = Pipeline(str(uuid.uuid4()), principal.name, now, now, spec)
        _check_run_as(pipeline, principal)
        with self.store.transaction():
            self._check_name(pipeline, body)
            if body.get("dry_run") is not True:
                self.store.save_pipeline(pipeline)
                self._tell(
                    pipeline, None, "create_pipeline", f"Pipeline '{pipeline.name}' created by {principal.name}."
                )
                self.on_change(pipeline, now, False)
        return pipeline

    def get(self, pipeline_id: str) -> Pipeline:
        """A pipeline, or RESOURCE_DOES_NOT_EXIST."""
        pipeline = self.store.pipeline(pipeline_id)
        if pipeline is None:
            raise missing(f"The specified pipeline {pipeline_id} was not found.")
        return pipeline

    def edit(self, pipeline_id: str, body: JsonObject, principal: Principal) -> None:
        """Replace the settings of a pipeline."""
        with self.store.transaction():
            old = self.get(pipeline_id)
            if "expected_last_modified" in body and field_number(body, "expected_last_modified") != old.modified:
                raise _conflict("The pipeline was changed meanwhile: expected_last_modified is not its last_modified.")
            edited = replace(old, spec=checked(body), modified=max(now_ms(), old.modified + 1))
            _check_run_as(edited, principal)
            self._check_name(edited, body)
            self.store.save_pipeline(edited)
            self._tell(edited, None, "user_action", f"User {principal.name} edited the pipeline settings.")
            self.on_change(edited, edited.modified, False)

    def delete(self, pipeline_id: str, principal: Principal, *, cascade: bool) -> None:
        """Stop and forget a pipeline; *cascade* drops the tables that it made."""
        self.stop(pipeline_id)
        for name in self.store.datasets(pipeline_id) if cascade else ():
            quoted = ".".join(f"`{part}`" for part in name.split("."))
            self.run_sql(f"DROP TABLE IF EXISTS {quoted}", principal)
        pipeline = self.get(pipeline_id)
        self.store.delete_pipeline(pipeline_id)
        self.on_change(pipeline, max(now_ms(), pipeline.modified + 1), True)

    def _check_name(self, pipeline: Pipeline, body: Mapping[str, object]) -> None:
        others = (p for p in self.store.pipelines() if p.pipeline_id != pipeline.pipeline_id)
        if body.get("allow_duplicate_names") is not True and any(p.name == pipeline.name for p in others):
            raise _conflict(
                f"The pipeline name '{pipeline.name}' is already used by another pipeline. This check can be skipped by "
                "setting `allow_duplicate_names = true` in the request."
            )

    # updates

    def start_update(
        self, pipeline_id: str, request: JsonObject, principal: Principal, run_as: str | None = None
    ) -> Update:
        """Begin an update; another one that is at work refuses it."""
        cause = field_text(request, "cause", "API_CALL")
        if cause not in _CAUSES:
            raise invalid(f"cause must be one of {', '.join(_CAUSES)}.")
        with self.store.transaction():
            pipeline = self.get(pipeline_id)
            active = self.active(pipeline_id)
            if active is not None:
                raise _conflict(f"An active update {active.update_id} already exists for pipeline {pipeline_id}.")
            order = self._order(pipeline, str(uuid.uuid4()), request)
            run_id = self.runs.submit_update(pipeline.name, order.body(), principal.name, run_as or pipeline.run_as)
            update = Update(order.update_id, pipeline_id, run_id, cause, now_ms(), request)
            self.store.add_update(update)
            self._tell(pipeline, update, "create_update", f"Update {update.update_id[:6]} started by {cause}.")
            self._tell_state(pipeline, update, UpdateState.QUEUED)
        return update

    def _order(self, pipeline: Pipeline, update_id: str, request: JsonObject) -> UpdateOrder:
        spec = pipeline.spec
        whole = ("*",) if request.get("full_refresh") is True else ()
        return UpdateOrder(
            pipeline.pipeline_id,
            update_id,
            field_text(spec, "catalog", HIVE),
            str(spec.get("schema") or spec.get("target") or "default"),
            _configuration(spec, request),
            libraries(spec, self.runs.files),
            whole or _names(request, "full_refresh_selection"),
            (*_names(request, "refresh_selection"), *_names(request, "full_refresh_selection")),
            spec.get("continuous") is True,
            request.get("validate_only") is True,
            field_text(spec, "root_path", ""),
        )

    def _start_for_task(self, body: JsonObject, attempt: Attempt, principal: Principal) -> int:
        """Begin the update of a pipeline task and return the run that does it."""
        names = ("full_refresh", "full_refresh_selection", "refresh_selection", "parameters")
        request = {name: body[name] for name in names if name in body}
        return self.start_update(field_text(body, "pipeline_id"), {**request, "cause": "JOB_TASK"}, principal).run_id

    def stop(self, pipeline_id: str) -> None:
        """Ask the update that is at work to end; none at work is no error."""
        self.get(pipeline_id)
        active = self.active(pipeline_id)
        if active is not None:
            self.runs.cancel(active.run_id)

    def update(self, pipeline_id: str, update_id: str) -> Update:
        """An update, or RESOURCE_DOES_NOT_EXIST."""
        self.get(pipeline_id)
        update = self.store.update(pipeline_id, update_id)
        if update is None:
            raise missing(f"The specified update {update_id} was not found.")
        return update

    def active(self, pipeline_id: str) -> Update | None:
        """The update that is at work."""
        newest = self.store.updates(pipeline_id, 1)
        return newest[0] if newest and not self.state(newest[0]).final else None

    def state(self, update: Update) -> UpdateState:
        """How far an update is: its run knows whether it has ended, its process how far it came."""
        run = self.runs.store.run(update.run_id)
        if run is None or run.life.final:
            return _ended(run)
        if run.cancel_requested:
            return UpdateState.STOPPING
        attempt = self.runs.store.latest(run.run_id)["update"]
        waits = update.progress is UpdateState.QUEUED and attempt.life in (Life.PENDING, Life.RUNNING)
        return UpdateState.INITIALIZING if waits else update.progress

    # events

    def events(self, pipeline_id: str) -> list[Event]:
        """The events of a pipeline, oldest first, the ends of its updates among them."""
        self.get(pipeline_id)
        self._tell_ends()
        return self.store.events(pipeline_id)

    def _tell_ends(self) -> None:
        with self.store.transaction():
            for update in self.store.untold():
                pipeline, state = self.store.pipeline(update.pipeline_id), self.state(update)
                if pipeline is not None and state.final:
                    run = self.runs.store.run(update.run_id)
                    at = run.ended if run is not None and run.ended else now_ms()
                    self._tell_state(pipeline, update, state, at=at, error=self.error(update))
                    self.store.set_progress(update.update_id, state, told=True)

    def error(self, update: Update) -> JsonObject | None:
        """What made an update fail, None when it did not."""
        run = self.runs.store.run(update.run_id)
        if run is None or _ended(run) is not UpdateState.FAILED:
            return None
        attempt = self.runs.store.latest(run.run_id)["update"]
        result = output.read_result(self.runs.folder(attempt.task_run_id))
        said = result.error if result is not None and result.error else attempt.message
        return error_body("PipelineException", said)

    def take_event(self, update: Update, body: JsonObject) -> None:
        """Keep what the process of an update tells."""
        event_type, details = field_text(body, "event_type"), field_object(body, "details")
        pipeline, error = self.get(update.pipeline_id), field_object(body, "error")
        if event_type == "update_progress":
            self.store.set_progress(update.update_id, UpdateState(field_text(details, "state")))
        self._tell(
            pipeline,
            update,
            event_type,
            field_text(body, "message"),
            level=Level.ERROR if error else Level.INFO,
            origin=field_object(body, "origin"),
            details={event_type: details},
            error=error_body(field_text(error, "class_name"), field_text(error, "message", "")) if error else None,
        )

    def _tell_state(
        self,
        pipeline: Pipeline,
        update: Update,
        state: UpdateState,
        *,
        at: int | None = None,
        error: JsonObject | None = None,
    ) -> None:
        level = Level.ERROR if state is UpdateState.FAILED else Level.INFO
        message = f"Update {update.update_id[:6]} {'has' if state is UpdateState.FAILED else 'is'} {state}."
        details: JsonObject = {"update_progress": {"state": state.value}}
        self._tell(pipeline, update, "update_progress", message, level=level, details=details, error=error, at=at)

    def _tell(
        self,
        pipeline: Pipeline,
        update: Update | None,
        event_type: str,
        message: str,
        *,
        level: Level = Level.INFO,
        origin: Mapping[str, object] | None = None,
        details: JsonObject | None = None,
        error: JsonObject | None = None,
        at: int | None = None,
    ) -> None:
        whole = {
            "pipeline_id": pipeline.pipeline_id,
            "pipeline_name": pipeline.name,
            **({} if update is None else {"update_id": update.update_id}),
            **(origin or {}),
        }
        update_id = None if update is None else update.update_id
        found = Event(
            str(uuid.uuid4()),
            pipeline.pipeline_id,
            update_id,
            now_ms() if at is None else at,
            event_type,
            level,
            message,
            whole,
            details or {},
            error,
        )
        self.store.add_event(found)

    # what the process of an update asks for

    def caller(self, principal: Principal) -> Update:
        """The update whose token was sent, or PERMISSION_DENIED."""
        update = self.store.update_of_run(self.runs.caller(principal).run_id)
        if update is None:
            raise denied("Only the update of a pipeline may ask for this.")
        return update

    def checkpoint(self, update: Update, flow: str) -> Checkpoint:
        """How far a flow has read; a write that was begun counts when its target has moved since."""
        with self.store.transaction():
            found = self.store.checkpoint(update.pipeline_id, flow)
            if found.pending is None:
                return found
            moved = self.version(found.target) > found.target_version
            settled = Checkpoint({**found.done, **found.pending} if moved else found.done, found.target)
            self.store.save_checkpoint(update.pipeline_id, flow, settled)
        return settled

    def begin_write(self, update: Update, flow: str, target: str, versions: dict[str, int], kind: str) -> None:
        """Note what a flow is about to write; a table of another pipeline is refused."""
        owner = self.store.claim_dataset(target.lower(), update.pipeline_id, kind)
        if owner != update.pipeline_id and self.store.pipeline(owner) is not None:
            raise _conflict(f"Table '{target}' is already managed by pipeline {owner}.")
        done = self.checkpoint(update, flow).done
        self.store.save_checkpoint(update.pipeline_id, flow, Checkpoint(done, target, versions, self.version(target)))

    def commit_write(self, update: Update, flow: str) -> None:
        """Note that a flow has written."""
        with self.store.transaction():
            found = self.store.checkpoint(update.pipeline_id, flow)
            done = Checkpoint({**found.done, **(found.pending or {})}, found.target)
            self.store.save_checkpoint(update.pipeline_id, flow, done)

    def reset(self, update: Update, flows: list[str]) -> None:
        """Let flows read from the beginning."""
        with self.store.transaction():
            for flow in flows:
                self.store.delete_checkpoint(update.pipeline_id, flow)

    def version(self, full_name: str) -> int:
        """The version of a table, -1 when there is none."""
        from brickyard.local.sql.delta import log

        table = self.table(full_name)
        if table is None or table.storage_location is None:
            return -1
        return log.latest_version(Path(table.storage_location))


def error_body(class_name: str, message: str) -> JsonObject:
    """An error as the event log tells it."""
    return {"fatal": True, "exceptions": [{"class_name": class_name, "message": message, "stack": []}]}


def _ended(run: Run | None) -> UpdateState:
    if run is not None and run.outcome is Outcome.SUCCESS:
        return UpdateState.COMPLETED
    return UpdateState.CANCELED if run is not None and run.outcome is Outcome.CANCELED else UpdateState.FAILED


def _configuration(spec: Mapping[str, object], request: Mapping[str, object]) -> dict[str, str]:
    """The pipeline's configuration under its parameters, and those under the ones of the update."""
    layers = (
        field_object(spec, "configuration"),
        field_object(spec, "parameters"),
        field_object(request, "parameters"),
    )
    return {name: str(value) for layer in layers for name, value in layer.items()}


def _names(request: Mapping[str, object], field: str) -> tuple[str, ...]:
    return tuple(map(str, field_list(request, field)))


def _check_run_as(pipeline: Pipeline, principal: Principal) -> None:
    """Only the workspace's owner may let updates act as somebody else."""
    if pipeline.run_as not in (principal.name, pipeline.creator) and not principal.owner:
        raise denied(f"{principal.name} may not run as {pipeline.run_as}.")


def _conflict(message: str) -> ApiError:
    return ApiError(409, "RESOURCE_CONFLICT", message)
