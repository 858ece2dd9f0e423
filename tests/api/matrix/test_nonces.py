"""Nonces of registrations with the shared secret: nobody can push out those of others."""

import hmac
from typing import Any

import pytest

from tests.api.matrix.driver import PASSWORD, Client
from tests.names import fresh

CALL = "/_synapse/admin/v1/register"
SECRET = "the secret of the operator's tools"
FEW = {"enabled": True, "shared_secret": SECRET, "max_nonces": 10, "max_address_nonces": 4}

pytestmark = pytest.mark.parametrize(
    "overrides", [{"matrix": FEW, "listen": {"trusted_proxies": ["127.0.0.1/32"]}}]
)


async def nonce(nobody: Client, address: str) -> str:
    found = await nobody.call("GET", CALL, headers={"X-Forwarded-For": address})
    return str(found["nonce"])


def request(nonce: str, name: str) -> dict[str, Any]:
    text = "\0".join([nonce, name, PASSWORD, "notadmin"])
    mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
    return {"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac, "admin": False}


@pytest.mark.parametrize("flood", [["2.2.2.2"] * 30, [f"2.2.2.{n % 3}" for n in range(30)]])
async def test_a_flood_of_nonces_leaves_those_of_others(nobody: Client, flood: list[str]) -> None:
    tools = await nonce(nobody, "192.0.2.1")
    floods = [await nonce(nobody, address) for address in flood]
    assert await nobody.call("POST", CALL, body=request(tools, fresh("carol")))
    assert await nobody.errcode("POST", CALL, 400, body=request(tools, fresh("dora"))) == "M_UNKNOWN"
    assert await nobody.errcode("POST", CALL, 400, body=request(floods[0], fresh("eve"))) == "M_UNKNOWN"
    assert await nobody.call("POST", CALL, body=request(floods[-1], fresh("eve")))
