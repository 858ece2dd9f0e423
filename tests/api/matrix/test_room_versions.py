"""Room version 12: rooms whose ids are hashes, and creators above everybody."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, state
from tests.api.matrix.synckit import Follower, joined
from tests.names import user_id

MOST = 2**53 - 1


async def act(client: Client, room_id: str, step: str, target: Client, status: int = 200) -> Any:
    return await client.call("POST", path(room_id, step), status, body={"user_id": target.user_id})


@pytest.mark.both
async def test_the_create_event_names_its_room(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, room_version="12")
    said = await say(alice, room_id, "hello")
    (first,) = [
        one for one in await alice.call("GET", path(room_id, "state")) if one["type"] == "m.room.create"
    ]
    assert first["event_id"] == f"${room_id[1:]}"
    assert await alice.errcode("PUT", path(room_id, "state/m.room.create"), 403, body={}) == "M_FORBIDDEN"
    page = await alice.call("GET", path(room_id, "messages"), params={"dir": "f", "limit": 1})
    one = await alice.call("GET", path(room_id, f"event/{quote(first['event_id'])}"))
    around = await alice.call("GET", path(room_id, f"context/{quote(said)}"), params={"limit": 50})
    whole = await alice.call("GET", path(room_id, "state/m.room.create/"), params={"format": "event"})
    created = [event for event in around["events_before"] if event["type"] == "m.room.create"]
    for event in (first, page["chunk"][0], one, whole, *created):
        assert (event["type"], event["room_id"]) == ("m.room.create", room_id)
    assert len(created) == 1
    room = joined(await Follower(bob).sync(), room_id)
    told = [*room["state"]["events"], *room["timeline"]["events"]]
    assert [event.get("room_id") for event in told if event["type"] == "m.room.create"] == [None]


async def test_creators_stand_above_everybody(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, carol, room_version="12")
    levels = await state(alice, room_id, "m.room.power_levels")
    assert (levels["users"], levels["events"]["m.room.tombstone"]) == ({}, 150)
    for level in (100, 150, MOST):
        levels["users"] = {bob.user_id: level}
        await set_state(alice, room_id, "m.room.power_levels", levels)
        for step in ("kick", "ban"):
            assert (await act(bob, room_id, step, alice, 403))["errcode"] == "M_FORBIDDEN"
    at = path(room_id, "state/m.room.power_levels")
    for users in ({alice.user_id: 100}, {bob.user_id: MOST + 1}, {bob.user_id: "100"}):
        answer = await alice.call(
            "PUT", at, 403 if MOST + 1 not in users.values() else 400, body={"users": users}
        )
        assert answer["errcode"] in ("M_FORBIDDEN", "M_BAD_JSON")
    await act(alice, room_id, "kick", bob)
    assert (await state(alice, room_id, "m.room.member", bob.user_id))["membership"] == "leave"


async def test_more_creators(alice: Client, bob: Client, carol: Client) -> None:
    for bad in ("x", [1], ["nonsense"], {"a": 1}, [alice.user_id, None]):
        body = {"room_version": "12", "creation_content": {"additional_creators": bad}}
        assert await alice.errcode("POST", "createRoom", 400, body=body) == "M_BAD_JSON"
    more = {"additional_creators": [carol.user_id]}
    room_id = await create(
        alice, bob, room_version="12", preset="trusted_private_chat", creation_content=more
    )
    made = await state(alice, room_id, "m.room.create")
    assert made["additional_creators"] == [carol.user_id, bob.user_id]
    assert (await act(alice, room_id, "kick", bob, 403))["errcode"] == "M_FORBIDDEN"
    assert (await act(bob, room_id, "kick", alice, 403))["errcode"] == "M_FORBIDDEN"
    await set_state(bob, room_id, "m.room.name", {"name": "by a creator"})


@pytest.mark.parametrize("whose", ["alice", "bob"])
async def test_levels_of_a_new_room_name_no_creator(alice: Client, bob: Client, whose: str) -> None:
    users = {user_id(whose): 50}
    body = {"room_version": "12", "power_level_content_override": {"users": users, "invite": 20}}
    if whose == "alice":
        assert await alice.errcode("POST", "createRoom", 400, body=body) == "M_INVALID_ROOM_STATE"
        return
    levels = await state(alice, await create(alice, bob, **body), "m.room.power_levels")
    assert (levels["users"], levels["invite"]) == (users, 20)


@pytest.mark.both
async def test_equal_rooms_made_at_once_are_rooms_of_their_own(alice: Client) -> None:
    made = await asyncio.gather(*(create(alice, room_version="12", name="Twin") for _ in range(20)))
    assert len(set(made)) == 20
