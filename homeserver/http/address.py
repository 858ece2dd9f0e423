"""The client's address, seen through our own proxies.

`X-Forwarded-For` is a list that clients may begin; only what our own proxies added to its end can be
trusted. So the list is read from its end, past the trusted addresses, and the first other one is the client.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_FORWARDED_FOR = "X-Forwarded-For"
_MAX_HOPS = 20  # a longer list does not come from our proxies
_KNOWN_PEERS = 4096  # parsed addresses kept: each sends many requests


class ClientAddress:
    """Callable: the address of a request's client as text, "" when there is none (a Unix socket)."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self._peer = lru_cache(_KNOWN_PEERS)(_peer)

    def __call__(self, request: web.Request) -> str:
        peer, text = self._peer(request.remote or "")
        if peer is not None and self._trusted and self._is_ours(peer):
            return str(self._behind(request, peer))
        return text

    def _behind(self, request: web.Request, peer: Address) -> Address:
        hops = ",".join(request.headers.getall(_FORWARDED_FOR, ())).split(",")
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = _parse(hop)
            if address is None:
                return peer
            peer = address
            if not self._is_ours(peer):
                break
        return peer

    def _is_ours(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _peer(remote: str) -> tuple[Address | None, str]:
    """The peer of a connection, and its text; None if it is not an address."""
    address = _parse(remote)
    return address, remote if address is None else str(address)


def _parse(text: str) -> Address | None:
    """An address with or without port and brackets; an IPv4 address in IPv6 form is the IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
