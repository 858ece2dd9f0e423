"""The timelines of a sync are bounded together: each room has its newest events, and the rest can be paged."""

import asyncio
from typing import Any

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path
from tests.api.matrix.synckit import Follower

MIB = 2**20
ROOMS, MESSAGES = 3, 9
pytestmark = pytest.mark.parametrize(
    "overrides", [{"matrix": {"enabled": True, "max_sync_timeline_bytes": MIB}}]
)


async def say_much(client: Client, room_id: str) -> list[str]:
    """The ids of messages of 55 kB each."""
    sent = []
    for number in range(MESSAGES):
        body = {"msgtype": "m.text", "body": f"{number} " + "x" * 55_000}
        at = path(room_id, f"send/m.room.message/{number}")
        sent.append((await client.call("PUT", at, body=body))["event_id"])
    return sent


async def before(client: Client, room_id: str, token: str) -> list[str]:
    """The ids of the messages before a token, the oldest first."""
    query = {"dir": "b", "from": token, "limit": "100"}
    chunk = (await client.call("GET", path(room_id, "messages"), params=query))["chunk"]
    return [one["event_id"] for one in reversed(chunk) if one["type"] == "m.room.message"]


async def test_many_large_messages_in_many_rooms(alice: Client, bob: Client) -> None:
    rooms = [await create(alice, bob) for _ in range(ROOMS)]
    start = (await bob.call("GET", "sync"))["next_batch"]
    sent = dict(zip(rooms, await asyncio.gather(*(say_much(alice, one) for one in rooms)), strict=True))
    for token in ("", start):
        told: dict[str, Any] = (await Follower(bob, token).sync())["rooms"]["join"]
        shown = {
            room_id: [one["event_id"] for one in told[room_id]["timeline"]["events"]] for room_id in rooms
        }
        assert {room_id: len(ids) for room_id, ids in shown.items()} == dict.fromkeys(rooms, 6), "6 x 55 kB"
        for room_id in rooms:
            timeline = told[room_id]["timeline"]
            assert timeline["limited"]
            older = await before(bob, room_id, timeline["prev_batch"])
            assert older + shown[room_id] == sent[room_id], "neither a gap nor anything twice"
    alone = {"room": {"rooms": rooms[:1], "timeline": {"limit": 50}}}
    created = await bob.call("POST", f"user/{bob.user_id.replace('@', '%40')}/filter", body=alone)
    told = (await Follower(bob).sync(filter=created["filter_id"]))["rooms"]["join"]
    ids = [one["event_id"] for one in told[rooms[0]]["timeline"]["events"]]
    assert ids[-MESSAGES:] == sent[rooms[0]], "one room has place for all"
