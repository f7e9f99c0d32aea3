"""Probes: recipients that live for one verification, made, let read, revoked and always dropped again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from brickyard.kernel.errors import NotFound, WorkspaceDown
from brickyard.share.apply.hands import Hands
from brickyard.share.apply.steps import look, perform
from brickyard.share.model.current import RecipientState
from brickyard.share.model.pack import RecipientType
from brickyard.share.model.probes import PREFIX, is_probe
from brickyard.share.model.steps import ChangeRecipient, CreateRecipient, DeleteRecipient, Grant, Revoke, Step
from brickyard.share.observe.recipients import recipients
from brickyard.workspace import translated
from brickyard.workspace.writes import adopt_or_do

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

log = structlog.stdlib.get_logger(__name__)

LIFE = timedelta(hours=1)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """A recipient that reads in the place of others, and the link that makes it one."""

    hands: Hands
    name: str
    link: str = field(repr=False)

    def revoke(self, share: str) -> None:
        """Take the right to read a share from it; taken twice is taken once, so that nobody needs to look."""
        _again(f"revoke the probe {self.name}", lambda: perform(self.hands, Revoke(share, (self.name,))))

    def close_to(self, addresses: tuple[str, ...]) -> None:
        """Let it read from these addresses only."""
        before = RecipientState(name=self.name, type=RecipientType.D2O, owner="")
        _do(self.hands, ChangeRecipient(name=self.name, ip_addresses=addresses, before=before))


@contextmanager
def probe(hands: Hands, shares: tuple[str, ...], *, properties: Mapping[str, str]) -> Iterator[Probe]:
    """Make a recipient with an hour to live that may read *shares*; whatever happens in the block, it is dropped.

    Its name is made up before it is asked for, so that a lost reply leaves nothing behind that nobody knows.
    """
    name = PREFIX + secrets.token_hex(8)
    links: list[str] = []
    holding = replace(hands, seal=lambda _recipient, _token, link: links.append(link))
    wanted = CreateRecipient(
        name=name,
        type=RecipientType.D2O,
        comment="Reads once to prove what partners can read; dropped within the hour",
        properties=properties,
        expires_at=hands.clock() + LIFE,
    )
    try:
        _do(holding, wanted)
        for share in shares:
            _do(hands, Grant(share, (name,)))
        yield Probe(hands, name, links[0] if links else "")
    finally:
        _drop(hands, name)


def drop_leftovers(client: WorkspaceClient, now: datetime) -> tuple[str, ...]:
    """Drop the probes that are older than an hour, whose verification was killed; return their names."""
    with translated("list the recipients"):
        named = [info.name for info in client.recipients.list() if is_probe(info.name or "")]
    old = [state.name for state in recipients(client, filter(None, named)).values() if _left(state, now)]
    for name in old:
        log.warning("dropping a probe that was left behind", recipient=name)
        _tried(name, partial(client.recipients.delete, name))
    return tuple(old)


def _left(state: RecipientState, now: datetime) -> bool:
    born = max((token.created_at for token in state.tokens), default=None)
    return state.mark is not None and (born is None or born + LIFE <= now)


def _do(hands: Hands, step: Step) -> None:
    what = type(step).__name__
    adopt_or_do(lambda: look(hands, step), lambda: perform(hands, step), look_first=False, what=what)


def _drop(hands: Hands, name: str) -> None:
    gone = DeleteRecipient(name, RecipientState(name=name, type=RecipientType.D2O, owner=""))
    _tried(name, lambda: perform(hands, gone))


def _tried(name: str, drop: Callable[[], object]) -> None:
    """Drop a recipient, even while this process is being stopped; one that is not there is dropped."""
    try:
        _again(f"drop the probe {name}", drop)
    except NotFound:
        return
    except WorkspaceDown:
        log.error("a probe is left behind; the next verification drops it", recipient=name)
        raise


def _again(what: str, write: Callable[[], object]) -> None:
    """Write, and once more after each lost reply."""
    for left in reversed(range(_TRIES)):
        try:
            with translated(what):
                write()
            return
        except WorkspaceDown:
            if not left:
                raise
