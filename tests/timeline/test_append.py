"""Sending: what is acknowledged is stored, in order, chained and signed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from homeserver.errors import Forbidden, NotFound, Unavailable
from homeserver.model import LOG_START, Draft, EntryKind, LogPosition
from homeserver.protocol.ids import RoomId
from homeserver.settings.models import TimelineSettings
from homeserver.storage import events, log, members, rooms
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.submission import KeyTaken, NewEntry
from tests.timeline.conftest import ALICE, BOB, Writing, message


async def test_a_room_is_made_and_spoken_in(writing: Writing) -> None:
    room_id = await writing.new_room()
    first = await writing.timeline.send(room_id, [message("hello")])
    second = await writing.timeline.send(room_id, [message("again")])

    assert second.events[0].event.prev_events == (first.events[0].event.event_id,)
    assert second.events[0].arrived == first.events[0].arrived + 1
    async with writing.db.read() as conn:
        page = await events.shown_before(conn, room_id, limit=10)
    assert [one.event.content["body"] for one in page] == ["again", "hello"]
    assert await writing.faults(room_id) == []


async def test_every_room_version_verifies(writing: Writing) -> None:
    for version in map(str, range(1, 13)):
        room_id = await writing.new_room(version=version)
        await writing.timeline.send(room_id, [message("hello")])
        assert await writing.faults(room_id) == [], version


async def test_many_senders_share_transactions_and_one_chain(writing: Writing) -> None:
    room_id = await writing.new_room()
    sent = await asyncio.gather(*(writing.timeline.send(room_id, [message(str(n))]) for n in range(200)))
    assert len({one.events[0].event.event_id for one in sent}) == 200
    assert await writing.faults(room_id) == []
    batches = writing.metrics.value("homeserver_batch_entries_count")
    assert batches < 20  # 200 messages and the room in a handful of transactions


async def test_a_refused_event_harms_nobody_else(writing: Writing) -> None:
    room_id = await writing.new_room()
    outcome = await asyncio.gather(
        writing.timeline.send(room_id, [message("one")]),
        writing.timeline.send(room_id, [message("intruder", BOB)]),
        writing.timeline.send(room_id, [message("two")]),
        return_exceptions=True,
    )
    assert isinstance(outcome[1], Forbidden)
    assert await writing.faults(room_id) == []
    async with writing.db.read() as conn:
        page = await events.shown_before(conn, room_id, limit=10)
    assert [one.event.content["body"] for one in page] == ["two", "one"]


async def test_a_repeated_transaction_answers_the_first_event(writing: Writing) -> None:
    room_id = await writing.new_room()
    txn = TxnKey("session", room_id, "send", "txn-1")
    together = await asyncio.gather(
        *(writing.timeline.send(room_id, [message("once")], txn=txn) for _ in range(5))
    )
    later = await writing.timeline.send(room_id, [message("once")], txn=txn)
    other = await writing.timeline.send(room_id, [message("after")])
    ids = {one.events[0].event.event_id for one in (*together, later)}
    assert len(ids) == 1
    assert later.repeated
    assert other.events[0].event.prev_events == (ids.pop(),)
    assert await writing.faults(room_id) == []


async def test_an_atomic_submission_is_all_or_nothing(writing: Writing) -> None:
    room_id = await writing.new_room()
    with pytest.raises(Forbidden):
        await writing.timeline.send(room_id, [message("mine"), message("not mine", BOB)])
    async with writing.db.read() as conn:
        assert await events.shown_before(conn, room_id, limit=10) == []


async def test_unknown_rooms_are_not_found(writing: Writing) -> None:
    with pytest.raises(NotFound):
        await writing.timeline.send(RoomId("!nowhere:test.example"), [message("hello")])


async def test_a_room_key_has_one_room(writing: Writing) -> None:
    outcome = await asyncio.gather(
        *(writing.new_room(key="link:course:42") for _ in range(4)), return_exceptions=True
    )
    made = [one for one in outcome if isinstance(one, str)]
    taken = [one for one in outcome if isinstance(one, KeyTaken)]
    assert len(made) == 1
    assert [one.room_id for one in taken] == made * 3
    async with writing.db.read() as conn:
        assert await rooms.rooms_by_key(conn, ["link:course:42"]) == {"link:course:42": made[0]}


async def test_live_readers_hear_everything_once_and_in_order(writing: Writing) -> None:
    heard: list[int] = []
    writing.live.listen(lambda entry: heard.append(entry.position))
    room_id = await writing.new_room()
    await asyncio.gather(*(writing.timeline.send(room_id, [message(str(n))]) for n in range(50)))
    await writing.timeline.append([NewEntry(EntryKind.PROFILE, {"x": 1}, user_id=ALICE)])
    assert heard == list(range(1, 56))
    async with writing.db.read() as conn:
        stored = await log.entries_after(conn, LOG_START, 100)
    assert [one.position for one in stored] == heard
    assert stored[-1].body == {"x": 1}


async def test_unread_counts_are_kept_as_messages_come(writing: Writing) -> None:
    room_id = await writing.new_room()
    join = Draft("m.room.member", BOB, {"membership": "join"}, state_key=BOB)
    await writing.timeline.send(room_id, [message("before bob")])
    await writing.timeline.send(room_id, [join])
    sent = await writing.timeline.send(room_id, [message("one"), message("two"), message("three")])

    async def unread() -> int:
        async with writing.db.read() as conn:
            listed = await members.room_of(conn, BOB, room_id)
        assert listed is not None
        return listed.unread_count

    assert await unread() == 3
    target = sent.events[0].event.event_id
    await writing.timeline.send(room_id, [Draft("m.room.redaction", ALICE, {}, redacts=target)])
    assert await unread() == 2
    await writing.timeline.send(room_id, [message("bob speaks, so he has read", BOB)])
    assert await unread() == 0
    assert await writing.faults(room_id) == []


async def test_a_redacted_message_leaves_the_database(writing: Writing) -> None:
    room_id = await writing.new_room()
    sent = await writing.timeline.send(room_id, [message("a secret"), message("kept")])
    target = sent.events[0].event.event_id
    await writing.timeline.send(room_id, [Draft("m.room.redaction", ALICE, {}, redacts=target)])
    async with writing.db.read() as conn:
        held = (await events.events_by_id(conn, [target]))[target]
        page = await events.shown_before(conn, room_id, limit=10)
    assert held.redacted_by is not None
    assert b"a secret" not in held.event.json
    assert [one.event.content["body"] for one in page] == ["kept"]
    assert await writing.faults(room_id) == []


async def test_a_full_queue_refuses_and_recovers(
    workers: Callable[..., Any],
) -> None:
    worker: Writing = await workers(TimelineSettings(max_waiting=10))
    room_id = await worker.new_room()
    outcome = await asyncio.gather(
        *(worker.timeline.send(room_id, [message(str(n))]) for n in range(30)), return_exceptions=True
    )
    refused = [one for one in outcome if isinstance(one, Unavailable)]
    assert refused
    await worker.timeline.send(room_id, [message("later")])
    assert await worker.faults(room_id) == []


async def test_recent_entries_are_bounded_by_their_bytes(workers: Callable[..., Any]) -> None:
    writing: Writing = await workers(TimelineSettings(max_ring_bytes=2**20))
    room_id = await writing.new_room()
    start = writing.live.position
    for n in range(30):
        await writing.timeline.send(room_id, [message(f"{n}" + "x" * 50_000)])
    end = writing.live.position
    assert writing.live.recent(start, 100) is None, "these are read from the database"
    kept = writing.live.recent(LogPosition(end - 15), 100)
    assert kept is not None
    assert [one.position for one in kept] == list(range(end - 14, end + 1))
