"""The addresses from which a recipient may read: compared as networks, never left empty by accident."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

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
