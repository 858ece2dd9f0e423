"""Which addresses of push services are good, and sockets that lead nowhere else.

Anybody who may subscribe can make us send a request. So it goes by https to a host with a name, and the address is
checked when the socket is made: whatever the name meant before, and whatever it means later.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from homeserver.errors import Invalid
from homeserver.settings.section import is_loopback

MAX_ENDPOINT_CHARS = 2000
_NAT64 = ip_network("64:ff9b::/96")
_AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class PrivateAddressError(OSError):
    """A name led to an address that is no push service's."""


def check_endpoint(endpoint: str, *, allow_private: bool) -> None:
    """Raise Invalid("bad_endpoint") unless this can be the address of a subscription.

    `allow_private`: also addresses without a name, and http on this machine.
    """
    parts = _split(endpoint)
    host = parts.hostname if parts is not None else None
    if (
        parts is None
        or not host
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise _bad("endpoint: must be the address that the browser's push service gave out")
    if parts.scheme == "http" and allow_private and is_loopback(host):
        return
    if parts.scheme != "https":
        raise _bad("endpoint: must begin with https://")
    if not allow_private and not _is_name(host):
        raise _bad("endpoint: must be on a host with a public name")


def origin_of(endpoint: str) -> str:
    """Scheme, host and port of a checked endpoint: for whom a signature is good (RFC 8292, section 2)."""
    parts = urlsplit(endpoint)
    default = {"http": 80, "https": 443}[parts.scheme]
    port = f":{parts.port}" if parts.port not in (None, default) else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also inside of what it may carry."""
    found = ip_address(address.partition("%")[0])
    inner = _inner(found) if isinstance(found, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def public_socket(info: _AddressInfo) -> socket.socket:
    """A socket to a public address. Raises PrivateAddressError."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateAddressError("this address is private")
    return socket.socket(family, kind, protocol)


def _split(endpoint: str) -> SplitResult | None:
    if len(endpoint) > MAX_ENDPOINT_CHARS or not endpoint.isascii() or not endpoint.isprintable():
        return None
    if any(char in endpoint for char in ' \\<>"'):
        return None
    try:
        parts = urlsplit(endpoint)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        return None
    return parts if ":" not in (parts.hostname or "") else None  # IPv6: no signature can name it


def _is_name(host: str) -> bool:
    """Whether a host has a name of the public internet, by its form: the address is checked at connecting."""
    name = host.rstrip(".")
    last = name.rpartition(".")[2]
    return "." in name and last not in {"localhost", "local", "internal"} and not last.isdecimal()


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


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad_endpoint")
