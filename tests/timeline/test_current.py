"""What is kept of a room's current state follows it, whatever a step of the log changes of it."""

import immutables
import pytest

from homeserver.model import Draft, EntryKind, LogPosition
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.versions import rules_for
from homeserver.storage import log, members, rooms, summaries
from homeserver.storage.log import Entry
from homeserver.timeline.current import Change, CurrentState, Delta, Moment, write_lists, write_members
from tests.timeline.conftest import ALICE, BOB, Writing, message

NAME: StateKey = ("m.room.name", "")
TOPIC: StateKey = ("m.room.topic", "")
CAROL = UserId("@carol:test.example")


def joining(who: UserId, membership: str = "join") -> Draft:
    return Draft("m.room.member", who, {"membership": membership}, state_key=who)


class Room:
    """A room of three with a name and a topic, of which a step of the log takes any part."""

    def __init__(self, writing: Writing, room_id: RoomId, events: immutables.Map[StateKey, Event]) -> None:
        self.writing = writing
        self.room_id = room_id
        self.events = events
        self.gained = 0

    @classmethod
    async def make(cls, writing: Writing) -> "Room":
        room_id = await writing.new_room()
        drafts = [
            Draft("m.room.name", ALICE, {"name": "Old"}, state_key=""),
            Draft("m.room.topic", ALICE, {"topic": "Things"}, state_key=""),
            joining(BOB),
            joining(CAROL),
            joining(CAROL, "leave"),
        ]
        for draft in drafts:
            await writing.timeline.send(room_id, [draft])
        return cls(writing, room_id, (await writing.timeline.head(room_id)).state.events)

    def other(self, key: StateKey, **content: object) -> Event:
        """What another branch of the room holds under a key."""
        held = self.events[key]
        return Event.from_pdu({**held.pdu, "content": content}, rules_for("11"), held.event_id)

    async def become(self, delta: Delta) -> None:
        """Let the current state change at position 900."""
        current = CurrentState(self.room_id)
        with self.events.mutate() as events:
            for key, change in delta.items():
                if change.new is None:
                    del events[key]
                else:
                    events[key] = change.new
            current.events = events.finish()
        current.step(delta, Moment(LogPosition(900), 5, 6))
        async with self.writing.db.write() as conn:
            await write_members(conn, [current])
            await write_lists(conn, [current])
        self.gained = current.member_delta

    async def shown(self) -> tuple[str, str, str]:
        async with self.writing.db.read() as conn:
            row = (await rooms.rooms_by_id(conn, [self.room_id]))[self.room_id]
            rule = (await summaries.summaries(conn, [self.room_id]))[self.room_id].join_rule
        return row.name, row.topic, rule

    async def joined(self) -> dict[UserId, int]:
        async with self.writing.db.read() as conn:
            found = await members.members_of(conn, [self.room_id])
        return {one.user_id: one.position for one in found[self.room_id]}


async def test_a_step_that_changes_many_keys_is_followed_in_all(writing: Writing) -> None:
    room = await Room.make(writing)
    bob, carol, rules = ("m.room.member", BOB), ("m.room.member", CAROL), ("m.room.join_rules", "")
    before = await room.joined()
    assert set(before) == {ALICE, BOB}
    await room.become(
        {
            NAME: Change(room.events[NAME], room.other(NAME, name="New")),
            TOPIC: Change(room.events[TOPIC], None),
            rules: Change(room.events[rules], room.other(rules, join_rule="invite")),
            bob: Change(room.events[bob], None),
            carol: Change(room.events[carol], room.other(carol, membership="join")),
        }
    )
    assert await room.shown() == ("New", "", "invite")
    assert await room.joined() == {ALICE: before[ALICE], CAROL: 900}, (
        "who came in came at that place of the log"
    )
    assert room.gained == 0


async def test_who_is_in_no_member_event_any_more_is_out(writing: Writing) -> None:
    room = await Room.make(writing)
    key = ("m.room.member", BOB)
    await room.become({key: Change(room.events[key], None)})
    assert room.gained == -1
    async with writing.db.read() as conn:
        row = await members.member(conn, room.room_id, BOB)
    assert row is not None
    assert (row.membership, row.position) == ("leave", 900)


async def test_steps_of_one_transaction_are_one_delta(writing: Writing) -> None:
    room = await Room.make(writing)
    old, middle, new = room.events[NAME], room.other(NAME, name="Middle"), room.other(NAME, name="New")
    current = CurrentState(room.room_id)
    current.step({NAME: Change(old, middle)}, Moment(LogPosition(1), 0, 0))
    current.step({NAME: Change(middle, None)}, Moment(LogPosition(2), 0, 0))
    current.step(
        {NAME: Change(None, new), TOPIC: Change(room.events[TOPIC], None)}, Moment(LogPosition(3), 0, 0)
    )
    assert current.delta == {NAME: Change(old, new), TOPIC: Change(room.events[TOPIC], None)}


async def test_an_entry_says_what_it_changed_of_the_current_state(writing: Writing) -> None:
    room_id = await writing.new_room()
    heard: list[Entry] = []
    writing.live.listen(heard.append)
    await writing.timeline.send(
        room_id, [message("hi"), joining(BOB), Draft("m.room.name", ALICE, {}, state_key="")]
    )
    assert [one.changed for one in heard] == [(), (("m.room.member", BOB),), (NAME,)]
    assert [one.moved for one in heard] == [(), (BOB,), ()]


@pytest.mark.parametrize("keys", [[], [["m.room.member", CAROL], ["m.room.name", ""]]])
async def test_an_entry_can_change_other_keys_than_its_event_sets(
    writing: Writing, keys: list[list[str]]
) -> None:
    room_id = await writing.new_room()
    event = (await writing.timeline.send(room_id, [joining(BOB)])).events[0]
    async with writing.db.write() as conn:
        await conn.exec_driver_sql("DELETE FROM log WHERE position = 5")
        await log.add_entries(
            conn,
            [Entry(LogPosition(5), EntryKind.EVENT, room_id, None, 1, event=event, body={"changed": keys})],
        )
    async with writing.db.read() as conn:
        (read,) = await log.entries_after(conn, LogPosition(4), 10)
    assert [list(key) for key in read.changed] == keys
    assert read.moved == tuple(key for kind, key in keys if kind == "m.room.member")
