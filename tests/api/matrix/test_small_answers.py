"""Answers of which the specification says little, and on which clients and bridges rely all the same."""

from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, state
from tests.names import fresh


def profile(client: Client, field: str = "") -> str:
    return f"profile/{quote(client.user_id)}{field and '/'}{field}"


@pytest.mark.parametrize("where", ["public", "world_readable"])
async def test_one_finds_oneself_where_everybody_would(alice: Client, where: str) -> None:
    await create(alice, preset="private_chat")
    term = {"search_term": alice.name}
    assert (await alice.call("POST", "user_directory/search", body=term))["results"] == []
    room_id = await create(alice, preset="public_chat" if where == "public" else "private_chat")
    if where == "world_readable":
        await set_state(alice, room_id, "m.room.history_visibility", {"history_visibility": "world_readable"})
    found = (await alice.call("POST", "user_directory/search", body=term))["results"]
    assert [one["user_id"] for one in found] == [alice.user_id]


async def test_no_room_is_replaced_by_itself(alice: Client) -> None:
    room_id = await create(alice)
    at = path(room_id, "state/m.room.tombstone/")
    body = {"body": "gone", "replacement_room": room_id}
    assert await alice.errcode("PUT", at, 400, body=body) == "M_BAD_JSON"
    assert await alice.errcode("GET", at, 404) == "M_NOT_FOUND"
    for content in ({"body": "gone", "replacement_room": "!else:test.example"}, {"body": "gone"}):
        await alice.call("PUT", at, body=content)


async def test_what_is_not_set_of_a_profile_is_not_found(alice: Client, bob: Client) -> None:
    await alice.call("PUT", profile(alice, "displayname"), body={"displayname": ""})
    for field in ("displayname", "avatar_url", "org.example"):
        assert await bob.errcode("GET", profile(alice, field), 404) == "M_NOT_FOUND"
    assert await bob.call("GET", profile(alice)) == {}
    await alice.call("PUT", profile(alice, "displayname"), body={"displayname": "Al"})
    assert await bob.call("GET", profile(alice, "displayname")) == {"displayname": "Al"}


async def test_nothing_is_redacted_across_rooms(alice: Client, bob: Client) -> None:
    one, other = await create(alice, bob), await create(alice)
    said = await say(alice, one, "here")
    assert await alice.errcode("PUT", path(other, f"redact/{said}/1"), 404, body={}) == "M_NOT_FOUND"
    assert await alice.errcode("POST", path(other, f"redact/{said}"), 404, body={}) == "M_NOT_FOUND"
    shown = await bob.call("GET", path(one, f"event/{said}"))
    assert shown["content"]["body"] == "here"


async def test_from_outside_there_is_nothing_around_an_event(alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    said = await say(alice, room_id, "inside")
    assert await bob.errcode("GET", path(room_id, f"context/{said}"), 404) == "M_NOT_FOUND"
    elsewhere = await create(bob)
    assert await bob.errcode("GET", path(elsewhere, f"context/{said}"), 404) == "M_NOT_FOUND"


@pytest.mark.parametrize("preset", ["public_chat", "private_chat", "trusted_private_chat"])
async def test_guests_are_only_let_into_private_rooms_by_a_preset(alice: Client, preset: str) -> None:
    room_id = await create(alice, preset=preset)
    at = path(room_id, "state/m.room.guest_access/")
    if preset == "public_chat":
        assert await alice.errcode("GET", at, 404) == "M_NOT_FOUND"
    else:
        assert await alice.call("GET", at) == {"guest_access": "can_join"}


@pytest.mark.parametrize("url", ["https://example.org/cat.png", "cat"])
async def test_an_avatar_of_one_room_is_any_address_and_that_of_all_is_an_mxc(
    alice: Client, bob: Client, url: str
) -> None:
    room_id = await create(alice, bob)
    body = {"avatar_url": url}
    assert await alice.errcode("PUT", profile(alice, "avatar_url"), 400, body=body) == "M_INVALID_PARAM"
    at = path(room_id, f"state/m.room.member/{quote(alice.user_id)}")
    await alice.call("PUT", at, body={"membership": "join", "avatar_url": url})
    assert (await state(bob, room_id, "m.room.member", alice.user_id))["avatar_url"] == url


async def test_a_first_sync_of_old_says_which_rooms_are_in_the_directory(alice: Client) -> None:
    hidden, shown = await create(alice), await create(alice, visibility="public", name=fresh("shown"))
    found = (await alice.call("GET", "initialSync"))["rooms"]
    assert {one["room_id"]: one["visibility"] for one in found} == {hidden: "private", shown: "public"}
    assert (await alice.call("GET", path(shown, "initialSync")))["visibility"] == "public"
