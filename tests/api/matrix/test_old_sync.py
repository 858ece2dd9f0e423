"""The calls of clients from before /sync."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


@pytest.mark.both
async def test_everything_and_then_what_comes(alice: Client, bob: Client) -> None:
    room_id, left = await create(alice, bob, name="Hall"), await create(alice, bob)
    asked = await create(alice, invite=[bob.user_id])
    for text in ("one", "two"):
        await say(alice, room_id, text)
    await bob.call("POST", path(left, "leave"), body={})
    await bob.call("PUT", f"user/{quote(bob.user_id)}/rooms/{quote(room_id)}/tags/u.work", body={})
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/org.mine", body={"a": 1})
    first = await bob.call("GET", "initialSync", params={"limit": "1"})
    rooms = {one["room_id"]: one for one in first["rooms"]}
    assert {room: one["membership"] for room, one in rooms.items()} == {room_id: "join", asked: "invite"}
    assert texts(rooms[room_id]["messages"]["chunk"]) == ["two"]
    assert rooms[room_id]["messages"]["chunk"][0]["room_id"] == room_id
    assert "Hall" in [one["content"].get("name") for one in rooms[room_id]["state"]]
    assert rooms[room_id]["account_data"][0]["type"] == "m.tag"
    assert rooms[asked]["invite"]["content"]["membership"] == "invite"
    assert "org.mine" in [one["type"] for one in first["account_data"]]
    back = {"dir": "b", "from": rooms[room_id]["messages"]["start"], "limit": "1"}
    assert texts((await bob.call("GET", path(room_id, "messages"), params=back))["chunk"]) == ["one"]
    whole = await bob.call("GET", "initialSync", params={"archived": "true"})
    assert left in [one["room_id"] for one in whole["rooms"]]

    sent = {"messages": {bob.user_id: {"*": {"secret": 1}}}}
    await alice.call("PUT", "sendToDevice/org.example/1", body=sent)
    follow: dict[str, Any] = {"from": first["end"], "timeout": "5000"}
    waiting = asyncio.create_task(bob.call("GET", "events", params=follow))
    event_id = await say(alice, room_id, "three")
    came: list[Any] = []
    while not came:
        answer = await waiting
        assert answer["start"] == follow["from"]
        follow["from"] = answer["end"]
        came = [one for one in answer["chunk"] if one["type"] == "m.room.message"]
        waiting = asyncio.create_task(bob.call("GET", "events", params=follow))
    assert (came[0]["event_id"], came[0]["room_id"]) == (event_id, room_id)
    other = await create(alice, invite=[bob.user_id])
    (invite,) = (await waiting)["chunk"]
    assert (invite["room_id"], invite["content"]["membership"]) == (other, "invite")
    assert "to_device" in await bob.call("GET", "sync")
    assert (await bob.call("GET", "events"))["chunk"] == []
    assert await bob.errcode("GET", "events?from=nonsense", 400) == "M_INVALID_PARAM"


@pytest.mark.both
async def test_looking_into_a_room(nobody: Client, alice: Client, bob: Client) -> None:
    open_state = [{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}]
    open_room = await create(alice, initial_state=open_state)
    closed = await create(alice)
    shown, hidden = await say(alice, open_room, "shown"), await say(alice, closed, "hidden")
    await bob.call("GET", path(open_room, "initialSync"), params={"limit": "0"})
    room = await bob.call("GET", path(open_room, "initialSync"))
    assert texts(room["messages"]["chunk"]) == ["shown"]
    assert "m.room.create" in [one["type"] for one in room["state"]]
    assert "membership" not in room
    assert await bob.errcode("GET", path(closed, "initialSync"), 403) == "M_FORBIDDEN"
    assert (await alice.call("GET", path(closed, "initialSync")))["membership"] == "join"
    assert (await bob.call("GET", f"events/{quote(shown)}"))["room_id"] == open_room
    for event_id in (hidden, "$nothing"):
        assert await bob.errcode("GET", f"events/{quote(event_id)}", 404) == "M_NOT_FOUND"
    context = {"from": room["messages"]["end"], "timeout": "5000", "room_id": open_room}
    waiting = asyncio.create_task(bob.call("GET", "events", params=context))
    event_id = await say(alice, open_room, "more")
    answer = await waiting
    assert [one["event_id"] for one in answer["chunk"]] == [event_id]
    context.update({"from": answer["end"], "timeout": "0"})
    assert (await bob.call("GET", "events", params=context))["chunk"] == []
    assert await bob.errcode("GET", "events", 403, params={"room_id": closed}) == "M_FORBIDDEN"
