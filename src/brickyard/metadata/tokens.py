"""Named tokens of the web service: each is a person's, is shown once, and only its digest is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.metadata import audit
from brickyard.metadata.database import METADATA

PREFIX = "byd_"  # what tells a named token from the service's own, so that others are refused without a query
_PERSON = re.compile(r"[\w.+-]{1,64}@[\w-]+(\.[\w-]+)+", re.ASCII)
_LONGEST_NAME = 255

TOKENS = sa.Table(
    "api_tokens",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedToken:
    """A token as it is remembered: whose it is, since when, and until when."""

    id: str
    email: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; *secret* is known here and nowhere else."""

    id: str
    email: str
    secret: str = field(repr=False)


def add(tx: Connection, email: str, *, at: datetime, actor: str) -> NewToken:
    """Make a token for the person *email*, or raise SpecInvalid when that is no e-mail address."""
    if len(email) > _LONGEST_NAME or not _PERSON.fullmatch(email):
        raise SpecInvalid(f"{email!r} is no e-mail address", code="token-name", remedy="name a person: ada@example.com")
    made = NewToken(secrets.token_hex(4), email.lower(), PREFIX + secrets.token_urlsafe(32))
    row = {"id": made.id, "email": made.email, "created_at": at, "created_by": actor}
    tx.execute(sa.insert(TOKENS).values(**row, digest=_digest(made.secret)))
    audit.record(tx, at=at, actor=actor, action="token added", subject=f"token {made.id}", after={"email": made.email})
    return made


def listed(tx: Connection) -> tuple[NamedToken, ...]:
    """Return every token that was ever made, by name and age."""
    rows = tx.execute(sa.select(TOKENS).order_by(TOKENS.c.email, TOKENS.c.created_at))
    return tuple(
        NamedToken(
            id=row.id,
            email=row.email,
            created_at=row.created_at,
            created_by=row.created_by,
            revoked_at=row.revoked_at,
        )
        for row in rows
    )


def revoke(tx: Connection, name: str, *, at: datetime, actor: str) -> tuple[str, ...]:
    """Revoke the token of that id, or all of the person of that e-mail; returns the ids.

    Raises NotFound when none of that name is valid.
    """
    named = sa.or_(TOKENS.c.id == name, TOKENS.c.email == name.lower())
    change = sa.update(TOKENS).where(named, TOKENS.c.revoked_at.is_(None)).values(revoked_at=at)
    found = tuple(sorted(tx.execute(change.returning(TOKENS.c.id)).scalars()))
    if not found:
        raise NotFound(f"no valid token has the id or e-mail {name}", remedy="see `brickyard token list`")
    for token in found:
        audit.record(tx, at=at, actor=actor, action="token revoked", subject=f"token {token}")
    return found


def owner(tx: Connection, secret: str) -> str | None:
    """Return whose valid token *secret* is, or None."""
    valid = sa.select(TOKENS.c.email).where(TOKENS.c.digest == _digest(secret), TOKENS.c.revoked_at.is_(None))
    return tx.execute(valid).scalar_one_or_none()


def _digest(secret: str) -> str:
    """Hash a token; it holds 256 random bits, so that a plain hash keeps it."""
    return hashlib.sha256(secret.encode()).hexdigest()
