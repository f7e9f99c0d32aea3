"""The direct routes of catalogs: read through the SDK, made by one step."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from brickyard.share.api.contract import ContractRoute, answers
from brickyard.share.api.direct import STORAGE, Info, Name, do, info, refuse_taken
from brickyard.share.api.workspaces import Working
from brickyard.share.model.steps import CreateCatalog
from brickyard.workspace import translated

router = APIRouter(prefix="/catalogs", tags=["catalogs"], route_class=ContractRoute)


NewName = Annotated[str, Path(max_length=255, pattern=r"^[A-Za-z0-9_]+$")]


class NewCatalog(BaseModel):
    """A catalog to make."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field("", max_length=1000, pattern=r"^[^\x00]*$")
    external_location: str | None = Field(
        None,
        max_length=1000,
        pattern=STORAGE,
        description="Address in cloud storage, below an external location, where managed tables are to lie.",
    )


class Catalogs(BaseModel):
    """Catalogs as Databricks describes them."""

    Message: str
    Catalog: list[Info]


@router.get("", responses=answers(403))
def list_catalogs(context: Working) -> Catalogs:
    """Return the catalogs that the service may see."""
    with translated("list the catalogs"):
        found = [info(one) for one in context.workspaces.client().catalogs.list()]
    return Catalogs(Message=f"Fetched {len(found)} catalogs!", Catalog=found)


@router.get("/{catalog_name}", responses=answers(403))
def get_catalog(context: Working, catalog_name: Name) -> Info:
    """Return a catalog as Databricks describes it."""
    with translated(f"read the catalog {catalog_name}"):
        return info(context.workspaces.client().catalogs.get(catalog_name))


@router.post("/{catalog_name}", status_code=201, responses=answers(403, 409))
def create_catalog(context: Working, catalog_name: NewName, wanted: NewCatalog) -> Info:
    """Make a catalog."""
    with translated("list the catalogs"):
        names = {(one.name or "").lower() for one in context.workspaces.client().catalogs.list()}
    refuse_taken(f"catalog {catalog_name}", catalog_name.lower() in names)
    do(context, CreateCatalog(catalog_name, wanted.comment, wanted.external_location))
    return get_catalog(context, catalog_name)
