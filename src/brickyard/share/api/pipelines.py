"""The direct routes of pipelines: read through the SDK."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.direct import Info, PageSize, info
from brickyard.share.api.feeding import PipelineName, pipeline_id
from brickyard.share.api.workspaces import Working
from brickyard.workspace import translated

router = APIRouter(prefix="/pipelines", tags=["pipelines"], route_class=ContractRoute)

_LARGEST_PAGE = 100
Search = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$", description="What the names contain.")]


class Pipelines(BaseModel):
    """Pipelines as Databricks describes them."""

    Message: str
    Pipeline: list[Info]


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
