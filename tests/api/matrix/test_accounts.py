"""Registration, log-in and devices, as Matrix clients go about them."""

import hmac
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import PASSWORD, Client, login
from tests.api.matrix.roomkit import create, path
from tests.names import fresh, user_id

SECRET = "sixteen characters and more"


async def test_what_a_client_asks_first(nobody: Client) -> None:
    versions = await nobody.call("GET", "/_matrix/client/versions")
    assert "v1.11" in versions["versions"]
    found = await nobody.call("GET", "/.well-known/matrix/client")
    assert found["m.homeserver"]["base_url"].startswith("http")
    assert {"type": "m.login.password"} in (await nobody.call("GET", "login"))["flows"]


async def test_what_is_not_there_is_not_recognised(nobody: Client) -> None:
    assert await nobody.errcode("GET", "/_matrix/client/v3/nothing", 404) == "M_UNRECOGNIZED"
    assert await nobody.errcode("GET", "/_matrix/unknown", 404) == "M_UNRECOGNIZED"
    assert await nobody.errcode("DELETE", "/_matrix/client/versions", 405) == "M_UNRECOGNIZED"


async def test_calls_are_known_by_their_old_names_too(nobody: Client, alice: Client) -> None:
    """The log-in of simplematrixbotlib with a token it kept, among others."""
    old = "/_matrix/client/r0"
    assert "r0.6.1" in (await nobody.call("GET", "/_matrix/client/versions"))["versions"]
    assert await nobody.call("GET", f"{old}/login") == await nobody.call("GET", "login")
    assert (await alice.call("GET", f"{old}/account/whoami"))["user_id"] == alice.user_id
    assert await nobody.errcode("GET", f"{old}/account/whoami", 401) == "M_MISSING_TOKEN"
    assert await nobody.errcode("GET", f"{old}/nothing", 404) == "M_UNRECOGNIZED"


async def test_a_page_of_any_site_may_call(client: aiohttp.ClientSession) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    async with client.options("/_matrix/client/v3/login", headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


async def test_alice_registers_and_is_known(nobody: Client) -> None:
    body = {"username": fresh("Alice"), "password": PASSWORD, "device_id": "PHONE"}
    asked = await nobody.call("POST", "register", 401, body=body)
    assert asked["flows"] == [{"stages": ["m.login.dummy"]}]
    auth = {"type": "m.login.dummy", "session": asked["session"]}
    alice = nobody.of(await nobody.call("POST", "register", body={"auth": auth}))
    assert (alice.user_id, alice.device_id) == (user_id("alice"), "PHONE")
    whoami = {"user_id": alice.user_id, "device_id": "PHONE", "is_guest": False}
    assert await alice.call("GET", "account/whoami") == whoami
    in_query = await nobody.call("GET", "account/whoami", params={"access_token": alice.token})
    assert in_query == whoami
    assert await nobody.errcode("POST", "register", 400, body=body) == "M_USER_IN_USE"
    assert await nobody.errcode("POST", "register", 400, body={"auth": auth}) == "M_UNKNOWN"


async def test_bob_registers_by_a_page(nobody: Client) -> None:
    """His client knows no stage at all, not even the one that asks for nothing."""
    asked = await nobody.call("POST", "register", 401, body={"username": fresh("bob"), "password": PASSWORD})
    page = f"/_matrix/client/v3/auth/m.login.dummy/fallback/web?session={asked['session']}"
    async with nobody.session.get(page) as shown:
        assert (shown.status, "Continue</button>" in await shown.text()) == (200, True)
    assert await nobody.call("POST", page, body={}) == {}
    made = await nobody.call("POST", "register", body={"auth": {"session": asked["session"]}})
    assert made["user_id"] == user_id("bob")


async def test_names_that_nobody_can_have(nobody: Client) -> None:
    for name in ("a b", "é", "a:b", "x" * 300, "", "market_7", "guest_" + "0" * 32):
        body = {"username": name, "password": PASSWORD}
        assert await nobody.errcode("POST", "register", 400, body=body) == "M_INVALID_USERNAME", name
        params = {"username": name}
        code = await nobody.errcode("GET", "register/available", 400, params=params)
        assert code == "M_INVALID_USERNAME", name


async def test_whether_a_name_is_free(nobody: Client, alice: Client) -> None:
    found = await nobody.call("GET", "register/available", params={"username": fresh("bob")})
    assert found == {"available": True}
    signs, password = "a-b.c_d=e/f+9", "пароль длиннее двенадцати"
    made = await nobody.register(signs, password=password)
    assert (await nobody.login(signs, password=password)).user_id == made.user_id == user_id(signs)
    params = {"username": alice.name}
    assert await nobody.errcode("GET", "register/available", 400, params=params) == "M_USER_IN_USE"


async def test_registration_that_is_refused(nobody: Client) -> None:
    auth = {"type": "m.login.dummy"}
    assert await nobody.errcode("POST", "register?kind=guest", 403, body={}) == "M_GUEST_ACCESS_FORBIDDEN"
    short = {"username": fresh("bob"), "password": "short", "auth": auth}
    assert await nobody.errcode("POST", "register", 400, body=short) == "M_WEAK_PASSWORD"
    none = {"username": fresh("bob"), "auth": auth}
    assert await nobody.errcode("POST", "register", 400, body=none) == "M_MISSING_PARAM"
    assert await nobody.errcode("POST", "register", 400, data=b"{") == "M_NOT_JSON"
    other = {"username": fresh("bob"), "password": PASSWORD, "auth": {"type": "m.login.sso"}}
    assert await nobody.errcode("POST", "register", 400, body=other) == "M_UNRECOGNIZED"


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}, "accounts": {"registration": False}}])
async def test_closed_registration(nobody: Client) -> None:
    body = {"username": "bob", "password": PASSWORD}
    assert await nobody.errcode("POST", "register", 403, body=body) == "M_FORBIDDEN"


TERMS = {"language": "en", "url": "https://example.org/terms"}
NEEDS_BOTH: dict[str, Any] = {
    "enabled": True,
    "registration_needs_token": True,
    "policies": [{"id": "terms", "version": "1", "name": "Terms", "addresses": [TERMS]}],
}


GUESSES = {"enabled": True, "login": {"per_second": 0.001, "burst": 3}}


@pytest.mark.parametrize("overrides", [{"matrix": NEEDS_BOTH, "rate_limits": GUESSES}])
@pytest.mark.both
@pytest.mark.own_server
async def test_a_token_and_the_terms_are_asked_for(nobody: Client, server: Running) -> None:
    tokens = server.hs.auth.registration_tokens
    token = (await tokens.create(uses=1)).token
    path = "/_matrix/client/v1/register/m.login.registration_token/validity"
    assert await nobody.call("GET", path, params={"token": token}) == {"valid": True}
    body = {"username": "bob", "password": PASSWORD}
    asked = await nobody.call("POST", "register", 401, body=body)
    assert asked["flows"] == [{"stages": ["m.login.registration_token", "m.login.terms"]}]
    assert asked["params"]["m.login.terms"]["policies"]["terms"]["en"]["url"] == "https://example.org/terms"
    session = asked["session"]
    wrong = {"type": "m.login.registration_token", "token": "guess", "session": session}
    refused = await nobody.call("POST", "register", 401, body={**body, "auth": wrong})
    assert (refused["errcode"], refused["completed"]) == ("M_FORBIDDEN", [])
    right = {**wrong, "token": token}
    going_on = await nobody.call("POST", "register", 401, body={**body, "auth": right})
    assert going_on["completed"] == ["m.login.registration_token"]
    terms = {"type": "m.login.terms", "session": session}
    assert (await nobody.call("POST", "register", body={**body, "auth": terms}))[
        "user_id"
    ] == "@bob:test.example"
    assert await nobody.call("GET", path, params={"token": token}) == {"valid": False}
    # Wrong ones count like wrong passwords, wherever they are tried.
    for _ in range(2):
        assert await nobody.call("GET", path, params={"token": "guess"}) == {"valid": False}
    assert await nobody.errcode("GET", path, 429, params={"token": "guess"}) == "M_LIMIT_EXCEEDED"
    asked = await nobody.call("POST", "register", 401, body={**body, "username": "carol"})
    guess = {**body, "username": "carol", "auth": {**wrong, "session": asked["session"]}}
    assert await nobody.errcode("POST", "register", 429, body=guess) == "M_LIMIT_EXCEEDED"


async def test_ways_to_say_who_one_is(nobody: Client, alice: Client) -> None:
    for name in ("alice", "ALICE", alice.user_id, alice.user_id.replace("alice", "Alice")):
        assert (await nobody.login(name)).user_id == alice.user_id
    old = {"type": "m.login.password", "user": alice.name, "password": PASSWORD}
    assert (await nobody.call("POST", "login", body=old))["user_id"] == alice.user_id


async def test_log_ins_that_are_refused(nobody: Client, alice: Client) -> None:
    for body in (login("alice", password="wrong"), login("nobody"), login("@alice:elsewhere.example")):
        assert await nobody.errcode("POST", "login", 403, body=body) == "M_FORBIDDEN"
    assert await nobody.errcode("POST", "login", 400, body={"type": "m.login.sso"}) == "M_UNRECOGNIZED"
    assert await nobody.errcode("GET", "account/whoami", 401) == "M_MISSING_TOKEN"
    nobody.token = "made up"
    assert await nobody.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"


@pytest.mark.both
@pytest.mark.parametrize("wish", [{}, {"initial_device_display_name": "Laptop"}, {"refresh_token": True}])
async def test_a_device_is_logged_in_anew_and_keeps_its_name(
    nobody: Client, alice: Client, wish: dict[str, Any]
) -> None:
    async def shown(client: Client) -> list[tuple[str, str]]:
        devices = (await client.call("GET", "devices"))["devices"]
        return [(one["device_id"], one.get("display_name")) for one in devices]

    await alice.call("PUT", f"devices/{alice.device_id}", body={"display_name": "Her phone"})
    for _ in range(2):
        again = await nobody.login("alice", device_id=alice.device_id, **wish)
        assert await alice.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
        assert await shown(again) == [(alice.device_id, "Her phone")]
    await again.call("POST", "logout", body={})
    anew = await nobody.login("alice", device_id=alice.device_id, initial_device_display_name="New")
    assert await shown(anew) == [(alice.device_id, "New")], "the device was gone"


async def test_tokens_that_are_refreshed(nobody: Client, alice: Client) -> None:
    made = await nobody.call("POST", "login", body=login("alice", refresh_token=True))
    assert made["expires_in_ms"] == 900_000
    second = await nobody.call("POST", "refresh", body={"refresh_token": made["refresh_token"]})
    nobody.token = second["access_token"]
    assert (await nobody.call("GET", "account/whoami"))["device_id"] == made["device_id"]
    nobody.token = ""
    again = {"refresh_token": made["refresh_token"]}
    assert await nobody.errcode("POST", "refresh", 401, body=again) == "M_UNKNOWN_TOKEN"


async def test_logging_out(nobody: Client, alice: Client) -> None:
    phone, laptop = await nobody.login("alice"), await nobody.login("alice")
    await phone.call("POST", "logout", body={})
    assert await phone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    await laptop.call("POST", "logout/all", body={})
    for one in (alice, laptop):
        assert await one.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"


@pytest.mark.both
async def test_devices(nobody: Client, alice: Client) -> None:
    bob = await nobody.register("bob")
    phone = await nobody.login("alice", device_id="PHONE")
    await alice.call("PUT", "devices/PHONE", body={"display_name": "My phone"})
    shown = await alice.call("GET", "devices/PHONE")
    assert isinstance(shown.pop("last_seen_ts"), int)
    # matrix-nio reads no list without last_seen_ip.
    assert shown == {"device_id": "PHONE", "display_name": "My phone", "last_seen_ip": "127.0.0.1"}
    assert await bob.errcode("GET", "devices/PHONE", 404) == "M_NOT_FOUND"
    assert await bob.errcode("PUT", "devices/PHONE", 404, body={"display_name": "Mine"}) == "M_NOT_FOUND"
    asked = await alice.call("DELETE", "devices/PHONE", 401, body={})
    for stage, status in ((alice.password_stage(asked, "no"), 401), (bob.password_stage(asked), 403)):
        refused = await alice.call("DELETE", "devices/PHONE", status, body={"auth": stage})
        assert refused["errcode"] == "M_FORBIDDEN"
    await bob.prove("DELETE", "devices/PHONE", {})  # a device of his, which he has not
    assert (await phone.call("GET", "account/whoami"))["device_id"] == "PHONE"
    elsewhere = {"auth": alice.password_stage(asked)}
    assert await alice.errcode("DELETE", "devices/OTHER", 403, body=elsewhere) == "M_FORBIDDEN"
    await alice.call("DELETE", "devices/PHONE", body={"auth": alice.password_stage(asked)})
    assert await phone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    tablet = await nobody.login("alice", device_id="TABLET")
    await alice.prove("POST", "delete_devices", {"devices": ["TABLET", "UNKNOWN"]})
    assert await tablet.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert [one["device_id"] for one in (await alice.call("GET", "devices"))["devices"]] == [alice.device_id]


async def test_a_new_password_ends_other_sessions(nobody: Client, alice: Client) -> None:
    phone = await nobody.login("alice")
    new = "another horse battery"
    await alice.prove("POST", "account/password", {"new_password": new})
    assert await phone.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert (await alice.call("GET", "account/whoami"))["user_id"] == alice.user_id
    assert await nobody.errcode("POST", "login", 403, body=login("alice")) == "M_FORBIDDEN"
    phone = await nobody.login("alice", password=new)
    request = {"new_password": PASSWORD, "logout_devices": False}
    await alice.prove("POST", "account/password", request, new)
    assert (await phone.call("GET", "account/whoami"))["user_id"] == alice.user_id


async def test_an_account_is_closed(nobody: Client, alice: Client) -> None:
    await alice.call("PUT", f"profile/{alice.user_id}/displayname", body={"displayname": "Alice"})
    asked = await alice.call("POST", "account/deactivate", 401, body={})
    wrong = {"auth": alice.password_stage(asked, "wrong")}
    assert (await alice.call("POST", "account/deactivate", 401, body=wrong))["errcode"] == "M_FORBIDDEN"
    assert (await alice.call("GET", "account/whoami"))["user_id"] == alice.user_id
    done = await alice.prove("POST", "account/deactivate", {"erase": True})
    assert done == {"id_server_unbind_result": "success"}
    assert await alice.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert await nobody.errcode("POST", "login", 403, body=login("alice")) == "M_FORBIDDEN"
    assert await nobody.call("GET", f"profile/{alice.user_id}") == {}
    again = {"username": alice.name, "password": PASSWORD}
    assert await nobody.errcode("POST", "register", 400, body=again) == "M_USER_IN_USE"


async def test_a_closed_account_leaves_nothing_lying_about(
    nobody: Client, alice: Client, server: Running
) -> None:
    room_id = await create(alice)
    field = f"profile/{alice.user_id}/org.pronouns"
    await alice.call("PUT", field, body={"org.pronouns": "she"})
    await alice.call("PUT", f"user/{alice.user_id}/account_data/org.secret", body={"secret": 1})
    await alice.call("POST", f"user/{alice.user_id}/filter", body={"room": {"timeline": {"limit": 3}}})
    await alice.call("PUT", "pushrules/global/content/word", body={"pattern": "cat", "actions": ["notify"]})
    wait = {"org.matrix.msc4140.delay": "60000"}
    await alice.call("PUT", path(room_id, "send/org.later/1"), params=wait, body={})
    tables = ("account_data", "delayed_events", "filters", "profile_fields", "push_rules")
    assert 0 not in (await rows_of(server, alice.user_id, tables)).values()

    await alice.prove("POST", "account/deactivate", {})
    assert set((await rows_of(server, alice.user_id, tables)).values()) == {0}
    assert await nobody.errcode("GET", field, 404) == "M_NOT_FOUND"
    assert await nobody.call("GET", f"profile/{alice.user_id}") == {"displayname": alice.name}


async def rows_of(server: Running, user_id: str, tables: Sequence[str]) -> dict[str, int]:
    """How many rows of a person each table has."""
    async with server.hs.core.db.read() as conn:
        return {
            name: (
                await conn.exec_driver_sql(f"SELECT count(*) FROM {name} WHERE user_id = '{user_id}'")
            ).scalar_one()
            for name in tables
        }


async def test_profiles(nobody: Client, alice: Client) -> None:
    bob = await nobody.register("bob")
    profile = f"profile/{alice.user_id}"
    await alice.call("PUT", f"{profile}/displayname", body={"displayname": "Alice"})
    await alice.call("PUT", f"{profile}/avatar_url", body={"avatar_url": "mxc://test.example/abc"})
    whole = {"displayname": "Alice", "avatar_url": "mxc://test.example/abc"}
    assert await nobody.call("GET", profile) == whole
    assert await nobody.call("GET", f"{profile}/displayname") == {"displayname": "Alice"}
    theirs = {"displayname": "Eve"}
    assert await bob.errcode("PUT", f"{profile}/displayname", 403, body=theirs) == "M_FORBIDDEN"
    assert await alice.errcode("PUT", f"{profile}/displayname", 400, body={}) == "M_MISSING_PARAM"
    await alice.call("PUT", f"{profile}/avatar_url", body={"avatar_url": ""})
    assert await nobody.errcode("GET", f"{profile}/avatar_url", 404) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", "profile/@nobody:test.example", 404) == "M_NOT_FOUND"


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "shared_secret": SECRET}}])
async def test_tools_register_with_the_shared_secret(nobody: Client) -> None:
    path = "/_synapse/admin/v1/register"

    async def request(name: str, **more: Any) -> dict[str, Any]:
        nonce = (await nobody.call("GET", path))["nonce"]
        text = "\0".join([nonce, name, PASSWORD, "notadmin"])
        mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
        return {"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac, "admin": False, **more}

    body = await request(fresh("Carol"))
    assert (await nobody.call("POST", path, body=body))["user_id"] == user_id("carol")
    assert await nobody.errcode("POST", path, 400, body=body) == "M_UNKNOWN"
    assert (
        await nobody.errcode("POST", path, 403, body=await request(fresh("dave"), mac="0" * 40))
        == "M_FORBIDDEN"
    )
    assert await nobody.errcode("POST", path, 400, body=await request(fresh("carol"))) == "M_USER_IN_USE"
    assert await nobody.errcode("POST", path, 400, body=await request("a b")) == "M_INVALID_USERNAME"
