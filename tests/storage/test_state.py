"""Snapshots of state: chains of deltas that set and take out, and ids that are nobody's position."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from homeserver.app import Homeserver
from homeserver.model import Draft
from homeserver.protocol.event import StateKey
from homeserver.protocol.ids import EventId, UserId
from homeserver.storage import log, state
from homeserver.storage.e2ee import lists
from homeserver.storage.events import StoredEvent
from homeserver.storage.schema.timeline import events, log_head, rooms, snapshots
from homeserver.storage.state import SnapshotRow
from tests.storage.test_summaries import revision

ALICE = UserId("@alice:test.example")
NAME: StateKey = ("m.room.name", "")
TOPIC: StateKey = ("m.room.topic", "")
MEMBER: StateKey = ("m.room.member", ALICE)


async def make_room(hs: Homeserver) -> tuple[StoredEvent, ...]:
    """A room with a name and a topic, set anew, by Alice."""
    drafts = [
        Draft("m.room.create", ALICE, {"room_version": "11"}, state_key=""),
        Draft("m.room.member", ALICE, {"membership": "join"}, state_key=ALICE),
        Draft("m.room.name", ALICE, {"name": "old"}, state_key=""),
        Draft("m.room.topic", ALICE, {"topic": "old"}, state_key=""),
        Draft("m.room.message", ALICE, {"msgtype": "m.text", "body": "hi"}),
        Draft("m.room.name", ALICE, {"name": "new"}, state_key=""),
    ]
    return (await hs.core.timeline.create_room(drafts, version="11", kind="group")).events


async def add_delta(
    hs: Homeserver, onto: StoredEvent | int, chain: int, changes: Mapping[StateKey, EventId | None]
) -> int:
    """Write a delta onto a snapshot; answers its id."""
    parent = onto if isinstance(onto, int) else onto.state_id
    async with hs.core.db.write() as conn:
        state_id = (await log.take(conn, 0, 1)).state_id
        room_id = (
            await conn.execute(select(snapshots.c.room_id).where(snapshots.c.state_id == parent))
        ).scalar_one()
        entries = tuple((kind, key, event_id) for (kind, key), event_id in changes.items())
        await state.add_snapshots(conn, [SnapshotRow(state_id, room_id, parent, chain, False, entries)])
    return state_id


async def read(hs: Homeserver, state_id: int, **only: Any) -> dict[StateKey, EventId]:
    async with hs.core.db.read() as conn:
        found = await state.states_at(conn, [state_id], **only)
    return {key: event.event_id for key, event in found[state_id].items()}


async def test_a_delta_sets_and_takes_out_many_keys_at_once(hs: Homeserver) -> None:
    create, member, old, topic, _, new = await make_room(hs)
    whole = {one.event.key: one.event.event_id for one in (create, member, topic, new)}
    assert await read(hs, new.state_id) == whole
    one = await add_delta(hs, new, 8, {NAME: old.event.event_id, TOPIC: None, MEMBER: None})
    assert await read(hs, one) == {create.event.key: create.event.event_id, NAME: old.event.event_id}
    two = await add_delta(hs, one, 9, {NAME: None, MEMBER: member.event.event_id})
    assert await read(hs, two) == {one.event.key: one.event.event_id for one in (create, member)}
    assert await read(hs, new.state_id) == whole, "the snapshots below are as they were"


async def test_what_is_taken_out_is_in_no_part_of_the_state(hs: Homeserver) -> None:
    *_, new = await make_room(hs)
    left = await add_delta(hs, new, 8, {NAME: None, MEMBER: None})
    assert set(await read(hs, new.state_id, types=["m.room.name"], user_ids=[ALICE])) == {NAME, MEMBER}
    assert await read(hs, left, types=["m.room.name"], user_ids=[ALICE]) == {}
    assert set(await read(hs, left, user_ids=[ALICE])) == {("m.room.create", ""), TOPIC}


async def test_whose_membership_is_taken_out_was_not_in_the_room(hs: Homeserver) -> None:
    *_, new = await make_room(hs)
    room_id = new.event.room_id
    left = await add_delta(hs, new, 8, {MEMBER: None})
    async with hs.core.db.write() as conn:
        assert await lists.rooms_joined_at(conn, ALICE, [room_id], new.arrived) == {room_id}
        await conn.execute(
            update(events).where(events.c.event_id == new.event.event_id).values(state_id=left)
        )
        assert await lists.rooms_joined_at(conn, ALICE, [room_id], new.arrived) == set()


async def test_only_what_changes_the_state_takes_an_id(hs: Homeserver) -> None:
    async with hs.core.db.read() as conn:
        last = (await conn.execute(select(log_head.c.state_id))).scalar_one()
    made = await make_room(hs)
    assert [one.state_id - last for one in made] == [1, 2, 3, 4, 4, 5]
    async with hs.core.db.read() as conn:
        assert (await conn.execute(select(log_head.c.state_id))).scalar_one() == last + 5
        of_room = select(rooms.c.state_id).where(rooms.c.room_id == made[0].event.room_id)
        assert (await conn.execute(of_room)).scalar_one() == last + 5


async def test_new_ids_are_above_those_that_were_positions(hs: Homeserver) -> None:
    await make_room(hs)
    async with hs.core.db.write() as conn:
        await conn.execute(update(log_head).values(state_id=0, position=log_head.c.position + 10_000))
        await conn.run_sync(revision("snapshot_ids").number)
        head = (await conn.execute(select(log_head.c.position, log_head.c.state_id))).one()
        assert head.state_id == head.position
    made = await make_room(hs)
    assert made[0].state_id == head.state_id + 1
