"""Who can read what, since when, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from brickyard.context import Context
from brickyard.kernel.errors import NotFound
from brickyard.share.model.current import RecipientState, ShareState
from brickyard.share.model.pack import RecipientType
from brickyard.share.model.runs import Access
from brickyard.share.observe.recipients import every as every_recipient
from brickyard.share.observe.shares import every_name, shares
from brickyard.share.plan.lifetimes import newest
from brickyard.share.store import claims

_SOON = timedelta(days=14)
Made = Mapping[tuple[str, str], tuple[UUID, datetime]]


def access(context: Context, name: str | None = None) -> tuple[Access, ...]:
    """Return every right to read a share, of all or of the recipient or share *name*; NotFound when it is neither."""
    client = context.workspaces.client()
    known = every_recipient(client)
    names = every_name(client)
    if name is not None and name.lower() not in {*known, *(one.lower() for one in names)}:
        raise NotFound(f"there is no recipient or share {name}", remedy="`brickyard share access` lists all")
    wanted = [one for one in names if one.lower() == (name or "").lower()] or names
    with context.metadata.read() as tx:
        made = claims.since(tx, "reader")
    now = context.clock()
    found = [
        _right(share, known.get(reader.lower()), reader, made, now)
        for share in shares(client, wanted).values()
        for reader in share.readers
    ]
    chosen = (one for one in found if name is None or name.lower() in (one.recipient.lower(), one.share.lower()))
    return tuple(sorted(chosen, key=lambda one: (one.recipient.lower(), one.share.lower())))


def _right(share: ShareState, state: RecipientState | None, reader: str, made: Made, now: datetime) -> Access:
    pack_id, since = made.get((share.name.lower(), reader.lower()), (None, None))
    token = newest(state.tokens) if state else None
    return Access(
        recipient=reader,
        share=share.name,
        objects=tuple(one.name for one in share.objects),
        type=state.type if state else "unknown",
        pack_id=str(pack_id) if pack_id else share.mark,
        since=since,
        activated=bool(state and _came(state)),
        expires_at=token.expires_at if token else None,
        state=_state(state, token.expires_at if token else None, now),
    )


def _came(state: RecipientState) -> bool:
    """Tell whether somebody has taken the credentials; who signs in elsewhere needs none from us."""
    return state.type is not RecipientType.D2O or state.activated or any(token.activated for token in state.tokens)


def _state(state: RecipientState | None, ends: datetime | None, now: datetime) -> str:
    if ends is not None and ends <= now:
        return "expired"
    if state is not None and not _came(state):
        return "never-activated"
    return "expiring" if ends is not None and ends <= now + _SOON else "active"
