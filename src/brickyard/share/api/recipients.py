"""The direct routes of recipients: read through the SDK, changed one step at a time."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from brickyard.context import Context
from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.direct import (
    Description,
    Done,
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
from brickyard.share.model.current import RecipientState
from brickyard.share.model.pack import RecipientType
from brickyard.share.model.steps import ChangeRecipient, CreateRecipient, DeleteRecipient, RotateToken
from brickyard.share.observe import recipients as observed
from brickyard.workspace import translated

router = APIRouter(prefix="/recipients", tags=["recipients"], route_class=ContractRoute)

_LONGEST_OVERLAP = 90 * 24 * 3600
Addresses = Annotated[
    str, Query(min_length=1, max_length=4000, description="IP addresses and CIDR ranges, separated by commas.")
]


class Recipients(BaseModel):
    """Recipients as Databricks describes them, without activation links."""

    Message: str
    Recipient: list[Info]


@router.get("", responses=answers(403), response_model_exclude_none=True)
def list_recipients(context: Working, prefix: Prefix = None, page_size: PageSize = 100) -> Recipients | Failure:
    """Return the recipients whose names begin with a prefix."""
    with translated("list the recipients"):
        found = infos(context.workspaces.client().recipients.list(max_results=page(page_size)), prefix)
    if not found:
        return Failure(detail="No recipients found for search criteria.")
    return Recipients(Message=f"Fetched {len(found)} recipients!", Recipient=found)


@router.get("/{recipient_name}", responses=answers(403, 404))
def get_recipient(context: Working, recipient_name: Name) -> Info:
    """Return a recipient as Databricks describes it."""
    return _info(context, recipient_name)


@router.delete("/{recipient_name}", responses=answers(403, 404, 409))
def delete_recipient(context: Working, recipient_name: Name) -> Done:
    """Delete a recipient and its tokens."""
    do(context, DeleteRecipient(recipient_name, _state(context, recipient_name)))
    return Done(Message=f"Recipient {recipient_name} was deleted.")


@router.post("/d2d/{recipient_name}", status_code=201, responses=answers(403, 409))
def create_d2d(
    context: Working,
    recipient_name: Name,
    recipient_identifier: Annotated[str, Query(pattern=r"^[\w-]+:[\w-]+:[\w-]+$", max_length=500)],
    description: Description = "",
    sharing_code: Annotated[str | None, Query(max_length=500)] = None,
) -> Info:
    """Make a recipient that reads from their own Databricks."""
    if sharing_code:
        raise SpecInvalid(
            "a sharing code cannot be used here", remedy="give the metastore in recipient_identifier only"
        )
    _refuse_taken(context, recipient_name)
    made = CreateRecipient(
        name=recipient_name, type=RecipientType.D2D, comment=description, metastore=recipient_identifier
    )
    do(context, made)
    return _info(context, recipient_name)


@router.post("/d2o/{recipient_name}", status_code=201, responses=answers(403, 409))
def create_d2o(
    context: Working, recipient_name: Name, description: Description = "", ip_access_list: Addresses | None = None
) -> Info:
    """Make a recipient that reads with a token; its activation link is sealed and given out by `deliver` only."""
    addresses = _addresses(ip_access_list) if ip_access_list else ()
    _refuse_taken(context, recipient_name)
    made = CreateRecipient(name=recipient_name, type=RecipientType.D2O, comment=description, ip_addresses=addresses)
    do(context, made)
    return _info(context, recipient_name)


@router.put("/{recipient_name}/tokens/rotate", responses=answers(403, 404, 409))
def rotate_token(
    context: Working,
    recipient_name: Name,
    expire_in_seconds: Annotated[int, Query(ge=0, le=_LONGEST_OVERLAP, description="Life of the old token.")] = 0,
) -> Info:
    """Issue a new token; the old one lives on for so long."""
    state = _with_token(_state(context, recipient_name))
    newest = max(state.tokens, key=lambda token: token.created_at)
    do(context, RotateToken(state.name, expire_in_seconds, newest.id))
    return _info(context, recipient_name)


@router.put("/{recipient_name}/ipaddress/add", responses=answers(403, 404, 409))
def add_addresses(context: Working, recipient_name: Name, ip_access_list: Addresses) -> Info:
    """Let a recipient read from more addresses; one that could read from anywhere can then read from these only."""
    state = _with_token(_state(context, recipient_name))
    wanted = tuple(sorted({*state.ip_addresses, *_addresses(ip_access_list)}))
    return _changed(context, ChangeRecipient(name=state.name, ip_addresses=wanted, before=state))


@router.put("/{recipient_name}/ipaddress/revoke", responses=answers(403, 404, 409))
def revoke_addresses(context: Working, recipient_name: Name, ip_access_list: Addresses) -> Info:
    """Let a recipient read from these addresses no longer; the last ones cannot go, as no list means any address."""
    state = _with_token(_state(context, recipient_name))
    kept = tuple(sorted({*state.ip_addresses} - {*_addresses(ip_access_list)}))
    if state.ip_addresses and not kept:
        raise SpecInvalid(
            f"without its last address {state.name} could read from anywhere", remedy="add another address first"
        )
    return _changed(context, ChangeRecipient(name=state.name, ip_addresses=kept, before=state))


@router.put("/{recipient_name}/description/update", responses=answers(403, 404, 409))
def update_description(context: Working, recipient_name: Name, description: Description) -> Info:
    """Change a recipient's description."""
    state = _state(context, recipient_name)
    return _changed(context, ChangeRecipient(name=state.name, comment=description, before=state))


@router.put("/{recipient_name}/expiration_time/update", responses=answers(403, 404, 409))
def update_expiration(
    context: Working,
    recipient_name: Name,
    expiration_time: Annotated[int, Query(ge=1, le=3650, description="Days from now.")],
) -> Info:
    """Change when a recipient's token ends."""
    state = _with_token(_state(context, recipient_name))
    ends = context.clock() + timedelta(days=expiration_time)
    return _changed(context, ChangeRecipient(name=state.name, expires_at=ends, before=state))


def _changed(context: Context, step: ChangeRecipient) -> Info:
    """Do a change, unless it is none, and return the recipient as it is then."""
    same = (
        step.ip_addresses in (None, step.before.ip_addresses)
        and step.comment in (None, step.before.comment)
        and step.expires_at is None
    )
    if not same:
        do(context, step)
    return _info(context, step.name)


def _state(context: Context, name: str) -> RecipientState:
    found = observed.recipient(context.workspaces.client(), name)
    if found is None:
        raise NotFound(f"recipient {name} does not exist")
    return found


def _refuse_taken(context: Context, name: str) -> None:
    refuse_taken(f"recipient {name}", observed.recipient(context.workspaces.client(), name))


def _with_token(state: RecipientState) -> RecipientState:
    """Return a recipient that has tokens and an address list, or raise SpecInvalid."""
    if state.type is not RecipientType.D2O or not state.tokens:
        raise SpecInvalid(f"{state.name} is a {state.type} recipient; it has no tokens and no addresses of its own")
    return state


def _info(context: Context, name: str) -> Info:
    with translated(f"read the recipient {name}"):
        return info(context.workspaces.client().recipients.get(name))


def _addresses(text: str) -> tuple[str, ...]:
    """Read a comma list of addresses and ranges, or raise SpecInvalid naming each that is none."""
    given = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [part for part in given if not _is_address(part)]
    if wrong or not given:
        raise SpecInvalid(f"no IP addresses or CIDR ranges: {', '.join(wrong) or text!r}", remedy="give 203.0.113.0/24")
    return tuple(sorted(set(given)))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return text.isascii()
