"""What the server says of itself, and of services beside it."""

import base64
import hmac
from typing import Any

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import CLIENT, PASSWORD, Client, login

WELL_KNOWN = "/.well-known/matrix"
KEY = "6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s"
TURN_SECRET = "what both know"
SETTINGS: dict[str, Any] = {
    "matrix": {"enabled": True},
    "well_known": {
        "server": "matrix.test.example:443",
        "contacts": [
            {"matrix_id": "@ops:test.example", "email": "ops@test.example"},
            {"email": "security@test.example", "role": "m.role.security"},
        ],
        "support_page": "https://test.example/help",
        "policy_key": KEY,
    },
    "turn": {"uris": ["turn:turn.test.example?transport=udp"], "secret": TURN_SECRET, "ttl_s": 600},
}


async def test_what_is_not_set_is_not_there(nobody: Client, alice: Client) -> None:
    for name in ("server", "support", "policy_server"):
        assert await nobody.errcode("GET", f"{WELL_KNOWN}/{name}", 404) == "M_NOT_FOUND"
    assert await alice.call("GET", "voip/turnServer") == {}
    for path in (
        "/_synapse/admin/v2/users",
        "/_synapse/admin/v1/rooms",
        "/_synapse/client/x",
        "/_matrix/client/v3/none",
    ):
        for method in ("GET", "PUT"):
            assert await alice.errcode(method, path, 404) == "M_UNRECOGNIZED"
    for version in ("v1", "unstable/org.matrix.msc2965"):
        assert (
            await nobody.errcode("GET", f"/_matrix/client/{version}/auth_metadata", 404) == "M_UNRECOGNIZED"
        )
    for path in ("login/sso/redirect", "login/sso/redirect/someone"):
        params = {"redirectUrl": "https://app.example"}
        assert await nobody.errcode("GET", path, 404, params=params) == "M_UNRECOGNIZED"


@pytest.mark.parametrize("overrides", [SETTINGS])
async def test_what_is_set_is_told(nobody: Client, server: Running) -> None:
    assert await nobody.call("GET", f"{WELL_KNOWN}/server") == {"m.server": "matrix.test.example:443"}
    assert await nobody.call("GET", f"{WELL_KNOWN}/support") == {
        "contacts": [
            {"matrix_id": "@ops:test.example", "email_address": "ops@test.example", "role": "m.role.admin"},
            {"email_address": "security@test.example", "role": "m.role.security"},
        ],
        "support_page": "https://test.example/help",
    }
    assert await nobody.call("GET", f"{WELL_KNOWN}/policy_server") == {"public_keys": {"ed25519": KEY}}
    alice = await nobody.register("alice")
    turn = await alice.call("GET", "voip/turnServer")
    ends_s, _, name = turn["username"].partition(":")
    now_s = server.hs.core.clock.now_ms() // 1000
    assert (name, turn["ttl"], now_s < int(ends_s) <= now_s + 600) == (alice.user_id, 600, True)
    made = hmac.new(TURN_SECRET.encode(), turn["username"].encode(), "sha1").digest()
    assert turn["password"] == base64.b64encode(made).decode()
    assert turn["uris"] == ["turn:turn.test.example?transport=udp"]


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "matrix": {"enabled": True},
            "turn": {"uris": ["turns:t.example"], "username": "all", "password": "of us"},
        }
    ],
)
async def test_one_name_for_all_calls(alice: Client) -> None:
    turn = await alice.call("GET", "voip/turnServer")
    assert (turn["username"], turn["password"]) == ("all", "of us")


@pytest.mark.parametrize(
    "overrides", [{"accounts": {"registration": False}, "rate_limits": {"enabled": True}}]
)
async def test_a_server_without_settings_is_there_for_clients_and_closed_to_strangers(nobody: Client) -> None:
    await nobody.call("GET", "/_matrix/client/versions")
    assert (await nobody.call("GET", f"{WELL_KNOWN}/client"))["m.homeserver"]["base_url"]
    for kind in ("user", "guest"):
        body = {"username": "stranger", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        assert (await nobody.errcode("POST", f"register?kind={kind}", 403, body=body)).endswith("FORBIDDEN")
    statuses = set()
    for _ in range(60):
        async with nobody.session.post(f"{CLIENT}/login", json=login("nobody")) as answer:
            statuses.add((answer.status, (await answer.json())["errcode"]))
    assert statuses == {(403, "M_FORBIDDEN"), (429, "M_LIMIT_EXCEEDED")}


async def test_versions_and_capabilities(nobody: Client, alice: Client) -> None:
    versions = await nobody.call("GET", "/_matrix/client/versions")
    assert {"v1.1", "v1.11", "v1.16", "v1.19"} <= set(versions["versions"])
    assert versions["unstable_features"]["org.matrix.msc4222"] is True
    assert versions["unstable_features"]["uk.half-shot.msc2666.query_mutual_rooms.stable"] is True
    found = (await alice.call("GET", "capabilities"))["capabilities"]
    assert found["m.room_versions"]["available"][found["m.room_versions"]["default"]] == "stable"
    switches = {name: one["enabled"] for name, one in found.items() if "enabled" in one}
    assert switches == {
        "m.change_password": True,
        "m.set_displayname": True,
        "m.set_avatar_url": True,
        "m.profile_fields": True,
        "m.3pid_changes": False,
        "m.get_login_token": True,
        "m.forget_forced_upon_leave": False,
    }
    assert "m.account_moderation" not in found
    assert await nobody.errcode("GET", "capabilities", 401) == "M_MISSING_TOKEN"


@pytest.mark.both
async def test_another_service_learns_who_alice_is(nobody: Client, alice: Client, server: Running) -> None:
    at = f"user/{alice.user_id}/openid/request_token"
    token = await alice.call("POST", at, body={})
    assert (token["token_type"], token["matrix_server_name"]) == ("Bearer", "test.example")
    assert token["expires_in"] == 3600
    asks = "/_matrix/federation/v1/openid/userinfo"
    shown = {"access_token": token["access_token"]}
    assert await nobody.call("GET", asks, params=shown) == {"sub": alice.user_id}
    assert await nobody.errcode("POST", "user/@bob:test.example/openid/request_token", 401, body={})
    theirs = "user/@bob:test.example/openid/request_token"
    assert await alice.errcode("POST", theirs, 403, body={}) == "M_FORBIDDEN"
    for params in ({}, {"access_token": ""}):
        assert await nobody.errcode("GET", asks, 401, params=params) == "M_MISSING_TOKEN"
    for wrong in ("x" * 2000, alice.token, f"{token['access_token']}x", "oid.x.y", "é"):
        params = {"access_token": wrong}
        assert await nobody.errcode("GET", asks, 401, params=params) == "M_UNKNOWN_TOKEN"
    nobody.token = token["access_token"]
    assert await nobody.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    nobody.token = ""
    await server.hs.accounts.accounts.deactivate(UserId(alice.user_id))
    assert await nobody.errcode("GET", asks, 401, params=shown) == "M_UNKNOWN_TOKEN"


async def test_no_network_is_bridged(alice: Client) -> None:
    assert await alice.call("GET", "thirdparty/protocols") == {}
    for path in ("protocol/irc", "location/irc", "user/irc"):
        assert await alice.errcode("GET", f"thirdparty/{path}", 404) == "M_NOT_FOUND"
    assert await alice.call("GET", "thirdparty/location", params={"alias": "#a:b"}) == []
    assert await alice.call("GET", "thirdparty/user", params={"userid": "@a:b"}) == []
    assert await alice.errcode("GET", "thirdparty/user", 400) == "M_MISSING_PARAM"


ABSENT: list[tuple[str, str, int]] = [
    ("GET", "/_matrix/client/v3/nothing", 404),
    ("GET", "/_matrix/client", 404),
    ("GET", "/_matrix/federation/v1/nothing", 404),
    ("GET", "/_matrix/key/v9/server", 404),
    ("GET", "/_matrix/media/v3/nothing/at/all/here", 404),
    ("GET", "/_matrix/unknown", 404),
    ("POST", "/.well-known/matrix/client", 405),
    ("PUT", "/_matrix/client/v3/login", 405),
    ("POST", "/_matrix/client/v3/capabilities", 405),
]


async def test_what_is_not_there_is_not_recognised(client: aiohttp.ClientSession) -> None:
    headers = {"Origin": "https://app.example"}
    for method, path, status in ABSENT:
        async with client.request(method, path, headers=headers) as answer:
            assert (answer.status, (await answer.json())["errcode"]) == (status, "M_UNRECOGNIZED"), path
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        asking = {**headers, "Access-Control-Request-Method": method}
        async with client.options(path, headers=asking) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*"), path
