"""How long a recipient may read: the end of its token, the end of its access."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from brickyard.share.model.current import TokenState
from brickyard.share.model.pack import RecipientSpec

TOLERANCE = timedelta(minutes=1)


def access_ends(spec: RecipientSpec) -> datetime | None:
    """Return when `expires_on` ends the access: a day counts to its end in UTC, a time without a zone is UTC."""
    if not spec.expires_on:
        return None
    text = spec.expires_on.strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def access_ended(spec: RecipientSpec, now: datetime) -> bool:
    """Tell whether the recipient may read no more."""
    ends = access_ends(spec)
    return ends is not None and ends <= now


def newest(tokens: tuple[TokenState, ...]) -> TokenState | None:
    """Return the token that was made last."""
    return max(tokens, key=lambda token: token.created_at, default=None)


def token_ends(spec: RecipientSpec, token: TokenState) -> datetime | None:
    """Return when a token is to end by the pack; None when the pack says nothing of it.

    `token_expiry` counts from the token's creation. The end of the access cuts it short.
    """
    by_age = token.created_at + timedelta(days=spec.token_expiry) if spec.token_expiry else token.expires_at
    ends = access_ends(spec)
    if ends is not None and (by_age is None or ends < by_age):
        return ends
    return by_age if spec.token_expiry else None
