"""What is answered and what is shown is stored: while a commit is held back, nobody is told of what it would bring."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from homeserver.storage import log
from homeserver.storage.db import Database
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, set_state

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
