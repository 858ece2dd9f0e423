"""Hot paths cost a fixed number of statements, however much there is to show."""

from collections.abc import Awaitable

import pytest

from homeserver.app import Homeserver
from homeserver.model import LOG_START, Page
from tests.chat.world import ByIds, group, person
from tests.conftest import QUIET


@pytest.fixture
def overrides() -> dict[str, object]:
    """Nothing else is at work meanwhile: its statements would be counted too."""
    return QUIET


async def statements(hs: Homeserver, work: Awaitable[object]) -> int:
    before = hs.core.db.statements
    await work
    return hs.core.db.statements - before


async def test_a_send_is_one_small_transaction(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    await ByIds(hs).send(alice, room.room_id, text="warm")
    send = ByIds(hs).send
    begin = 1 if hs.core.db.is_sqlite else 0
    assert await statements(hs, send(alice, room.room_id, text="plain")) == 6 + begin
    assert await statements(hs, send(alice, room.room_id, text="with id", txn_id="t")) == 8 + begin


async def test_a_page_of_history_costs_the_same_whatever_is_on_it(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    for n in range(6):
        sent = await ByIds(hs).send(alice, room.room_id, text=str(n))
        await ByIds(hs).send(bob, room.room_id, text="re", reply_to=sent.event_id)
        await ByIds(hs).edit(alice, sent.event_id, text="edited")
    page = ByIds(hs).page
    assert await statements(hs, page(alice, room.room_id, limit=2)) == 4
    assert await statements(hs, page(alice, room.room_id, limit=12)) == 4


async def test_a_list_of_rooms_costs_the_same_for_two_and_for_many(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    for n in range(6):
        room = await group(hs, alice, bob, title=str(n))
        await ByIds(hs).send(bob, room.room_id, text="hi")
        other = await person(hs, f"P{n}")
        await hs.rooms.rooms.create(alice, kind="private", people=[other.number])
    listing = hs.rooms.rooms.listing
    await listing(alice, page=Page(limit=50))
    few = await statements(hs, listing(alice, page=Page(limit=3)))
    many = await statements(hs, listing(alice, page=Page(limit=50)))
    assert few == many == 3
    await listing(alice, page=Page(limit=50), people_of_each=100)
    few = await statements(hs, listing(alice, page=Page(limit=3), people_of_each=100))
    many = await statements(hs, listing(alice, page=Page(limit=50), people_of_each=100))
    assert few == many == 3, "with the people of each"


async def test_catching_up_costs_the_same_for_one_room_and_for_many(hs: Homeserver) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    sent = []
    for n in range(8):
        room = await group(hs, alice, bob, title=str(n))
        sent.append(await ByIds(hs).send(alice, room.room_id, text="hi"))
    missed, since = hs.realtime.catch_up.of_person, sent[-1].position
    assert len((await missed(bob, since=LOG_START, after=LOG_START, limit=8)).news) == 8
    assert await statements(hs, missed(bob, since=LOG_START, after=LOG_START, limit=1)) == 3
    assert await statements(hs, missed(bob, since=LOG_START, after=LOG_START, limit=8)) == 3
    for one in sent[:-1]:
        await ByIds(hs).edit(alice, one.event_id, text="edited")
        await ByIds(hs).redact(alice, one.event_id)
        await ByIds(hs).edit(alice, sent[-1].event_id, text="edited")
    assert len((await missed(bob, since=since, after=since, limit=100)).news) == 8
    assert await statements(hs, missed(bob, since=since, after=since, limit=4)) == 6
    assert await statements(hs, missed(bob, since=since, after=since, limit=100)) == 6
    assert await statements(hs, hs.rooms.rooms.places(bob, 100)) == 1
