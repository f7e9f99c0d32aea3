"""The direct routes of shares: read through the SDK, changed one step at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from brickyard.context import Context
from brickyard.kernel.errors import Conflict, NotFound, SpecInvalid
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.direct import (
    NAME,
    STORAGE,
    Description,
    Info,
    Name,
    PageSize,
    Prefix,
    do,
    info,
    infos,
    page,
    refuse_taken,
)
from brickyard.share.api.workspaces import Working
from brickyard.share.model.current import ObjectKind, SharedObject, ShareState
from brickyard.share.model.steps import ChangeObjects, CreateShare, DeleteShare, Grant, Revoke
from brickyard.share.observe import shares as observed
from brickyard.workspace import translated

router = APIRouter(prefix="/shares", tags=["shares"], route_class=ContractRoute)

_MOST_OBJECTS = 100  # that one PATCH may change
_PART = r"[^\x00-\x1f\x7f./`]+"
Tables = list[Annotated[str, Field(pattern=rf"^{_PART}\.{_PART}\.{_PART}$", max_length=767)]]
Schemas = list[Annotated[str, Field(pattern=rf"^{_PART}\.{_PART}$", max_length=767)]]
RecipientName = Annotated[str, Query(max_length=255, pattern=NAME)]

StorageRoot = Annotated[
    str | None,
    Query(max_length=1000, pattern=STORAGE, description="Address in cloud storage for what is kept with the share."),
]


class Shares(BaseModel):
    """Shares as Databricks describes them."""

    Message: str
    Share: list[Info]


class DataObjects(BaseModel):
    """Objects of a share by their full names; at most a hundred at a time."""

    model_config = ConfigDict(extra="forbid")

    tables: Tables = Field(default_factory=list, max_length=_MOST_OBJECTS)
    views: Tables = Field(default_factory=list, max_length=_MOST_OBJECTS)
    schemas: Schemas = Field(default_factory=list, max_length=_MOST_OBJECTS)

    def named(self) -> tuple[SharedObject, ...]:
        """Return the objects, or raise SpecInvalid when there are none, too many, or one twice."""
        kinds = ((ObjectKind.TABLE, self.tables), (ObjectKind.VIEW, self.views), (ObjectKind.SCHEMA, self.schemas))
        found = tuple(SharedObject(name=name, kind=kind) for kind, names in kinds for name in names)
        if not 0 < len(found) <= _MOST_OBJECTS:
            raise SpecInvalid(f"{len(found)} objects are named", remedy=f"name 1 to {_MOST_OBJECTS} at a time")
        if len({one.name.lower() for one in found}) < len(found):
            raise SpecInvalid("an object is named twice", remedy="name each once")
        return found


@router.get("", responses=answers(403), response_model_exclude_none=True)
def list_shares(context: Working, prefix: Prefix = None, page_size: PageSize = 100) -> Shares | Failure:
    """Return the shares whose names begin with a prefix."""
    with translated("list the shares"):
        found = infos(context.workspaces.client().shares.list_shares(max_results=page(page_size)), prefix)
    if not found:
        return Failure(detail="No shares found for search criteria.")
    return Shares(Message=f"Fetched {len(found)} shares!", Share=found)


@router.get("/{share_name}", responses=answers(403, 404))
def get_share(context: Working, share_name: Name) -> Info:
    """Return a share with its objects as Databricks describes it."""
    return _info(context, share_name)


@router.post("/{share_name}", status_code=201, responses=answers(403, 409))
def create_share(
    context: Working,
    share_name: Name,
    description: Description = "",
    storage_root: StorageRoot = None,
) -> Info:
    """Make an empty share."""
    refuse_taken(f"share {share_name}", observed.share(context.workspaces.client(), share_name))
    do(context, CreateShare(share_name, description, storage_root))
    return _info(context, share_name)


@router.delete("/{share_name}", status_code=204, responses=answers(403, 404, 409))
def delete_share(context: Working, share_name: Name) -> Response:
    """Delete a share with its grants; the objects themselves stay."""
    do(context, DeleteShare(share_name, _state(context, share_name)))
    return Response(status_code=204)


@router.put("/{share_name}/dataobject/add", responses=answers(403, 404, 409))
def add_objects(context: Working, share_name: Name, objects: DataObjects) -> Info:
    """Add tables, views and schemas to a share."""
    wanted, state = objects.named(), _state(context, share_name)
    there = {(one.kind, one.name.lower()) for one in state.objects}
    twice = [one.name for one in wanted if (one.kind, one.name.lower()) in there]
    if twice:
        raise Conflict(f"{', '.join(twice)} are in the share {share_name} already", code="share-object-there")
    do(context, ChangeObjects(share=share_name, add=wanted))
    return _info(context, share_name)


@router.put("/{share_name}/dataobject/revoke", responses=answers(403, 404, 409))
def remove_objects(context: Working, share_name: Name, objects: DataObjects) -> Info:
    """Take tables, views and schemas out of a share."""
    there = {(one.kind, one.name.lower()): one for one in _state(context, share_name).objects}
    wanted = [(one, there.get((one.kind, one.name.lower()))) for one in objects.named()]
    missing = [one.name for one, found in wanted if found is None]
    if missing:
        raise NotFound(f"{', '.join(missing)} are not in the share {share_name}")
    do(context, ChangeObjects(share=share_name, remove=tuple(found for _, found in wanted if found is not None)))
    return _info(context, share_name)


@router.put("/{share_name}/recipients/add", responses=answers(403, 404, 409))
def add_recipient(context: Working, share_name: Name, recipient_name: RecipientName) -> Info:
    """Let a recipient read a share."""
    if recipient_name.lower() in _readers(context, share_name):
        raise Conflict(f"{recipient_name} can read {share_name} already", code="share-reader-there")
    do(context, Grant(share_name, (recipient_name,)))
    return _permissions(context, share_name)


@router.put("/{share_name}/recipients/remove", responses=answers(403, 404, 409))
def remove_recipient(context: Working, share_name: Name, recipient_name: RecipientName) -> Info:
    """Let a recipient read a share no longer."""
    if recipient_name.lower() not in _readers(context, share_name):
        raise NotFound(f"{recipient_name} cannot read {share_name}")
    do(context, Revoke(share_name, (recipient_name,)))
    return _permissions(context, share_name)


def _state(context: Context, name: str) -> ShareState:
    found = observed.share(context.workspaces.client(), name)
    if found is None:
        raise NotFound(f"share {name} does not exist")
    return found


def _readers(context: Context, name: str) -> set[str]:
    return {reader.lower() for reader in _state(context, name).readers}


def _info(context: Context, name: str) -> Info:
    with translated(f"read the share {name}"):
        return info(context.workspaces.client().shares.get(name, include_shared_data=True))


def _permissions(context: Context, name: str) -> Info:
    with translated(f"read the permissions of the share {name}"):
        return info(context.workspaces.client().shares.share_permissions(name))
