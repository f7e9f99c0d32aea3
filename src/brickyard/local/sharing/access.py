"""Who reads: the recipient whose bearer token a request carries, from an address on its list."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Protocol

from brickyard.local.api.errors import ApiError, denied
from brickyard.local.catalog.model import DoesNotExist
from brickyard.local.sharing.audit import Event
from brickyard.local.sharing.model import Recipient, Share, Token
from brickyard.local.sharing.visible import not_found


class Directory(Protocol):
    """Where shares and recipients are looked up."""

    def head(self, name: str) -> Share:
        """One share without its objects, or raise DoesNotExist."""
        ...

    def share(self, name: str) -> Share:
        """One share with its objects, or raise DoesNotExist."""
        ...

    def granted_heads(self, recipient: str) -> list[Share]:
        """The shares that a recipient may read, without their objects."""
        ...

    def recipient_of(self, bearer: str) -> tuple[Recipient, Token] | None:
        """Who holds a bearer token that is known and has not expired."""
        ...


def admit(directory: Directory, authorization: str, event: Event) -> Recipient:
    """The recipient who asks, noted in *event*; raises ApiError 401 for a token that is none and 403 for the address."""
    scheme, _, bearer = authorization.partition(" ")
    found = directory.recipient_of(bearer.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise ApiError(401, "UNAUTHENTICATED", "The bearer token is missing, unknown or has expired.")
    recipient, _token = found
    event.recipient = recipient.name
    if not address_allowed(event.address, recipient.ip_addresses):
        event.address_denied = True
        raise denied(f"The address {event.address} is not on the IP access list of recipient '{recipient.name}'.")
    return recipient


def address_allowed(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is in one of the networks; an empty list lets everybody in."""
    listed = [ipaddress.ip_network(network, strict=False) for network in networks]
    if not listed:
        return True
    try:
        return any(ipaddress.ip_address(address) in network for network in listed)
    except ValueError:
        return False


def granted_share(directory: Directory, recipient: Recipient, name: str) -> Share:
    """The share with its objects, or raise ApiError: 404 when there is none, 403 when it is not the recipient's."""
    try:
        wanted = directory.head(name)
    except DoesNotExist as error:
        raise not_found(f"Share '{name}'") from error
    if wanted.id not in {share.id for share in directory.granted_heads(recipient.name)}:
        raise denied(f"Recipient '{recipient.name}' may not read share '{wanted.name}'.")
    return directory.share(name)
