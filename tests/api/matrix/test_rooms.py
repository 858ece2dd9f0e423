"""Rooms by the Matrix API: made, joined, left, and what is written in them."""

from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import RoomId
from homeserver.timeline.heads import Head
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import say


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


@pytest.fixture
async def carol(nobody: Client) -> Client:
    return await nobody.register("carol")


async def create(client: Client, **body: Any) -> str:
    return str((await client.call("POST", "createRoom", body=body))["room_id"])


async def head(server: Running, room_id: str) -> Head:
    return await server.hs.core.timeline.head(RoomId(room_id))


async def content(server: Running, room_id: str, kind: str, state_key: str = "") -> Any:
    event = (await head(server, room_id)).state.events.get((kind, state_key))
    return None if event is None else dict(event.content)


def path(room_id: str, rest: str) -> str:
    return f"rooms/{quote(room_id, safe='')}/{rest}"


async def membership(server: Running, room_id: str, user_id: str) -> str:
    return str(
        (await content(server, room_id, "m.room.member", user_id) or {"membership": "leave"})["membership"]
    )


async def test_what_a_preset_means(alice: Client, server: Running) -> None:
    requests: list[tuple[dict[str, Any], str, str | None]] = [
        ({}, "invite", "can_join"),
        ({"visibility": "public"}, "public", None),
        ({"preset": "trusted_private_chat"}, "invite", "can_join"),
        ({"visibility": "public", "preset": "private_chat"}, "invite", "can_join"),
    ]
    for body, join_rule, guests in requests:
        room_id = await create(alice, **body)
        assert await content(server, room_id, "m.room.join_rules") == {"join_rule": join_rule}, body
        wanted = None if guests is None else {"guest_access": guests}
        assert await content(server, room_id, "m.room.guest_access") == wanted, body
        visible = await content(server, room_id, "m.room.history_visibility")
        assert visible == {"history_visibility": "shared"}
        assert room_id in (await alice.call("GET", "joined_rooms"))["joined_rooms"]


@pytest.mark.parametrize("version", ["1", "10", "11", "12"])
@pytest.mark.both
async def test_a_room_is_made_as_it_was_wished(
    alice: Client, bob: Client, server: Running, version: str
) -> None:
    room_id = await create(
        alice,
        room_version=version,
        name="Plans",
        topic="All of them",
        invite=[bob.user_id],
        is_direct=True,
        creation_content={"m.federate": False, "room_version": "2"},
        power_level_content_override={"events_default": 10},
        initial_state=[
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
            {"type": "m.room.topic", "content": {"topic": "another"}},
            {"type": "m.room.join_rules", "content": {"join_rule": "knock"}},
        ],
    )
    made = await content(server, room_id, "m.room.create")
    assert (made["room_version"], made["m.federate"]) == (version, False)
    assert await content(server, room_id, "m.room.name") == {"name": "Plans"}
    assert await content(server, room_id, "m.room.topic") == {
        "topic": "All of them",
        "m.topic": {"m.text": [{"body": "All of them", "mimetype": "text/plain"}]},
    }
    assert (await content(server, room_id, "m.room.power_levels"))["events_default"] == 10
    assert await content(server, room_id, "m.room.join_rules") == {"join_rule": "knock"}
    invite = await content(server, room_id, "m.room.member", bob.user_id)
    assert (invite["membership"], invite["is_direct"]) == ("invite", True)
    assert (await head(server, room_id)).rules.version == version


async def test_more_creators(alice: Client, bob: Client, server: Running) -> None:
    body = {"room_version": "12", "preset": "trusted_private_chat", "invite": [bob.user_id]}
    request = {"additional_creators": ["@more:elsewhere.example"]}
    room_id = await create(alice, **body, creation_content=request)
    made = await content(server, room_id, "m.room.create")
    assert made["additional_creators"] == ["@more:elsewhere.example", bob.user_id]
    bad = {**body, "creation_content": {"additional_creators": ["nobody"]}}
    assert await alice.errcode("POST", "createRoom", 400, body=bad) == "M_BAD_JSON"
    named = {"room_version": "12", "power_level_content_override": {"users": {alice.user_id: 100}}}
    assert await alice.errcode("POST", "createRoom", 400, body=named) == "M_INVALID_ROOM_STATE"


async def test_rooms_that_cannot_be(alice: Client) -> None:
    requests: list[tuple[dict[str, Any], str]] = [
        ({"room_version": 1}, "M_BAD_JSON"),
        ({"room_version": "unheard of"}, "M_UNSUPPORTED_ROOM_VERSION"),
        ({"preset": "nothing"}, "M_BAD_JSON"),
        ({"invite": ["@nobody:test.example"]}, "M_INVALID_PARAM"),
        ({"invite": ["nobody"]}, "M_INVALID_PARAM"),
        ({"power_level_content_override": {"users_default": "many"}}, "M_INVALID_ROOM_STATE"),
        ({"initial_state": [{"type": "m.room.create", "content": {}}]}, "M_INVALID_ROOM_STATE"),
        ({"name": 5}, "M_BAD_JSON"),
        ({"initial_state": [{"type": "a.b", "content": {"half": 0.5}}]}, "M_BAD_JSON"),
    ]
    for body, errcode in requests:
        assert await alice.errcode("POST", "createRoom", 400, body=body) == errcode, body
    assert await alice.call("GET", "joined_rooms") == {"joined_rooms": []}


async def test_coming_and_going(alice: Client, bob: Client, carol: Client, server: Running) -> None:
    room_id = await create(alice)
    at = f"join/{quote(room_id, safe='')}"
    assert await bob.errcode("POST", at, 403, body={}) == "M_FORBIDDEN"
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id, "reason": "come"})
    assert (await content(server, room_id, "m.room.member", bob.user_id))["reason"] == "come"
    assert await bob.call("POST", at, body={"custom": 1}) == {"room_id": room_id}
    assert (await content(server, room_id, "m.room.member", bob.user_id))["custom"] == 1
    before = (await head(server, room_id)).extremities
    await bob.call("POST", at, body={})
    assert (await head(server, room_id)).extremities == before, "twice is once"
    again = {"user_id": bob.user_id}
    assert await alice.errcode("POST", path(room_id, "invite"), 403, body=again) == "M_FORBIDDEN"
    assert await carol.errcode("POST", path(room_id, "invite"), 403, body=again) == "M_FORBIDDEN"
    await bob.call("POST", path(room_id, "leave"), body={})
    await bob.call("POST", path(room_id, "leave"), body={})
    assert await membership(server, room_id, bob.user_id) == "leave"
    assert await carol.errcode("POST", path(room_id, "leave"), 404, body={}) == "M_NOT_FOUND"


async def test_putting_people_out(alice: Client, bob: Client, carol: Client, server: Running) -> None:
    room_id = await create(alice, visibility="public")
    bob_is = {"user_id": bob.user_id}
    assert await alice.errcode("POST", path(room_id, "kick"), 403, body=bob_is) == "M_FORBIDDEN"
    assert await alice.errcode("POST", path(room_id, "unban"), 403, body=bob_is) == "M_FORBIDDEN"
    await bob.call("POST", path(room_id, "join"), body={})
    alice_is = {"user_id": alice.user_id}
    for step in ("kick", "ban"):
        for one in (bob, carol):
            assert await one.errcode("POST", path(room_id, step), 403, body=alice_is) == "M_FORBIDDEN"
    await alice.call("POST", path(room_id, "kick"), body=bob_is)
    await bob.call("POST", path(room_id, "join"), body={})
    await alice.call("POST", path(room_id, "ban"), body={**bob_is, "reason": "noise"})
    assert await bob.errcode("POST", path(room_id, "join"), 403, body={}) == "M_FORBIDDEN"
    await alice.call("POST", path(room_id, "unban"), body=bob_is)
    await bob.call("POST", path(room_id, "join"), body={})
    assert await membership(server, room_id, bob.user_id) == "join"


async def test_knocking(alice: Client, bob: Client, server: Running) -> None:
    closed = await create(alice)
    assert await bob.errcode("POST", f"knock/{quote(closed, safe='')}", 403, body={}) == "M_FORBIDDEN"
    rule = {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}
    room_id = await create(alice, initial_state=[rule])
    at = f"knock/{quote(room_id, safe='')}"
    assert await bob.call("POST", at, body={"reason": "please"}) == {"room_id": room_id}
    assert await membership(server, room_id, bob.user_id) == "knock"
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(room_id, "join"), body={})
    assert await bob.errcode("POST", at, 403, body={}) == "M_FORBIDDEN"


async def test_members_of_one_room_may_come_into_another(alice: Client, bob: Client, server: Running) -> None:
    club = await create(alice, visibility="public")
    allow = [{"type": "m.room_membership", "room_id": club}, {"type": "unheard.of"}, "nothing"]
    rule = {"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": allow}}
    room_id = await create(alice, initial_state=[rule])
    assert await bob.errcode("POST", path(room_id, "join"), 403, body={}) == "M_FORBIDDEN"
    await bob.call("POST", path(club, "join"), body={})
    await bob.call("POST", path(room_id, "join"), body={})
    joined = await content(server, room_id, "m.room.member", bob.user_id)
    assert joined["join_authorised_via_users_server"] == alice.user_id


async def test_sending_and_repeating(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    at = path(room_id, "send/m.room.message/1")
    said = {"msgtype": "m.text", "body": "hello"}
    first = await alice.call("PUT", at, body=said)
    assert await alice.call("PUT", at, body=said) == first
    phone = await nobody.login("alice")
    assert await phone.call("PUT", at, body=said) != first, "another device, another transaction"
    assert await bob.errcode("PUT", at, 403, body=said) == "M_FORBIDDEN"
    assert await alice.errcode("PUT", path(room_id, "send/a.b/2"), 400, body={"half": 0.5}) == "M_BAD_JSON"
    assert (
        await alice.errcode("PUT", path(room_id, "send/a.b/3"), 413, body={"a": "x" * 70_000})
        == "M_TOO_LARGE"
    )
    unknown = path("!unknown:test.example", "send/m.room.message/1")
    assert await alice.errcode("PUT", unknown, 404, body=said) == "M_NOT_FOUND"


async def test_state_is_set_once(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice)
    first = await alice.call("PUT", path(room_id, "state/m.room.name"), body={"name": "Plans"})
    assert await alice.call("PUT", path(room_id, "state/m.room.name/"), body={"name": "Plans"}) == first
    await alice.call("PUT", path(room_id, "state/a.b/key%2Fwith%20signs"), body={"a": 1})
    assert await content(server, room_id, "a.b", "key/with signs") == {"a": 1}
    named = path(room_id, "state/m.room.name")
    assert await bob.errcode("PUT", named, 403, body={"name": "Mine"}) == "M_FORBIDDEN"
    assert await alice.errcode("PUT", path(room_id, "state/m.room.create"), 403, body={}) == "M_FORBIDDEN"


async def test_levels_are_set_and_lowered(alice: Client, bob: Client) -> None:
    room_id = await create(alice, room_version="11", visibility="public")
    await bob.call("POST", path(room_id, "join"), body={})
    at = path(room_id, "state/m.room.power_levels")
    levels = await alice.call("GET", at)
    assert levels["users"] == {alice.user_id: 100}
    for default in (100, 40, 100):
        await alice.call("PUT", at, body={**levels, "users_default": default})
    await bob.call("PUT", at, body={**levels, "users_default": 50})
    assert (await alice.call("GET", at))["users_default"] == 50
    assert await bob.errcode("PUT", at, 403, body=levels) == "M_FORBIDDEN"
    await alice.call("PUT", at, body={})
    assert await alice.call("GET", at) == {}
    assert await alice.errcode("PUT", at, 403, body=levels) == "M_FORBIDDEN"


async def test_redaction(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice, visibility="public")
    await bob.call("POST", path(room_id, "join"), body={})
    said = {"msgtype": "m.text", "body": "hello"}
    hers = (await alice.call("PUT", path(room_id, "send/m.room.message/1"), body=said))["event_id"]
    his = (await bob.call("PUT", path(room_id, "send/m.room.message/1"), body=said))["event_id"]
    assert await bob.errcode("PUT", path(room_id, f"redact/{quote(hers)}/2"), 403, body={}) == "M_FORBIDDEN"
    await bob.call("PUT", path(room_id, f"redact/{quote(his)}/2"), body={"reason": "typo"})
    done = await alice.call("PUT", path(room_id, f"redact/{quote(hers)}/3"), body={})
    assert await alice.call("PUT", path(room_id, f"redact/{quote(hers)}/3"), body={}) == done
    unknown = path(room_id, "redact/%24unknown/4")
    assert await alice.errcode("PUT", unknown, 404, body={}) == "M_NOT_FOUND"


async def test_the_product_apis_see_a_room_of_matrix(alice: Client, server: Running) -> None:
    room_id = await create(alice, name="Plans")
    await alice.call(
        "PUT", path(room_id, "send/m.room.message/1"), body={"msgtype": "m.text", "body": "hello"}
    )
    (chat,) = await alice.call("GET", "/api/v1/chats/")
    assert (chat["title"], chat["last_message"]["content"]) == ("Plans", "hello")
    (session,) = await alice.call("GET", "/api/unet-chat/conversations/")
    assert (session["type"], session["title"]) == ("group", "Plans")


async def test_a_block_holds_on_every_api(alice: Client, bob: Client, server: Running) -> None:
    number = (await bob.call("GET", "/api/v1/users/me"))["id"]
    direct = (await alice.call("POST", "/api/v1/chats/direct", body={"user_id": number}))["id"]
    room_id = (await alice.call("GET", "joined_rooms"))["joined_rooms"][0]
    await alice.call("POST", f"/api/v1/users/{number}/block", 204)
    said = {"msgtype": "m.text", "body": "hello"}
    for one in (alice, bob):
        assert (
            await one.errcode("PUT", path(room_id, "send/m.room.message/1"), 403, body=said) == "M_FORBIDDEN"
        )
    assert await bob.errcode("POST", "createRoom", 403, body={"invite": [alice.user_id]}) == "M_FORBIDDEN"
    shared = await create(alice)
    invited = {"user_id": bob.user_id}
    assert await alice.errcode("POST", path(shared, "invite"), 403, body=invited) == "M_FORBIDDEN"
    assert await alice.call("GET", f"/api/v1/chats/{direct}/messages") == []


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "matrix": {"enabled": True},
            "rate_limits": {"enabled": True, "send": {"per_second": 0.01, "burst": 3}},
        }
    ],
)
async def test_a_redaction_counts_once_for_the_pace(alice: Client) -> None:
    room_id = await create(alice)
    said = await say(alice, room_id, "one")
    await alice.call("PUT", path(room_id, "send/m.room.redaction/r"), body={"redacts": said})
    await say(alice, room_id, "two")
    at = path(room_id, "send/m.room.message/three")
    assert await alice.errcode("PUT", at, 429, body={"body": "three"}) == "M_LIMIT_EXCEEDED"
