"""The named tokens of a home's web service, in its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brickyard import context
from brickyard.context import Context
from brickyard.home.folder import Home
from brickyard.home.session import person
from brickyard.metadata import tokens
from brickyard.metadata.tokens import NamedToken, NewToken
from brickyard.settings import Settings


def add(home: Home, email: str) -> NewToken:
    """Make a token for a person; its secret is shown now and never again."""
    with _house(home) as house, house.metadata.transaction() as tx:
        return tokens.add(tx, email, at=house.clock(), actor=house.actor)


def listed(home: Home) -> tuple[NamedToken, ...]:
    """Return every token that was ever made."""
    with _house(home) as house, house.metadata.read() as tx:
        return tokens.listed(tx)


def revoke(home: Home, name: str) -> tuple[str, ...]:
    """Revoke a token by its id, or all of a person's; returns their ids."""
    with _house(home) as house, house.metadata.transaction() as tx:
        return tokens.revoke(tx, name, at=house.clock(), actor=house.actor)


@contextmanager
def _house(home: Home) -> Iterator[Context]:
    """Open the home's database at this version's schema."""
    home.prepare()
    house = context.build(Settings(home=home.path), actor=person())
    try:
        house.metadata.migrate()
        yield house
    finally:
        house.metadata.close()
