"""What depends on the state of a room is decided on the very state that is written to, by whichever worker."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict, Forbidden
from homeserver.model import LOG_START, Draft
from homeserver.protocol.ids import RoomId
from homeserver.storage import log
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.heads import Head
from homeserver.timeline.submission import NOTHING, Decide, Decided, Placed, SideWrite
from tests.timeline.conftest import ALICE, Writing, message

TOPIC = ("m.room.topic", "")
HELD_S = 0.2  # what does not wait for the disk is done within milliseconds


def topic(text: str) -> Draft:
    return Draft(TOPIC[0], ALICE, {"topic": text}, state_key="")


def unless_set(text: str) -> Decide:
    """Sets the topic, unless one is set."""
    return lambda head: NOTHING if TOPIC in head.state.events else Decided([topic(text)])


def only_first(head: Head) -> Decided:
    if TOPIC in head.state.events:
        raise Conflict("there is a topic", code="taken")
    return Decided([topic("first")])


async def topics(writing: Writing, room_id: RoomId) -> list[str]:
    """The topics that were set, in the log's order."""
    async with writing.db.read() as conn:
        entries = await log.entries_after(conn, LOG_START, 1000)
    events = [one.event.event for one in entries if one.event is not None and one.room_id == room_id]
    return [one.content["topic"] for one in events if one.type == TOPIC[0]]


async def test_of_many_at_once_the_first_writes(writing: Writing) -> None:
    room_id = await writing.new_room()
    found = await asyncio.gather(*(writing.timeline.decide(room_id, unless_set(str(n))) for n in range(8)))
    assert [len(one.events) for one in found] == [1] + [0] * 7
    assert await topics(writing, room_id) == ["0"]
    assert await writing.faults(room_id) == []


async def test_of_many_at_two_workers_one_writes(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    for _ in range(5):  # both know the room, and neither what the other is about to write
        room_id = await one.new_room()
        await two.timeline.send(room_id, [message("two knows the room")])
        await one.timeline.send(room_id, [message("and so does one")])
        found = await asyncio.gather(
            *(each.timeline.decide(room_id, unless_set("once")) for each in (one, two, one, two))
        )
        assert sorted(len(each.events) for each in found) == [0, 0, 0, 1]
        assert await topics(one, room_id) == ["once"]
        assert await one.faults(room_id) == []


async def test_who_is_late_at_another_worker_is_refused(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    await two.timeline.send(room_id, [message("two knows the room")])
    await one.timeline.send(room_id, [message("and so does one")])
    found = await asyncio.gather(
        *(each.timeline.decide(room_id, only_first) for each in (one, two)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in found) == ["Conflict", "Written"], found
    assert await topics(one, room_id) == ["first"]


async def test_nothing_to_write_is_said_when_the_reason_is_stored(writing: Writing) -> None:
    for decide in (unless_set("first"), only_first):
        room_id = await writing.new_room()
        async with writing.db.write() as conn:
            await log.take_positions(conn, 0)  # every writer of the log waits for this lock
            calls = [asyncio.ensure_future(writing.timeline.decide(room_id, decide)) for _ in range(3)]
            await asyncio.wait(calls, timeout=HELD_S)
            assert [one for one in calls if one.done()] == []
        await asyncio.gather(*calls, return_exceptions=True)
        assert await topics(writing, room_id) == ["first"]


async def test_what_was_refused_for_an_event_that_fails_is_decided_again(writing: Writing) -> None:
    room_id = await writing.new_room()

    async def fail(_: AsyncConnection, __: Sequence[Placed[None]]) -> None:
        raise Conflict("not this one", code="fails")

    found = await asyncio.gather(
        writing.timeline.send(room_id, [topic("never")], also=[SideWrite(fail, None)]),
        writing.timeline.decide(room_id, only_first),
        return_exceptions=True,
    )
    assert isinstance(found[0], Conflict), found
    assert not isinstance(found[1], BaseException), found
    assert await topics(writing, room_id) == ["first"]


async def test_what_the_auth_rules_refuse_is_refused_for_what_is_stored(writing: Writing) -> None:
    room_id = await writing.new_room()
    closed = Draft("m.room.power_levels", ALICE, {"users": {ALICE: 0}}, state_key="")
    found = await asyncio.gather(
        writing.timeline.send(room_id, [closed]),
        writing.timeline.decide(room_id, unless_set("too late")),
        return_exceptions=True,
    )
    assert not isinstance(found[0], BaseException), found
    assert isinstance(found[1], Forbidden), found
    assert await topics(writing, room_id) == []


async def test_a_decision_that_breaks_harms_no_other(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    await two.timeline.send(room_id, [message("two knows the room")])
    await one.timeline.send(room_id, [message("and so does one")])
    asked = []

    def breaks_when_asked_again(head: Head) -> Decided:
        asked.append(head)
        if len(asked) > 1:
            raise ZeroDivisionError
        return Decided([topic("never")])

    found = await asyncio.gather(
        two.timeline.decide(room_id, breaks_when_asked_again),
        two.timeline.send(room_id, [message("beside it")]),
        return_exceptions=True,
    )
    assert type(found[0]).__name__ == "Unavailable", found
    assert not isinstance(found[1], BaseException), found
    assert await one.faults(room_id) == []


@pytest.mark.parametrize("count", [1, 3])
async def test_a_repeated_transaction_decides_nothing(writing: Writing, count: int) -> None:
    room_id = await writing.new_room()
    txn = TxnKey("session", room_id, "m.room.message", "t")
    found = await asyncio.gather(
        *(writing.timeline.decide(room_id, only_first, txn=txn) for _ in range(count))
    )
    found.append(await writing.timeline.decide(room_id, unless_set("never"), txn=txn))
    found.append(await writing.timeline.decide(room_id, only_first, txn=txn))
    assert len({one.events[0].event.event_id for one in found}) == 1
    assert [one.repeated for one in found] == [False] + [True] * (count + 1)
    assert await topics(writing, room_id) == ["first"]
