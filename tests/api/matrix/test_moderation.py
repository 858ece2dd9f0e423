"""Admins of the server, and those whom they suspend or lock out."""

import hmac
from typing import Any

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import PASSWORD, Client, login
from tests.api.matrix.roomkit import create, path, say
from tests.names import fresh

ADMIN = "/_matrix/client/v1/admin"
SECRET = "sixteen characters and more"


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


@pytest.fixture
async def root(nobody: Client, server: Running) -> Client:
    """An admin, who was somebody like others when the token was given out."""
    one = await nobody.register("root")
    assert await one.errcode("GET", f"{ADMIN}/lock/@nobody:test.example", 403) == "M_FORBIDDEN"
    await server.hs.accounts.accounts.set_admin(UserId(one.user_id), admin=True)
    return one


async def test_only_admins_moderate(root: Client, alice: Client, bob: Client) -> None:
    found = (await root.call("GET", "capabilities"))["capabilities"]
    assert found["m.account_moderation"] == {"suspend": True, "lock": True}
    for word in ("suspend", "lock"):
        key = f"{word}ed"
        at = f"{ADMIN}/{word}/{bob.user_id}"
        assert await alice.errcode("GET", at, 403) == "M_FORBIDDEN"
        assert await alice.errcode("PUT", at, 403, body={key: True}) == "M_FORBIDDEN"
        assert await root.call("GET", at) == {key: False}
        assert await root.call("PUT", at, body={key: True}) == {key: True}
        assert await root.call("GET", at) == {key: True}
        assert await root.call("PUT", at, body={key: False}) == {key: False}
        assert await root.errcode("PUT", at, 400, body={}) == "M_MISSING_PARAM"
        for whom, status, errcode in (
            (root.user_id, 403, "M_FORBIDDEN"),
            ("@bob:elsewhere.example", 400, "M_INVALID_PARAM"),
            ("@nobody:test.example", 404, "M_NOT_FOUND"),
        ):
            at = f"{ADMIN}/{word}/{whom}"
            assert await root.errcode("GET", at, status) == errcode
            assert await root.errcode("PUT", at, status, body={key: True}) == errcode
    await bob.call("GET", "account/whoami")


async def test_a_locked_person_may_only_log_out(nobody: Client, root: Client, bob: Client) -> None:
    await bob.call("GET", "account/whoami")
    await root.call("PUT", f"{ADMIN}/lock/{bob.user_id}", body={"locked": True})
    for method, at in (
        ("GET", "account/whoami"),
        ("GET", "sync"),
        ("GET", "devices"),
        ("GET", "capabilities"),
    ):
        refused = await bob.call(method, at, 401)
        assert (refused["errcode"], refused["soft_logout"]) == ("M_USER_LOCKED", True)
    refused = await nobody.call("POST", "login", 401, body=login("bob"))
    assert (refused["errcode"], refused["soft_logout"]) == ("M_USER_LOCKED", True)
    assert await nobody.errcode("POST", "login", 403, body=login("bob", password="wrong")) == "M_FORBIDDEN"
    await root.call("PUT", f"{ADMIN}/lock/{bob.user_id}", body={"locked": False})
    await bob.call("GET", "account/whoami")
    await root.call("PUT", f"{ADMIN}/lock/{bob.user_id}", body={"locked": True})
    await bob.call("POST", "logout", body={})
    assert await bob.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"


@pytest.mark.both
async def test_a_suspended_person_reads_and_leaves(
    nobody: Client, root: Client, alice: Client, bob: Client
) -> None:
    room = await create(alice, bob, preset="public_chat")
    other = await create(alice, invite=[bob.user_id])
    own, foreign = await say(bob, room, "mine"), await say(alice, room, "hers")
    await root.call("PUT", f"{ADMIN}/suspend/{bob.user_id}", body={"suspended": True})
    refused: list[tuple[str, str, Any]] = [
        ("PUT", path(room, "send/m.room.message/1"), {"msgtype": "m.text", "body": "hear me"}),
        ("PUT", path(room, "state/m.room.name/"), {"name": "Bob's"}),
        ("PUT", path(room, f"redact/{foreign}/2"), {}),
        ("POST", path(other, "join"), {}),
        ("POST", path(room, "invite"), {"user_id": root.user_id}),
        ("POST", "createRoom", {}),
        ("PUT", f"profile/{bob.user_id}/displayname", {"displayname": "Robert"}),
        ("PUT", f"profile/{bob.user_id}/m.tz", {"m.tz": "Europe/Berlin"}),
        ("PUT", "directory/room/%23here:test.example", {"room_id": room}),
        ("DELETE", "directory/room/%23here:test.example", None),
        ("PUT", f"directory/list/room/{room}", {"visibility": "public"}),
        ("POST", path(room, "upgrade"), {"new_version": "12"}),
        ("POST", "/_matrix/media/v1/create", {}),
        ("POST", "/_matrix/media/v3/upload", {"a": "file"}),
    ]
    for method, at, body in refused:
        assert await bob.errcode(method, at, 403, body=body) == "M_USER_SUSPENDED"
    again = await nobody.login("bob")
    assert list((await again.call("GET", "sync"))["rooms"]["join"]) == [room]
    assert (await bob.call("GET", path(room, "messages"), params={"dir": "b"}))["chunk"]
    await bob.call("PUT", path(room, f"redact/{own}/3"), body={})
    await bob.call("POST", path(other, "leave"), body={})
    await bob.call("POST", path(room, "leave"), body={})
    await root.call("PUT", f"{ADMIN}/suspend/{bob.user_id}", body={"suspended": False})
    await bob.call("POST", path(room, "join"), body={})
    await say(bob, room, "back again")


async def test_suspending_at_the_command_line_is_the_same(root: Client, bob: Client, server: Running) -> None:
    await server.hs.accounts.accounts.suspend(UserId(bob.user_id))
    assert await bob.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert await root.call("GET", f"{ADMIN}/suspend/{bob.user_id}") == {"suspended": True}
    again = await bob.login("bob")
    assert await again.errcode("POST", "createRoom", 403, body={}) == "M_USER_SUSPENDED"


async def test_who_is_where(root: Client, alice: Client, bob: Client) -> None:
    await alice.call("GET", "account/whoami", headers={"User-Agent": "Phone/1.0"})
    for who in (alice, root):
        found = await who.call("GET", f"admin/whois/{alice.user_id}")
        assert found["user_id"] == alice.user_id
        ((connection,),) = [one["sessions"][0]["connections"] for one in found["devices"].values()]
        assert connection["ip"] in ("127.0.0.1", "::1")
        assert connection["last_seen"] > 0
        assert connection["user_agent"]
    assert await bob.errcode("GET", f"admin/whois/{alice.user_id}", 403) == "M_FORBIDDEN"
    assert await root.errcode("GET", "admin/whois/@nobody:test.example", 404) == "M_NOT_FOUND"
    (device,) = (await alice.call("GET", "devices"))["devices"]
    assert device["last_seen_ip"] in ("127.0.0.1", "::1")
    assert device["last_seen_ts"] > 0


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "shared_secret": SECRET}}])
async def test_tools_make_admins(nobody: Client, server: Running) -> None:
    at = "/_synapse/admin/v1/register"

    async def request(name: str, role: str, kind: str | None = None, **more: Any) -> dict[str, Any]:
        nonce = (await nobody.call("GET", at))["nonce"]
        text = "\0".join([nonce, name, PASSWORD, role, *([kind] if kind else [])])
        mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
        body = {"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac, **more}
        return {**body, "user_type": kind} if kind else body

    made = await nobody.call(
        "POST", at, body=await request(fresh("Carol"), "admin", admin=True, displayname="Carol C.")
    )
    carol = nobody.of(made)
    assert (await carol.call("GET", f"profile/{carol.user_id}"))["displayname"] == "Carol C."
    assert await carol.errcode("GET", f"{ADMIN}/lock/@nobody:test.example", 404) == "M_NOT_FOUND"
    lie = await request(fresh("dave"), "notadmin", admin=True)
    assert await nobody.errcode("POST", at, 403, body=lie) == "M_FORBIDDEN"
    body = await request(fresh("bot"), "notadmin", "bot", admin=False)
    bot = nobody.of(await nobody.call("POST", at, body=body))
    assert await bot.errcode("GET", f"{ADMIN}/lock/{carol.user_id}", 403) == "M_FORBIDDEN"
