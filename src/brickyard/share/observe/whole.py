"""Reads the whole metastore: which names are taken, and all shares and recipients as they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from brickyard.share.model.current import RecipientState, ShareState
from brickyard.share.observe import recipients, shares
from brickyard.share.observe.asking import found, together

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_FEW = 16  # names that are asked one by one; for more, everything is listed


@dataclass(frozen=True, slots=True)
class Existing:
    """The names, of those asked for, that are taken; folded to lower case."""

    recipients: frozenset[str]
    shares: frozenset[str]


@dataclass(frozen=True, slots=True)
class Metastore:
    """All recipients and shares that we may see, by folded name."""

    recipients: Mapping[str, RecipientState]
    shares: Mapping[str, ShareState]


def existing_names(client: WorkspaceClient, recipients: Collection[str], shares: Collection[str]) -> Existing:
    """Return which names are taken, in as few questions as there are names or pages; a failed read is an error."""
    if len(recipients) + len(shares) > _FEW:
        return _by_listing(client, recipients, shares)
    asked = [*((_has_recipient, name) for name in recipients), *((_has_share, name) for name in shares)]
    taken = together(lambda one: (one, one[0](client, one[1])), asked)
    return Existing(
        recipients=frozenset(name.lower() for (has, name), there in taken if there and has is _has_recipient),
        shares=frozenset(name.lower() for (has, name), there in taken if there and has is _has_share),
    )


def metastore(client: WorkspaceClient) -> Metastore:
    """Return every recipient and every share with its objects and readers."""
    everyone = recipients.every(client)
    return Metastore(everyone, shares.shares(client, shares.every_name(client)))


def _by_listing(client: WorkspaceClient, wanted: Collection[str], wanted_shares: Collection[str]) -> Existing:
    known = frozenset(recipients.every_name(client)) if wanted else frozenset()
    known_shares = frozenset(name.lower() for name in shares.every_name(client)) if wanted_shares else frozenset()
    return Existing(
        recipients=frozenset(name.lower() for name in wanted) & known,
        shares=frozenset(name.lower() for name in wanted_shares) & known_shares,
    )


def _has_recipient(client: WorkspaceClient, name: str) -> bool:
    ask = partial(client.recipients.get, name)
    return found(f"read the recipient {name}", ask, absent=recipients.ABSENT) is not None


def _has_share(client: WorkspaceClient, name: str) -> bool:
    return found(f"read the share {name}", partial(client.shares.get, name), absent=shares.ABSENT) is not None
