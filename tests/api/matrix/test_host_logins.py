"""Log-ins of people whom a host application vouches for: with its token instead of a password."""

from typing import Any

import aiohttp
import pytest

from tests.api.driver import User, register
from tests.api.matrix.driver import Client
from tests.bridges.marketplace.conftest import ISSUER
from tests.bridges.marketplace.people import token

VOUCHED = "org.matrix.login.jwt"
WITH_ISSUER = pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}, "issuers": [ISSUER]}])


def body(of: str, **more: Any) -> dict[str, Any]:
    return {"type": VOUCHED, "token": of, **more}


@WITH_ISSUER
@pytest.mark.both
async def test_a_person_of_a_host_logs_in_with_its_token(nobody: Client) -> None:
    assert {"type": VOUCHED} in (await nobody.call("GET", "login"))["flows"]
    request = body(token(7, username="Anna"), device_id="PHONE", initial_device_display_name="Anna's phone")
    anna = nobody.of(await nobody.call("POST", "login", body=request))
    assert (anna.user_id, anna.device_id) == ("@market_7:test.example", "PHONE")
    assert (await anna.call("GET", "account/whoami"))["device_id"] == "PHONE"
    assert (await anna.call("GET", f"profile/{anna.user_id}"))["displayname"] == "Anna"
    refreshing = await nobody.call("POST", "login", body=body(token(7), refresh_token=True))
    spent = {"refresh_token": refreshing["refresh_token"]}
    assert (await nobody.call("POST", "refresh", body=spent))["access_token"]
    await anna.call("POST", "logout", body={})
    assert await anna.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"


@WITH_ISSUER
async def test_words_of_nobody_are_refused(nobody: Client, client: aiohttp.ClientSession) -> None:
    own: User = await register(client, "Boris")
    wrong = (token(7, key="another secret than the marketplace has"), token(7, exp=1), own.token, "x", "")
    for word in wrong:
        assert await nobody.errcode("POST", "login", 403, body=body(word)) == "M_FORBIDDEN"
    assert await nobody.errcode("POST", "login", 400, body={"type": VOUCHED}) == "M_MISSING_PARAM"


async def test_without_hosts_there_is_no_such_way(nobody: Client) -> None:
    assert {"type": VOUCHED} not in (await nobody.call("GET", "login"))["flows"]
    assert await nobody.errcode("POST", "login", 400, body=body(token(7))) == "M_UNRECOGNIZED"
