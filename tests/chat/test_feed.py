"""The feed: one neutral record for everything that happens in a room, in order."""

import asyncio

from homeserver.app import Homeserver
from homeserver.services.events.content import NewFile
from homeserver.services.realtime.records import (
    MemberAdded,
    MemberRemoved,
    MessageDeleted,
    MessageEdited,
    MessageNew,
    NewsLost,
    PresenceChanged,
    ReadMoved,
    Record,
    RoomChanged,
    RoomClosed,
    TypingChanged,
)
from homeserver.storage.events import StoredEvent
from tests.chat.world import ByIds, Watch, group, person


async def heard(watch: "Watch | Companion", count: int) -> list[Record]:
    """The records, once there are so many."""
    async with asyncio.timeout(30):
        while len(watch.records) < count:
            await asyncio.sleep(0.005)
    return watch.records


async def test_a_message_from_its_birth_to_its_end(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    watch = Watch(hs)
    sent = await ByIds(hs).send(alice, room.room_id, text="one")
    await ByIds(hs).edit(alice, sent.event_id, text="two")
    await ByIds(hs).attach(alice, sent.event_id, NewFile("file", "x", 1, file_url="https://x.example/y"))
    await hs.realtime.receipts.mark_read(bob, room.room_id)
    await ByIds(hs).redact(alice, sent.event_id)
    records = await heard(watch, 5)

    assert isinstance(records[0], MessageNew)
    assert records[0].message == sent
    assert isinstance(records[1], MessageEdited)
    assert isinstance(records[2], MessageEdited)
    assert len(records[2].message.attachments) == 1
    assert records[3] == ReadMoved(room.room_id, bob.user_id, bob.number, sent.ref, count=1)
    assert records[4] == MessageDeleted(room.room_id, room.position, sent.ref)


async def test_people_come_and_go(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice)
    watch = Watch(hs)
    await hs.rooms.members.add(alice, room.room_id, bob.number)
    await hs.rooms.rooms.change(alice, room.room_id, title="New")
    await hs.rooms.members.remove(alice, room.room_id, bob.number)
    records = await heard(watch, 3)
    assert isinstance(records[0], MemberAdded)
    assert records[0].member.person.number == bob.number
    assert records[1] == RoomChanged(room.room_id)
    assert records[2] == MemberRemoved(room.room_id, bob.user_id, bob.number)


async def test_typing_and_presence_are_told_once_per_change(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    room_id = (await group(hs, alice)).room_id
    watch = Watch(hs)
    for is_typing in (True, True, False, False):
        await hs.realtime.typing.set(alice, room_id, is_typing=is_typing)
    for step in (
        hs.realtime.connections.enter,
        hs.realtime.connections.enter,
        hs.realtime.connections.leave,
        hs.realtime.connections.leave,
    ):
        step(alice, room_id)
    assert watch.records == [
        TypingChanged(room_id, alice.user_id, alice.number, is_typing=True),
        TypingChanged(room_id, alice.user_id, alice.number, is_typing=False),
        PresenceChanged(room_id, alice.user_id, alice.number, is_online=True),
        PresenceChanged(room_id, alice.user_id, alice.number, is_online=False),
    ]


async def test_a_feed_that_cannot_keep_up_says_so(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    room = await group(hs, alice)
    watch = Watch(hs)
    hs.realtime.feed._queue = asyncio.Queue(2)  # nobody empties this one
    for n in range(3):
        await ByIds(hs).send(alice, room.room_id, text=str(n))
    assert watch.records == [NewsLost()]


async def test_one_bad_entry_silences_nobody(hs: Homeserver, caplog: object) -> None:
    alice = await person(hs, "Alice")
    room = await group(hs, alice)
    watch = Watch(hs)
    views, fresh = hs.realtime.feed._views, hs.realtime.feed._views.fresh
    calls = []

    async def once_broken(stored: StoredEvent) -> object:
        calls.append(stored)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return await fresh(stored)

    hs.realtime.feed._views = type("Broken", (), {"fresh": staticmethod(once_broken)})()
    sent = [await ByIds(hs).send(alice, room.room_id, text=str(n)) for n in range(2)]
    records = await heard(watch, 1)
    hs.realtime.feed._views = views
    assert [one.message for one in records if isinstance(one, MessageNew)] == [sent[1]]
    assert NewsLost() not in records, "sockets would be closed for an event that nobody can read"
    assert hs.core.metrics.value("homeserver_entries_set_aside_total", reader="feed") == 1


async def test_a_watcher_that_fails_keeps_news_from_nobody_else(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    room = await group(hs, alice)

    class Broken(Watch):
        def deliver(self, record: Record) -> None:
            raise TypeError("no frame can be made of it")

    Broken(hs)
    watch = Watch(hs)
    sent = [await ByIds(hs).send(alice, room.room_id, text=str(n)) for n in range(2)]
    records = await heard(watch, 2)
    assert [one.message for one in records if isinstance(one, MessageNew)] == sent


class Companion:
    """A follower of one person that wants the rooms where it was told that they are."""

    def __init__(self, hs: Homeserver, user_id: str) -> None:
        self.records: list[Record] = []
        self.rooms: set[str] = set()
        self._user_id = user_id
        self.stop = hs.realtime.feed.follow(self)

    def follows(self, user_id: str) -> bool:
        return user_id == self._user_id

    def wants(self, room_id: str) -> bool:
        return room_id in self.rooms

    def deliver(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, MemberAdded) and record.member.person.user_id == self._user_id:
            self.rooms.add(record.room_id)
        if isinstance(record, MemberRemoved) and record.user_id == self._user_id:
            self.rooms.discard(record.room_id)


async def test_a_follower_misses_nothing_of_a_room_that_its_person_came_into(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    await group(hs, alice, title="without him")
    companion = Companion(hs, bob.user_id)
    for n in range(5):
        room = await group(hs, alice, bob, title=str(n))
        await ByIds(hs).send(alice, room.room_id, text=f"first of {n}")
    records = await heard(companion, 10)
    for n in range(5):
        added, new = records[2 * n : 2 * n + 2]
        assert isinstance(added, MemberAdded)
        assert added.now is not None
        assert (added.member.person.number, added.now.room.name) == (bob.number, str(n))
        assert isinstance(new, MessageNew)
        assert new.message.text == f"first of {n}"
    await hs.rooms.members.remove(alice, room.room_id, bob.number)
    await ByIds(hs).send(alice, room.room_id, text="after him")
    other = await group(hs, alice, bob, title="last")
    records = await heard(companion, 12)
    assert isinstance(records[10], MemberRemoved)
    assert isinstance(records[11], MemberAdded), "and nothing of the room that he is out of"
    assert records[11].room_id == other.room_id
    companion.stop()
    await group(hs, alice, bob)
    assert len(companion.records) == 12


async def test_what_changes_a_room_brings_it_as_it_stands(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    companion = Companion(hs, alice.user_id)
    room = await group(hs, alice, bob)
    await ByIds(hs).send(alice, room.room_id, text="unread")
    await hs.rooms.members.add(alice, room.room_id, carol.number)
    records = await heard(companion, 6)
    changes = [one for one in records if isinstance(one, MemberAdded | RoomChanged)]
    states = {id(one.now) for one in changes}
    assert len(states) == 2, "read once for all that came together"
    last = changes[-1]
    assert isinstance(last, MemberAdded)
    assert last.now is not None
    assert last.now.unread == {alice.user_id: 0, bob.user_id: 1, carol.user_id: 0}
    names = [one.display_name for one in last.now.room.people or ()]
    assert names == ["Alice", "Bob", "Carol"]
    await hs.rooms.rooms.leave_or_close(alice, room.room_id)
    records = await heard(companion, len(records) + 1)
    assert RoomClosed(room.room_id) in records
