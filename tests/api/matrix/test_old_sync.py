"""The calls of clients from before /sync."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def awaited(client: Client, waiting: Awaitable[Any], kind: str) -> Any:
    """The first event of a type that /events tells of, from the answer on that is being waited for."""
    answer, seen = await waiting, []
    async with asyncio.timeout(30):
        while True:
            seen += answer["chunk"]
            if found := [one for one in seen if one["type"] == kind]:
                return found[0]
            query = {"from": answer["end"], "timeout": "5000"}
            answer = await client.call("GET", "events", params=query)


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
    invite = await awaited(bob, waiting, "m.room.member")
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
    assert (room["visibility"], room["presence"], room["receipts"]) == ("private", [], [])
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


async def test_what_is_not_an_event_is_told_too(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, visibility="public")
    said = await say(alice, room_id, "hello")
    mine, mine_here = f"user/{quote(bob.user_id)}", f"user/{quote(bob.user_id)}/rooms/{quote(room_id)}"
    begin = (await bob.call("GET", "initialSync"))["end"]

    async def after(kind: str, method: str, at: str, body: Any, by: Client = bob) -> Any:
        """What bob is told of a call that is made while he waits."""
        waiting = asyncio.create_task(
            bob.call("GET", "events", params={"from": begin, "timeout": "5000", "room_id": room_id})
        )
        await by.call(method, at, body=body)
        return await awaited(bob, waiting, kind)

    receipt = await after("m.receipt", "POST", path(room_id, f"receipt/m.read/{quote(said)}"), {}, alice)
    assert (receipt["room_id"], list(receipt["content"])) == (room_id, [said])
    typing = {"typing": True, "timeout": 60_000}
    told = await after("m.typing", "PUT", path(room_id, f"typing/{quote(alice.user_id)}"), typing, alice)
    assert (told["room_id"], told["content"]) == (room_id, {"user_ids": [alice.user_id]})
    tag = await after("m.tag", "PUT", f"{mine_here}/tags/u.work", {"order": 0.5})
    assert (tag["room_id"], tag["content"]) == (room_id, {"tags": {"u.work": {"order": 0.5}}})
    here = await after("org.here", "PUT", f"{mine_here}/account_data/org.here", {"a": 1})
    assert (here["room_id"], here["content"]) == (room_id, {"a": 1})
    data = await after("org.mine", "PUT", f"{mine}/account_data/org.mine", {"a": 2})
    assert ("room_id" in data, data["content"]) == (False, {"a": 2})
    rule = {"actions": ["notify"], "pattern": "milk"}
    assert "global" in (await after("m.push_rules", "PUT", "pushrules/global/content/milk", rule))["content"]


async def test_a_snapshot_has_more_than_events(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, visibility="public")
    said = await say(alice, room_id, "hello")
    mine = f"user/{quote(bob.user_id)}"
    begin = (await bob.call("GET", "initialSync"))["end"]
    await alice.call("POST", path(room_id, f"receipt/m.read/{quote(said)}"), body={})
    await bob.call("PUT", f"{mine}/rooms/{quote(room_id)}/tags/u.work", body={})
    await bob.call("PUT", f"{mine}/account_data/org.mine", body={"a": 2})
    shown = {"presence": "unavailable", "status_msg": "away"}
    status = f"presence/{quote(alice.user_id)}/status"
    await alice.call("PUT", status, body=shown)
    answer = await bob.call("GET", "events", params={"from": begin})
    people = [one["content"] for one in answer["chunk"] if one["type"] == "m.presence"]
    assert (people[0]["user_id"], people[0]["status_msg"]) == (alice.user_id, "away")

    whole = await bob.call("GET", "initialSync")
    (room,) = [one for one in whole["rooms"] if one["room_id"] == room_id]
    assert room["visibility"] == "public"
    assert {one["type"] for one in room["account_data"]} == {"m.tag"}
    assert {one["user_id"] for one in room["messages"]["chunk"]} == {alice.user_id, bob.user_id}
    assert {"m.push_rules", "org.mine"} <= {one["type"] for one in whole["account_data"]}
    assert [(one["room_id"], list(one["content"])) for one in whole["receipts"]] == [(room_id, [said])]
    assert alice.user_id in [one["content"]["user_id"] for one in whole["presence"]]

    room = await bob.call("GET", path(room_id, "initialSync"))
    states = {one["content"]["user_id"]: one["content"]["presence"] for one in room["presence"]}
    assert states == {alice.user_id: "unavailable", bob.user_id: "online"}
    assert [(one["room_id"], list(one["content"])) for one in room["receipts"]] == [(room_id, [said])]
    assert {one["user_id"] for one in room["state"]} == {alice.user_id, bob.user_id}
    assert room["visibility"] == "public"


async def test_no_more_than_asked_for(alice: Client) -> None:
    room_id = await create(alice)
    await say(alice, room_id, "one")
    (room,) = (await alice.call("GET", "initialSync", params={"limit": "0"}))["rooms"]
    for found in (room, await alice.call("GET", path(room_id, "initialSync"), params={"limit": "0"})):
        assert found["messages"]["chunk"] == []
        assert "m.room.create" in [one["type"] for one in found["state"]]
        query = {"dir": "b", "limit": "1", "from": found["messages"]["start"]}
        assert texts((await alice.call("GET", path(room_id, "messages"), params=query))["chunk"]) == ["one"]
    for call in ("events", "initialSync", path(room_id, "initialSync")):
        for limit in ("-1", "many"):
            await alice.errcode("GET", call, 400, params={"limit": limit})
    assert (await alice.call("GET", "events", params={"limit": ""}))["chunk"] == []
