"""What people say of themselves, and who may say it."""

import asyncio

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path

KEY = "org.example.job_title"


@pytest.mark.both
async def test_fields_of_ones_own_making(nobody: Client, alice: Client) -> None:
    bob = await nobody.register("bob")
    own = f"profile/{alice.user_id}"
    await alice.call("PUT", f"{own}/m.tz", body={"m.tz": "Europe/Berlin"})
    title = {"words": ["Engineer", None, 7]}
    await alice.call("PUT", f"{own}/{KEY}", body={KEY: title})
    assert await nobody.call("GET", f"{own}/{KEY}") == {KEY: title}
    whole = {"displayname": alice.name, "m.tz": "Europe/Berlin", KEY: title}
    assert await nobody.call("GET", own) == whole
    assert await bob.errcode("PUT", f"{own}/{KEY}", 403, body={KEY: "Fool"}) == "M_FORBIDDEN"
    assert await bob.errcode("DELETE", f"{own}/{KEY}", 403) == "M_FORBIDDEN"
    await alice.call("DELETE", f"{own}/{KEY}")
    await alice.call("DELETE", f"{own}/{KEY}")
    assert await nobody.errcode("GET", f"{own}/{KEY}", 404) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", f"profile/@nobody:test.example/{KEY}", 404) == "M_NOT_FOUND"
    await alice.call("DELETE", f"{own}/displayname")
    assert await nobody.call("GET", own) == {"m.tz": "Europe/Berlin"}


async def test_fields_that_are_refused(alice: Client) -> None:
    own = f"profile/{alice.user_id}"
    assert await alice.errcode("PUT", f"{own}/{KEY}", 400, body={"other": 1}) == "M_MISSING_PARAM"
    assert await alice.errcode("PUT", f"{own}/m.tz", 400, body={"m.tz": 5}) == "M_INVALID_PARAM"
    for name in ("Nonsense", "plain", "org..x", "-a.b"):
        assert await alice.errcode("PUT", f"{own}/{name}", 400, body={name: 1}) == "M_INVALID_PARAM"
    long = f"org.{'x' * 260}"
    assert await alice.errcode("PUT", f"{own}/{long}", 400, body={long: 1}) == "M_KEY_TOO_LARGE"
    http = {"avatar_url": "http://test.example/me.png"}
    assert await alice.errcode("PUT", f"{own}/avatar_url", 400, body=http) == "M_INVALID_PARAM"
    half, more = "x" * 31_000, {"org.example.b": "x" * 31_000}
    await alice.call("PUT", f"{own}/org.example.a", body={"org.example.a": half})
    assert await alice.errcode("PUT", f"{own}/org.example.b", 400, body=more) == "M_PROFILE_TOO_LARGE"
    await alice.call("PUT", f"{own}/org.example.a", body={"org.example.a": half + "y"})  # in its own place
    assert set(await alice.call("GET", own)) == {"displayname", "org.example.a"}


async def test_a_new_name_and_picture_come_into_rooms(nobody: Client, alice: Client) -> None:
    bob = await nobody.register("bob")
    rooms = [await create(alice, bob) for _ in range(3)]
    left = await create(bob, alice)
    await alice.call("POST", path(left, "leave"), body={})
    own = f"profile/{alice.user_id}"
    await alice.call("PUT", f"{own}/displayname", body={"displayname": "Alice A."})
    await alice.call("PUT", f"{own}/avatar_url", body={"avatar_url": "mxc://test.example/a"})
    wanted = {"membership": "join", "displayname": "Alice A.", "avatar_url": "mxc://test.example/a"}
    async with asyncio.timeout(30):
        for room in rooms:
            since = (await bob.call("GET", "sync", params={"timeout": "0"}))["next_batch"]
            while await bob.call("GET", path(room, f"state/m.room.member/{alice.user_id}")) != wanted:
                news = await bob.call("GET", "sync", params={"since": since, "timeout": "5000"})
                since = news["next_batch"]
    gone = await bob.call("GET", path(left, f"state/m.room.member/{alice.user_id}"))
    assert gone["membership"] == "leave"
