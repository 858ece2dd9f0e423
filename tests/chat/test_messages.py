"""Messages: sent once, edited, deleted with all that belongs to them, paged, counted."""

import asyncio

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, Invalid, NotFound, TooLarge
from homeserver.model import FIRST_PLACE, MediaId, Message, Requester, Room
from homeserver.services.events.content import NewFile
from homeserver.services.messages.messages import Sent
from homeserver.storage import events, media
from tests.chat.world import ByIds, group, person

PICTURE = NewFile(
    "image", "cat.png", 1234, media_id=MediaId("abc"), content_type="image/png", width=2, height=1
)


async def pair(hs: Homeserver) -> tuple[Requester, Requester, Room]:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    return alice, bob, await group(hs, alice, bob)


async def texts(hs: Homeserver, reader: Requester, room: Room) -> list[str | None]:
    return [one.text for one in await ByIds(hs).page(reader, room.room_id, limit=50)]


async def unread(hs: Homeserver, reader: Requester, room: Room) -> int:
    return (await hs.rooms.rooms.get(reader, room.room_id)).unread_count


async def test_a_client_id_names_one_message(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    send = ByIds(hs).send
    sent = await asyncio.gather(*(send(alice, room.room_id, text="once", txn_id="a") for _ in range(4)))
    later = await send(alice, room.room_id, text="other text", txn_id="a")
    assert {one.event_id for one in (*sent, later)} == {sent[0].event_id}
    assert later.text == "once"
    await send(bob, room.room_id, text="bob's own a", txn_id="a")
    assert await texts(hs, bob, room) == ["once", "bob's own a"]


async def test_a_repeated_send_or_edit_says_so_and_answers_what_there_is_now(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    messages, here = hs.messages.messages, await hs.events.access.room(alice, room.room_id)
    at_once = await asyncio.gather(*(messages.send(here, text="once", txn_id="a") for _ in range(4)))
    assert [one.repeated for one in at_once] == [False, True, True, True]
    sent = at_once[0].message
    seen = await hs.events.access.message(alice, sent.event_id)
    first = await messages.edit(seen, text="edited", txn_id="b")
    assert (first.repeated, first.message.text, first.message.edited_ms is not None) == (
        False,
        "edited",
        True,
    )
    await ByIds(hs).attach(alice, sent.event_id, PICTURE)
    last = await messages.edit(seen, text="edited again")
    assert last == Sent((await ByIds(hs).page(bob, room.room_id, limit=1))[0], repeated=False)
    assert len(last.message.attachments) == 1, "what was added since the message was seen"
    for again in (
        await messages.send(here, text="once", txn_id="a"),
        await messages.edit(seen, text="edited", txn_id="b"),
    ):
        assert again == Sent(last.message, repeated=True)


async def test_replies_point_into_the_same_room(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    other = await group(hs, alice, title="Other")
    question = await ByIds(hs).send(alice, room.room_id, text="?")
    elsewhere = await ByIds(hs).send(alice, other.room_id, text="secret")
    answer = await ByIds(hs).send(bob, room.room_id, text="!", reply_to=question.event_id)
    assert answer.reply_to == question.ref
    assert (await ByIds(hs).page(alice, room.room_id, limit=1))[0].reply_to == question.ref
    with pytest.raises(Invalid):
        await ByIds(hs).send(alice, room.room_id, text="!", reply_to=elsewhere.event_id)
    with pytest.raises(NotFound):
        await ByIds(hs).send(bob, room.room_id, text="!", reply_to=elsewhere.event_id)


async def test_an_edit_replaces_the_text_everywhere(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    sent = await ByIds(hs).send(alice, room.room_id, text="tpyo")
    for text in ("typo", "a typo"):
        edited = await ByIds(hs).edit(alice, sent.event_id, text=text)
        assert (edited.event_id, edited.text, edited.edited_ms is not None) == (sent.event_id, text, True)
    assert await texts(hs, bob, room) == ["a typo"]
    listed = await hs.rooms.rooms.get(bob, room.room_id)
    assert listed.last_message is not None
    assert listed.last_message.text == "a typo"
    assert listed.unread_count == 1
    with pytest.raises(Forbidden):
        await ByIds(hs).edit(bob, sent.event_id, text="mine")


async def test_a_deletion_takes_edits_and_files_along(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    row = media.MediaRow(MediaId("abc"), alice.user_id, "cat.png", "image/png", 1234, 2, 1, "0", 1)
    async with hs.core.db.write() as conn:
        await media.add_media(conn, [row])
    sent = await ByIds(hs).send(alice, room.room_id, text="a first secret")
    await ByIds(hs).edit(alice, sent.event_id, text="a second secret")
    await ByIds(hs).attach(alice, sent.event_id, PICTURE)
    await ByIds(hs).redact(alice, sent.event_id)

    assert await texts(hs, bob, room) == []
    assert await unread(hs, bob, room) == 0
    async with hs.core.db.read() as conn:
        everything = await events.of_room_after(conn, room.room_id, after=FIRST_PLACE, limit=100)
        files = await media.media_of(conn, [MediaId("abc")])
    assert not [one for one in everything if b"secret" in one.event.json or b"mxc" in one.event.json]
    assert files[MediaId("abc")].delete_after_ms is not None
    with pytest.raises(NotFound):
        await ByIds(hs).edit(alice, sent.event_id, text="back")


async def test_author_and_admin_delete_and_nobody_else(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    carol = await person(hs, "Carol")
    await hs.rooms.members.add(alice, room.room_id, carol.number)
    by_bob = [await ByIds(hs).send(bob, room.room_id, text=str(n)) for n in range(2)]
    with pytest.raises(Forbidden):
        await ByIds(hs).redact(carol, by_bob[0].event_id)
    await ByIds(hs).redact(alice, by_bob[0].event_id)
    await ByIds(hs).redact(bob, by_bob[1].event_id)
    assert await texts(hs, carol, room) == []
    assert (await hs.rooms.rooms.get(carol, room.room_id)).last_message is None


async def test_files_belong_to_messages(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    sent = await ByIds(hs).send(alice, room.room_id, text="look")
    added = await ByIds(hs).attach(alice, sent.event_id, PICTURE)
    captioned = await ByIds(hs).send_file(alice, room.room_id, file=PICTURE, text="a cat")
    bare = await ByIds(hs).send_file(alice, room.room_id, file=PICTURE)
    page: list[Message] = await ByIds(hs).page(bob, room.room_id, limit=10)
    assert [(one.text, one.kind, len(one.attachments)) for one in page] == [
        ("look", "text", 1),
        ("a cat", "image", 1),
        (None, "image", 1),
    ]
    assert page[0].attachments == (added,)
    assert captioned.attachments[0].media_id == "abc"
    assert bare.text is None
    assert await unread(hs, bob, room) == 3
    with pytest.raises(Forbidden):
        await ByIds(hs).attach(bob, sent.event_id, PICTURE)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/x",
        "ftp://x/y",
        'https://x/"onload="',
        "",
        "x",
    ],
)
async def test_dangerous_addresses_are_refused(hs: Homeserver, url: str) -> None:
    alice, _, room = await pair(hs)
    sent = await ByIds(hs).send(alice, room.room_id, text="look")
    with pytest.raises(Invalid):
        await ByIds(hs).attach(alice, sent.event_id, NewFile("file", "x", 1, file_url=url))


async def test_pages_meet_without_gap_or_overlap(hs: Homeserver) -> None:
    alice, _, room = await pair(hs)
    sent = [await ByIds(hs).send(alice, room.room_id, text=str(n)) for n in range(7)]

    async def page(**where: int) -> list[str | None]:
        return [one.text for one in await ByIds(hs).page(alice, room.room_id, **where)]

    assert await page(limit=3) == ["4", "5", "6"]
    assert await page(limit=3, offset=3) == ["1", "2", "3"]
    assert await page(limit=3, before=sent[4].position) == ["1", "2", "3"]
    assert await page(limit=3, after=sent[1].position) == ["2", "3", "4"]
    assert await page(limit=3, after=sent[6].position) == []


async def test_texts_are_bounded(hs: Homeserver) -> None:
    alice, _, room = await pair(hs)
    for text, refusal in (("", Invalid), (" \n", Invalid), ("x" * 10_001, TooLarge)):
        with pytest.raises(refusal):
            await ByIds(hs).send(alice, room.room_id, text=text)
    await ByIds(hs).send(alice, room.room_id, text="я" * 10_000)


async def test_who_joins_later_has_read_nothing_before(hs: Homeserver) -> None:
    """Neither by the join, nor by reading up to the end; what comes after the join counts."""
    alice, bob, room = await pair(hs)
    carol = await person(hs, "Carol")
    mark, members = hs.realtime.receipts.mark_read, hs.rooms.members
    old = [await ByIds(hs).send(who, room.room_id, text="old") for who in (alice, bob)]
    await mark(bob, room.room_id)

    async def counts() -> list[int]:
        return [one.read_by_count for one in await ByIds(hs).page(alice, room.room_id, limit=9)]

    for _ in range(2):  # leaving and coming again begins anew
        await members.add(alice, room.room_id, carol.number)
        assert await counts() == [1, 0]
        await mark(carol, room.room_id, event_id=old[0].event_id)
        await mark(carol, room.room_id)
        assert await counts() == [1, 0]
        await members.remove(alice, room.room_id, carol.number)
    await members.add(alice, room.room_id, carol.number)
    await ByIds(hs).send(alice, room.room_id, text="new")
    assert await counts() == [1, 1, 0], "who writes has read what was there"
    await mark(carol, room.room_id)
    assert await counts() == [1, 1, 1]


async def test_reading_is_counted_once_and_never_backwards(hs: Homeserver) -> None:
    alice, bob, room = await pair(hs)
    sent = [await ByIds(hs).send(alice, room.room_id, text=str(n)) for n in range(4)]
    mark = hs.realtime.receipts.mark_read
    assert await unread(hs, bob, room) == 4
    assert await mark(bob, room.room_id, event_id=sent[1].event_id) == 2
    assert await unread(hs, bob, room) == 2
    assert await mark(bob, room.room_id, event_id=sent[0].event_id) == 0
    assert await mark(bob, room.room_id) == 2
    assert await mark(bob, room.room_id) == 0
    assert await unread(hs, bob, room) == 0
    page = await ByIds(hs).page(alice, room.room_id, limit=10)
    assert [one.read_by_count for one in page] == [1, 1, 1, 1]
    late = await ByIds(hs).send(bob, room.room_id, text="bob")
    assert (await ByIds(hs).page(alice, room.room_id, limit=1))[0].read_by_count == 0
    assert late.read_by_count == 0
