"""What the direct routes have in common: names, Databricks' own words without secrets, and one step at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Protocol

from fastapi import Path, Query
from pydantic import BaseModel

from brickyard.context import Context
from brickyard.kernel.errors import Conflict
from brickyard.share import flow
from brickyard.share.model.steps import Step

NAME = r"^[A-Za-z0-9_@+-]+$"  # what can stand in an address of Databricks as it is
STORAGE = r"^[a-z][a-z0-9]*://[^\s\x00-\x1f\x7f]+$"  # an address in cloud storage
Name = Annotated[str, Path(max_length=255, pattern=NAME)]
Prefix = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$", description="What the names begin with.")]
PageSize = Annotated[int, Query(ge=1, le=2**31 - 1, description="How many to ask Databricks for at a time.")]
Description = Annotated[str, Query(max_length=1000, pattern=r"^[^\x00]*$")]
Info = dict[str, Any]

_SECRETS = frozenset({"activation_url", "sharing_code", "bearer_token"})
_LARGEST_PAGE = 1000


class Done(BaseModel):
    """What a route has done."""

    Message: str


class Described(Protocol):
    """Anything of the SDK that can be written as JSON."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON's own values."""
        ...


def info(described: Described) -> Info:
    """Return what Databricks says of something; whoever holds an activation link holds the data, so none is in it."""
    return _public(described.as_dict())


def infos(found: Iterable[Described], prefix: str | None) -> list[Info]:
    """Return what Databricks says of those whose name begins with *prefix*, case aside."""
    start = (prefix or "").lower()
    return [one for one in map(info, found) if str(one.get("name", "")).lower().startswith(start)]


def page(size: int) -> int:
    """Return how many to ask for at a time; Databricks allows a thousand."""
    return min(size, _LARGEST_PAGE)


def refuse_taken(what: str, there: object) -> None:
    """Raise Conflict when a thing that is to be made is *there*."""
    if there:
        raise Conflict(f"the {what} exists already", code="share-name-taken")


def do(context: Context, step: Step) -> None:
    """Perform one step through the guards, the journal and the audit trail."""
    flow.direct(context, step)


def _public(value: Any) -> Any:
    match value:
        case dict():
            return {key: _public(inner) for key, inner in value.items() if key not in _SECRETS}
        case list():
            return [_public(inner) for inner in value]
    return value
