"""Addresses of the public internet, and sockets that lead nowhere else.

Anybody may have us send a request. So the address is checked when the socket is made: whatever a name meant before, and
whatever it means later.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")


class PrivateAddressError(OSError):
    """A name led to an address that is none of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also inside of what it may carry."""
    found = ip_address(address.partition("%")[0])
    inner = _inner(found) if isinstance(found, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    if found in _LOCAL_NAT64:
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def is_name(host: str) -> bool:
    """Whether a host has a name of the public internet, by its form: the address is checked at connecting."""
    name = host.rstrip(".")
    last = name.rpartition(".")[2]
    return "." in name and last not in {"localhost", "local", "internal"} and not last.isdecimal()


def public_socket(info: AddressInfo) -> socket.socket:
    """A socket to a public address. Raises PrivateAddressError."""
    return sockets_to(())(info)


def sockets_to(others: Sequence[IPv4Network | IPv6Network]) -> Callable[[AddressInfo], socket.socket]:
    """Makes sockets to public addresses, and to those of some other networks."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        to = str(address[0])
        if not is_public(to) and not any(ip_address(to.partition("%")[0]) in one for one in others):
            raise PrivateAddressError("this address is private")
        return socket.socket(family, kind, protocol)

    return make


def _inner(address: IPv6Address) -> IPv4Address | IPv6Address | None:
    """The address that this one stands for, if it is one of a transition."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
