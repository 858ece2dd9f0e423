"""Ways into an account beside the password, and tokens that are refreshed."""

from typing import Any

import aiohttp
import pytest

from homeserver.app import build
from homeserver.clock import FakeClock
from homeserver.lifecycle import Running, running
from homeserver.protocol.ids import UserId
from homeserver.settings.models import Settings
from tests.api.matrix.driver import PASSWORD, Client, login, new
from tests.api.matrix.roomkit import create, path
from tests.names import fresh

GET_TOKEN = "/_matrix/client/v1/login/get_token"


def by_token(token: str, **more: Any) -> dict[str, Any]:
    return {"type": "m.login.token", "token": token, **more}


async def test_alice_lets_her_phone_in(nobody: Client, alice: Client) -> None:
    flows = (await nobody.call("GET", "login"))["flows"]
    assert {"type": "m.login.token", "get_login_token": True} in flows
    made = await alice.prove("POST", GET_TOKEN, {})
    assert made["expires_in_ms"] == 120_000
    token = made["login_token"]
    phone = nobody.of(await nobody.call("POST", "login", body=by_token(token, device_id="PHONE")))
    assert (phone.user_id, phone.device_id) == (alice.user_id, "PHONE")
    await phone.call("GET", "account/whoami")
    assert await nobody.errcode("POST", "login", 403, body=by_token(token)) == "M_FORBIDDEN"
    assert await nobody.errcode("POST", "login", 403, body=by_token("made up")) == "M_FORBIDDEN"
    assert await nobody.errcode("POST", "login", 400, body={"type": "m.login.token"}) == "M_MISSING_PARAM"
    asked = await alice.call("POST", GET_TOKEN, 401, body={})
    assert asked["flows"] == [{"stages": ["m.login.password"]}], "each token is asked for anew"


async def test_a_token_of_a_closed_account_lets_nobody_in(
    nobody: Client, alice: Client, server: Running
) -> None:
    token = (await alice.prove("POST", GET_TOKEN, {}))["login_token"]
    await server.hs.accounts.accounts.deactivate(UserId(alice.user_id))
    assert await nobody.errcode("POST", "login", 403, body=by_token(token)) == "M_FORBIDDEN"


async def test_ways_that_there_are_not(nobody: Client) -> None:
    for kind in ("m.login.application_service", "m.login.sso", "com.example"):
        body = {"type": kind, "identifier": {"type": "m.id.user", "user": "x"}}
        assert await nobody.errcode("POST", "login", 400, body=body) == "M_UNRECOGNIZED"


async def test_an_e_mail_address_names_an_account(nobody: Client, server: Running) -> None:
    accounts, address = server.hs.accounts.accounts, f"{fresh('carol')}@example.org"
    carol = await accounts.create(display_name="Carol", email=address.title(), password=PASSWORD)
    third: dict[str, Any] = {"type": "m.id.thirdparty", "medium": "email", "address": address.upper()}
    body = {"type": "m.login.password", "identifier": third, "password": PASSWORD}
    one = nobody.of(await nobody.call("POST", "login", body=body))
    assert one.user_id == carol.user_id
    old = {
        "type": "m.login.password",
        "medium": "email",
        "address": address,
        "password": PASSWORD,
    }
    await nobody.call("POST", "login", body=old)
    phone = {**body, "identifier": {"type": "m.id.phone", "country": "DE", "phone": "1"}}
    assert await nobody.errcode("POST", "login", 400, body=phone) == "M_UNRECOGNIZED"
    (listed,) = (await one.call("GET", "account/3pid"))["threepids"]
    assert (listed["medium"], listed["address"]) == ("email", address)
    other = {"medium": "email", "address": "someone@else.example"}
    gone = {"id_server_unbind_result": "no-support"}
    assert await one.call("POST", "account/3pid/delete", body=other) == gone
    assert len((await one.call("GET", "account/3pid"))["threepids"]) == 1
    own = {"medium": "email", "address": address.replace("carol", "CAROL")}
    assert await one.call("POST", "account/3pid/delete", body=own) == gone
    assert (await one.call("GET", "account/3pid"))["threepids"] == []
    assert await nobody.errcode("POST", "login", 403, body=body) == "M_FORBIDDEN"


async def test_nothing_is_proven_by_mail(nobody: Client, alice: Client, server: Running) -> None:
    hers = f"{fresh('carol')}@example.org"
    await server.hs.accounts.accounts.create(display_name="Carol", email=hers, password=PASSWORD)
    for address in (hers, "nobody@example.org"):
        mail = {"client_secret": "s", "email": address, "send_attempt": 1}
        for root in ("register", "account/password"):
            assert (
                await nobody.errcode("POST", f"{root}/email/requestToken", 403, body=mail)
                == "M_THREEPID_DENIED"
            )
        at = "account/3pid/email/requestToken"
        assert await nobody.errcode("POST", at, 400, body=mail) == "M_THREEPID_MEDIUM_NOT_SUPPORTED"
    phone = {"client_secret": "s", "country": "DE", "phone_number": "1", "send_attempt": 1}
    assert (
        await nobody.errcode("POST", "register/msisdn/requestToken", 403, body=phone) == "M_THREEPID_DENIED"
    )
    at = "account/3pid/msisdn/requestToken"
    assert await nobody.errcode("POST", at, 400, body=phone) == "M_THREEPID_MEDIUM_NOT_SUPPORTED"
    assert await nobody.errcode("POST", at, 400, body={}) == "M_MISSING_PARAM"
    proof = {"client_secret": "s", "sid": "1"}
    asked = await alice.call("POST", "account/3pid/add", 401, body=proof)
    body = {**proof, "auth": alice.password_stage(asked)}
    assert await alice.errcode("POST", "account/3pid/add", 403, body=body) == "M_THREEPID_AUTH_FAILED"
    named = {**proof, "id_server": "id.example", "id_access_token": "t"}
    old = {"three_pid_creds": named}
    assert await alice.errcode("POST", "account/3pid", 403, body=old) == "M_THREEPID_AUTH_FAILED"
    assert await alice.errcode("POST", "account/3pid/bind", 400, body=named) == "M_SERVER_NOT_TRUSTED"
    away = {"medium": "email", "address": hers}
    answer = await alice.call("POST", "account/3pid/unbind", body=away)
    assert answer == {"id_server_unbind_result": "no-support"}


async def test_a_retry_with_a_new_token_sends_nothing_twice(nobody: Client, alice: Client) -> None:
    made = await nobody.call("POST", "login", body=login("alice", refresh_token=True))
    phone = nobody.of(made)
    room = await create(phone)
    at, text = path(room, "send/m.room.message/one"), {"msgtype": "m.text", "body": "once"}
    first = await phone.call("PUT", at, body=text)
    second = await nobody.call("POST", "refresh", body={"refresh_token": made["refresh_token"]})
    await phone.call("GET", "account/whoami")  # the old access token runs out by itself
    phone.token = second["access_token"]
    assert await phone.call("PUT", at, body=text) == first


@pytest.mark.both
async def test_a_token_that_ran_out_can_be_refreshed(settings: Settings) -> None:
    clock = FakeClock()
    async with (
        running(settings, build(settings, clock=clock)) as server,
        aiohttp.ClientSession(server.url) as session,
    ):
        nobody = Client(session)
        made = await nobody.call("POST", "register", body=new("alice", refresh_token=True))
        alice = nobody.of(made)
        token = (await alice.prove("POST", GET_TOKEN, {}))["login_token"]
        clock.advance(made["expires_in_ms"] + 1)
        refused = await alice.call("GET", "account/whoami", 401)
        assert (refused["errcode"], refused["soft_logout"]) == ("M_UNKNOWN_TOKEN", True)
        assert await nobody.errcode("POST", "login", 403, body=by_token(token)) == "M_FORBIDDEN"
        again = await nobody.call("POST", "refresh", body={"refresh_token": made["refresh_token"]})
        alice.token = again["access_token"]
        assert (await alice.call("GET", "account/whoami"))["device_id"] == alice.device_id
        assert await nobody.errcode("POST", "refresh", 401, body={"refresh_token": "x"}) == "M_UNKNOWN_TOKEN"


async def test_the_answer_to_a_refresh_may_be_lost(nobody: Client, alice: Client) -> None:
    made = await nobody.call("POST", "login", body=login("alice", refresh_token=True))
    phone, old = nobody.of(made), {"refresh_token": made["refresh_token"]}
    lost = await nobody.call("POST", "refresh", body=old)
    again = await nobody.call("POST", "refresh", body=old)
    assert again["refresh_token"] == lost["refresh_token"]
    phone.token = again["access_token"]
    await phone.call("GET", "account/whoami")
    assert await nobody.errcode("POST", "refresh", 401, body=old) == "M_UNKNOWN_TOKEN"
    assert (await phone.call("GET", "account/whoami", 401))["errcode"] == "M_UNKNOWN_TOKEN"
