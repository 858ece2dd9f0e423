"""What is answered and what is shown is stored: while a commit is held back, nobody is told of what it would bring."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from homeserver.storage import log
from homeserver.storage.db import Database
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state
from tests.api.matrix.slidekit import ALL_STATE, PATH, Slider, a_list
from tests.api.matrix.synckit import Follower

pytestmark = pytest.mark.both

HELD_S = 0.3  # what would answer from memory does so within milliseconds


@asynccontextmanager
async def held(db: Database) -> AsyncIterator[None]:
    """Nothing is committed meanwhile: another connection has the lock that every writer of the log needs."""
    async with db.write() as conn:
        await log.take_positions(conn, 0)
        yield


async def while_held(db: Database, *calls: Awaitable[Any]) -> list[Any]:
    """The answers to calls that begin while commits are held back, in this order; none may come before."""
    async with held(db):
        tasks = []
        for call in calls:
            tasks.append(asyncio.ensure_future(call))
            await asyncio.wait(tasks, timeout=HELD_S / len(calls))
        early = [task for task in tasks if task.done()]
    answers = await asyncio.gather(*tasks)
    assert not early, [task.result() for task in early]
    return answers


async def history_of(client: Client, room_id: str, kind: str) -> list[Any]:
    query = {"dir": "b", "limit": "100"}
    found = await client.call("GET", path(room_id, "messages"), params=query)
    return [one for one in found["chunk"] if one["type"] == kind]


async def test_equal_state_at_once(alice: Client, db: Database) -> None:
    room_id = await create(alice)
    calls = [set_state(alice, room_id, "org.x", {"a": 1}) for _ in range(4)]
    answers = await while_held(db, *calls)
    (event,) = await history_of(alice, room_id, "org.x")
    assert set(answers) == {event["event_id"]}


async def test_joins_at_once(alice: Client, bob: Client, db: Database) -> None:
    room_id = await create(alice, preset="public_chat")
    await while_held(db, *(bob.call("POST", path(room_id, "join"), body={}) for _ in range(8)))
    found = await history_of(bob, room_id, "m.room.member")
    assert len([one for one in found if one["state_key"] == bob.user_id]) == 1


async def test_leaves_at_once(alice: Client, bob: Client, db: Database) -> None:
    room_id = await create(alice, bob)
    await while_held(db, *(bob.call("POST", path(room_id, "leave"), body={}) for _ in range(4)))
    found = await history_of(alice, room_id, "m.room.member")
    gone = [
        one for one in found if one["state_key"] == bob.user_id and one["content"]["membership"] == "leave"
    ]
    assert len(gone) == 1


@pytest.mark.parametrize("rest", ["state", "members", "joined_members", "state/org.x/"])
async def test_state_is_shown_when_stored(alice: Client, bob: Client, db: Database, rest: str) -> None:
    room_id = await create(alice, bob)
    answers = await while_held(
        db, set_state(alice, room_id, "org.x", {"a": 1}), bob.call("GET", path(room_id, rest))
    )
    if rest == "state":
        assert answers[0] in [one["event_id"] for one in answers[1]]
    found = await bob.call("GET", path(room_id, f"event/{answers[0]}"))
    assert found["content"] == {"a": 1}


def readings(room_id: str, event_id: str, his: Follower, slider: Slider) -> dict[str, Callable[[], Any]]:
    """Every call that shows a room to one of its members."""
    bob = his.client
    return {
        "sync": lambda: bob.call("GET", "sync"),
        "sync since": lambda: Follower(bob, his.token).sync(),
        "sync waiting": lambda: Follower(bob, his.token).sync(5000),
        "sliding": lambda: bob.call("POST", PATH, body=slider.body),
        "sliding since": lambda: bob.call("POST", PATH, body=slider.body, params={"pos": slider.pos}),
        "initialSync": lambda: bob.call("GET", "initialSync"),
        "room initialSync": lambda: bob.call("GET", path(room_id, "initialSync")),
        "events": lambda: bob.call("GET", "events", params={"from": his.token}),
        "state": lambda: bob.call("GET", path(room_id, "state")),
        "name": lambda: bob.call("GET", path(room_id, "state/m.room.name")),
        "members": lambda: bob.call("GET", path(room_id, "members")),
        "joined members": lambda: bob.call("GET", path(room_id, "joined_members")),
        "context": lambda: bob.call("GET", path(room_id, f"context/{event_id}")),
        "messages": lambda: bob.call("GET", path(room_id, "messages"), params={"dir": "b"}),
        "hierarchy": lambda: bob.call("GET", path(room_id, "hierarchy", "v1")),
        "summary": lambda: bob.call("GET", f"/_matrix/client/v1/room_summary/{room_id}"),
        "rooms": lambda: bob.call("GET", "joined_rooms"),
    }


async def test_nothing_is_shown_before_it_is_stored(alice: Client, bob: Client, db: Database) -> None:
    """While a name, a text and a leave wait to be written, no call tells of them; afterwards all that do are right."""
    room_id = await create(alice, bob, name="Hall")
    first = await say(alice, room_id, "hello")
    his, slider = Follower(bob), Slider(bob, {"lists": {"all": a_list(state=ALL_STATE)}})
    await his.sync()
    await slider.sync()
    calls = readings(room_id, first, his, slider)
    async with held(db):
        writes = [
            asyncio.ensure_future(write)
            for write in (
                set_state(alice, room_id, "m.room.name", {"name": "unstored"}),
                say(alice, room_id, "unstored"),
                alice.call("POST", path(room_id, "leave"), body={"reason": "unstored"}),
            )
        ]
        await asyncio.wait(writes, timeout=HELD_S)
        asked = {name: asyncio.ensure_future(call()) for name, call in calls.items()}
        await asyncio.wait(asked.values(), timeout=HELD_S)
        early = {name: json.dumps(task.result()) for name, task in asked.items() if task.done()}
        assert not [task for task in writes if task.done()]
        assert not [name for name, answer in early.items() if "unstored" in answer]
        assert alice.user_id in early.get("sync", alice.user_id)
    name_id, _, _ = await asyncio.gather(*writes)
    for name, answer in zip(asked, await asyncio.gather(*asked.values()), strict=True):
        assert answer, name
    found = await bob.call("GET", path(room_id, f"event/{name_id}"))
    assert found["content"] == {"name": "unstored"}
