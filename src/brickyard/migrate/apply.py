"""Performs one step of a run, or takes back what a run made. Looks first where the workspace has no token for a write."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

from brickyard.kernel.errors import Conflict, NotFound
from brickyard.kernel.names import TableName
from brickyard.migrate.model.runs import (
    CloneTable,
    CreateSchema,
    CreateView,
    CreateVolume,
    ImportNotebook,
    Step,
    SubmitRun,
)
from brickyard.migrate.observe import Eyes
from brickyard.migrate.plan.steps import EXPIRES, FOLDER, MARK, ONTO, PREFIX, clone_sql, view_sql
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.catalog import SchemaInfo

Result = dict[str, Any]


def words(step: Step) -> str:
    """Say in the timeline what a step has done."""
    match step:
        case CreateSchema(catalog=catalog, schema=schema):
            return f"created schema {catalog}.{schema}"
        case CreateVolume(catalog=catalog, schema=schema, volume=volume):
            return f"created volume {catalog}.{schema}.{volume}"
        case CloneTable(source=source, version=version, target=target):
            return f"cloned {source} at version {version} to {target}"
        case CreateView(target=target):
            return f"pinned {target}"
        case ImportNotebook(path=path):
            return f"imported {path}"
        case SubmitRun(name=name):
            return f"submitted {name}"
    assert_never(step)


# ── look ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def look(eyes: Eyes, step: Step) -> Result | None:
    """Return what is there of a step that was done before, or None; raises Conflict where the name is another's."""
    match step:
        case CreateSchema():
            return _look_schema(eyes.client, step)
        case CreateVolume(catalog=catalog, schema=schema, volume=volume):
            return _there(lambda: eyes.client.volumes.read(f"{catalog}.{schema}.{volume}"))
        case CloneTable():
            return _look_clone(eyes.client, step)
        case CreateView(target=target):
            return _there(lambda: eyes.client.tables.get(_plain(target)))
        case ImportNotebook(path=path):
            return _there(lambda: eyes.client.workspace.get_status(path))
        case SubmitRun():
            return None  # the idempotency token looks for us
    assert_never(step)


def _there(read: Any) -> Result | None:
    try:
        with translated("look for what was made before"):
            read()
    except NotFound:
        return None
    return {}


def _look_schema(client: WorkspaceClient, step: CreateSchema) -> Result | None:
    name = f"{step.catalog}.{step.schema}"
    try:
        with translated(f"look for schema {name}"):
            found = client.schemas.get(name)
    except NotFound:
        return None
    if (found.properties or {}).get(MARK) != dict(step.properties)[MARK]:
        raise Conflict(
            f"the schema {name} exists and is not this run's", code="schema-not-ours", remedy="drop or rename it"
        )
    return {}


def _look_clone(client: WorkspaceClient, step: CloneTable) -> Result | None:
    try:
        with translated(f"look for table {step.target}"):
            found = client.tables.get(_plain(step.target))
    except NotFound:
        return None
    return _cloned(step) if (found.properties or {}).get(MARK) == step.mark else None


def _cloned(step: CloneTable) -> Result:
    """What to remember of a clone: its version, and what it has replaced where the place is not the run's own."""
    return {"version": step.version} | ({"before": step.before} if step.key.startswith(ONTO) else {})


def _plain(name: TableName) -> str:
    """A name for a REST path, which takes its parts unquoted."""
    return f"{name.catalog}.{name.schema}.{name.name}"


# ── do ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def perform(eyes: Eyes, step: Step) -> Result:
    """Perform one step once; raises WorkspaceRefused with Databricks' own words."""
    match step:
        case CreateSchema():
            _create_schema(eyes.client, step)
        case CreateVolume():
            _create_volume(eyes.client, step)
        case CloneTable():
            eyes.sql(clone_sql(step))
            return _cloned(step)
        case CreateView():
            eyes.sql(view_sql(step))
        case ImportNotebook():
            _import(eyes.client, step)
        case SubmitRun():
            return {"run_id": _submit(eyes.client, step)}
        case _:
            assert_never(step)
    return {}


def _create_schema(client: WorkspaceClient, step: CreateSchema) -> None:
    properties = dict(step.properties)
    comment = f"Rehearsal of Brickyard run {properties[MARK]}; may be dropped after {properties[EXPIRES]}."
    with translated(f"create schema {step.catalog}.{step.schema}"):
        client.schemas.create(step.schema, step.catalog, comment=comment, properties=properties)


def _create_volume(client: WorkspaceClient, step: CreateVolume) -> None:
    from databricks.sdk.service.catalog import VolumeType

    with translated(f"create volume {step.catalog}.{step.schema}.{step.volume}"):
        client.volumes.create(step.catalog, step.schema, step.volume, VolumeType.MANAGED)


def _import(client: WorkspaceClient, step: ImportNotebook) -> None:
    from databricks.sdk.service.workspace import ImportFormat, Language

    language = Language(step.language) if step.format == "SOURCE" else None
    with translated(f"import {step.path}"):
        client.workspace.mkdirs(step.path.rsplit("/", 1)[0])
        client.workspace.import_(
            step.path,
            content=base64.b64encode(step.content).decode(),
            format=ImportFormat(step.format),
            language=language,
            overwrite=True,
        )


def _submit(client: WorkspaceClient, step: SubmitRun) -> int:
    from databricks.sdk.service.jobs import NotebookTask, SubmitTask

    tasks = [
        SubmitTask(
            task_key=task.key,
            existing_cluster_id=step.cluster,
            notebook_task=NotebookTask(task.path, base_parameters=dict(task.parameters), warehouse_id=step.warehouse),
        )
        for task in step.tasks
    ]
    with translated(f"submit {step.name}"):
        submitted = client.jobs.submit(run_name=step.name, tasks=tasks, idempotency_token=step.token)
    return submitted.run_id


# ── take back ────────────────────────────────────────────────────────────────────────────────────────────────────────


def cancel_run(client: WorkspaceClient, run_id: int) -> None:
    """Stop a submitted run; one that is over stays as it is."""
    with translated(f"cancel run {run_id}"):
        client.jobs.cancel_run(run_id)


def _quoted(catalog: str, schema: str) -> str:
    return TableName(catalog, schema, "x").sql.rsplit(".", 1)[0]


def delete_folder(client: WorkspaceClient, folder: str) -> None:
    """Delete a folder of the workspace that a run owns."""
    try:
        with translated(f"delete {folder}"):
            client.workspace.delete(folder, recursive=True)
    except NotFound:
        return


def take_back_clone(eyes: Eyes, name: TableName, mark: str, before: int | None) -> None:
    """Give a table that a clone has replaced its rows of *before* again, or drop a clone that replaced nothing."""
    try:
        with translated(f"look for table {name}"):
            found = eyes.client.tables.get(_plain(name))
    except NotFound:
        return
    if (found.properties or {}).get(MARK) != mark:
        return
    if before is None:
        eyes.sql(f"DROP TABLE IF EXISTS {name.sql}")
    else:
        eyes.sql(f"RESTORE TABLE {name.sql} TO VERSION AS OF {before}")


def drop_marked(eyes: Eyes, catalog: str, mark: str) -> list[str]:
    """Drop the rehearsal schemas that carry a mark; returns their names."""
    return [_drop(eyes, catalog, schema) for schema in _ours(eyes, catalog) if _property(schema, MARK) == mark]


def drop_old(eyes: Eyes, catalog: str, run: str, mark: str, now: datetime) -> list[str]:
    """Drop the rehearsal schemas whose time is over and those of earlier attempts of *run*; returns their names."""
    return [_drop(eyes, catalog, s) for s in _ours(eyes, catalog) if _expired(s, now) or _earlier(s, run, mark)]


def _ours(eyes: Eyes, catalog: str) -> list[SchemaInfo]:
    with translated(f"list the schemas of {catalog}"):
        found = list(eyes.client.schemas.list(catalog))
    return [s for s in found if (s.name or "").startswith(PREFIX) and _property(s, MARK)]


def _property(schema: SchemaInfo, key: str) -> str:
    return (schema.properties or {}).get(key, "")


def _expired(schema: SchemaInfo, now: datetime) -> bool:
    expires = _property(schema, EXPIRES)
    return bool(expires) and datetime.fromisoformat(expires) < now


def _earlier(schema: SchemaInfo, run: str, mark: str) -> bool:
    found = _property(schema, MARK)
    return found.startswith(f"{run}/") and found != mark


def _drop(eyes: Eyes, catalog: str, schema: SchemaInfo) -> str:
    """Drop a schema of ours with all that is in it, and the folder that belongs to it."""
    name = schema.name or ""
    eyes.sql(f"DROP SCHEMA IF EXISTS {_quoted(catalog, name)} CASCADE")
    if _property(schema, FOLDER):
        delete_folder(eyes.client, _property(schema, FOLDER))
    return name
