"""Blocks: neither of two people reaches the other, and nobody else notices."""

from collections.abc import Awaitable, Sequence
from uuid import uuid4

import pytest

from homeserver.app import Homeserver, build
from homeserver.errors import Forbidden, HomeserverError
from homeserver.lifecycle import working
from homeserver.model import Link, Message, Page, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.enquiries.enquiryviews import Enquiry
from homeserver.services.events.content import NewFile
from homeserver.services.realtime.records import ReadMoved
from homeserver.settings.models import Settings
from tests.chat.test_statements import statements
from tests.chat.world import ByIds, Watch, enquiry, group, person
from tests.conftest import QUIET

COURSE = Link("course", "1")
FILE = NewFile("file", "a.txt", 3, file_url="https://files.example/a.txt")


async def code(work: Awaitable[object]) -> str:
    """What is refused; empty if nothing is."""
    try:
        await work
    except HomeserverError as error:
        return error.code
    return ""


async def private(hs: Homeserver, one: Requester, other: Requester) -> RoomId:
    return (await hs.rooms.rooms.create(one, kind="private", people=[other.number])).room_id


def all_ways(hs: Homeserver, who: Requester, room_id: RoomId, own: Message) -> Sequence[Awaitable[object]]:
    """Everything by which somebody reaches the others of a room; `own`: a message of theirs."""
    messages = ByIds(hs)
    return (
        messages.send(who, room_id, text="hello?"),
        messages.send_file(who, room_id, file=FILE, text="look"),
        messages.edit(who, own.event_id, text="another text"),
        messages.attach(who, own.event_id, FILE),
        hs.realtime.typing.set(who, room_id, is_typing=True),
    )


async def test_neither_sees_how_far_the_other_has_read(hs: Homeserver) -> None:
    """Whoever blocked whom, by whatever API it is read; for oneself it is read, and what was seen before stays."""
    alice, bob = [await person(hs, name) for name in ("Alice", "Bob")]
    room_id, watch = await private(hs, alice, bob), Watch(hs)
    receipts = hs.realtime.receipts

    async def seen(reader: Requester) -> list[int]:
        page = await ByIds(hs).page(reader, room_id, limit=9)
        return [one.read_by_count for one in page if one.sender == reader.user_id]

    async def unread(who: Requester) -> int:
        (listed,) = await hs.rooms.rooms.listing(who, page=Page(9))
        return listed.unread_count

    for reader, writer in ((bob, alice), (alice, bob)):
        sent = [await ByIds(hs).send(writer, room_id, text=text) for text in ("one", "two", "three")]
        await receipts.mark_read(reader, room_id, event_id=sent[0].event_id)
        before = await seen(writer)
        await hs.accounts.blocks.block(alice, bob.user_id)
        watch.records.clear()
        await receipts.set(reader, room_id, "m.read", sent[1].event_id)
        assert await unread(reader) == 1
        assert await receipts.mark_read(reader, room_id) == 1
        assert await receipts.mark_read(reader, room_id) == 0
        assert await unread(reader) == 0
        assert await seen(writer) == before == [*before[:-2], 0, 0]
        await hs.accounts.blocks.unblock(alice, bob.user_id)
        assert [one for one in watch.records if isinstance(one, ReadMoved)] == []
        await receipts.mark_read(reader, room_id)
        assert await seen(writer) == [*before[:-2], 1, 1]


async def test_neither_reaches_the_other_and_both_are_told_the_same(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    room_id = await private(hs, alice, bob)
    together = await group(hs, carol, alice, bob)
    course = await hs.rooms.rooms.create(carol, kind="group", people=[alice.number, bob.number], link=COURSE)
    own = {who.number: await ByIds(hs).send(who, room_id, text="before") for who in (alice, bob)}
    for _ in range(2):
        await hs.accounts.blocks.block(alice, bob.user_id)
    told = set()
    for who, other in ((alice, bob), (bob, alice)):
        assert [await code(way) for way in all_ways(hs, who, room_id, own[who.number])] == ["blocked"] * 5
        with pytest.raises(Forbidden) as refused:
            await ByIds(hs).send(who, room_id, text="?")
        told.add(refused.value.message)
        assert await private(hs, who, other) == room_id, "what is there may be read"
        assert len(await ByIds(hs).page(who, room_id, limit=9)) == 2
        create, both = hs.rooms.rooms.create, [carol.number, other.number]
        assert await code(create(who, kind="private", people=[other.number], link=COURSE)) == "blocked"
        assert await code(create(who, kind="group", people=both)) == "blocked"
        got = await create(who, kind="group", people=both, link=COURSE)
        assert got.room_id == course.room_id, "they are in it already"
        mine = await group(hs, who)
        assert await code(hs.rooms.members.add(who, mine.room_id, other.number)) == "blocked"
        sent = await ByIds(hs).send(who, together.room_id, text="in a group nothing is different")
        assert [await code(way) for way in all_ways(hs, who, together.room_id, sent)] == [""] * 5
    assert len(told) == 1
    assert await code(hs.rooms.rooms.change(alice, room_id, title="can you read this?")) == "blocked"
    await ByIds(hs).redact(bob, own[bob.number].event_id)
    assert await code(ByIds(hs).send(carol, await private(hs, carol, bob), text="hi")) == ""
    await hs.accounts.blocks.unblock(bob, alice.user_id)
    assert await code(ByIds(hs).send(bob, room_id, text="?")) == "blocked", "it was Alice who blocked"
    await hs.accounts.blocks.block(bob, alice.user_id)
    await hs.accounts.blocks.unblock(alice, bob.user_id)
    assert await code(ByIds(hs).send(alice, room_id, text="?")) == "blocked", "now it is Bob"
    await hs.accounts.blocks.unblock(bob, alice.user_id)
    assert [await code(way) for way in all_ways(hs, alice, room_id, own[alice.number])] == [""] * 5


async def test_the_list_is_ones_own(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    blocks = hs.accounts.blocks
    await blocks.block(alice, bob.user_id)
    await blocks.block(alice, carol.user_id)
    found = [one.number for one in await blocks.listing(alice, Page(10))]
    assert sorted(found) == [bob.number, carol.number]
    assert [one.number for one in await blocks.listing(alice, Page(1, 1))] == found[1:]
    assert await blocks.listing(bob, Page(10)) == []
    assert await code(blocks.block(alice, alice.user_id)) == "own_block"
    assert await code(blocks.by_number(999_999)) == "user_not_found"


@pytest.mark.parametrize("overrides", [{"moderation": {"max_blocked": 1}}])
async def test_how_many_one_can_block_is_bounded(hs: Homeserver) -> None:
    alice, bob, carol = [await person(hs, name) for name in ("Alice", "Bob", "Carol")]
    await hs.accounts.blocks.block(alice, bob.user_id)
    assert await code(hs.accounts.blocks.block(alice, carol.user_id)) == "too_many_blocked"
    assert await code(hs.accounts.blocks.block(alice, bob.user_id)) == ""


async def test_neither_sees_when_the_other_comes(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room_id, other = await private(hs, alice, bob), (await group(hs, alice, bob)).room_id
    connections = hs.realtime.connections
    async with connections.visit(bob, room_id) as alone:
        assert alone == [bob.number]
        await hs.accounts.blocks.block(alice, bob.user_id)
        watch = Watch(hs)
        async with connections.visit(alice, room_id) as there:
            assert there == [alice.number]
    assert [record.user_id for record in watch.records] == [bob.user_id]  # type: ignore[union-attr]  # he went
    for who in (alice, bob):
        assert await connections.hidden_rooms(who) == {room_id}
    async with connections.visit(bob, other), connections.visit(alice, other) as there:
        assert sorted(there) == [alice.number, bob.number]
    await hs.accounts.blocks.unblock(alice, bob.user_id)
    assert await connections.hidden_rooms(bob) == set()


@pytest.mark.parametrize("overrides", [QUIET])
async def test_sending_costs_no_query_more(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room_id = await private(hs, alice, bob)
    send = ByIds(hs).send
    await send(alice, room_id, text="warm")
    begin = 1 if hs.core.db.is_sqlite else 0
    assert await statements(hs, send(alice, room_id, text="plain")) == 6 + begin
    await hs.accounts.blocks.block(bob, (await person(hs, "Carol")).user_id)
    assert await statements(hs, send(alice, room_id, text="plain")) == 7 + begin, "Bob's blocks are read anew"
    assert await statements(hs, send(bob, room_id, text="plain")) == 6 + begin


async def test_other_workers_hear_of_it(settings: Settings) -> None:
    one, two = build(settings), build(settings)
    async with working(one), working(two):
        alice, bob = await person(one, "Alice"), await person(one, "Bob")
        room_id = await private(one, alice, bob)
        await ByIds(two).send(bob, room_id, text="both are known there now")
        for change, wanted in ((one.accounts.blocks.block, "blocked"), (one.accounts.blocks.unblock, "")):
            await change(alice, bob.user_id)
            await two.core.live.follow()
            assert await code(ByIds(two).send(bob, room_id, text="?")) == wanted


async def enquire(hs: Homeserver, buyer: Requester, seller: Requester, what: str = "31") -> Enquiry:
    profiles = hs.accounts.profiles
    return await hs.enquiries.enquiries.open(
        buyer, await profiles.own(buyer), link=Link("marketplace", what), owner=await profiles.own(seller)
    )


async def test_in_an_enquiry_the_support_is_not_cut_off(hs: Homeserver) -> None:
    seller, helper = await person(hs, "Seller"), await person(hs, "Helper")
    buyer = (await hs.enquiries.guests.enter(str(uuid4()))).requester
    enquiries, send = hs.enquiries.enquiries, ByIds(hs).send
    room_id = (await enquire(hs, buyer, seller)).room_id
    await hs.accounts.blocks.block(seller, enquiries.other_side(await enquiry(hs, seller, room_id)))
    assert await code(send(buyer, room_id, text="?")) == "blocked"
    assert (await enquire(hs, buyer, seller)).room_id == room_id
    assert await code(enquire(hs, buyer, seller, "32")) == "blocked"
    await enquiries.call_help(await enquiry(hs, buyer, room_id), "support is called")
    await enquiries.join_help(helper, await hs.accounts.profiles.own(helper), room_id, "support is here")
    with pytest.raises(Forbidden, match="only the two"):
        enquiries.other_side(await enquiry(hs, helper, room_id))
    for who in (helper, buyer, seller):
        assert await code(send(who, room_id, text="with a third person in the room")) == ""
    await enquiries.leave_help(helper, room_id, "support is gone")
    for who in (buyer, seller):
        assert await code(send(who, room_id, text="?")) == "blocked"


async def test_blocks_of_a_guest_go_over_to_the_account(hs: Homeserver) -> None:
    seller, other, alice = [await person(hs, name) for name in ("Seller", "Other", "Alice")]
    made = await hs.enquiries.guests.enter(str(uuid4()))
    guest, blocks, send = made.requester, hs.accounts.blocks, ByIds(hs).send
    of_seller, of_other = await enquire(hs, guest, seller), await enquire(hs, guest, other, "32")
    await blocks.block(guest, seller.user_id)
    await blocks.block(other, guest.user_id)
    await blocks.block(alice, guest.user_id)
    for who, found in ((seller, of_seller), (other, of_other)):
        assert await code(send(who, found.room_id, text="?")) == "blocked"
    await hs.enquiries.guests.claim(alice, name=made.name, cookie=made.cookie or "")
    for who, found in ((seller, of_seller), (other, of_other)):
        assert await code(send(who, found.room_id, text="?")) == "blocked"
        assert await code(send(alice, found.room_id, text="?")) == "blocked"
    assert [one.number for one in await blocks.listing(alice, Page(9))] == [seller.number], "and not herself"
    await blocks.unblock(alice, seller.user_id)
    assert await code(send(seller, of_seller.room_id, text="?")) == ""


async def test_a_suspended_guest_is_shut_out(hs: Homeserver) -> None:
    made = await hs.enquiries.guests.enter(str(uuid4()))
    await hs.accounts.accounts.suspend(made.requester.user_id)
    assert await code(hs.enquiries.guests.enter(made.name, made.cookie or "")) == "suspended"
    assert await code(hs.enquiries.guests.recognise(cookie=made.cookie or "")) == "suspended"
