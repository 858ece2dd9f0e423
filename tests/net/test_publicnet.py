"""Which addresses are of the public internet: registries of special-purpose addresses, and what carries others."""

from ipaddress import ip_network

import pytest

from homeserver.net.publicnet import Guard, PrivateAddressError, is_public

SPECIAL = [  # an address of each block of the IANA special-purpose address registries, and of what they leave out
    "0.0.0.0",
    "0.1.2.3",
    "10.255.255.255",
    "100.127.255.255",
    "127.8.8.8",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.175.48.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2002:a00:1::",
    "2002:c0a8:101::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "feff::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "223.255.255.255",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2002:101:101::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
    assert not Guard().admits(address)
    assert not Guard().admits_host(address)
    assert Guard(None).admits(address), "where an operator chose them, all are good"


@pytest.mark.parametrize("address", PUBLIC)
def test_all_others_are(address: str) -> None:
    assert is_public(address)
    assert Guard().admits_host(address)


def test_other_networks_can_be_opened() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::1", "1.1.1.1"):
        assert guard.admits(address), address
        assert guard.admits_host(address), address
    for address in ("10.2.0.1", "127.0.0.1", "fd00:2::1", "64:ff9b::10.1.2.3"):
        assert not guard.admits(address), address
        assert not guard.admits_host(address), address


@pytest.mark.parametrize("name", ["intranet", "wiki.internal", "intranet."])
def test_names_of_other_networks_need_no_dot(name: str) -> None:
    assert not Guard().admits_host(name)
    assert Guard([ip_network("10.0.0.0/8")]).admits_host(name)
    assert Guard(None).admits_host(name)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "127.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "b.local",
    ],
)
def test_hosts_that_are_no_public_names(host: str) -> None:
    assert not Guard().admits_host(host)
    assert not Guard([ip_network("10.0.0.0/8")]).admits_host(host)


def test_this_machine_has_a_name_where_it_is_allowed() -> None:
    assert Guard([ip_network("127.0.0.0/8")]).admits_host("localhost")
    assert Guard([ip_network("::1/128")]).admits_host("LOCALHOST.")
    assert not Guard([ip_network("127.0.0.0/8")]).admits_host("a.localhost")


def test_a_socket_leads_nowhere_else() -> None:
    with pytest.raises(PrivateAddressError):
        Guard().socket((2, 1, 6, "", ("127.0.0.1", 80)))
    Guard().socket((2, 1, 6, "", ("1.1.1.1", 80))).close()
