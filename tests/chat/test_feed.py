"""The feed: one neutral record for everything that happens in a room, in order."""

import asyncio

from homeserver.app import Homeserver
from homeserver.services import feed
from homeserver.services.content import NewFile
from homeserver.storage.events import StoredEvent
from tests.chat.world import Watch, group, person


async def heard(watch: Watch, count: int) -> list[feed.Record]:
    """The records, once there are so many."""
    async with asyncio.timeout(5):
        while len(watch.records) < count:
            await asyncio.sleep(0.005)
    return watch.records


async def test_a_message_from_its_birth_to_its_end(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    watch = Watch(hs)
    sent = await hs.chat.messages.send(alice, room.room_id, text="one")
    await hs.chat.messages.edit(alice, sent.event_id, text="two")
    await hs.chat.messages.attach(
        alice, sent.event_id, NewFile("file", "x", 1, file_url="https://x.example/y")
    )
    await hs.chat.receipts.mark_read(bob, room.room_id)
    await hs.chat.messages.redact(alice, sent.event_id)
    records = await heard(watch, 5)

    assert isinstance(records[0], feed.MessageNew)
    assert records[0].message == sent
    assert isinstance(records[1], feed.MessageEdited)
    assert isinstance(records[2], feed.MessageEdited)
    assert len(records[2].message.attachments) == 1
    assert records[3] == feed.ReadMoved(room.room_id, bob.user_id, bob.number, sent.ref)
    assert records[4] == feed.MessageDeleted(room.room_id, room.position, sent.ref)


async def test_people_come_and_go(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice)
    watch = Watch(hs)
    await hs.chat.members.add(alice, room.room_id, bob.number)
    await hs.chat.rooms.change(alice, room.room_id, title="New")
    await hs.chat.members.remove(alice, room.room_id, bob.number)
    records = await heard(watch, 3)
    assert isinstance(records[0], feed.MemberAdded)
    assert records[0].member.person.number == bob.number
    assert records[1] == feed.RoomChanged(room.room_id)
    assert records[2] == feed.MemberRemoved(room.room_id, bob.user_id, bob.number)


async def test_typing_and_presence_are_told_once_per_change(hs: Homeserver) -> None:
    alice, room_id = await person(hs, "Alice"), (await group(hs, await person(hs, "Bob"))).room_id
    watch = Watch(hs)
    for is_typing in (True, True, False, False):
        hs.chat.typing.set(alice, room_id, is_typing)
    for step in (
        hs.chat.presence.enter,
        hs.chat.presence.enter,
        hs.chat.presence.leave,
        hs.chat.presence.leave,
    ):
        step(alice, room_id)
    assert watch.records == [
        feed.TypingChanged(room_id, alice.user_id, alice.number, is_typing=True),
        feed.TypingChanged(room_id, alice.user_id, alice.number, is_typing=False),
        feed.PresenceChanged(room_id, alice.user_id, alice.number, is_online=True),
        feed.PresenceChanged(room_id, alice.user_id, alice.number, is_online=False),
    ]


async def test_a_feed_that_cannot_keep_up_says_so(hs: Homeserver) -> None:
    alice = await person(hs, "Alice")
    room = await group(hs, alice)
    watch = Watch(hs)
    hs.chat.feed._queue = asyncio.Queue(2)  # nobody empties this one
    for n in range(3):
        await hs.chat.messages.send(alice, room.room_id, text=str(n))
    assert watch.records == [feed.NewsLost()]


async def test_one_bad_entry_silences_nobody(hs: Homeserver, caplog: object) -> None:
    alice = await person(hs, "Alice")
    room = await group(hs, alice)
    watch = Watch(hs)
    views, fresh = hs.chat.feed._views, hs.chat.feed._views.fresh
    calls = []

    async def once_broken(stored: StoredEvent) -> object:
        calls.append(stored)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return await fresh(stored)

    hs.chat.feed._views = type("Broken", (), {"fresh": staticmethod(once_broken)})()
    sent = [await hs.chat.messages.send(alice, room.room_id, text=str(n)) for n in range(2)]
    records = await heard(watch, 2)
    assert records[0] == feed.NewsLost()
    hs.chat.feed._views = views
    assert [one.message for one in records if isinstance(one, feed.MessageNew)] == [sent[1]]
