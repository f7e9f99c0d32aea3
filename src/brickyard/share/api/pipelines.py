"""The direct routes of pipelines: read through the SDK, changed one step at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from brickyard.context import Context
from brickyard.kernel.errors import SpecInvalid
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.direct import Done, Info, PageSize, do, info, refuse_taken
from brickyard.share.api.feeding import PipelineName, newest_update, pipeline_id, pipeline_state
from brickyard.share.api.workspaces import Working
from brickyard.share.model.current import PipelineSettings, PipelineState
from brickyard.share.model.steps import ChangePipeline, CreatePipeline, DeletePipeline, StartUpdate
from brickyard.share.observe.pipelines import pipelines
from brickyard.workspace import translated

router = APIRouter(prefix="/pipelines", tags=["pipelines"], route_class=ContractRoute)

_LARGEST_PAGE = 100
Search = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$", description="What the names contain.")]


class Pipelines(BaseModel):
    """Pipelines as Databricks describes them."""

    Message: str
    Pipeline: list[Info]


NewName = Annotated[str, Path(max_length=255, pattern=r"^[A-Za-z0-9_]+$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=255)]
Address = Annotated[str, Field(pattern=r"^[^@\s\x00,]+@[^@\s\x00,]+$", max_length=255)]
Tags = dict[
    Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")],
    Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")],
]


class Configuration(BaseModel):
    """What a pipeline copies, and how."""

    model_config = ConfigDict(extra="forbid")

    source_table: str = Field(
        alias="pipelines.source_table", pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_]+$", max_length=767
    )
    target_table: Identifier = Field(alias="pipelines.target_table")
    keys: str = Field("", alias="pipelines.keys", max_length=1000, pattern=r"^[^\x00]*$")
    scd_type: Literal["1", "2", "full_refresh"] = Field("2", alias="pipelines.scd_type")
    sequence_by: Literal["_commit_version"] = Field("_commit_version", alias="pipelines.sequence_by")
    delete_expr: Literal["_change_type = 'delete'"] = Field("_change_type = 'delete'", alias="pipelines.delete_expr")

    def key_columns(self) -> tuple[str, ...]:
        """Return the key columns, or raise SpecInvalid when the type needs some and there are none."""
        found = tuple(key.strip() for key in self.keys.split(",") if key.strip())
        if not found and self.scd_type != "full_refresh":
            raise SpecInvalid(f"scd_type {self.scd_type} needs key columns", remedy="give pipelines.keys")
        return found


class NewPipeline(BaseModel):
    """A pipeline to make."""

    model_config = ConfigDict(extra="forbid")

    target_catalog_name: Identifier
    target_schema_name: Identifier
    configuration: Configuration
    notifications_list: list[Address] = Field(default_factory=list, max_length=100)
    tags: Tags = Field(default_factory=dict)
    serverless: bool = False


class NewConfiguration(BaseModel):
    """A pipeline's new configuration; what it copies cannot change."""

    model_config = ConfigDict(extra="forbid")

    configuration: Configuration


class Notebook(BaseModel):
    """A notebook of the workspace."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(max_length=1000, pattern=r"^/[^\x00-\x1f\x7f]+$")


class Library(BaseModel):
    """One thing that a pipeline runs."""

    model_config = ConfigDict(extra="forbid")

    notebook: Notebook


class NewLibraries(BaseModel):
    """The notebooks that a pipeline is to run instead of those that it has."""

    model_config = ConfigDict(extra="forbid")

    libraries: list[Library] = Field(min_length=1, max_length=100)

    def paths(self) -> tuple[str, ...]:
        """Return their paths, or raise SpecInvalid when one stands there twice."""
        found = tuple(one.notebook.path for one in self.libraries)
        if len(set(found)) < len(found):
            raise SpecInvalid("a notebook is named twice", remedy="name each once")
        return found


class Started(BaseModel):
    """An update that was begun."""

    message: str
    pipeline_name: str
    pipeline_id: str
    update_id: str
    full_refresh: bool


class Notifications(BaseModel):
    """Addresses that are told how a pipeline fares."""

    model_config = ConfigDict(extra="forbid")

    notifications_list: list[Address] = Field(min_length=1, max_length=100)


@router.get("", responses=answers(403), response_model_exclude_none=True)
def list_pipelines(context: Working, search_string: Search = None, page_size: PageSize = 100) -> Pipelines | Failure:
    """Return the pipelines whose names contain a text."""
    wanted = (search_string or "").lower()
    with translated("list the pipelines"):
        every = context.workspaces.client().pipelines.list_pipelines(max_results=min(page_size, _LARGEST_PAGE))
        found = [info(one) for one in every if wanted in (one.name or "").lower()]
    if not found:
        return Failure(detail="No pipelines found for search criteria.")
    return Pipelines(Message=f"Fetched {len(found)} pipelines!", Pipeline=found)


@router.get("/{pipeline_name}", responses=answers(403, 409))
def get_pipeline(context: Working, pipeline_name: PipelineName) -> Info:
    """Return a pipeline with its settings as Databricks describes it."""
    client = context.workspaces.client()
    found = pipeline_id(client, pipeline_name)
    with translated(f"read the pipeline {pipeline_name}"):
        return info(client.pipelines.get(found))


@router.post("/{pipeline_name}", status_code=201, responses=answers(403, 409))
def create_pipeline(context: Working, pipeline_name: NewName, wanted: NewPipeline) -> Info:
    """Make a pipeline that copies one table."""
    refuse_taken(f"pipeline {pipeline_name}", pipelines(context.workspaces.client(), [pipeline_name]))
    configuration = wanted.configuration
    settings = PipelineSettings(
        name=pipeline_name,
        source=configuration.source_table,
        target=configuration.target_table,
        catalog=wanted.target_catalog_name,
        schema=wanted.target_schema_name,
        keys=configuration.key_columns(),
        scd_type=configuration.scd_type,
        serverless=wanted.serverless,
        notifications=tuple(sorted(set(wanted.notifications_list))),
        tags=wanted.tags,
    )
    do(context, CreatePipeline(settings))
    return get_pipeline(context, pipeline_name)


@router.delete("/{pipeline_name}", responses=answers(403, 409))
def delete_pipeline(context: Working, pipeline_name: PipelineName) -> Done:
    """Delete a pipeline; the jobs that start it stay."""
    do(context, DeletePipeline(pipeline_state(context.workspaces.client(), pipeline_name)))
    return Done(Message=f"Pipeline {pipeline_name} was deleted.")


@router.put("/{pipeline_name}/configuration", responses=answers(403, 409))
def change_configuration(context: Working, pipeline_name: PipelineName, wanted: NewConfiguration) -> Info:
    """Change how a pipeline copies its table; another table needs another pipeline."""
    state, asked = _state(context, pipeline_name), wanted.configuration
    if asked.source_table.lower() != state.settings.source.lower():
        raise SpecInvalid(f"{pipeline_name} copies {state.settings.source}; that cannot change", remedy="make another")
    settings = replace(state.settings, target=asked.target_table, keys=asked.key_columns(), scd_type=asked.scd_type)
    return _changed(context, state, settings)


@router.put("/{pipeline_name}/libraries", responses=answers(403, 409))
def change_libraries(context: Working, pipeline_name: PipelineName, wanted: NewLibraries) -> Info:
    """Let a pipeline run other notebooks."""
    state, paths = _state(context, pipeline_name), wanted.paths()
    return _changed(context, state, replace(state.settings, libraries=paths))


@router.post("/{pipeline_name}/full-refresh", responses=answers(403, 409))
def full_refresh(context: Working, pipeline_name: PipelineName) -> Started:
    """Begin to compute all tables of a pipeline anew from all of their data; does not wait for the end."""
    client = context.workspaces.client()
    found = pipeline_id(client, pipeline_name)
    do(context, StartUpdate(found, pipeline_name, True, newest_update(client, found)))
    return Started(
        message="Full refresh started successfully",
        pipeline_name=pipeline_name,
        pipeline_id=found,
        update_id=newest_update(client, found) or "",
        full_refresh=True,
    )


@router.put("/{pipeline_name}/notifications/add", responses=answers(403, 409))
def add_notifications(context: Working, pipeline_name: PipelineName, wanted: Notifications) -> Info:
    """Tell more addresses how a pipeline fares."""
    state = _state(context, pipeline_name)
    told = tuple(sorted({*state.settings.notifications, *wanted.notifications_list}))
    return _changed(context, state, replace(state.settings, notifications=told))


@router.put("/{pipeline_name}/notifications/remove", responses=answers(403, 409))
def remove_notifications(context: Working, pipeline_name: PipelineName, wanted: Notifications) -> Info:
    """Tell these addresses no longer."""
    state = _state(context, pipeline_name)
    told = tuple(sorted({*state.settings.notifications} - {*wanted.notifications_list}))
    return _changed(context, state, replace(state.settings, notifications=told))


@router.put("/{pipeline_name}/continuous", responses=answers(403, 409))
def change_continuous(context: Working, pipeline_name: PipelineName, continuous: bool) -> Info:
    """Let a pipeline run all the time, or when it is started."""
    state = _state(context, pipeline_name)
    return _changed(context, state, replace(state.settings, continuous=continuous))


def _state(context: Context, name: str) -> PipelineState:
    return pipeline_state(context.workspaces.client(), name)


def _changed(context: Context, state: PipelineState, settings: PipelineSettings) -> Info:
    """Do a change, unless it is none, and return the pipeline as it is then."""
    if settings != state.settings:
        do(context, ChangePipeline(state.id, settings, state.settings))
    return get_pipeline(context, state.settings.name)
