"""The direct routes of catalogs: read through the SDK."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from brickyard.share.api.contract import ContractRoute, answers
from brickyard.share.api.direct import Info, Name, info
from brickyard.share.api.workspaces import Working
from brickyard.workspace import translated

router = APIRouter(prefix="/catalogs", tags=["catalogs"], route_class=ContractRoute)


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
