"""The addresses from which a recipient may read: compared as networks, never left empty by accident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from brickyard.share.model.steps import Loss
from brickyard.share.plan.case import Item, Mind, listed

MOST = 100  # addresses of one recipient


def canonical(address: str) -> str:
    """Return one spelling for one network: `10.0.0.1/32` is `10.0.0.1`; what is neither stays as it is."""
    text = address.strip()
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return text
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def canonicals(addresses: Iterable[str]) -> frozenset[str]:
    """Return the networks of some addresses."""
    return frozenset(map(canonical, addresses))


def losses(name: str, present: frozenset[str], wanted: frozenset[str]) -> Iterator[Item]:
    """Yield who loses by a change of addresses, and in red that an empty list opens a recipient to the world."""
    if present and not wanted:
        text = f"{name} can read from every address: its list of addresses becomes empty"
        yield Loss(what=text, who=(name,))
        yield Mind(f"{text}.")
    elif gone := present - wanted:
        yield Loss(what=f"{name} can no longer read from {listed(gone)}", who=(name,))
    elif wanted and not present:
        yield Loss(
            what=f"{name} can read from {listed(wanted)} only; until now it could from every address", who=(name,)
        )
