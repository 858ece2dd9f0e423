"""The SSRF guard: addresses of the public internet, and sockets that connect to no others.

Anybody may make the server send a request. So the address is checked when the socket is made, whatever the host name
resolved to before, and whatever it resolves to later.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
Network = IPv4Network | IPv6Network

# The whole IANA IPv4 special-purpose address registry, and multicast. Its entries that are globally reachable are
# addresses of protocols (anycast to the nearest relay), not of sites.
_SPECIAL_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared address space
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link local
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation (TEST-NET-1)
        "192.31.196.0/24",  # AS112-v4
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # deprecated 6to4 relay anycast
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # direct delegation AS112 service
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation (TEST-NET-2)
        "203.0.113.0/24",  # documentation (TEST-NET-3)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and limited broadcast
    )
)
# Everything outside of the one block assigned as global unicast is not the public internet: loopback,
# discard-only (100::/64), segment routing (5f00::/16), unique local (fc00::/7), link local (fe80::/10), the old site
# local (fec0::/10), multicast (ff00::/8), and what IANA may still reserve.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
# The rest of the IANA IPv6 special-purpose address registry. 6to4 and NAT64 are judged by the address they embed.
_SPECIAL_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, ORCHID, drones
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # direct delegation AS112 service
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_OWN_NAMES: Final = frozenset({"localhost", "local"})  # of this machine, and of its link by multicast DNS
_PRIVATE_NAMES: Final = frozenset({"internal"})


class PrivateAddressError(OSError):
    """A name resolved to an address that is not admitted."""


class Guard:
    """Decides which addresses may be connected to: the public internet, and some other networks.

    `networks`: the other networks; None where an operator chose the addresses: all are admitted.
    """

    def __init__(self, networks: Sequence[Network] | None = ()) -> None:
        self._networks = networks

    def admits(self, address: str) -> bool:
        """True if connections to this IP address are allowed."""
        if self._networks is None or is_public(address):
            return True
        found = _parsed(address)
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped  # the same host
        return any(found in one for one in self._networks)

    def admits_host(self, host: str) -> bool:
        """True if the host of a URL, without brackets, may be resolved, judged by its form alone.

        With other networks, host names need no dot: the address is checked at connecting.
        """
        try:
            return self.admits(host)
        except ValueError:  # not an IP address
            if self._networks and host.rstrip(".").lower() == "localhost":
                return self.admits("127.0.0.1") or self.admits("::1")
            return self._networks is None or is_name(host, also_private=bool(self._networks))

    def socket(self, info: AddressInfo) -> socket.socket:
        """A socket for an admitted address. Raises PrivateAddressError."""
        family, kind, protocol, _, address = info
        if not self.admits(str(address[0])):
            raise PrivateAddressError("this address is private")
        return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """True if an IP address is of the public internet, as are those it may embed. Raises ValueError if malformed."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is None:
            return found in _GLOBAL_V6 and not any(found in one for one in _SPECIAL_V6)
        found = inner
    return not any(found in one for one in _SPECIAL_V4)


def is_name(host: str, *, also_private: bool = False) -> bool:
    """True if a host name has the form of one of the public internet; the address is checked at connecting.

    `also_private`: or of a private network.
    """
    name = host.rstrip(".").lower()
    last = name.rpartition(".")[2]
    if not last or last in _OWN_NAMES or last.isdecimal() or last.startswith("0x"):
        return False  # a host that ends in a number is an address in another notation
    return also_private or ("." in name and last not in _PRIVATE_NAMES)


def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address.partition("%")[0])


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a transition address embeds, if it is one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
