"""The client's address behind proxies."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from homeserver.http.address import ClientAddress

PROXY = "10.0.0.1"


def address(peer: str, *forwarded: str, trusted: tuple[str, ...] = ("10.0.0.0/8", "fd00::/8")) -> str:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return ClientAddress([ip_network(network) for network in trusted])(request)


def test_nobody_is_believed_who_is_no_proxy_of_ours() -> None:
    assert address("203.0.113.5", "198.51.100.1") == "203.0.113.5"
    assert address(PROXY, "198.51.100.1", trusted=()) == PROXY


def test_the_client_behind_our_proxies_is_found_from_the_end() -> None:
    assert address(PROXY, "198.51.100.1") == "198.51.100.1"
    assert address(PROXY, "198.51.100.1, 10.9.9.9") == "198.51.100.1"


def test_what_a_client_writes_itself_is_not_believed() -> None:
    assert address(PROXY, "1.2.3.4, 198.51.100.1") == "198.51.100.1"
    assert address(PROXY, "1.2.3.4", "198.51.100.1, 10.2.2.2") == "198.51.100.1"


@pytest.mark.parametrize("junk", ["unknown", "", ",,,", "<script>", "999.1.1.1"])
def test_junk_leaves_the_proxy(junk: str) -> None:
    assert address(PROXY, junk) == PROXY


def test_all_ours_is_the_outermost_of_ours() -> None:
    assert address(PROXY, "10.1.1.1, 10.2.2.2") == "10.1.1.1"


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("198.51.100.1:80", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_addresses_in_all_their_forms(given: str, plain: str) -> None:
    assert address(PROXY, given) == plain


def test_a_unix_socket_has_no_address() -> None:
    assert address("") == ""
