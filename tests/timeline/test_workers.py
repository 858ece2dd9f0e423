"""Several worker processes on one database: the database decides whose turn it is."""

import asyncio
from collections.abc import Callable
from typing import Any

from homeserver.model import Draft
from homeserver.storage import events
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.submission import KeyTaken
from tests.timeline.conftest import BOB, Writing, message


async def test_two_appenders_write_one_chain(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    for turn in range(5):  # each turn both heads are out of date in one of the workers
        await asyncio.gather(
            *(one.timeline.send(room_id, [message(f"one {turn} {n}")]) for n in range(10)),
            *(two.timeline.send(room_id, [message(f"two {turn} {n}")]) for n in range(10)),
        )
    async with one.db.read() as conn:
        page = await events.shown_before(conn, room_id, limit=200)
    assert len({held.event.content["body"] for held in page}) == 100
    assert await one.faults(room_id) == []


async def test_each_worker_hears_what_the_other_wrote_in_log_order(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    heard: list[int] = []
    two.live.listen(lambda entry: heard.append(entry.position))
    room_id = await one.new_room()
    await one.timeline.send(room_id, [message("from one")])
    await two.timeline.send(room_id, [message("from two")])  # its announcement fetches what one wrote
    assert heard == [1, 2, 3, 4, 5, 6]
    await one.timeline.send(room_id, [message("and again")])
    await two.live.follow()
    assert heard == [1, 2, 3, 4, 5, 6, 7]


async def test_a_transaction_repeated_at_another_worker_is_found(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    txn = TxnKey("session", room_id, "send", "t")
    sent = await asyncio.gather(
        one.timeline.send(room_id, [message("once")], txn=txn),
        two.timeline.send(room_id, [message("once")], txn=txn),
    )
    assert sent[0].events[0].event.event_id == sent[1].events[0].event.event_id
    assert sorted(each.repeated for each in sent) == [False, True]
    assert await one.faults(room_id) == []


async def test_two_workers_make_one_room_of_one_key(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    for n in range(5):
        outcome = await asyncio.gather(
            one.new_room(key=f"pair:{n}"), two.new_room(key=f"pair:{n}"), return_exceptions=True
        )
        made = [each for each in outcome if isinstance(each, str)]
        taken = [each for each in outcome if isinstance(each, KeyTaken)]
        assert len(made) == 1
        assert [each.room_id for each in taken] == made


async def test_two_workers_make_equal_rooms_in_one_millisecond(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    made = await asyncio.gather(one.new_room(version="12"), two.new_room(version="12"))
    assert made[0] != made[1]
    for room_id in made:
        assert await one.faults(room_id) == []


async def test_a_member_removed_at_one_worker_cannot_speak_at_the_other(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    await one.timeline.send(room_id, [Draft("m.room.member", BOB, {"membership": "join"}, state_key=BOB)])
    await two.timeline.send(room_id, [message("I am here", BOB)])  # two has the room in memory now
    await one.timeline.send(room_id, [Draft("m.room.member", BOB, {"membership": "leave"}, state_key=BOB)])
    outcome = await asyncio.gather(
        two.timeline.send(room_id, [message("still here?", BOB)]), return_exceptions=True
    )
    assert type(outcome[0]).__name__ == "Forbidden"
    assert await one.faults(room_id) == []
