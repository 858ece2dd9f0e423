"""What was redacted of a room's state is gone everywhere: in memory, in lists, and in the other workers."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from homeserver.errors import Forbidden
from homeserver.model import LINK_EVENT, Draft
from homeserver.protocol.event import StateKey
from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage import rooms, summaries
from tests.timeline.conftest import ALICE, BOB, Writing, message

NAME = ("m.room.name", "")


def redaction(event_id: EventId) -> Draft:
    return Draft("m.room.redaction", ALICE, {}, redacts=event_id)


async def put(writing: Writing, room_id: RoomId, kind: str, content: dict[str, Any]) -> EventId:
    written = await writing.timeline.send(room_id, [Draft(kind, ALICE, content, state_key="")])
    return written.events[0].event.event_id


async def held(writing: Writing, room_id: RoomId, key: StateKey) -> object:
    """The content of a piece of state as readers get it."""
    return (await writing.timeline.head(room_id)).state.events[key].content


async def shown(writing: Writing, room_id: RoomId) -> tuple[str, str, object, str]:
    """What lists show: name, topic and link, and by what the room is found."""
    async with writing.db.read() as conn:
        row = (await rooms.rooms_by_id(conn, [room_id]))[room_id]
        text = (await conn.exec_driver_sql("SELECT search_text FROM room_summaries")).scalar_one()
        assert (await summaries.summaries(conn, [room_id]))[room_id].name == row.name
    return row.name, row.topic, row.link, str(text)


async def test_redacted_state_is_cut_in_memory_and_in_lists(writing: Writing) -> None:
    room_id = await writing.new_room()
    name = await put(writing, room_id, "m.room.name", {"name": "Secret"})
    topic = await put(writing, room_id, "m.room.topic", {"topic": "hidden"})
    link = await put(writing, room_id, LINK_EVENT, {"service": "course", "service_id": "1"})
    assert (await shown(writing, room_id))[0] == "Secret"
    await writing.timeline.send(room_id, [redaction(one) for one in (name, topic, link)])
    assert await held(writing, room_id, NAME) == {}
    assert await held(writing, room_id, ("m.room.topic", "")) == {}
    assert await shown(writing, room_id) == ("", "", None, "\n\n")
    assert await writing.faults(room_id) == []


async def test_a_name_that_is_no_longer_the_name_changes_nothing(writing: Writing) -> None:
    room_id = await writing.new_room()
    first = await put(writing, room_id, "m.room.name", {"name": "First"})
    await put(writing, room_id, "m.room.name", {"name": "Second"})
    await writing.timeline.send(room_id, [redaction(first)])
    assert await held(writing, room_id, NAME) == {"name": "Second"}
    assert (await shown(writing, room_id))[0] == "Second"


@pytest.mark.parametrize("together", [True, False])
async def test_state_that_waits_behind_the_redaction_does_not_bring_it_back(
    writing: Writing, together: bool
) -> None:
    room_id = await writing.new_room()
    name = await put(writing, room_id, "m.room.name", {"name": "Secret"})
    topic = Draft("m.room.topic", ALICE, {"topic": "open"}, state_key="")
    if together:
        await writing.timeline.send(room_id, [redaction(name), topic])
    else:  # the second is built while the first is on its way, on a state that still has the name
        await asyncio.gather(
            writing.timeline.send(room_id, [redaction(name)]),
            *(writing.timeline.send(room_id, [message(f"{n}"), topic]) for n in range(3)),
        )
    assert await held(writing, room_id, NAME) == {}
    assert await shown(writing, room_id) == ("", "open", None, "\nopen\n")


async def test_a_redaction_from_another_room_cuts_nothing(writing: Writing) -> None:
    room_id, other = await writing.new_room(), await writing.new_room()
    name = await put(writing, room_id, "m.room.name", {"name": "Kept"})
    await writing.timeline.send(other, [redaction(name)])
    assert await held(writing, room_id, NAME) == {"name": "Kept"}
    async with writing.db.read() as conn:
        assert (await rooms.rooms_by_id(conn, [room_id]))[room_id].name == "Kept"


async def test_other_workers_show_the_state_as_it_is_now(workers: Callable[..., Any]) -> None:
    one: Writing = await workers()
    two: Writing = await workers()
    room_id = await one.new_room()
    name = await put(one, room_id, "m.room.name", {"name": "Secret"})
    await two.live.follow()
    assert await held(two, room_id, NAME) == {"name": "Secret"}
    await put(one, room_id, "m.room.topic", {"topic": "new"})
    await one.timeline.send(room_id, [redaction(name)])
    await two.live.follow()
    assert await held(two, room_id, NAME) == {}
    assert await held(two, room_id, ("m.room.topic", "")) == {"topic": "new"}
    await put(two, room_id, "m.room.name", {"name": "Open"})
    assert await held(two, room_id, NAME) == {"name": "Open"}
    assert await one.faults(room_id) == []


async def test_redacted_power_levels_decide_as_what_is_left_of_them(writing: Writing) -> None:
    room_id = await writing.new_room()
    levels = {"users": {ALICE: 100}, "notifications": {"room": 20}, "events": {"m.room.name": 90}}
    sent = await put(writing, room_id, "m.room.power_levels", levels)
    await writing.timeline.send(room_id, [redaction(sent)])
    left = {"users": {ALICE: 100}, "events": {"m.room.name": 90}}
    assert await held(writing, room_id, ("m.room.power_levels", "")) == left
    await put(writing, room_id, "m.room.name", {"name": "by the level that stayed"})


async def test_redaction_leaves_what_says_who_is_in(writing: Writing) -> None:
    room_id = await writing.new_room(version="9")
    rules = (await writing.timeline.head(room_id)).state.events["m.room.join_rules", ""]
    member = Draft("m.room.member", BOB, {"membership": "join", "displayname": "Bob"}, state_key=BOB)
    joined = (await writing.timeline.send(room_id, [member])).events[0].event.event_id
    await writing.timeline.send(room_id, [redaction(rules.event_id), redaction(joined)])
    assert await held(writing, room_id, ("m.room.join_rules", "")) == {"join_rule": "public"}
    assert await held(writing, room_id, ("m.room.member", BOB)) == {"membership": "join"}
    with pytest.raises(Forbidden):
        await writing.timeline.send(room_id, [Draft("m.room.name", BOB, {"name": "mine"}, state_key="")])
    assert (await writing.timeline.send(room_id, [message("still in", BOB)])).events
